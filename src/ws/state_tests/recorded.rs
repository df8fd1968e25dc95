//! A recording shows any point as it was to whoever followed.

use super::*;
use crate::{
    frame::{Incoming, Place},
    recording::Recording,
};

/// Numbers that look like chance and are the same in every test.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end
    }
}

/// A conversation of this many events, in which up to three runs are at work at a time.
fn conversation(events: usize, chance: &mut Chance) -> Story {
    let mut story = Story::default();
    let mut working: Vec<(RunId, MessageId)> = Vec::new();
    while story.events.len() < events {
        if working.is_empty() || (working.len() < 3 && chance.below(20) == 0) {
            let run = RunId::new();
            story.asked(run).then(Some(run), started());
            working.push((run, MessageId::new()));
            continue;
        }
        let at = chance.below(working.len());
        let (run, message) = working[at];
        let call = format!("call-{}", chance.below(3));
        match chance.below(40) {
            0 => {
                story.then(Some(run), answers(message, "the whole answer"));
                story.then(Some(run), completes(CompletedStatus::Completed));
                working.remove(at);
            }
            1 => {
                story.then(Some(run), fails());
                working.remove(at);
            }
            2 => _ = story.then(Some(run), resets(message)),
            3..6 => _ = story.then(Some(run), calls(&call)),
            6..8 => _ = story.then(Some(run), waits(&call)),
            8..11 => _ = story.then(Some(run), returns(&call, ToolStatus::Ok)),
            11..18 => _ = story.then(Some(run), thinks("hm ")),
            _ => _ = story.then(Some(run), writes(message, 0, "a word ")),
        }
    }
    story
}

fn record(events: &[ServerFrame]) -> Recording {
    let mut recording = Recording::default();
    for event in events {
        recording.push(Incoming::Frame(Box::new(event.clone())));
    }
    recording
}

#[test]
fn a_thousand_points_are_as_they_were() {
    let mut chance = Chance(7);
    for events in [1, 511, 512, 513, 6_000] {
        let story = conversation(events, &mut chance);
        let recording = record(&story.events);
        let mut points: Vec<usize> = (0..250).map(|_| chance.below(story.events.len() + 1)).collect();
        points.extend([0, story.events.len()]);
        points.sort_unstable();
        let mut live = ThreadState::default();
        let mut heard = 0;
        for point in points {
            for event in &story.events[heard..point] {
                live.apply(event);
            }
            heard = point;
            assert_eq!(recording.state_after(point, None), live, "after {point} of {events}");
        }
        assert_eq!(recording.trimmed(), 0);
    }
}

#[test]
fn what_is_known_or_cannot_be_read_changes_nothing_else() {
    let story = conversation(2_000, &mut Chance(11));
    let mut recording = Recording::default();
    for (at, event) in story.events.iter().enumerate() {
        let place = Place { thread_id: ThreadId::new(), epoch: EPOCH.to_owned(), seq: at as u64 + 1 };
        // Every hundredth is of a type that this build does not know.
        let unknown = at % 100 == 50;
        let incoming = if unknown { Incoming::Unknown(Some(place)) } else { Incoming::Frame(Box::new(event.clone())) };
        recording.push(incoming.clone());
        recording.push(incoming);
        recording.push(Incoming::Unknown(None));
    }
    assert_eq!((recording.len(), recording.trimmed()), (story.events.len(), 0));
    let mut live = ThreadState::default();
    for (at, event) in story.events.iter().enumerate() {
        if at % 100 == 50 {
            live.seq += 1;
        } else {
            live.apply(event);
        }
        if at % 97 == 0 {
            assert_eq!(recording.state_after(at + 1, None), live);
        }
    }
}

#[test]
fn over_pieces_that_were_trimmed_it_steps() {
    let run = RunId::new();
    let message = MessageId::new();
    let mut story = Story::default();
    story.asked(run).then(Some(run), started());
    for _ in 0..50 {
        story.then(Some(run), writes(message, 0, "piece "));
    }
    story.then(Some(run), answers(message, "the whole answer"));
    story.then(Some(run), completes(CompletedStatus::Completed));
    let kept: Vec<ServerFrame> = story
        .events
        .iter()
        .enumerate()
        .filter(|(at, _)| !(2..52).contains(at))
        .map(|(_, event)| event.clone())
        .collect();
    let recording = record(&kept);
    assert_eq!((recording.len(), recording.trimmed(), recording.seq()), (4, 50, 54));
    assert_eq!(recording.state_after(2, None).run(run).map(|run| run.text.as_str()), Some(""));
    assert_eq!(recording.state_after(3, None).run(run).map(|run| run.text.as_str()), Some("the whole answer"));
    assert_eq!(recording.state_after(4, None), story.fold());
}

/// One run that writes on and on, with questions between its pieces.
fn long_answer(pieces: usize, piece: &str) -> Story {
    let (run, message) = (RunId::new(), MessageId::new());
    let mut story = Story::default();
    story.asked(run).then(Some(run), started());
    for at in 0..pieces {
        story.then(Some(run), writes(message, 0, piece));
        if at % 100 == 0 {
            story.asked(RunId::new());
        }
    }
    story
}

#[test]
fn checkpoints_of_a_very_long_answer_hold_a_few_times_what_it_is() {
    let piece = "a word or two ".repeat(20);
    let story = long_answer(20_000, &piece);
    let recording = record(&story.events);
    let told: usize = 20_000 * piece.len();
    // With a copy of it every 512 events it would be twenty times as much.
    assert!(recording.copied() <= 4 * told, "{} of {told}", recording.copied());
    for point in [0, 1, 511, 512, 700, 9_999, 19_000, story.events.len()] {
        let mut live = ThreadState::default();
        story.events[..point].iter().for_each(|event| _ = live.apply(event));
        assert_eq!(recording.state_after(point, None), live, "after {point}");
    }
}

#[test]
fn points_share_what_is_the_same_in_them() {
    let story = conversation(6_000, &mut Chance(13));
    let recording = record(&story.events);
    let (early, late) = (recording.state_after(3_000, None), recording.state_after(6_000, None));
    let same = early.messages.iter().zip(&late.messages).filter(|(one, other)| one.is_same(other)).count();
    // What came after the checkpoint before a point, the point has a copy of its own of.
    assert!(
        early.messages.len() > 50 && same * 2 > early.messages.len(),
        "{same} of {} messages",
        early.messages.len()
    );
    let ended = early.runs.iter().zip(&late.runs).filter(|(run, _)| run.has_ended());
    let (ended, same) =
        ended.fold((0, 0), |(all, same), (one, other)| (all + 1, same + usize::from(one.is_same(other))));
    assert!(ended > 50 && same * 2 > ended, "{same} of {ended} runs");
    let again = recording.state_after(3_000, None);
    let copied = early.runs.iter().zip(&again.runs).filter(|(one, other)| !one.is_same(other)).count();
    assert!(copied < 60, "{copied} of {} runs are made anew for a point", early.runs.len());
}
