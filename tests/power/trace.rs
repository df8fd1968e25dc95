//! What a process wrote, synced and sent, in order, as strace saw it.
//!
//! strace stops a thread at the beginning and at the end of each call and writes both in the order in which they happened. So
//! what was sent to a socket and what had been synced by then stand in one order, whichever threads did them.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

/// The calls that matter. `?` passes over those that this machine's kernel does not have.
const CALLS: &str = "trace=?open,?creat,openat,?rename,renameat,renameat2,?link,linkat,?unlink,unlinkat,?mkdir,mkdirat,write,\
    writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync,sync_file_range,ftruncate,fallocate,mmap";

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Step {
    /// A file was opened: for reading, or made where it was not there (`create`).
    Open { fd: i32, path: PathBuf, create: bool, truncate: bool },
    /// Bytes were written at an offset.
    Write { fd: i32, offset: u64, bytes: Arc<[u8]> },
    /// A file was cut or grown.
    Truncate { fd: i32, length: u64 },
    /// A sync began: what was written before is what it covers.
    SyncBegins { call: usize, fd: i32 },
    /// The sync is over, and what it covers is on the disk.
    SyncEnds { call: usize },
    /// Bytes begin to leave by a socket, so whoever is on its other side may have them from here on.
    Send { socket: String, bytes: Vec<u8> },
    /// A name was given to what had another.
    Rename { from: PathBuf, to: PathBuf },
    /// A name was taken away.
    Unlink { path: PathBuf },
    /// A folder was made.
    MakeFolder { path: PathBuf },
    /// A call that a kill cut off: nobody saw whether it was done all the same.
    Perhaps(Box<Step>),
    /// A file is changed in a way that is not recorded here.
    Unseen { path: PathBuf, how: String },
}

/// What the kernel writes before it looks whether the process was killed: to the next border of a page.
const PAGE: u64 = 4_096;

impl Step {
    /// What may have become of a step that a kill cut off, if anything did: a write is done page by page, any other step whole.
    pub(crate) fn parts(&self) -> Vec<Self> {
        match self {
            Self::Write { fd, offset, bytes } => {
                let length = bytes.len() as u64;
                // At the file's own offset, which is its beginning.
                let from = if *offset == u64::MAX { 0 } else { *offset };
                let borders = (from / PAGE + 1..).map(|page| page * PAGE - from).take_while(|border| *border < length);
                borders
                    .chain([length])
                    .map(|end| {
                        let end = usize::try_from(end).expect("a length");
                        Self::Write { fd: *fd, offset: *offset, bytes: bytes[..end].into() }
                    })
                    .collect()
            }
            Self::Truncate { fd, length } => vec![Self::Truncate { fd: *fd, length: *length }],
            Self::Rename { from, to } => vec![Self::Rename { from: from.clone(), to: to.clone() }],
            Self::Unlink { path } => vec![Self::Unlink { path: path.clone() }],
            Self::MakeFolder { path } => vec![Self::MakeFolder { path: path.clone() }],
            // These change no file, or were not recorded as cut off.
            Self::Open { .. }
            | Self::SyncBegins { .. }
            | Self::SyncEnds { .. }
            | Self::Send { .. }
            | Self::Perhaps(_)
            | Self::Unseen { .. } => Vec::new(),
        }
    }
}

/// How to run a program under strace with its calls written to `file`. The program keeps its process id.
pub(crate) fn wrapper(file: &Path) -> Vec<String> {
    let file = file.display().to_string();
    let words = ["strace", "-D", "-q", "-f", "-y", "--seccomp-bpf", "-xx", "-s", "16777216", "-e", "signal=kill"];
    words.iter().copied().chain(["-e", CALLS, "-o", &file]).map(str::to_owned).collect()
}

