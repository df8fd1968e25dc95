//! Files of the data folder, and secrets that somebody else made.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    sync::Arc,
};

use crate::support::{server::Setup, user::User};

#[tokio::test]
async fn the_data_folder_is_closed_to_others() {
    let server = Setup::new().start().await;
    User::register(&server).await;
    let data = server.home().path().join("data");
    let mode = |path: &std::path::Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).expect("a folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn a_secret_of_someone_elses_making_is_refused() {
    for linked in [true, false] {
        let home = Arc::new(tempfile::tempdir().expect("a folder"));
        let setup = Setup::at(home.clone()).set("NETRA_AUTH", "password");
        let data = home.path().join("data");
        fs::create_dir(&data).expect("a folder");
        let (key, outside) = (data.join("jwt.key"), home.path().join("outside"));
        let file = if linked { &outside } else { &key };
        fs::write(file, "0123456789abcdefghijklmnopqrstuvwxyz0123456").expect("a key");
        fs::set_permissions(file, Permissions::from_mode(if linked { 0o600 } else { 0o666 })).expect("a mode");
        if linked {
            symlink(&outside, &key).expect("a link");
        }
        let refusal = setup.refused().await;
        assert_eq!(refusal.code, 2, "{}", refusal.stderr);
        assert!(refusal.stderr.contains("secret"), "{}", refusal.stderr);
    }
    let weak = Setup::new().set("NETRA_JWT_SECRET", "a".repeat(32)).refused().await;
    assert!(weak.code == 2 && weak.stderr.contains("NETRA_JWT_SECRET"), "{}", weak.stderr);
}
