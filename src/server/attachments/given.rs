//! What a model is shown of the files of a conversation: pictures and documents where it takes them, text as text, and names of
//! the rest.

use std::{collections::HashMap, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use netra_ws::{
    MessageId,
    model::{Attachment, Message},
};

use super::{Attachments, kind::is_text};
use crate::{
    app::size::size,
    server::agent::model::{GivenFile, Takes},
};

/// Bytes of pictures and documents in one request; those of the newest messages come first.
const MAX_BYTES: u64 = 20 << 20;

/// Bytes of text of one file, and of all files in one request.
const MAX_TEXT: (usize, usize) = (200 << 10, 600 << 10);

/// What goes with the words of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// Put behind the words.
    pub(crate) text: String,
    /// Put beside them.
    pub(crate) files: Vec<GivenFile>,
}

/// What is left of a request's room.
struct Left {
    bytes: u64,
    text: usize,
}

impl Attachments {
    /// What an agent is given of the files of these messages, which are ordered by time. One without a model gets their names.
    pub(crate) async fn give(&self, messages: &[Message], takes: Option<Takes>) -> HashMap<MessageId, Given> {
        let mut left = Left { bytes: MAX_BYTES, text: MAX_TEXT.1 };
        let mut given = HashMap::new();
        for message in messages.iter().rev().filter(|message| !message.attachments.is_empty()) {
            let mut of_message = Given::default();
            for file in &message.attachments {
                match takes {
                    Some(takes) => self.give_one(file, takes, &mut left, &mut of_message).await,
                    None => of_message.files.push(GivenFile::named(&file.name, &file.media_type)),
                }
            }
            given.insert(message.message_id, of_message);
        }
        given
    }

    async fn give_one(&self, file: &Attachment, takes: Takes, left: &mut Left, given: &mut Given) {
        let (media_type, bytes) = (file.media_type.as_str(), file.bytes.unwrap_or_default());
        let taken = (takes.images && file.is_picture()) || (takes.files && media_type == "application/pdf");
        let Some(id) = file.id else { return note(given, file, "is not kept here") };
        if !taken && !is_text(media_type) {
            return note(given, file, "cannot be shown to you");
        }
        if (taken && bytes > left.bytes) || (!taken && left.text == 0) {
            return note(given, file, "is not shown to you: the files of this conversation are too large");
        }
        // A character may begin within the room and end behind it.
        let room = left.text.min(MAX_TEXT.0);
        let shown = (room as u64 + 4).min(bytes);
        let content = match shown {
            _ if taken => self.0.place.bytes(id).await,
            0 => Ok(Bytes::new()),
            shown => self.0.place.beginning(id, shown).await,
        };
        let content = match content {
            Ok(content) => content,
            Err(error) => {
                tracing::error!(attachment_id = %id, %error, "a file cannot be read for a model");
                return note(given, file, "could not be read");
            }
        };
        if taken {
            left.bytes -= bytes;
            given.files.push(GivenFile {
                name: file.name.clone(),
                media_type: media_type.to_owned(),
                base64: STANDARD.encode(&content).into(),
            });
            return;
        }
        let text = String::from_utf8_lossy(&content);
        let shown = &text[..text.floor_char_boundary(room)];
        left.text -= shown.len();
        let cut = if (shown.len() as u64) < bytes { " cut=\"true\"" } else { "" };
        // The name is without quotes and angles.
        let _ = write!(given.text, "\n\n<file name=\"{}\" type=\"{media_type}\"{cut}>\n{shown}\n</file>", file.name);
    }
}

fn note(given: &mut Given, file: &Attachment, why: &str) {
    let bytes = size(file.bytes.unwrap_or_default());
    let _ = write!(given.text, "\n\n[The attached file {:?} ({}, {bytes}) {why}.]", file.name, file.media_type);
}
