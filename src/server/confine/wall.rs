//! What of the file system a program can reach: Landlock, where the system has it.

use std::{ffi::OsStr, io, path::Path};

#[cfg(target_os = "linux")]
use std::path::PathBuf;

#[cfg(target_os = "linux")]
use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    Scope, path_beneath_rules,
};

/// The newest of what the system may know; of an older one what it has is used.
#[cfg(target_os = "linux")]
const NEWEST: ABI = ABI::V6;

/// What programs are made of, and what they look up.
#[cfg(target_os = "linux")]
const SYSTEM: [&str; 44] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/sys/fs/cgroup",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/login.defs",
    "/etc/lsb-release",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/shells",
    "/etc/ssl",
    "/etc/terminfo",
    "/etc/timezone",
];

/// Devices that hold nothing.
#[cfg(target_os = "linux")]
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Whether the system can keep a program to its folders.
pub fn is_there() -> bool {
    #[cfg(target_os = "linux")]
    {
        let strict = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        strict.handle_access(AccessFs::from_all(ABI::V1)).is_ok_and(|rules| rules.create().is_ok())
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// Keeps this thread, and all that it starts, to the folder and to what is readable. Signals and abstract sockets reach nobody
/// outside, where the system can do that.
#[cfg(target_os = "linux")]
pub(super) fn build(folder: &Path, readable: &[PathBuf], program: &OsStr) -> io::Result<()> {
    let failed = |error: landlock::RulesetError| io::Error::other(format!("the agent cannot be confined: {error}"));
    let all = AccessFs::from_all(NEWEST);
    let reads = AccessFs::from_read(NEWEST);
    let read = SYSTEM.iter().map(PathBuf::from).chain(readable.iter().cloned()).chain(found(program));
    let write = [super::FILES, super::HOME].map(|name| folder.join(name));
    Ruleset::default()
        .handle_access(all)
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(read, reads)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(DEVICES, all)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(write, all)))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map(|_| ())
        .map_err(failed)
}

/// The same where there is no such thing.
#[cfg(not(target_os = "linux"))]
pub(super) fn build(_folder: &Path, _readable: &[std::path::PathBuf], _program: &OsStr) -> io::Result<()> {
    Ok(())
}

/// The program's own file.
#[cfg(target_os = "linux")]
fn found(program: &OsStr) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return path.canonicalize().ok();
    }
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())?.canonicalize().ok()
}
