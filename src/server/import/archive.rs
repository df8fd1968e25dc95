//! The archive that people have of an export: the conversations in it, unpacked in memory. Names lead nowhere, for nothing is
//! written; what an archive says of its sizes is not believed. Read here and not by a library: the `zip` crate lists every file of
//! an archive before it gives one, and 64 MB can list more than a million.

use std::io::Read as _;

use flate2::{Crc, read::DeflateDecoder};

/// What is unpacked of an archive at most, in bytes.
const MOST: usize = 64 << 20;

/// Files of conversations that are taken out of one archive.
const MOST_FILES: usize = 100;

/// The end of a list of files, without a comment.
const END: usize = 22;

/// How long a comment behind it may be.
const COMMENT: usize = 0xffff;

/// Whether a file is an archive.
pub(in crate::server) fn is_archive(file: &[u8]) -> bool {
    file.starts_with(b"PK")
}

/// The texts of the conversations in an archive, or what is wrong with it.
pub(in crate::server) fn conversations(file: &[u8]) -> Result<Vec<String>, String> {
    within(file, MOST)
}

/// The same where so many bytes are unpacked at most.
fn within(file: &[u8], most: usize) -> Result<Vec<String>, String> {
    let not_whole = || "the archive is not whole".to_owned();
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut left = most;
    let mut at = directory(file).ok_or_else(not_whole)?;
    while let Some(head) = file.get(at..).filter(|rest| rest.starts_with(b"PK\x01\x02")) {
        let entry = Entry::read(head).ok_or_else(not_whole)?;
        at += entry.length;
        let Some(name) = conversations_file(entry.name) else { continue };
        if texts.len() == MOST_FILES {
            return Err(format!("the archive has more than {MOST_FILES} files of conversations"));
        }
        let content = unpack(file, &entry, left)?
            .ok_or_else(|| format!("what is in the archive is more than {} MB unpacked", most >> 20))?;
        left -= content.len();
        let text = String::from_utf8(content).map_err(|_| format!("{name} in the archive is no text"))?;
        texts.push((name, text));
    }
    if texts.is_empty() {
        return Err("the archive has no conversations.json in it".to_owned());
    }
    texts.sort();
    Ok(texts.into_iter().map(|(_, text)| text).collect())
}

/// Whether a file in an archive holds conversations: `conversations.json`, in whatever folder, or one of several such files.
fn conversations_file(path: &[u8]) -> Option<String> {
    let name = path.rsplit(|byte| matches!(byte, b'/' | b'\\')).next()?;
    let name = str::from_utf8(name).ok()?.to_ascii_lowercase();
    let number = name.strip_prefix("conversations")?.strip_suffix(".json")?;
    let counts = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'_');
    counts.then_some(name)
}

/// Where the list of files begins.
fn directory(file: &[u8]) -> Option<usize> {
    let last = file.len().checked_sub(END)?;
    let first = last.saturating_sub(COMMENT);
    let end = (first..=last).rev().find(|at| file[*at..].starts_with(b"PK\x05\x06"))?;
    usize::try_from(number(file, end + 16, 4)?).ok()
}

/// A number of so many bytes, the smallest first.
fn number(bytes: &[u8], at: usize, count: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(count)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// A line of the list of files.
struct Entry<'f> {
    name: &'f [u8],
    flags: u64,
    method: u64,
    sum: u64,
    packed: usize,
    place: usize,
    /// How long the line is.
    length: usize,
}

impl<'f> Entry<'f> {
    fn read(head: &'f [u8]) -> Option<Self> {
        let field = |at, count| number(head, at, count).and_then(|number| usize::try_from(number).ok());
        let (name, extra, comment) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
        Some(Self {
            name: head.get(46..46 + name)?,
            flags: number(head, 8, 2)?,
            method: number(head, 10, 2)?,
            sum: number(head, 16, 4)?,
            packed: field(20, 4)?,
            place: field(42, 4)?,
            length: 46 + name + extra + comment,
        })
    }
}

