//! What an agent reads and writes by way of the server: text, inside its conversation's folder and nowhere else, whatever links it
//! makes there meanwhile.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};
use serde_json::{Value, json};

/// The largest file that is read or written, in bytes.
const LARGEST: u64 = 4 << 20;

/// Reads a text file, or some lines of it.
pub(super) fn read(root: &Path, params: &Value) -> Result<Value, String> {
    let path = below(root, params)?;
    let file = open(root, &path, OFlags::RDONLY)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("the file is larger than {} MiB", LARGEST >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|_| "the file is not text".to_owned())?;
    let count = |name: &str| params[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let content = match (count("line"), count("limit")) {
        (None, None) => text,
        (line, limit) => {
            let lines = text.split_inclusive('\n').skip(line.unwrap_or(1).saturating_sub(1));
            lines.take(limit.unwrap_or(usize::MAX)).collect()
        }
    };
    Ok(json!({ "content": content }))
}

/// Writes a text file, with the folders above it.
pub(super) fn write(root: &Path, params: &Value) -> Result<Value, String> {
    let path = below(root, params)?;
    let content = params["content"].as_str().ok_or("no content")?;
    if content.len() as u64 > LARGEST {
        return Err(format!("the content is larger than {} MiB", LARGEST >> 20));
    }
    make_folders(root, &path)?;
    let mut file = open(root, &path, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
    file.write_all(content.as_bytes()).map_err(|error| error.to_string())?;
    Ok(json!({}))
}

/// The path inside the folder.
fn below(root: &Path, params: &Value) -> Result<PathBuf, String> {
    let path = Path::new(params["path"].as_str().ok_or("no path")?);
    let outside = || format!("{} is outside the conversation's folder", path.display());
    let inside = if path.is_absolute() {
        let real = root.canonicalize().map_err(|error| error.to_string())?;
        path.strip_prefix(root).or_else(|_| path.strip_prefix(&real)).map_err(|_| outside())?
    } else {
        path
    };
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if inside.as_os_str().is_empty() || !inside.components().all(is_plain) {
        return Err(outside());
    }
    Ok(inside.to_owned())
}

fn failed(path: &Path, error: rustix::io::Errno) -> String {
    match error {
        rustix::io::Errno::XDEV => format!("{} leads outside the conversation's folder", path.display()),
        error => format!("{}: {error}", path.display()),
    }
}

/// Opens a file; no way to it may lead out of the folder, and what is no file is not waited for.
fn open(root: &Path, path: &Path, how: OFlags) -> Result<File, String> {
    let how = how | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(opened(root, path, how)?);
    if !file.metadata().map_err(|error| error.to_string())?.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    Ok(file)
}

fn make_folders(root: &Path, path: &Path) -> Result<(), String> {
    let mut made = PathBuf::new();
    for part in path.parent().into_iter().flat_map(Path::components) {
        let above = opened(root, &Path::new(".").join(&made), OFlags::DIRECTORY | OFlags::CLOEXEC)?;
        match rustix::fs::mkdirat(&above, part.as_os_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => made.push(part),
            Err(error) => return Err(failed(path, error)),
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn opened(root: &Path, path: &Path, how: OFlags) -> Result<std::os::fd::OwnedFd, String> {
    use rustix::fs::ResolveFlags;
    let folder = File::open(root).map_err(|error| error.to_string())?;
    let mode = if how.contains(OFlags::CREATE) { Mode::from_raw_mode(0o644) } else { Mode::empty() };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(folder, path, how, mode, resolve).map_err(|error| failed(path, error))
}

/// Where the system cannot open beneath a folder, no part of the way may be a link.
#[cfg(not(target_os = "linux"))]
fn opened(root: &Path, path: &Path, how: OFlags) -> Result<std::os::fd::OwnedFd, String> {
    let mode = Mode::from_raw_mode(0o644);
    let mut folder = std::os::fd::OwnedFd::from(File::open(root).map_err(|error| error.to_string())?);
    let mut parts = path.components().filter(|part| matches!(part, Component::Normal(_))).peekable();
    while let Some(part) = parts.next() {
        let how = if parts.peek().is_some() { OFlags::DIRECTORY | OFlags::CLOEXEC } else { how };
        folder = rustix::fs::openat(&folder, part.as_os_str(), how | OFlags::NOFOLLOW, mode)
            .map_err(|error| failed(path, error))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn only_what_is_inside_is_read_and_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().join("files");
        fs::create_dir_all(root.join("sub")).expect("folders");
        fs::write(dir.path().join("secret"), "s").expect("a file");
        fs::write(root.join("a.txt"), "1\n2\n3\n").expect("a file");
        fs::write(root.join("b.bin"), [0xff, 0xfe]).expect("a file");
        symlink("../secret", root.join("out")).expect("a link");
        symlink(dir.path(), root.join("up")).expect("a link");
        symlink("a.txt", root.join("in")).expect("a link");
        let whole = root.join("a.txt").display().to_string();
        let reads = |params: Value| read(&root, &params).map(|read| read["content"].as_str().unwrap_or("?").to_owned());
        for (params, wanted) in [
            (json!({ "path": whole }), "1\n2\n3\n"),
            (json!({ "path": "./a.txt", "line": 2, "limit": 1 }), "2\n"),
            (json!({ "path": "in", "line": 3 }), "3\n"),
            (json!({ "path": "a.txt", "line": u64::MAX }), ""),
        ] {
            assert_eq!(reads(params.clone()).as_deref(), Ok(wanted), "{params}");
        }
        let secret = dir.path().join("secret").display().to_string();
        for path in [
            "out",
            "up/secret",
            "../secret",
            "sub/../../secret",
            "/etc/passwd",
            &secret,
            "",
            ".",
            "sub",
            "gone",
            "b.bin",
        ] {
            assert!(reads(json!({ "path": path })).is_err(), "{path}");
            if path != "gone" && path != "b.bin" {
                assert!(write(&root, &json!({ "path": path, "content": "x" })).is_err(), "{path}");
            }
        }
        assert_eq!(fs::read_to_string(dir.path().join("secret")).expect("a file"), "s");
        write(&root, &json!({ "path": "new/deep/c.txt", "content": "c" })).expect("written");
        write(&root, &json!({ "path": "new/deep/c.txt", "content": "" })).expect("written");
        assert_eq!(reads(json!({ "path": "new/deep/c.txt" })).as_deref(), Ok(""));
        assert!(write(&root, &json!({ "path": "up/new/d.txt", "content": "x" })).is_err());
        assert!(!dir.path().join("new").exists());
        let large = "x".repeat(usize::try_from(LARGEST).expect("small") + 1);
        assert!(write(&root, &json!({ "path": "large", "content": large })).is_err());
    }
}
