//! Where bytes are kept: a folder, or a bucket that speaks S3.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream::BoxStream;
use netra_ws::AttachmentId;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig, WriteMultipart,
    aws::AmazonS3Builder,
    client::{HttpClient, HttpConnector},
    local::LocalFileSystem,
    path::Path,
};
use uuid::Uuid;

use crate::server::{
    config::{AttachmentsConfig, AttachmentsPlace},
    disk, private,
};

/// Bytes that are written at once to a folder.
const FOLDER_PART: usize = 256 << 10;

/// The same for a bucket, where a part has 5 MiB or more.
const BUCKET_PART: usize = 5 << 20;

/// Parts of one file that are written at the same time.
const PARTS_AT_ONCE: usize = 2;

/// How long a bucket may be silent, and how long it is tried again when it fails: somebody waits for the file.
const SILENCE: Duration = Duration::from_mins(1);
const AGAIN: RetryConfig = RetryConfig {
    backoff: BackoffConfig { init_backoff: Duration::from_millis(200), max_backoff: Duration::from_secs(2), base: 2.0 },
    max_retries: 3,
    retry_timeout: Duration::from_secs(10),
};

/// The name under which a bucket is tried.
const TRIAL: &str = "netra-trial";

/// Where bytes cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The folder cannot be used.
    #[error("the folder of attachments: {0}")]
    Folder(#[from] std::io::Error),
    /// The bucket cannot be used.
    #[error("attachments: {0}")]
    Bucket(#[from] object_store::Error),
    /// A bucket cannot be asked.
    #[error("attachments: {0}")]
    Http(#[from] reqwest::Error),
}

/// What a failing place is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The key.
    Key,
    /// The bucket, or the object in it, is not there.
    Absent,
    /// It fails or does not answer: later it may.
    Passing,
}

impl Trouble {
    /// What an error is about.
    pub(super) fn of(error: &object_store::Error) -> Self {
        match error {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => Self::Key,
            object_store::Error::NotFound { .. } => Self::Absent,
            _ => Self::Passing,
        }
    }
}

/// A place for bytes.
#[derive(Clone, Debug)]
pub struct Place {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    part: usize,
    is_bucket: bool,
}

/// Requests to a bucket go out with this client.
#[derive(Debug)]
struct Outgoing(reqwest::Client);

impl Outgoing {
    fn new() -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .user_agent(concat!("netra/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }
}

impl HttpConnector for Outgoing {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// Whether a file of this name is one of ours that did not come whole: its id, and a number that the object store gives. Others
/// may keep files in the folder, too.
fn is_part(name: &str) -> bool {
    name.split_once('#').is_some_and(|(id, number)| {
        id.parse::<Uuid>().is_ok() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

impl Place {
    /// The place that the settings name. `synced` says whether a file must outlive a power cut.
    pub fn open(config: &AttachmentsConfig, data_dir: &std::path::Path, synced: bool) -> Result<Self, PlaceError> {
        match &config.place {
            AttachmentsPlace::Folder(folder) => {
                let folder = folder.clone().unwrap_or_else(|| data_dir.join("attachments"));
                Self::folder(folder, synced)
            }
            AttachmentsPlace::Bucket { bucket, prefix, endpoint, region } => {
                // Keys are read from where every S3 tool reads them: `AWS_ACCESS_KEY_ID` and its kin, or the machine's role.
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_http_connector(Outgoing::new()?)
                    .with_retry(AGAIN);
                if let Some(endpoint) = endpoint {
                    let plain = endpoint.scheme() == "http";
                    builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/')).with_allow_http(plain);
                }
                if let Some(region) = region {
                    builder = builder.with_region(region);
                }
                let store = Arc::new(builder.build()?);
                Ok(Self { store, prefix: Path::from(prefix.as_str()), part: BUCKET_PART, is_bucket: true })
            }
        }
    }

    fn folder(folder: PathBuf, synced: bool) -> Result<Self, PlaceError> {
        disk::create_folder(&folder)?;
        private::keep_folder(&folder)?;
        // What a crash left of files that did not come whole.
        for entry in std::fs::read_dir(&folder)?.flatten() {
            if is_part(&entry.file_name().to_string_lossy()) {
                std::fs::remove_file(entry.path())?;
            }
        }
        let store = LocalFileSystem::new_with_prefix(&folder)?.with_fsync(synced);
        Ok(Self { store: Arc::new(store), prefix: Path::default(), part: FOLDER_PART, is_bucket: false })
    }

    /// Writes, reads and removes a few bytes in a bucket, so that what is wrong with it is said before somebody sends a file.
    pub(super) async fn try_out(&self) {
        if !self.is_bucket {
            return;
        }
        let path = self.prefix.clone().join(TRIAL);
        let trial = async {
            self.store.put(&path, PutPayload::from_static(TRIAL.as_bytes())).await?;
            self.store.get(&path).await?.bytes().await?;
            self.store.delete(&path).await
        };
        match trial.await {
            Ok(()) => tracing::info!("files are kept in a bucket, which takes them"),
            Err(error) => {
                let why = match Trouble::of(&error) {
                    Trouble::Key => "the key is refused",
                    Trouble::Absent => "there is no such bucket",
                    Trouble::Passing if std::env::var_os("AWS_ACCESS_KEY_ID").is_none() => {
                        "AWS_ACCESS_KEY_ID is not set and the machine gives no key, or the bucket does not answer"
                    }
                    Trouble::Passing => "it does not answer, or not as a bucket does",
                };
                tracing::error!(%error, "files cannot be kept in the bucket of attachments.url: {why}");
            }
        }
    }

    /// Whether the whole place is away, as against one file that makes trouble.
    pub(super) fn is_away(&self, error: &object_store::Error) -> bool {
        self.is_bucket && Trouble::of(error) == Trouble::Passing
    }

    fn path(&self, id: AttachmentId) -> Path {
        self.prefix.clone().join(id.to_string())
    }

    /// Begins to write.
    pub(super) async fn write(&self, id: AttachmentId) -> object_store::Result<WriteMultipart> {
        let upload = self.store.put_multipart(&self.path(id)).await?;
        Ok(WriteMultipart::new_with_chunk_size(upload, self.part))
    }

    /// Writes a part; returns when there is room for more.
    pub(super) async fn push(&self, writer: &mut WriteMultipart, part: Bytes) -> object_store::Result<()> {
        writer.wait_for_capacity(PARTS_AT_ONCE).await?;
        writer.write(&part);
        Ok(())
    }

    /// Reads a file as it comes.
    pub(super) async fn read(
        &self,
        id: AttachmentId,
    ) -> object_store::Result<BoxStream<'static, object_store::Result<Bytes>>> {
        Ok(self.store.get(&self.path(id)).await?.into_stream())
    }

    /// The whole file.
    pub(super) async fn bytes(&self, id: AttachmentId) -> object_store::Result<Bytes> {
        self.store.get(&self.path(id)).await?.bytes().await
    }

    /// The first bytes of a file; it has more than none.
    pub(super) async fn beginning(&self, id: AttachmentId, bytes: u64) -> object_store::Result<Bytes> {
        self.store.get_range(&self.path(id), 0..bytes).await
    }

    /// Removes a file; one that is not there is removed already.
    pub(super) async fn remove(&self, id: AttachmentId) -> object_store::Result<()> {
        match self.store.delete(&self.path(id)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            removed => removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_removes_parts_of_its_own_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let id = Uuid::now_v7();
        let names = [
            format!("{id}#1"),
            format!("{id}#"),
            format!("{id}"),
            "notes#1".into(),
            "#1".into(),
            format!("{id}#1.bak"),
        ];
        for name in &names {
            std::fs::write(home.path().join(name), "x").expect("it is written");
        }
        Place::folder(home.path().to_owned(), false).expect("a place");
        let left: Vec<&String> = names.iter().filter(|name| home.path().join(name).exists()).collect();
        assert_eq!(left, names[1..].iter().collect::<Vec<_>>());
    }
}
