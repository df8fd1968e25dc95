//! A power cut, without pulling a plug: the real server runs under strace while clients follow answers, and from what it wrote
//! and synced to its data folder the disks are rebuilt that a cut may have left at any moment. The store opens each, and what
//! any client had heard or been answered by then is there, dense and unchanged.
//!
//! - [`trace`]: what the process did, in order. [`disk`]: what of it is on the disk at a step, and what may be.
//! - [`heard`], [`facts`]: what left by sockets, and what it means. [`check`]: a disk held against that.
//! - [`scene`]: the clients.
//!
//! `NETRA_TEST_SEED` draws other cuts; `NETRA_TEST_LONG` draws 100,000 instead of 500, and `NETRA_TEST_CUTS` as many as it says.
#![cfg(all(feature = "ssr", target_os = "linux"))]

// The black-box tests use all of it; these use a part.
#[allow(dead_code)]
#[path = "../black_box/support/mod.rs"]
mod support;

mod check;
mod disk;
mod facts;
mod heard;
mod scene;
mod trace;

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use check::{Fault, Truth};
use disk::{Cut, Disk, Files};
use facts::Facts;
use heard::Heard;
use netra::conform::{Sender, own_violation};
use scene::Scene;
use tokio::sync::{OnceCell, mpsc};
use trace::Step;

/// A disk to be looked at.
struct State {
    number: usize,
    step: usize,
    cut: Cut,
    files: Files,
}

/// What was found wrong.
#[derive(Debug)]
struct Finding {
    #[expect(dead_code, reason = "printed")]
    at: String,
    faults: Vec<Fault>,
}