/// A file's bytes; nothing when they are more than these.
fn unpack(file: &[u8], entry: &Entry<'_>, most: usize) -> Result<Option<Vec<u8>>, String> {
    if entry.flags & 1 != 0 {
        return Err("the archive is locked with a password".to_owned());
    }
    let packed = || {
        let head = file.get(entry.place..).filter(|rest| rest.starts_with(b"PK\x03\x04"))?;
        let skipped = usize::try_from(30 + number(head, 26, 2)? + number(head, 28, 2)?).ok()?;
        head.get(skipped..skipped.checked_add(entry.packed)?)
    };
    let packed = packed().ok_or("the archive is not whole")?;
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut content = Vec::new();
    let read = match entry.method {
        0 => packed.take(bound).read_to_end(&mut content),
        8 => DeflateDecoder::new(packed).take(bound).read_to_end(&mut content),
        _ => return Err("the archive is packed in a way that is not known here; unpack it first".to_owned()),
    };
    if content.len() > most {
        return Ok(None);
    }
    let mut sum = Crc::new();
    sum.update(&content);
    if read.is_err() || u64::from(sum.sum()) != entry.sum {
        return Err("the archive is damaged".to_owned());
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::DeflateEncoder};
    use proptest::prelude::*;

    use super::*;

    /// An archive of these files, packed or stored.
    fn archive(files: &[(&str, &[u8])], method: u16) -> Vec<u8> {
        let (mut bytes, mut list) = (Vec::new(), Vec::new());
        for (name, content) in files {
            let packed = if method == 8 {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content).expect("written");
                encoder.finish().expect("finished")
            } else {
                content.to_vec()
            };
            let mut sum = Crc::new();
            sum.update(content);
            let length = |length: usize| u32::try_from(length).expect("small").to_le_bytes();
            let place = length(bytes.len());
            let name_length = u16::try_from(name.len()).expect("short").to_le_bytes();
            let mut common = Vec::new();
            common.extend([20, 0, 0, 0]);
            common.extend(method.to_le_bytes());
            common.extend([0; 4]);
            common.extend(sum.sum().to_le_bytes());
            common.extend(length(packed.len()));
            common.extend(length(content.len()));
            common.extend(name_length);
            common.extend([0, 0]);
            bytes.extend(b"PK\x03\x04");
            bytes.extend(&common);
            bytes.extend(name.as_bytes());
            bytes.extend(&packed);
            list.extend(b"PK\x01\x02\x14\x00");
            list.extend(&common);
            list.extend([0; 10]);
            list.extend(place);
            list.extend(name.as_bytes());
        }
        let place = u32::try_from(bytes.len()).expect("small").to_le_bytes();
        bytes.extend(&list);
        bytes.extend(b"PK\x05\x06");
        bytes.extend([0; 12]);
        bytes.extend(place);
        bytes.extend([0, 0]);
        bytes
    }

    #[test]
    fn conversations_are_found_wherever_they_lie() {
        let files: &[(&str, &[u8])] = &[
            ("user.json", b"{}"),
            ("../../export/conversations.json", b"[1]"),
            ("shared_conversations.json", b"[2]"),
            ("conversations.json.bak", b"[3]"),
        ];
        for method in [0, 8] {
            assert_eq!(conversations(&archive(files, method)), Ok(vec!["[1]".to_owned()]));
        }
        let parts: &[(&str, &[u8])] = &[("conversations-001.json", b"[2]"), ("conversations-000.json", b"[1]")];
        assert_eq!(conversations(&archive(parts, 8)), Ok(vec!["[1]".to_owned(), "[2]".to_owned()]));
    }

    #[test]
    fn what_cannot_be_unpacked_is_said() {
        let check = |file: &[u8], wanted: &str| assert_eq!(conversations(file).expect_err(wanted), wanted);
        let good = archive(&[("conversations.json", b"[\"some words in it\"]")], 0);
        check(b"PK\x03\x04", "the archive is not whole");
        check(&good[..good.len() - 1], "the archive is not whole");
        check(&archive(&[("user.json", b"{}")], 8), "the archive has no conversations.json in it");
        check(&archive(&[("conversations.json", b"\xff\xfe")], 0), "conversations.json in the archive is no text");
        check(
            &archive(&[("conversations.json", b"x")], 12),
            "the archive is packed in a way that is not known here; unpack it first",
        );
        let mut damaged = good.clone();
        damaged[55] ^= 1;
        check(&damaged, "the archive is damaged");
        // A small file that would become a large one.
        let most = 1 << 20;
        let bomb = archive(&[("conversations.json", &vec![b' '; most + 1])], 8);
        assert!(bomb.len() < 1 << 14);
        let told = "what is in the archive is more than 1 MB unpacked";
        assert_eq!(within(&bomb, most).expect_err(told), told);
        let half = vec![b' '; most / 2 + 1];
        let two: &[(&str, &[u8])] = &[("conversations-0.json", &half), ("conversations-1.json", &half)];
        assert_eq!(within(&archive(two, 8), most).expect_err(told), told);
        assert!(within(&archive(&two[..1], 8), most).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(at in 0_usize..200, byte in any::<u8>(), cut in 0_usize..200) {
            let mut file = archive(&[("conversations.json", b"[]"), ("a/conversations.json", b"[1]")], 8);
            if let Some(there) = file.get_mut(at) {
                *there = byte;
            }
            let _ = conversations(&file);
            file.truncate(cut);
            let _ = conversations(&file);
        }
    }
}
