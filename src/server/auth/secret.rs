//! Random secrets, and the one that is kept in a file.

use std::{fs, io, path::Path};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::server::{disk, private};

/// 32 random bytes as URL-safe text.
pub(crate) fn random_text() -> io::Result<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random()?))
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// The secret in the file; made on the first start, readable by its owner alone.
pub(super) fn load_or_create(path: &Path) -> io::Result<Vec<u8>> {
    match private::check_secret(path).and_then(|()| fs::read(path)) {
        Ok(secret) if secret.len() >= 32 => return Ok(secret),
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the secret is too short; remove the file to make a new one",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let secret = random_text()?.into_bytes();
    disk::write_whole(path, &secret, 0o600)?;
    Ok(secret)
}