fn seed() -> u64 {
    std::env::var("NETRA_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7)
}

/// As many ways of what a kill cut off are tried.
const MOST_WAYS: usize = 4_096;

/// The disk after the last step, which is also what is on the real one. What a kill cut off was done, was not, or was done in part,
/// each by itself, and before what the next process did.
fn last(scene: &Scene) -> Files {
    let real = |path: &Path| scene.left.get(path).map_or(&[][..], Vec::as_slice);
    let other = |files: &Files| {
        files.iter().find(|(path, bytes)| real(path) != bytes.as_slice()).map(|(path, bytes)| {
            let real = real(path);
            let same = bytes.iter().zip(real).take_while(|(played, real)| played == real).count();
            format!("{}: {} bytes, {} on the disk, the same up to {same}", path.display(), bytes.len(), real.len())
        })
    };
    // Of what no file below the root is changed by there is one way: none of it.
    let ways = |disk: &Disk, step: &Step| if disk.is_touched_by(step) { step.parts() } else { Vec::new() };
    let played = |mut way: usize| {
        let (mut disk, mut count) = (Disk::new(&scene.root), 1);
        for steps in &scene.recordings {
            disk.next_process();
            for step in steps {
                let Step::Perhaps(step) = step else {
                    disk.take(step);
                    continue;
                };
                let parts = ways(&disk, step);
                let choices = parts.len() + 1;
                count *= choices;
                if let Some(part) = (way % choices).checked_sub(1) {
                    disk.take(&parts[part]);
                }
                way /= choices;
            }
        }
        (disk.now(), count)
    };
    let (first, count) = played(0);
    assert!(count <= MOST_WAYS, "what was cut off may have been done in {count} ways");
    let files = (0..count).map(|way| played(way).0).find(|files| other(files).is_none());
    let files = files.unwrap_or_else(|| panic!("it is not what was recorded, in {count} ways: {:?}", other(&first)));
    assert!(files[Path::new("data/netra.db-wal")].len() > 4_096, "the process died with work in the write-ahead log");
    files
}

/// Cuts the power `count` times at random steps, and looks at what is left.
async fn survey(scene: &Scene, count: usize) -> Vec<Finding> {
    let truth = Arc::new(Truth::read(&last(scene)).await);
    let heard = Heard::read(&scene.recordings);
    let sent: HashSet<&str> = heard.frames.iter().filter_map(|(_, frame)| frame["id"].as_str()).collect();
    for (_, frame) in &heard.frames {
        assert_eq!(own_violation(Sender::Server, frame), None, "{frame}");
    }
    for frame in &scene.frames {
        assert!(frame["id"].as_str().is_some_and(|id| sent.contains(id)), "heard and not recorded: {frame}");
    }
    let facts = Arc::new(Facts::new(&heard, &scene.claims));
    let steps = scene.recordings.iter().map(Vec::len).sum::<usize>();
    println!(
        "{steps} steps, {} frames, {} facts, {count} power cuts, seed {}",
        heard.frames.len(),
        facts.len(),
        seed()
    );

    let (states, queue) = mpsc::channel::<State>(4);
    let queue = Arc::new(tokio::sync::Mutex::new(queue));
    let findings = Arc::new(Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..std::thread::available_parallelism().map_or(1, usize::from))
        .map(|_| {
            let (queue, findings) = (Arc::clone(&queue), Arc::clone(&findings));
            let (facts, truth) = (Arc::clone(&facts), Arc::clone(&truth));
            tokio::spawn(async move {
                loop {
                    let Some(state) = queue.lock().await.recv().await else { return };
                    let faults = check::faults(&state.files, state.step, &facts, &truth).await;
                    if !faults.is_empty() {
                        let at = format!("cut {}, {:?} at step {}", state.number, state.cut, state.step);
                        findings.lock().unwrap_or_else(PoisonError::into_inner).push(Finding { at, faults });
                    }
                }
            })
        })
        .collect();
    let begun = Instant::now();
    let disks = draw(scene, count, &states).await;
    drop(states);
    for worker in workers {
        worker.await.expect("a disk is looked at");
    }
    let rate = disks as u128 * 1_000 / begun.elapsed().as_millis().max(1);
    println!("{count} cuts left {disks} different disks; {rate} were looked at in a second");
    Arc::into_inner(findings).and_then(|found| found.into_inner().ok()).expect("all are done")
}

/// Rebuilds the disks, in the order of their steps; how many. Of cuts that leave the same disk the last is looked at: what was
/// known at the others was known then, too.
async fn draw(scene: &Scene, count: usize, states: &mpsc::Sender<State>) -> usize {
    let steps: usize = scene.recordings.iter().map(Vec::len).sum();
    let mut random = fastrand::Rng::with_seed(seed());
    let mut cuts: Vec<usize> = (0..count).map(|_| random.usize(..steps)).collect();
    cuts.sort_unstable();
    let mut cuts = cuts.into_iter().enumerate().peekable();
    let mut disk = Disk::new(&scene.root);
    let (mut at, mut disks) = (0, 0);
    let mut same: Vec<State> = Vec::new();
    for recording in &scene.recordings {
        disk.next_process();
        for step in recording {
            let version = disk.version();
            disk.take(step);
            if disk.version() != version {
                disks += pass(&mut same, states).await;
            }
            while let Some((number, step)) = cuts.next_if(|(_, step)| *step == at) {
                let cut = match random.u8(..8) {
                    0 => Cut::Kept,
                    1 | 2 => Cut::Lost,
                    3 | 4 => Cut::Torn,
                    _ => Cut::Shuffled,
                };
                match (cut, same.iter_mut().find(|state| state.cut == cut)) {
                    (Cut::Kept | Cut::Lost, Some(state)) => (state.number, state.step) = (number, step),
                    (Cut::Kept | Cut::Lost, None) => {
                        same.push(State { number, step, cut, files: disk.after(cut, &mut random) });
                    }
                    (Cut::Torn | Cut::Shuffled, _) => {
                        let files = disk.after(cut, &mut random);
                        disks += pass(&mut vec![State { number, step, cut, files }], states).await;
                    }
                }
            }
            at += 1;
        }
    }
    disks + pass(&mut same, states).await
}

/// Hands disks to whoever looks at them; how many.
async fn pass(ready: &mut Vec<State>, states: &mpsc::Sender<State>) -> usize {
    let count = ready.len();
    for state in ready.drain(..) {
        states.send(state).await.expect("somebody looks");
    }
    count
}

/// The power scene, recorded once for all tests that look at it.
async fn recorded() -> &'static Scene {
    static SCENE: OnceCell<Scene> = OnceCell::const_new();
    SCENE.get_or_init(|| scene::play("power")).await
}

/// How many disks are looked at: in `make test`, and in `make test-long`.
fn count(short: usize, long: usize) -> usize {
    if std::env::var_os("NETRA_TEST_LONG").is_some() { long } else { short }
}

