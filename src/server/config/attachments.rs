//! `[attachments]`: where files that go with messages are kept, and what they may take.

use std::path::PathBuf;

use super::source::{ConfigError, Source};

/// What the settings say of files.
#[derive(Clone, Debug)]
pub struct AttachmentsConfig {
    /// Where they are kept.
    pub place: AttachmentsPlace,
    /// Bytes of one file.
    pub max_bytes: u64,
    /// Bytes of all files of one user.
    pub max_user_bytes: u64,
}

/// Where files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachmentsPlace {
    /// A folder; `attachments` in the data folder when none is named.
    Folder(Option<PathBuf>),
    /// A bucket that speaks S3.
    Bucket {
        /// Its name.
        bucket: String,
        /// What stands before each file's name.
        prefix: String,
        /// Where it is, when it is not at AWS.
        endpoint: Option<url::Url>,
        /// Its region.
        region: Option<String>,
    },
}

/// Reads the table.
pub(super) fn attachments(source: &Source) -> Result<AttachmentsConfig, ConfigError> {
    let place = place(source)?;
    for name in ["attachments_endpoint", "attachments_region"] {
        if source.text(name).is_some() && matches!(place, AttachmentsPlace::Folder(_)) {
            let problem = "is for a bucket; set attachments.url (NETRA_ATTACHMENTS_URL) to s3://<bucket>";
            return Err(ConfigError::new(source.given(name), problem));
        }
    }
    Ok(AttachmentsConfig {
        place,
        max_bytes: source.between("attachments_max_bytes", 25 << 20, 1 << 10, 1 << 30)?,
        max_user_bytes: source.between("attachments_max_user_bytes", 1 << 30, 1 << 10, 1 << 50)?,
    })
}

fn place(source: &Source) -> Result<AttachmentsPlace, ConfigError> {
    let Some(text) = source.text("attachments_url") else { return Ok(AttachmentsPlace::Folder(None)) };
    let wrong = |problem: &str| ConfigError::new(source.given("attachments_url"), format!("{text:?} {problem}"));
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(AttachmentsPlace::Folder(Some(text.into()))) };
    match scheme {
        "file" => Ok(AttachmentsPlace::Folder(Some(rest.into()))),
        "s3" => {
            if rest.contains(['@', '?']) {
                return Err(wrong(
                    "is more than a bucket and a prefix; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                ));
            }
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(wrong("names no bucket, as in s3://netra-files"));
            }
            let endpoint = source.text("attachments_endpoint").map(|text| {
                let url = url::Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
                let problem = format!("{text:?} is not an http address");
                url.ok_or_else(|| ConfigError::new(source.given("attachments_endpoint"), problem))
            });
            Ok(AttachmentsPlace::Bucket {
                bucket: bucket.to_owned(),
                prefix: prefix.trim_matches('/').to_owned(),
                endpoint: endpoint.transpose()?,
                region: source.text("attachments_region"),
            })
        }
        _ => Err(wrong("is no place for files; there are a folder and s3://<bucket>/<prefix>")),
    }
}