/// Why processes cannot be traced here, if they cannot.
pub(crate) fn unavailable() -> Option<String> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-o", "/dev/null", "true"]).stdin(Stdio::null());
    match strace.output() {
        Err(error) => Some(format!("strace cannot be run: {error}")),
        Ok(tried) if tried.status.success() => None,
        Ok(tried) => Some(format!("strace cannot trace: {}", String::from_utf8_lossy(&tried.stderr).trim())),
    }
}

/// Waits until strace has written down the end of the process, and reads what it wrote.
pub(crate) async fn read(file: &Path, pid: u32) -> Vec<Step> {
    let end = Instant::now() + Duration::from_mins(1);
    let last = format!("{pid} ");
    loop {
        let tail = last_line(file);
        if tail.starts_with(&last) && tail.contains("+++ ") {
            return parse(&std::fs::read(file).expect("strace has written"));
        }
        assert!(Instant::now() < end, "strace has not seen the end of {pid}: {tail}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The last line of a file, or the end of it.
fn last_line(path: &Path) -> String {
    let mut file = File::open(path).expect("strace has begun to write");
    let length = file.metadata().expect("a file").len();
    file.seek(SeekFrom::Start(length.saturating_sub(200))).expect("a place in the file");
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).expect("the file is read");
    let line = tail.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

/// A call that has begun: where its step stands, if it has one from its beginning on, and what it was called with.
struct Begun {
    call: usize,
    step: Option<usize>,
    name: String,
    arguments: String,
}

fn parse(text: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut open: HashMap<&str, Begun> = HashMap::new();
    let text = std::str::from_utf8(text).expect("strace writes ASCII");
    for (call, line) in text.lines().enumerate() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            // Calls of a thread that is gone.
            if let Some(begun) = open.remove(pid) {
                end(&mut steps, &begun, None, "");
            }
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let mut begun = open.remove(pid).unwrap_or_else(|| panic!("nothing to go on with: {rest}"));
            let (_, more) = resumed.split_once(" resumed>").unwrap_or_else(|| panic!("not resumed: {rest}"));
            let (more, result) = more.rsplit_once(" = ").unwrap_or_else(|| panic!("no result: {rest}"));
            begun.arguments.push_str(more);
            end(&mut steps, &begun, number(result), result);
        } else {
            let (name, arguments) = rest.split_once('(').unwrap_or_else(|| panic!("no call: {rest}"));
            let mut begun = Begun { call, step: None, name: name.to_owned(), arguments: String::new() };
            if let Some(arguments) = arguments.strip_suffix(" <unfinished ...>") {
                arguments.clone_into(&mut begun.arguments);
                begin(&mut steps, &mut begun);
                open.insert(pid, begun);
            } else {
                let (arguments, result) = arguments.rsplit_once(" = ").unwrap_or_else(|| panic!("no result: {rest}"));
                arguments.clone_into(&mut begun.arguments);
                begin(&mut steps, &mut begun);
                end(&mut steps, &begun, number(result), result);
            }
        }
    }
    steps
}

/// The steps that a call's beginning is.
fn begin(steps: &mut Vec<Step>, begun: &mut Begun) {
    match begun.name.as_str() {
        "fsync" | "fdatasync" => steps.push(Step::SyncBegins { call: begun.call, fd: descriptor(&begun.arguments) }),
        "sendto" | "sendmsg" | "write" | "writev" => {
            let target = annotation(&begun.arguments);
            if target.starts_with("socket:") || target.starts_with("TCP") {
                begun.step = Some(steps.len());
                steps.push(Step::Send { socket: target, bytes: quoted(&begun.arguments).concat() });
            }
        }
        _ => {}
    }
}

/// The steps that a call's end is. Without a result, of which strace says nothing or `?`, its process was killed on the way: what
/// the call may have done, it may have done.
fn end(steps: &mut Vec<Step>, begun: &Begun, result: Option<i64>, told: &str) {
    if result.is_some() || begun.step.is_some() {
        return seen(steps, begun, result, told);
    }
    let mut cut_off = Vec::new();
    seen(&mut cut_off, begun, None, told);
    steps.extend(cut_off.into_iter().map(|step| Step::Perhaps(Box::new(step))));
}

/// The steps that a call's end is, as far as they were done.
fn seen(steps: &mut Vec<Step>, begun: &Begun, result: Option<i64>, told: &str) {
    let arguments = begun.arguments.as_str();
    if let Some(Step::Send { bytes, .. }) = begun.step.map(|at| &mut steps[at]) {
        // Not all may have been taken; of a process that was killed, all may.
        let taken = result.map_or(bytes.len(), |taken| usize::try_from(taken).unwrap_or(0));
        bytes.truncate(taken);
        return;
    }
    if result.is_some_and(|result| result < 0) {
        return;
    }
    let paths = || quoted(arguments).into_iter().map(|path| full(arguments, path)).collect::<Vec<_>>();
    match (begun.name.as_str(), result) {
        ("fsync" | "fdatasync", Some(_)) => steps.push(Step::SyncEnds { call: begun.call }),
        ("open" | "creat" | "openat", Some(fd)) => {
            let create = arguments.contains("O_CREAT") || begun.name == "creat";
            let truncate = arguments.contains("O_TRUNC") || begun.name == "creat";
            let fd = i32::try_from(fd).expect("a descriptor");
            steps.push(Step::Open { fd, path: annotation(told).into(), create, truncate });
        }
        ("pwrite64", _) => {
            let mut bytes = quoted(arguments).concat();
            if let Some(written) = result {
                bytes.truncate(usize::try_from(written).expect("a length"));
            }
            let offset = last_number(arguments);
            steps.push(Step::Write { fd: descriptor(arguments), offset, bytes: bytes.into() });
        }
        ("ftruncate", _) => {
            steps.push(Step::Truncate { fd: descriptor(arguments), length: last_number(arguments) });
        }
        ("rename" | "renameat" | "renameat2", _) => {
            let [from, to]: [PathBuf; 2] = paths().try_into().expect("two names");
            steps.push(Step::Rename { from, to });
        }
        ("unlink" | "unlinkat", _) => steps.extend(paths().into_iter().map(|path| Step::Unlink { path })),
        ("mkdir" | "mkdirat", _) => steps.extend(paths().into_iter().map(|path| Step::MakeFolder { path })),
        ("mmap", _) if arguments.contains("MAP_SHARED") && arguments.contains("PROT_WRITE") => {
            steps.push(Step::Unseen { path: annotation(arguments).into(), how: begun.name.clone() });
        }
        ("write", _) => {
            // At the file's own offset: what is written that way is small and written once, from its beginning.
            let bytes = quoted(arguments).concat();
            steps.push(Step::Write { fd: descriptor(arguments), offset: u64::MAX, bytes: bytes.into() });
        }
        ("writev" | "pwritev" | "pwritev2" | "fallocate" | "sync_file_range", _) => {
            steps.push(Step::Unseen { path: annotation(arguments).into(), how: begun.name.clone() });
        }
        ("link" | "linkat", _) => {
            steps.extend(paths().into_iter().map(|path| Step::Unseen { path, how: begun.name.clone() }));
        }
        _ => {}
    }
}

/// The result of a call; nothing when there is none.
fn number(result: &str) -> Option<i64> {
    let digits = result.split(|c: char| !(c.is_ascii_digit() || c == '-')).next().unwrap_or_default();
    digits.parse().ok()
}

fn descriptor(arguments: &str) -> i32 {
    let digits = arguments.split('<').next().unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("no descriptor: {arguments:.80}"))
}

