//! Files and folders of the data folder that a power cut leaves whole.
//!
//! A file is on the disk after its `fsync`, its name only after that of the folder: so each name that is made here is synced in
//! its folder before anything relies on it. (SQLite does the same for the database and its write-ahead log.)

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Makes the folder and those above it that are missing.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    fs::create_dir_all(path)?;
    missing.into_iter().rev().try_for_each(sync_name)
}

/// Writes a file that is there whole or, after a crash or a power cut on the way, as it was before. `mode` are its permissions.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // Left by a process that ended on the way; its permissions may be others.
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_name(path)
}

/// Syncs the folder that `path` is named in.
fn sync_name(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_permissions() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("a/b");
        create_folder(&folder).expect("made");
        create_folder(&folder).expect("there already");
        let file = folder.join("secret");
        fs::write(folder.join("secret.new"), "left by a crash").expect("a leftover");
        for text in ["the first text", "another"] {
            write_whole(&file, text.as_bytes(), 0o600).expect("written");
            assert_eq!(fs::read_to_string(&file).expect("a file"), text);
        }
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1, "no draft is left");
    }

    #[test]
    fn what_cannot_be_made_is_an_error() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("a file");
        assert!(create_folder(&file.join("below")).is_err());
        assert!(write_whole(&file.join("below"), b"", 0o600).is_err());
    }
}
