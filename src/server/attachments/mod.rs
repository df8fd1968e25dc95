//! Files that go with messages: taken in as they stream, kept by an object store, and given to who may read them.
//!
//! A file has a row before its first byte and until its last: what a crash leaves behind is found by its row and swept. `place`:
//! where bytes are; `kind`: what they are; `name`: what they are called; `given`: what a model is shown of them; `sweep`: what goes.

mod given;
mod kind;
mod name;
mod place;
mod sweep;

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use netra_ws::{
    AttachmentId, ErrorCode, ThreadId, UserId,
    model::{Attachment, AttachmentRef, MAX_ATTACHMENTS},
};
use object_store::WriteMultipart;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{Notify, Semaphore},
    time::timeout,
};

use super::{
    config::{AttachmentsConfig, Quota},
    error::ApiError,
    metrics::metrics,
    store::{KeptAttachment, NewAttachment, NoRoom, Room, SharedStore},
    turns::Turns,
};
use crate::app::size::size;
pub(crate) use given::Given;
use kind::Watch;
use place::Trouble;
pub use place::{Place, PlaceError};

/// Files that come in at the same time; each holds a part of the file in memory.
const UPLOADS: usize = 16;

/// Of these, what one user sends at the same time, and what waits for it: a page offers a message's files at once.
const OF_A_USER: usize = 2;
const IN_LINE: usize = 2 * MAX_ATTACHMENTS;

/// When to try again where too many wait, in milliseconds.
const RETRY_AFTER: u64 = 5_000;

/// Files of one user that wait to be sent.
const UNSENT: u64 = 100;

/// How long a client may leave its upload alone.
const SILENCE: Duration = Duration::from_secs(30);

/// How long an upload may take.
const PATIENCE: Duration = Duration::from_hours(1);

/// A cheap handle on the service.
#[derive(Clone)]
pub struct Attachments(Arc<Shared>);

struct Shared {
    store: SharedStore,
    place: Place,
    limits: Limits,
    uploads: Semaphore,
    uploads_of_users: Turns<UserId>,
    /// Something is to be swept.
    sweep: Notify,
}

/// What files may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    file: u64,
    user: u64,
}

impl Limits {
    /// What those with this quota may keep.
    fn of(self, quota: &Quota) -> Self {
        Self { file: quota.file_bytes.unwrap_or(self.file), user: quota.storage_bytes.unwrap_or(self.user) }
    }

    fn too_large(self) -> ApiError {
        ApiError::new(ErrorCode::FrameTooLarge, format!("a file has {} at most", size(self.file)))
    }

    fn full(self, full: NoRoom) -> ApiError {
        metrics().quota_met("storage");
        match full {
            NoRoom::Bytes => ApiError::new(
                ErrorCode::FrameTooLarge,
                format!(
                    "your files take all of the {} that they may; delete conversations with files first",
                    size(self.user)
                ),
            ),
            NoRoom::Unsent => ApiError::new(
                ErrorCode::RateLimited,
                format!("{UNSENT} of your files wait to be sent; send some, or take some back"),
            ),
        }
    }

    fn room(self) -> Room {
        Room { bytes: self.user, unsent: UNSENT }
    }
}

/// What a client says of a file before it sends it.
pub struct Offered {
    /// What it is called.
    pub name: String,
    /// The type that it is said to be.
    pub declared: Option<String>,
    /// How long it is said to be.
    pub length: Option<u64>,
}

/// A file as it comes.
type Incoming = BoxStream<'static, Result<Bytes, axum::Error>>;

/// A file as it is read.
pub struct Opened {
    /// What is told of it.
    pub told: Attachment,
    /// Names its bytes.
    pub digest: String,
}

impl Attachments {
    /// A service that keeps files at this place.
    pub fn new(store: SharedStore, place: Place, config: &AttachmentsConfig) -> Self {
        let limits = Limits { file: config.max_bytes, user: config.max_user_bytes };
        let uploads = Semaphore::new(UPLOADS);
        let uploads_of_users = Turns::new(OF_A_USER, IN_LINE);
        Self(Arc::new(Shared { store, place, limits, uploads, uploads_of_users, sweep: Notify::new() }))
    }