/// What stands in the first angle brackets: the path of a descriptor.
fn annotation(text: &str) -> String {
    let inner = text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(inner, _)| inner);
    String::from_utf8_lossy(&unescaped(inner)).into_owned()
}

/// A path as it was given, from the root on.
fn full(arguments: &str, path: Vec<u8>) -> PathBuf {
    let path = PathBuf::from(String::from_utf8(path).expect("a path is text"));
    if path.is_absolute() { path } else { Path::new(&annotation(arguments)).join(path) }
}

/// The number behind the last comma.
fn last_number(arguments: &str) -> u64 {
    let last = arguments.trim_end().trim_end_matches(')').rsplit(", ").next().unwrap_or_default();
    last.parse().unwrap_or_else(|_| panic!("no number: {last:.80}"))
}

/// Every string in quotes.
fn quoted(arguments: &str) -> Vec<Vec<u8>> {
    assert!(!arguments.contains("\"..."), "strace cut a string short");
    arguments.split('"').skip(1).step_by(2).map(unescaped).collect()
}

/// `\x4e` to `N`; text without escapes as it is.
fn unescaped(text: &str) -> Vec<u8> {
    if !text.starts_with("\\x") {
        return text.as_bytes().to_vec();
    }
    let digit = |byte: u8| if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 };
    text.as_bytes().chunks_exact(4).map(|escape| digit(escape[2]) << 4 | digit(escape[3])).collect()
}

