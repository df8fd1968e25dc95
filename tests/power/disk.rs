//! The disk that a recording went to: what is certainly on it, what may be, and what a power cut may leave of that.
//!
//! Bytes are on the disk once a sync that began after they were written has ended; names, once their folder was synced. Of the
//! rest a cut leaves anything: each sector of 512 bytes as it was after any of the writes to it since, whatever became of its
//! neighbours; the file as long as it was after any of them; a name's change made or not.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::trace::Step;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A change of a file's bytes.
enum Change {
    Write { offset: usize, bytes: Arc<[u8]> },
    Truncate { length: usize },
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*offset..end].copy_from_slice(bytes);
            }
            Self::Truncate { length } => file.resize(*length, 0),
        }
    }

    fn length_after(&self, length: usize) -> usize {
        match self {
            Self::Write { offset, bytes } => length.max(offset + bytes.len()),
            Self::Truncate { length } => *length,
        }
    }
}

/// A change that no sync has covered yet, and when it was made.
struct Pending<T> {
    at: usize,
    change: T,
}

#[derive(Default)]
struct File {
    synced: Vec<u8>,
    pending: Vec<Pending<Change>>,
}

impl File {
    fn length(&self) -> usize {
        self.pending.iter().fold(self.synced.len(), |length, pending| pending.change.length_after(length))
    }

    fn sync(&mut self, before: usize) {
        let covered = self.pending.partition_point(|pending| pending.at < before);
        for pending in self.pending.drain(..covered) {
            pending.change.apply(&mut self.synced);
        }
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

enum Naming {
    Give(PathBuf, Node),
    Take(PathBuf),
    Move(PathBuf, PathBuf),
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Give(path, node) => _ = names.insert(path.clone(), *node),
            Self::Take(path) => _ = names.remove(path),
            Self::Move(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }

    fn is_in(&self, folder: &Path) -> bool {
        let (Self::Give(path, _) | Self::Take(path) | Self::Move(path, _)) = self;
        path.parent() == Some(folder)
    }
}

/// Files by path below the root.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// How a power cut treats what is not certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// All of it is on the disk, as after a crash of the process alone.
    Kept,
    /// Nothing of it is.
    Lost,
    /// The first part of it is, the last write torn.
    Torn,
    /// Any of it is, in any order.
    Shuffled,
}

/// The disk, as far as the steps have gone.
pub(crate) struct Disk {
    root: PathBuf,
    files: Vec<File>,
    /// As the process sees them.
    names: BTreeMap<PathBuf, Node>,
    synced_names: BTreeMap<PathBuf, Node>,
    naming: Vec<Pending<Naming>>,
    open: HashMap<i32, PathBuf>,
    descriptors: HashMap<i32, Node>,
    syncs: HashMap<usize, (PathBuf, Node, usize)>,
    clock: usize,
    /// Grows with each step that leaves a cut another disk.
    version: usize,
}

impl Disk {
    /// An empty folder, itself on the disk.
    pub(crate) fn new(root: &Path) -> Self {
        let names = BTreeMap::from([(root.to_owned(), Node::Folder)]);
        Self {
            root: root.to_owned(),
            files: Vec::new(),
            synced_names: names.clone(),
            names,
            naming: Vec::new(),
            open: HashMap::new(),
            descriptors: HashMap::new(),
            syncs: HashMap::new(),
            clock: 0,
            version: 0,
        }
    }

    /// Another process begins: it has opened nothing yet.
    pub(crate) fn next_process(&mut self) {
        self.open.clear();
        self.descriptors.clear();
        self.syncs.clear();
    }