    /// Bytes of one file, and of all files, of one person with this quota.
    pub fn limits_of(&self, quota: &Quota) -> (u64, u64) {
        let limits = self.0.limits.of(quota);
        (limits.file, limits.user)
    }

    /// Takes a file in.
    pub async fn keep(
        &self,
        user: UserId,
        quota: &Quota,
        offered: Offered,
        body: Incoming,
    ) -> Result<Attachment, ApiError> {
        let Offered { name, declared, length } = offered;
        let shared = &self.0;
        let limits = shared.limits.of(quota);
        if length.is_some_and(|length| length > limits.file) {
            return Err(limits.too_large());
        }
        if length == Some(0) {
            return Err(empty());
        }
        let id = AttachmentId::new();
        let name = name::clean(&name);
        let new = NewAttachment { id, user_id: user, name: name.clone(), bytes: length.unwrap_or_default() };
        shared.store.begin_attachment(&new, limits.room()).await?.map_err(|full| limits.full(full))?;
        let begun = Begun { shared: shared.clone(), user, id, kept: false };
        let kept = self.receive(begun, name, declared.as_deref(), body, limits).await;
        metrics().upload(kept.is_ok());
        match &kept {
            Ok(told) => {
                tracing::info!(user_id = %user, attachment_id = %id, bytes = told.bytes, media_type = told.media_type, "a file was kept");
            }
            Err(error) => tracing::warn!(user_id = %user, attachment_id = %id, %error, "a file was not kept"),
        }
        kept
    }

    /// Keeps a file that the user may read once more, for a message of another conversation of theirs.
    pub async fn copy(&self, user: UserId, quota: &Quota, id: AttachmentId) -> Result<Attachment, ApiError> {
        let told = self.find(user, id).await?.told;
        let body = self.read(id).await?.map_err(axum::Error::new).boxed();
        let offered = Offered { name: told.name, declared: Some(told.media_type), length: told.bytes };
        self.keep(user, quota, offered, body).await
    }

    async fn receive(
        &self,
        mut begun: Begun,
        name: String,
        declared: Option<&str>,
        body: Incoming,
        limits: Limits,
    ) -> Result<Attachment, ApiError> {
        let (shared, id) = (&self.0, begun.id);
        // First in the user's own line: whoever sends slowly, or much, holds up nobody else.
        let _own = shared.uploads_of_users.take(begun.user).await.map_err(|_| {
            ApiError::new(ErrorCode::RateLimited, "many of your files are on their way; wait for some of them")
                .retry_after_ms(RETRY_AFTER)
        })?;
        let _turn = shared.uploads.acquire().await.map_err(|error| ApiError::internal(&error))?;
        let received = timeout(PATIENCE, shared.write(id, body, limits)).await;
        let (watch, digest) = received.unwrap_or_else(|_| Err(cut_off("it took longer than an hour")))?;
        let media_type = watch.kind(declared).map_err(|why| ApiError::new(ErrorCode::InvalidPayload, why))?;
        let told = Attachment { id: Some(id), name, media_type, bytes: Some(watch.bytes()), url: Attachment::path(id) };
        let kept = KeptAttachment { told, digest };
        shared.store.finish_attachment(begun.user, &kept, limits.room()).await?.map_err(|full| limits.full(full))?;
        begun.kept = true;
        Ok(kept.told)
    }

    /// What is told of a file, if the user may read it.
    pub async fn find(&self, user: UserId, id: AttachmentId) -> Result<Opened, ApiError> {
        let kept = self.0.store.attachment(user, id).await?.ok_or_else(ApiError::not_found)?;
        let digest = URL_SAFE_NO_PAD.encode(kept.digest);
        Ok(Opened { told: kept.told, digest })
    }

