//! Forms of the page's files that the binary does not hold, made for clients that do not take Brotli: browsers without TLS, and
//! programs. One is made at a time. What costs much is kept: the gzip of all files is some two megabytes. A file as it is takes
//! more, and is there once, however many are being sent it, until the last of them has it.

use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use axum::body::Bytes;
use brotli_decompressor::Decompressor;
use flate2::{Compression, write::GzEncoder};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// What is read at a time.
const PIECE: usize = 16 * 1024;

/// A file that lies in the binary as Brotli.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    pub(super) path: &'static str,
    pub(super) brotli: &'static [u8],
    /// How long the file is.
    pub(super) length: usize,
}

/// Forms that were made.
#[derive(Debug)]
pub(super) struct Forms {
    one: Arc<Semaphore>,
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
struct Made {
    plain: HashMap<&'static str, Weak<[u8]>>,
    gzip: HashMap<&'static str, Bytes>,
}

impl Default for Forms {
    fn default() -> Self {
        Self { one: Arc::new(Semaphore::new(1)), made: Mutex::default() }
    }
}

impl Forms {
    /// The file, as it is or as gzip.
    pub(super) async fn get(self: &Arc<Self>, file: Packed, as_gzip: bool) -> io::Result<Bytes> {
        if let Some(made) = self.made(file.path, as_gzip) {
            return Ok(made);
        }
        // It goes with the work: a client that hangs up does not let another begin beside it.
        let turn = self.one.clone().acquire_owned().await.map_err(io::Error::other)?;
        let this = self.clone();
        let make = move || {
            let _turn = turn;
            // Whoever waited for the same file finds it made.
            this.made(file.path, as_gzip).map_or_else(|| this.make(file, as_gzip), Ok)
        };
        spawn_blocking(make).await.map_err(io::Error::other)?
    }

    fn made(&self, path: &str, as_gzip: bool) -> Option<Bytes> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if as_gzip {
            return made.gzip.get(path).cloned();
        }
        made.plain.get(path).and_then(Weak::upgrade).map(Bytes::from_owner)
    }

    fn make(&self, file: Packed, as_gzip: bool) -> io::Result<Bytes> {
        if !as_gzip {
            let plain: Arc<[u8]> = unpack(file)?.into();
            self.made.lock().unwrap_or_else(PoisonError::into_inner).plain.insert(file.path, Arc::downgrade(&plain));
            return Ok(Bytes::from_owner(plain));
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&unpack(file)?)?;
        let gzip = Bytes::from(gzip.finish()?);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).gzip.insert(file.path, gzip.clone());
        Ok(gzip)
    }
}

fn unpack(file: Packed) -> io::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(file.length);
    let unpacked = Decompressor::new(file.brotli, PIECE);
    unpacked.take(file.length as u64 + 1).read_to_end(&mut plain)?;
    if plain.len() == file.length {
        return Ok(plain);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a file in the binary has another length"))
}

#[cfg(test)]
pub(super) mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    /// "plain" as Brotli.
    pub(crate) const FILE: Packed =
        Packed { path: "/plain", brotli: &[11, 2, 128, 112, 108, 97, 105, 110, 3], length: 5 };

    #[tokio::test]
    async fn each_form_is_the_file() {
        let forms = Arc::new(Forms::default());
        for _ in 0..2 {
            assert_eq!(forms.get(FILE, false).await.expect("it is unpacked"), "plain");
            let gzip = forms.get(FILE, true).await.expect("it is packed anew");
            let mut plain = String::new();
            GzDecoder::new(&gzip[..]).read_to_string(&mut plain).expect("it is gzip");
            assert_eq!(plain, "plain");
        }
    }

    #[tokio::test]
    async fn all_who_are_being_sent_a_file_share_it() {
        let forms = Arc::new(Forms::default());
        let (first, second) = tokio::join!(forms.get(FILE, false), forms.get(FILE, false));
        let (first, second) = (first.expect("unpacked"), second.expect("unpacked"));
        assert_eq!(first.as_ptr(), second.as_ptr());
        drop((first, second));
        assert!(forms.made(FILE.path, false).is_none(), "nobody has it any more, and nor has the server");
        let (first, second) = (forms.get(FILE, true).await.expect("made"), forms.get(FILE, true).await.expect("kept"));
        assert_eq!(first.as_ptr(), second.as_ptr());
    }

    #[tokio::test]
    async fn what_is_not_as_long_as_it_should_be_is_not_sent() {
        let forms = Arc::new(Forms::default());
        for length in [0, 4, 6] {
            assert!(forms.get(Packed { length, ..FILE }, false).await.is_err(), "{length}");
        }
        assert!(forms.get(Packed { brotli: b"\xff\xff\xff", ..FILE }, true).await.is_err());
    }
}