    /// One step further.
    pub(crate) fn take(&mut self, step: &Step) {
        self.clock += 1;
        if !matches!(step, Step::Send { .. } | Step::SyncBegins { .. }) {
            self.version += 1;
        }
        match step {
            Step::Open { fd, path, create, truncate } => self.open(*fd, path, *create, *truncate),
            Step::Write { fd, offset, bytes } => {
                if let Some(Node::File(file)) = self.descriptors.get(fd) {
                    let file = &mut self.files[*file];
                    let offset = usize::try_from(*offset).ok().filter(|_| *offset != u64::MAX).unwrap_or(file.length());
                    file.pending
                        .push(Pending { at: self.clock, change: Change::Write { offset, bytes: Arc::clone(bytes) } });
                }
            }
            Step::Truncate { fd, length } => {
                if let Some(Node::File(file)) = self.descriptors.get(fd) {
                    let length = usize::try_from(*length).expect("a length");
                    self.files[*file].pending.push(Pending { at: self.clock, change: Change::Truncate { length } });
                }
            }
            Step::SyncBegins { call, fd } => {
                if let (Some(node), Some(path)) = (self.descriptors.get(fd), self.open.get(fd)) {
                    self.syncs.insert(*call, (path.clone(), *node, self.clock));
                }
            }
            Step::SyncEnds { call } => match self.syncs.remove(call) {
                Some((_, Node::File(file), began)) => self.files[file].sync(began),
                Some((folder, Node::Folder, began)) => self.sync_names(&folder, began),
                None => {}
            },
            Step::Rename { from, to } if self.names.contains_key(from) => {
                self.name(Naming::Move(from.clone(), to.clone()));
            }
            Step::Unlink { path } if self.names.contains_key(path) => self.name(Naming::Take(path.clone())),
            Step::MakeFolder { path } if path.starts_with(&self.root) => {
                self.name(Naming::Give(path.clone(), Node::Folder));
            }
            Step::Unseen { path, how } => {
                let seen = !path.starts_with(&self.root) || path.to_string_lossy().ends_with("-shm");
                assert!(seen, "{how}: {} is changed unseen", path.display());
            }
            // A cut that comes just before it leaves the same.
            Step::Perhaps(_) => {}
            Step::Send { .. } | Step::Rename { .. } | Step::Unlink { .. } | Step::MakeFolder { .. } => {}
        }
    }

    /// Whether the step changes anything below the root.
    pub(crate) fn is_touched_by(&self, step: &Step) -> bool {
        match step {
            Step::Write { fd, .. } | Step::Truncate { fd, .. } => self.descriptors.contains_key(fd),
            Step::Rename { from, .. } => from.starts_with(&self.root),
            Step::Unlink { path } | Step::MakeFolder { path } => path.starts_with(&self.root),
            Step::Open { .. }
            | Step::SyncBegins { .. }
            | Step::SyncEnds { .. }
            | Step::Send { .. }
            | Step::Perhaps(_)
            | Step::Unseen { .. } => false,
        }
    }

    fn open(&mut self, fd: i32, path: &Path, create: bool, truncate: bool) {
        self.open.remove(&fd);
        self.descriptors.remove(&fd);
        if !path.starts_with(&self.root) {
            return;
        }
        if create && !self.names.contains_key(path) {
            self.files.push(File::default());
            self.name(Naming::Give(path.to_owned(), Node::File(self.files.len() - 1)));
        }
        let Some(node) = self.names.get(path).copied() else { return };
        if let (Node::File(file), true) = (node, truncate) {
            self.files[file].pending.push(Pending { at: self.clock, change: Change::Truncate { length: 0 } });
        }
        self.open.insert(fd, path.to_owned());
        self.descriptors.insert(fd, node);
    }

    fn name(&mut self, change: Naming) {
        change.apply(&mut self.names);
        self.naming.push(Pending { at: self.clock, change });
    }

    fn sync_names(&mut self, folder: &Path, before: usize) {
        let (covered, left) = std::mem::take(&mut self.naming)
            .into_iter()
            .partition::<Vec<_>, _>(|pending| pending.at < before && pending.change.is_in(folder));
        self.naming = left;
        for pending in covered {
            pending.change.apply(&mut self.synced_names);
        }
    }

    /// Two steps with the same version leave the same disks.
    pub(crate) const fn version(&self) -> usize {
        self.version
    }