    /// The bytes of a file.
    pub async fn read(&self, id: AttachmentId) -> Result<BoxStream<'static, object_store::Result<Bytes>>, ApiError> {
        self.0.place.read(id).await.map_err(|error| lost(id, &error))
    }

    /// Takes a file back that was not sent.
    pub async fn discard(&self, user: UserId, id: AttachmentId) -> Result<(), ApiError> {
        if !self.0.store.discard_attachment(user, id).await? {
            return Err(ApiError::not_found());
        }
        self.sweep_soon();
        Ok(())
    }

    /// What a message's files are, which its client named by their ids. Each must be the user's own and unsent, or one that the
    /// thread has already.
    pub async fn resolve(
        &self,
        user: UserId,
        thread: Option<ThreadId>,
        named: &[AttachmentRef],
    ) -> Result<Vec<AttachmentRef>, ApiError> {
        let wrong = |why: String| ApiError::new(ErrorCode::InvalidPayload, why);
        if named.len() > MAX_ATTACHMENTS {
            return Err(wrong(format!(
                "a message takes {MAX_ATTACHMENTS} files at most, and this one has {}; send them with several messages",
                named.len()
            )));
        }
        let mut ids: Vec<AttachmentId> = Vec::with_capacity(named.len());
        for attachment in named {
            let id = attachment.id().ok_or_else(|| {
                wrong("`attachments` holds ids of files that POST /api/attachments answered".to_owned())
            })?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let found = self.0.store.sendable_attachments(user, thread, &ids).await?;
        if found.len() < ids.len() {
            return Err(netra_ws::log::LogError::AttachmentGone.into());
        }
        Ok(found.into_iter().map(AttachmentRef::Told).collect())
    }

    /// Says in the log whether a bucket takes files.
    pub async fn try_place(&self) {
        self.0.place.try_out().await;
    }

    /// Has the next sweep begin at once.
    pub fn sweep_soon(&self) {
        self.0.sweep.notify_one();
    }
}

impl Shared {
    /// Writes the body as it comes; nothing of it is kept in memory but its beginning and the part under way.
    async fn write(&self, id: AttachmentId, mut body: Incoming, limits: Limits) -> Result<(Watch, Vec<u8>), ApiError> {
        let failed = |error: object_store::Error| {
            tracing::error!(attachment_id = %id, %error, "a file could not be written");
            let why = match Trouble::of(&error) {
                Trouble::Key | Trouble::Absent => {
                    "the server cannot keep files: the place that is set for them refuses; its log says more to who runs it"
                }
                Trouble::Passing => "the file could not be stored; try again later",
            };
            ApiError::new(ErrorCode::ServerBusy, why)
        };
        let mut writer = self.place.write(id).await.map_err(failed)?;
        let (mut watch, mut digest) = (Watch::default(), Sha256::new());
        let outcome = loop {
            let part = match timeout(SILENCE, body.next()).await {
                Ok(Some(Ok(part))) => part,
                Ok(Some(Err(error))) => break Err(cut_off(&error.to_string())),
                Ok(None) if watch.bytes() == 0 => break Err(empty()),
                Ok(None) => break Ok(()),
                Err(_) => break Err(cut_off("nothing came for half a minute")),
            };
            watch.see(&part);
            if watch.bytes() > limits.file {
                break Err(limits.too_large());
            }
            digest.update(&part);
            if let Err(error) = self.place.push(&mut writer, part).await {
                break Err(failed(error));
            }
        };
        match outcome {
            Ok(()) => {
                WriteMultipart::finish(writer).await.map_err(failed)?;
                Ok((watch, digest.finalize().to_vec()))
            }
            Err(error) => {
                if let Err(error) = WriteMultipart::abort(writer).await {
                    tracing::warn!(attachment_id = %id, %error, "what came of a file could not be removed yet");
                }
                Err(error)
            }
        }
    }
}

/// A file on its way. What ends it before it is kept, a client that goes away too, has its bytes removed.
struct Begun {
    shared: Arc<Shared>,
    user: UserId,
    id: AttachmentId,
    kept: bool,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (shared, user, id) = (self.shared.clone(), self.user, self.id);
        tokio::spawn(async move {
            match shared.store.discard_attachment(user, id).await {
                Ok(_) => shared.sweep.notify_one(),
                Err(error) => {
                    tracing::warn!(attachment_id = %id, %error, "a file that did not come whole is swept later");
                }
            }
        });
    }
}

fn cut_off(why: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidPayload, format!("the file did not come whole ({why}); send it again"))
}

fn empty() -> ApiError {
    ApiError::new(ErrorCode::InvalidPayload, "the file is empty")
}

/// The row is there and the bytes are not.
fn lost(id: AttachmentId, error: &object_store::Error) -> ApiError {
    tracing::error!(attachment_id = %id, %error, "a file cannot be read");
    ApiError::new(ErrorCode::ServerBusy, "the file cannot be read now; it is in the server's log why")
}
