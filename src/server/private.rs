//! The data folder and what is in it belong to one account of the machine.

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// What SQLite puts beside a database; it gives them the database's own permissions.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Takes the folder and the database's files from everyone but their owner. The database is made when it is missing, so that it
/// is never open to others, not even for a moment.
pub(super) fn keep(folder: &Path, database: &Path) -> io::Result<()> {
    restrict(folder, FOLDER)?;
    if database.as_os_str().as_encoded_bytes().starts_with(b"file:") {
        // In memory, or opened with parameters that SQLite alone understands.
        return Ok(());
    }
    match OpenOptions::new().write(true).create_new(true).mode(FILE).open(database) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => restrict(database, FILE)?,
        // A folder of the database's own may be missing, or be read-only; SQLite says what is wrong.
        Err(_) => return Ok(()),
    }
    for ending in BESIDE {
        let mut beside = database.as_os_str().to_owned();
        beside.push(ending);
        match restrict(&PathBuf::from(beside), FILE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Takes a folder from everyone but its owner.
pub(super) fn keep_folder(folder: &Path) -> io::Result<()> {
    restrict(folder, FOLDER)
}

/// Takes from others what they may do. A file that belongs to someone else cannot be changed, and is left with a warning.
fn restrict(path: &Path, most: u32) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
    if mode | most == most {
        return Ok(());
    }
    match fs::set_permissions(path, Permissions::from_mode(mode & most)) {
        Ok(()) => tracing::debug!(path = %path.display(), "closed to other accounts of this machine"),
        Err(error) => tracing::warn!(path = %path.display(), %error, "other accounts of this machine may read this"),
    }
    Ok(())
}

/// Whether a secret may be read from this file: a file of its own, which nobody else can change.
pub(super) fn check_secret(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    let refuse = |problem| Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    if !found.file_type().is_file() {
        return refuse("the secret is a link or no file; put the file itself here");
    }
    if found.permissions().mode() & 0o022 != 0 {
        return refuse("others may change the secret; make a new one, with mode 0600");
    }
    restrict(path, FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    #[test]
    fn the_folder_and_the_database_are_closed() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("data");
        fs::create_dir(&folder).expect("made");
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("set");
        let database = folder.join("netra.db");
        keep(&folder, &database).expect("kept");
        assert_eq!((mode(&folder), mode(&database)), (0o700, 0o600));
        fs::set_permissions(&database, Permissions::from_mode(0o644)).expect("set");
        let wal = folder.join("netra.db-wal");
        fs::write(&wal, "").expect("written");
        fs::set_permissions(&wal, Permissions::from_mode(0o664)).expect("set");
        keep(&folder, &database).expect("kept");
        assert_eq!((mode(&database), mode(&wal)), (0o600, 0o600));
    }

    #[test]
    fn a_secret_of_someone_elses_making_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("jwt.key");
        fs::write(&key, "k".repeat(43)).expect("written");
        fs::set_permissions(&key, Permissions::from_mode(0o666)).expect("set");
        assert!(check_secret(&key).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&key, &link).expect("linked");
        assert!(check_secret(&link).is_err());
        fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("set");
        check_secret(&key).expect("its owner's own");
        assert_eq!(mode(&key), 0o600, "and closed to others");
    }
}