    /// What is there after a power cut at this step. The `-shm` file is no part of it: it is memory, and made anew.
    pub(crate) fn after(&self, cut: Cut, random: &mut fastrand::Rng) -> Files {
        let names = self.names_after(cut, random);
        let mut files = Files::new();
        for (path, node) in &names {
            let mut above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root));
            let Node::File(file) = node else { continue };
            if path.to_string_lossy().ends_with("-shm") || !above.all(|folder| names.contains_key(folder)) {
                continue;
            }
            let below = path.strip_prefix(&self.root).expect("below the root");
            files.insert(below.to_owned(), self.files[*file].after(cut, random));
        }
        files
    }

    /// The disk as programs see it, cut or not.
    pub(crate) fn now(&self) -> Files {
        self.after(Cut::Kept, &mut fastrand::Rng::with_seed(0))
    }

    fn names_after(&self, cut: Cut, random: &mut fastrand::Rng) -> BTreeMap<PathBuf, Node> {
        let mut names = self.synced_names.clone();
        let part = random.usize(..=self.naming.len());
        for (number, pending) in self.naming.iter().enumerate() {
            let there = match cut {
                Cut::Kept => true,
                Cut::Lost => false,
                Cut::Torn => number < part,
                Cut::Shuffled => random.bool(),
            };
            if there {
                pending.change.apply(&mut names);
            }
        }
        names
    }
}

impl File {
    fn after(&self, cut: Cut, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut file = self.synced.clone();
        match cut {
            Cut::Lost => {}
            Cut::Kept => self.pending.iter().for_each(|pending| pending.change.apply(&mut file)),
            Cut::Torn => {
                let part = random.usize(..=self.pending.len());
                self.pending[..part].iter().for_each(|pending| pending.change.apply(&mut file));
                if let Some(Pending { change: Change::Write { offset, bytes }, .. }) = self.pending.get(part) {
                    // Whole sectors of it, from either end.
                    let inner = random.usize(..=bytes.len());
                    let border = (offset + inner) / SECTOR * SECTOR;
                    let at = border.clamp(*offset, offset + bytes.len()) - offset;
                    let (offset, bytes) =
                        if random.bool() { (*offset, &bytes[..at]) } else { (offset + at, &bytes[at..]) };
                    Change::Write { offset, bytes: bytes.into() }.apply(&mut file);
                }
            }
            Cut::Shuffled => self.shuffled(&mut file, random),
        }
        file
    }

    /// Each sector as it was after any of the changes to it, the length as it was after any of them.
    fn shuffled(&self, file: &mut Vec<u8>, random: &mut fastrand::Rng) {
        let length = self.pending[..random.usize(..=self.pending.len())]
            .iter()
            .fold(self.synced.len(), |length, pending| pending.change.length_after(length));
        let mut whole = file.clone();
        let sectors = file.len().max(self.longest()).div_ceil(SECTOR);
        file.resize(sectors * SECTOR, 0);
        // How many changes each sector still takes: drawn when the first one comes.
        let mut left: HashMap<usize, usize> = HashMap::new();
        let mut counts: HashMap<usize, usize> = HashMap::new();
        let touched = |change: &Change, now: usize| match change {
            Change::Write { offset, bytes } => offset / SECTOR..(offset + bytes.len()).div_ceil(SECTOR),
            Change::Truncate { length } => length / SECTOR..now.div_ceil(SECTOR),
        };
        let mut now = whole.len();
        for pending in &self.pending {
            for sector in touched(&pending.change, now) {
                *counts.entry(sector).or_default() += 1;
            }
            now = pending.change.length_after(now);
        }
        for pending in &self.pending {
            let range = touched(&pending.change, whole.len());
            pending.change.apply(&mut whole);
            for sector in range {
                let left = left.entry(sector).or_insert_with(|| random.usize(..=counts[&sector]));
                if *left > 0 {
                    *left -= 1;
                    let at = sector * SECTOR;
                    let there = whole.len().clamp(at, at + SECTOR);
                    file[at..at + SECTOR].fill(0);
                    file[at..there].copy_from_slice(&whole[at.min(whole.len())..there.min(whole.len())]);
                }
            }
        }
        file.resize(length, 0);
    }

    fn longest(&self) -> usize {
        let mut length = self.synced.len();
        self.pending.iter().fold(length, |longest, pending| {
            length = pending.change.length_after(length);
            longest.max(length)
        })
    }
}
