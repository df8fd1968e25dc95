//! What a file is, by its content: what its client says of it is believed only where both agree.

use imagesize::ImageSize;
use netra_ws::model::is_picture;

/// How much of a file's beginning is looked at; all pictures but JPEG say their size well before that.
const HEAD: usize = 256 << 10;

/// Pixels that a picture may unfold into: a small file can say that it holds terabytes.
const MAX_PIXELS: usize = 100_000_000;

/// Types beside `text/*` whose content is text.
const TEXTUAL: [&str; 9] = [
    "application/json",
    "application/xml",
    "application/yaml",
    "application/toml",
    "application/javascript",
    "application/sql",
    "application/x-sh",
    "application/x-ndjson",
    "image/svg+xml",
];

/// Endings of programs, as their content tells them.
const PROGRAMS: [&str; 6] = ["elf", "exe", "dll", "mach", "dex", "dey"];

/// Whether its content is text.
pub(super) fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || TEXTUAL.contains(&media_type)
}

/// What is seen of a file as it passes.
#[derive(Default)]
pub(super) struct Watch {
    head: Vec<u8>,
    bytes: u64,
    text: TextWatch,
    jpeg: JpegWatch,
}

impl Watch {
    /// How much has passed.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A part passes.
    pub(super) fn see(&mut self, part: &[u8]) {
        self.bytes += part.len() as u64;
        let room = HEAD - self.head.len();
        self.head.extend_from_slice(&part[..part.len().min(room)]);
        self.text.see(part);
        self.jpeg.see(part);
    }

    /// The type of the whole file, or why it is not taken.
    pub(super) fn kind(&self, declared: Option<&str>) -> Result<String, String> {
        let declared = declared.map(bare);
        let seen = infer::get(&self.head);
        let known = seen.as_ref().map(infer::Type::mime_type);
        let is_text = self.text.is_text();
        let kind = match known {
            Some(known) if is_picture(known) => {
                check_picture(&self.head, self.jpeg.size)?;
                known.to_owned()
            }
            Some("application/pdf") => "application/pdf".to_owned(),
            _ if is_text => {
                declared.clone().filter(|declared| is_text_type(declared)).unwrap_or_else(|| "text/plain".to_owned())
            }
            Some(_) if seen.as_ref().is_some_and(|seen| PROGRAMS.contains(&seen.extension())) => {
                return Err("programs are not taken".to_owned());
            }
            Some(known) => known.to_owned(),
            None => "application/octet-stream".to_owned(),
        };
        // Whoever is promised a picture or a document is not handed something else.
        match declared {
            Some(declared) if (is_picture(&declared) || declared == "application/pdf") && declared != kind => {
                Err(format!("the file is called {declared}, and its content is {kind}"))
            }
            _ => Ok(kind),
        }
    }
}

/// A type without its parameters.
fn bare(declared: &str) -> String {
    declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a declared type may stand for text: a plain one, which can stand in a header.
fn is_text_type(declared: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.+-_".contains(c);
    is_text(declared) && declared.len() <= 80 && declared.chars().all(plain)
}

/// A picture is never unfolded here; what it says of its size is all that is read.
fn check_picture(head: &[u8], jpeg: Option<ImageSize>) -> Result<(), String> {
    let ImageSize { width, height } = imagesize::blob_size(head)
        .or_else(|error| jpeg.ok_or(error))
        .map_err(|_| "the picture does not say how large it is; it may be damaged".to_owned())?;
    if width == 0 || height == 0 || width.saturating_mul(height) > MAX_PIXELS {
        return Err(format!("the picture has {width} by {height} pixels; 100 million are taken at most"));
    }
    Ok(())
}

/// Walks over a JPEG's segments (ITU T.81, B.1.1) to the one that says its size: previews and depth maps before it may be long.
#[derive(Default)]
struct JpegWatch {
    /// The beginning of a segment.
    open: Vec<u8>,
    /// Bytes of the segment that are passed over.
    skip: usize,
    begun: bool,
    over: bool,
    size: Option<ImageSize>,
}

impl JpegWatch {
    fn see(&mut self, mut part: &[u8]) {
        while !self.over && !part.is_empty() {
            let passed = self.skip.min(part.len());
            self.skip -= passed;
            part = &part[passed..];
            if let Some((byte, rest)) = part.split_first() {
                self.open.push(*byte);
                part = rest;
                self.step();
            }
        }
    }

    fn step(&mut self) {
        match *self.open.as_slice() {
            [0xff] => {}
            [0xff, 0xd8] if !self.begun => {
                self.begun = true;
                self.open.clear();
            }
            _ if !self.begun => self.over = true,
            // What fills the space before a marker.
            [0xff, 0xff] => self.open.truncate(1),
            // Markers without a segment.
            [0xff, 0x01 | 0xd0..=0xd7] => self.open.clear(),
            // The picture itself begins, or ends.
            [0xff, 0xd8..=0xda] => self.over = true,
            [0xff, _] | [0xff, _, _] => {}
            [0xff, kind, high, low] => {
                let is_frame = matches!(kind, 0xc0..=0xcf) && !matches!(kind, 0xc4 | 0xc8 | 0xcc);
                match usize::from(u16::from_be_bytes([high, low])).checked_sub(2) {
                    _ if is_frame => {}
                    Some(length) => {
                        self.skip = length;
                        self.open.clear();
                    }
                    None => self.over = true,
                }
            }
            [0xff, ..] if self.open.len() < 9 => {}
            [0xff, _, _, _, _, top, bottom, left, right] => {
                let number = |bytes| usize::from(u16::from_be_bytes(bytes));
                self.size = Some(ImageSize { width: number([left, right]), height: number([top, bottom]) });
                self.over = true;
            }
            _ => self.over = true,
        }
    }
}

/// Follows UTF-8 through parts that may end within a character.
#[derive(Default)]
struct TextWatch {
    /// The beginning of a character.
    open: Vec<u8>,
    broken: bool,
}

impl TextWatch {
    fn see(&mut self, part: &[u8]) {
        if self.broken {
            return;
        }
        let joined;
        let mut rest = part;
        if !self.open.is_empty() {
            joined = [self.open.as_slice(), part].concat();
            rest = &joined;
        }
        match std::str::from_utf8(rest) {
            Ok(text) => {
                self.broken |= has_controls(text);
                self.open = Vec::new();
            }
            Err(error) if error.error_len().is_some() => self.broken = true,
            Err(error) => {
                let (whole, open) = rest.split_at(error.valid_up_to());
                self.broken |= std::str::from_utf8(whole).is_ok_and(has_controls);
                self.open = open.to_vec();
            }
        }
    }

    fn is_text(&self) -> bool {
        !self.broken && self.open.is_empty()
    }
}

/// Controls that no text has: all but white space, the escape of terminals, and the mark of a page.
fn has_controls(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