#[test]
fn a_call_without_a_result_may_have_been_done() {
    let text = br#"10 pwrite64(3<\x2f\x61>, "\x00", 1, 0 <unfinished ...>
11 pwrite64(3<\x2f\x61>, "\x01", 1, 8 <unfinished ...>
12 pwrite64(3<\x2f\x61>, "\x02", 1, 16) = ?
10 <... pwrite64 resumed>)           = ?
11 +++ killed by SIGKILL +++
"#;
    let told: Vec<String> = parse(text).iter().map(|step| format!("{step:?}")).collect();
    let wanted = [(16, 2), (0, 0), (8, 1)]
        .map(|(offset, byte)| format!("Perhaps(Write {{ fd: 3, offset: {offset}, bytes: [{byte}] }})"));
    assert_eq!(told, wanted);
}

#[test]
fn a_write_that_was_cut_off_ends_at_a_page() {
    let written = |offset, length: usize| {
        let whole = Step::Write { fd: 3, offset, bytes: vec![0; length].into() };
        let length = |step: &Step| if let Step::Write { bytes, .. } = step { bytes.len() } else { 0 };
        whole.parts().iter().map(length).collect::<Vec<_>>()
    };
    assert_eq!(written(56, 4_096), [4_040, 4_096]);
    assert_eq!(written(4_096, 4_096), [4_096]);
    assert_eq!(written(4_095, 8_192), [1, 4_097, 8_192]);
    assert_eq!(written(u64::MAX, 24), [24]);
}

#[test]
fn calls_of_two_threads_are_read_in_order() {
    let text = br#"10 openat(AT_FDCWD<\x2f>, "\x2f\x61", O_RDWR|O_CREAT, 0644) = 3<\x2f\x61>
10 pwrite64(3<\x2f\x61>, "\x00\xff", 2, 4096) = 2
10 fdatasync(3<\x2f\x61> <unfinished ...>
11 sendto(5<socket:[7]>, "\x68\x69\x21", 3, MSG_NOSIGNAL, NULL, 0 <unfinished ...>
10 <... fdatasync resumed>)          = 0
11 <... sendto resumed>)             = 2
11 unlink("\x2f\x62")                = -1 ENOENT (No such file or directory)
10 +++ exited with 0 +++
"#;
    let told: Vec<String> = parse(text).iter().map(|step| format!("{step:?}")).collect();
    let wanted = [
        r#"Open { fd: 3, path: "/a", create: true, truncate: false }"#,
        "Write { fd: 3, offset: 4096, bytes: [0, 255] }",
        "SyncBegins { call: 2, fd: 3 }",
        r#"Send { socket: "socket:[7]", bytes: [104, 105] }"#,
        "SyncEnds { call: 2 }",
    ];
    assert_eq!(told, wanted);
}
