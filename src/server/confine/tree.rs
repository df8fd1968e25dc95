//! What a keeper's program started, found below the keeper whatever it did to get away.

/// What a program takes with all that it started.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    /// Processes.
    pub(super) processes: usize,
    /// Bytes of memory that are no file's.
    pub(super) memory: u64,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        collections::{HashMap, HashSet},
        fs,
        os::unix::fs::MetadataExt as _,
        thread,
        time::{Duration, Instant},
    };

    use super::Taken;
    use rustix::process::{Pid, Signal, WaitOptions, getpid, getuid, kill_process, set_child_subreaper, waitpid};

    /// How long ending what runs on may take.
    const PATIENCE: Duration = Duration::from_secs(3);

    /// A process, as the system tells of it.
    struct Process {
        parent: i32,
        is_gone: bool,
        threads: u64,
    }

    fn read(pid: i32) -> Option<Process> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in front may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let is_gone = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        // State and parent are the third and fourth field; the number of threads is the twentieth.
        let threads = fields.nth(15)?.parse().ok()?;
        Some(Process { parent, is_gone, threads })
    }

    fn pids() -> impl Iterator<Item = i32> {
        let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    }

    /// All below this process that run: of those that ended here note is taken, but for the one that
    /// somebody waits for.
    fn below(awaited: Option<u32>) -> Vec<i32> {
        let all: HashMap<i32, Process> = pids().filter_map(|pid| Some((pid, read(pid)?))).collect();
        let own = getpid().as_raw_nonzero().get();
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        for (pid, process) in &all {
            children.entry(process.parent).or_default().push(*pid);
        }
        let (mut found, mut seen, mut open) = (Vec::new(), HashSet::from([own]), vec![own]);
        while let Some(parent) = open.pop() {
            for pid in children.get(&parent).into_iter().flatten().filter(|pid| seen.insert(**pid)) {
                open.push(*pid);
                if !all.get(pid).is_some_and(|process| process.is_gone) {
                    found.push(*pid);
                } else if parent == own && u32::try_from(*pid).ok() != awaited {
                    let _ = waitpid(Pid::from_raw(*pid), WaitOptions::NOHANG);
                }
            }
        }
        found
    }

    /// Whoever loses its parent below this process becomes its child.
    pub(in super::super) fn adopt() {
        let _ = set_child_subreaper(Some(getpid()));
    }

    /// What runs below this process takes.
    pub(in super::super) fn taken(awaited: u32) -> Taken {
        let found = below(Some(awaited));
        Taken { processes: found.len(), memory: found.iter().map(|pid| memory(*pid)).sum() }
    }

    /// Bytes of memory that a process holds and that are no file's.
    fn memory(pid: i32) -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let held = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix("kB")?.trim().parse().ok());
        held.map_or(0, |kilobytes: u64| kilobytes.saturating_mul(1_024))
    }

    /// Threads of this user, in all its processes.
    pub(in super::super) fn threads_of_user() -> u64 {
        let own = getuid().as_raw();
        let is_own = |pid: &i32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|folder| folder.uid() == own);
        pids().filter(is_own).filter_map(|pid| Some(read(pid)?.threads)).sum()
    }

    /// Ends all below this process. They are stopped first, so that none starts another meanwhile.
    pub(in super::super) fn end() {
        let end = Instant::now() + PATIENCE;
        let mut stopped = HashSet::new();
        while Instant::now() < end {
            let now = below(None);
            if now.is_empty() {
                return;
            }
            let new: Vec<i32> = now.iter().copied().filter(|pid| stopped.insert(*pid)).collect();
            if new.is_empty() {
                for pid in now {
                    send(pid, Signal::KILL);
                }
                stopped.clear();
                thread::sleep(Duration::from_millis(5));
            } else {
                for pid in new {
                    send(pid, Signal::STOP);
                }
            }
        }
    }

    fn send(pid: i32, signal: Signal) {
        if let Some(pid) = Pid::from_raw(pid) {
            // It may be gone.
            let _ = kill_process(pid, signal);
        }
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::{adopt, end, taken, threads_of_user};

/// Elsewhere the server ends the group alone.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    pub(in super::super) fn adopt() {}

    pub(in super::super) fn taken(_awaited: u32) -> super::Taken {
        super::Taken::default()
    }

    pub(in super::super) fn end() {}
}

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{adopt, end, taken};
