//! What a folder takes on the disk.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Names that are looked at; a folder with more of them is too large, whatever they hold.
const NAMES: usize = 500_000;

/// Whether the folder takes more than this. What goes away meanwhile takes nothing.
pub(super) fn exceeds(folder: &Path, most: u64) -> bool {
    let (mut taken, mut names) = (0u64, 0);
    let mut open: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            names += 1;
            // Of a link, the link.
            let Ok(found) = entry.metadata() else { continue };
            taken = taken.saturating_add(found.blocks().saturating_mul(512));
            if taken > most || names > NAMES {
                return true;
            }
            if found.is_dir() {
                open.push(entry.path());
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_grows_exceeds() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("a/b")).expect("folders");
        std::os::unix::fs::symlink("/", dir.path().join("a/root")).expect("a link");
        assert!(!exceeds(dir.path(), 1 << 20));
        fs::write(dir.path().join("a/b/c"), vec![1; 2 << 20]).expect("a file");
        assert!(exceeds(dir.path(), 1 << 20));
        assert!(!exceeds(&dir.path().join("gone"), 0));
    }
}