/// How often the log was written back into the database while the recorded processes lived.
fn checkpoints(scene: &Scene) -> usize {
    let mut count = 0;
    for steps in &scene.recordings {
        // Each of the store's connections has it open.
        let mut database = HashSet::new();
        let mut dirty = false;
        for step in steps {
            match step {
                Step::Open { fd, path, .. } if path.ends_with("data/netra.db") => _ = database.insert(*fd),
                Step::Open { fd, .. } => _ = database.remove(fd),
                Step::Write { fd, .. } if database.contains(fd) => dirty = true,
                Step::SyncBegins { fd, .. } if database.contains(fd) => {
                    count += usize::from(std::mem::take(&mut dirty));
                }
                _ => {}
            }
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_heard_survives_a_power_cut() {
    if let Some(why) = trace::unavailable() {
        println!("skipped, the power-cut test: {why}");
        return;
    }
    let asked = std::env::var("NETRA_TEST_CUTS").ok().and_then(|count| count.parse().ok());
    let count = asked.unwrap_or_else(|| count(500, 100_000));
    let scene = recorded().await;
    let checkpoints = checkpoints(scene);
    assert!(checkpoints >= 3, "the recording is too short: {checkpoints} checkpoints");
    let begun = Instant::now();
    let findings = survey(scene, count).await;
    println!("{count} disks looked at in {:?}; {} of them lost something", begun.elapsed(), findings.len());
    assert!(findings.is_empty(), "seed {}: {} of {count}: {:#?}", seed(), findings.len(), findings.first());
}

/// The check can fail: without the sync of each commit the same cuts lose what was heard. They do not break the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_sync_for_each_commit_cuts_are_seen_to_lose() {
    if let Some(why) = trace::unavailable() {
        println!("skipped, the power-cut test: {why}");
        return;
    }
    let scene = scene::play("process").await;
    let findings = survey(&scene, 200).await;
    println!("{} of 200 lost something", findings.len());
    assert!(findings.len() >= 50, "most cuts lose something: {}", findings.len());
    let broken = findings.iter().find(|finding| finding.faults.iter().any(|fault| matches!(fault, Fault::Broken(_))));
    assert!(broken.is_none(), "seed {}: {broken:#?}", seed());
}

/// A write-ahead log that ends anywhere, as after a file system lost its end: the store opens with what stands before, dense
/// and unchanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_cut_at_any_byte_opens_with_what_stands_before() {
    if let Some(why) = trace::unavailable() {
        println!("skipped, the cut log: {why}");
        return;
    }
    let whole = last(recorded().await);
    let truth = Truth::read(&whole).await;
    let facts = Facts::none();
    let log = Path::new("data/netra.db-wal");
    let length = whole[log].len();
    let mut random = fastrand::Rng::with_seed(seed());
    // Around its beginning and the ends of its first frames, and anywhere.
    let near = (0..40).chain(4_100..4_160).chain(length - 40..length);
    let anywhere = (0..count(200, 20_000)).map(|_| random.usize(..length)).collect::<Vec<_>>();
    for end in near.chain(anywhere) {
        let mut files = whole.clone();
        files.get_mut(log).expect("a log").truncate(end);
        let faults = check::faults(&files, 0, &facts, &truth).await;
        assert!(faults.is_empty(), "cut at {end} of {length}: {faults:?}");
    }
}

/// A copy made file by file while the server writes, the database from two moments and its log from a third: the store finds it
/// whole, or says that it is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_from_several_moments_is_whole_or_refused() {
    if let Some(why) = trace::unavailable() {
        println!("skipped, the copies: {why}");
        return;
    }
    let scene = recorded().await;
    let truth = Truth::read(&last(scene)).await;
    let mut random = fastrand::Rng::with_seed(seed());
    let (mut sound, mut told) = (0, 0);
    for number in 0..count(100, 5_000) {
        let recording = &scene.recordings[number % 2];
        let mut moments = [0; 3].map(|_| random.usize(recording.len() / 4..recording.len()));
        if number % 4 < 2 {
            // Most copies are quick.
            moments = [0, 40, 90].map(|later| (moments[0] + later).min(recording.len() - 1));
        }
        moments.sort_unstable();
        let copy = copied(scene, number % 2, moments, &mut random);
        match check::copy(&copy, &truth).await {
            Ok(faults) if faults.is_empty() => sound += 1,
            Ok(faults) => panic!("seed {}, copy {number} of {moments:?} is taken for whole: {faults:?}", seed()),
            Err(_) => told += 1,
        }
    }
    println!("{sound} copies are whole, {told} refused");
    assert!(sound > 0 && told > 0, "both are seen: {sound} whole, {told} refused");
}

/// The database's first part as it was at the first moment, its rest at the second, its log at the third.
fn copied(scene: &Scene, which: usize, moments: [usize; 3], random: &mut fastrand::Rng) -> Files {
    let mut disk = Disk::new(&scene.root);
    let mut seen = Vec::new();
    for (number, recording) in scene.recordings.iter().enumerate().take(which + 1) {
        disk.next_process();
        for (at, step) in recording.iter().enumerate() {
            disk.take(step);
            if number == which {
                seen.extend(moments.iter().filter(|moment| **moment == at).map(|_| disk.now()));
            }
        }
    }
    let (database, log) = (Path::new("data/netra.db"), Path::new("data/netra.db-wal"));
    let Ok([first, second, mut third]) = <[Files; 3]>::try_from(seen) else { panic!("three moments were seen") };
    let (mut bytes, rest) = (first[database].clone(), &second[database]);
    let border = random.usize(..=bytes.len());
    bytes.truncate(border);
    bytes.extend_from_slice(rest.get(border..).unwrap_or_default());
    let mut files = Files::from([(database.to_owned(), bytes)]);
    files.extend(third.remove_entry(log));
    files
}
