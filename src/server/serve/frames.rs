//! WebSocket frames counted as they come in (RFC 6455, 5.2). The library hands over whole messages: pings, and fragments of a
//! message that never ends, pass below everything that counts messages.

use tokio::time::Instant;

/// Frames that may come at once. As many as the largest message has bytes, so that any way to cut it is taken.
const BURST: f64 = 131_072.0;

/// Frames a second for longer.
const RATE: f64 = 500.0;

/// What a frame counts that says nothing: a ping, a pong, or an empty part of a message that goes on. A few thousand come at once,
/// and eight a second.
const SAYS_NOTHING: f64 = 64.0;

/// Bytes that may come at once, and a second for longer. Commands of the largest size at their default rate are 640 KB a second.
const BYTES_BURST: f64 = 32.0 * 1_048_576.0;
const BYTES_RATE: f64 = 2.0 * 1_048_576.0;

/// A client that sends more than a connection may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct Flood;

/// Counts the frames of one connection.
#[derive(Debug)]
pub(in crate::server) struct Frames {
    header: Header,
    /// Bytes of the frame under way that are to come.
    left: u64,
    frames: f64,
    bytes: f64,
    at: Instant,
}

/// The part of a header that came.
#[derive(Debug, Default)]
struct Header {
    bytes: [u8; 14],
    len: u8,
}

impl Header {
    /// How long the header is, as far as it can be told yet.
    fn length(&self) -> u8 {
        if self.len < 2 {
            return 2;
        }
        let extended = match self.bytes[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.bytes[1] & 0x80 == 0 { 0 } else { 4 };
        2 + extended + mask
    }

    /// What the frame counts, once the header is whole.
    fn cost(&self) -> f64 {
        let (is_final, opcode) = (self.bytes[0] & 0x80 != 0, self.bytes[0] & 0x0f);
        let is_control = opcode >= 8;
        if is_control || (self.payload() == 0 && !is_final) { SAYS_NOTHING } else { 1.0 }
    }

    /// The payload's length, once the header is whole.
    fn payload(&self) -> u64 {
        let bytes = &self.bytes;
        match bytes[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([bytes[2], bytes[3]])),
            127 => u64::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], bytes[8], bytes[9]]),
            short => u64::from(short),
        }
    }
}

impl Frames {
    pub(in crate::server) fn new() -> Self {
        Self { header: Header::default(), left: 0, frames: BURST, bytes: BYTES_BURST, at: Instant::now() }
    }

    /// Counts what came.
    pub(in crate::server) fn count(&mut self, mut bytes: &[u8]) -> Result<(), Flood> {
        let now = Instant::now();
        let passed = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        self.frames = passed.mul_add(RATE, self.frames).min(BURST);
        #[allow(clippy::cast_precision_loss, reason = "a read has kilobytes")]
        let came = bytes.len() as f64;
        self.bytes = passed.mul_add(BYTES_RATE, self.bytes).min(BYTES_BURST) - came;
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header.bytes[usize::from(self.header.len)] = bytes[0];
            self.header.len += 1;
            bytes = &bytes[1..];
            if self.header.len >= 2 && self.header.len == self.header.length() {
                self.left = self.header.payload();
                self.frames -= self.header.cost();
                self.header = Header::default();
            }
        }
        if self.frames < 0.0 || self.bytes < 0.0 { Err(Flood) } else { Ok(()) }
    }
}

#[cfg(any(test, fuzzing))]
impl PartialEq for Frames {
    /// Whether both stand at the same place of what came.
    fn eq(&self, other: &Self) -> bool {
        (self.left, self.header.len, self.header.bytes) == (other.left, other.header.len, other.header.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: usize) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match payload {
            0..126 => bytes.push(0x80 | u8::try_from(payload).expect("short")),
            126..65_536 => {
                bytes.push(0xfe);
                bytes.extend(u16::try_from(payload).expect("two bytes").to_be_bytes());
            }
            _ => {
                bytes.push(0xff);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(vec![0x89; payload]);
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_counted_however_they_are_cut() {
        let sizes = [0, 1, 125, 126, 65_535, 65_536, 0];
        let all: Vec<u8> = sizes.iter().flat_map(|size| frame(*size)).collect();
        for part in [1, 7, 4_096, all.len()] {
            let mut frames = Frames::new();
            for bytes in all.chunks(part) {
                frames.count(bytes).expect("a few frames");
            }
            #[allow(clippy::cast_precision_loss, reason = "seven")]
            let counted = sizes.len() as f64;
            assert!((BURST - frames.frames - counted).abs() < 0.001, "{part}: {}", BURST - frames.frames);
            assert_eq!((frames.left, frames.header.len), (0, 0), "{part}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_seen_and_a_conversation_is_not() {
        let empty = frame(0).repeat(1_000);
        let mut frames = Frames::new();
        let fits = (0..1_000).take_while(|_| frames.count(&empty).is_ok()).count();
        assert_eq!(fits, 131);
        for first_byte in [0x89, 0x8a, 0x01, 0x00] {
            let nothing = [first_byte, 0x80, 0, 0, 0, 0].repeat(100);
            let mut frames = Frames::new();
            let fits = (0..1_000).take_while(|_| frames.count(&nothing).is_ok()).count();
            assert_eq!(fits, 20, "{first_byte:#x}");
        }
        let mut large = Frames::new();
        let fits = (0..1_000).take_while(|_| large.count(&frame(60_000)).is_ok()).count();
        assert!((500..600).contains(&fits), "{fits}");
        let mut steady = Frames::new();
        for _ in 0..3_600 {
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            for _ in 0..10 {
                steady.count(&frame(60_000)).expect("600 commands of the largest size a minute");
            }
        }
    }
}
