//! Subscribing and resuming: no gap, no double, and a snapshot whenever a cursor cannot be proved.

use netra_ws::{
    ServerFrame, ThreadState,
    frame::Frame,
    message::{ClientMessage, FrameMessage as _, ServerMessage},
    payload::{self as p, SubscribeMode},
};

use super::runs::{Ran, ask};
use crate::conform::{
    Check, Fault, Target, Verdict, check,
    order::{dense, events_of},
    peer::{Peer, subscribe},
};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!("resume", "a cursor gets what lies after it, and nothing else", from_cursor),
        check!("resume", "a cursor at the head gets nothing", at_head),
        check!("resume", "no cursor: a snapshot that says what the log says", no_cursor),
        check!("resume", "a wrong epoch: a snapshot", wrong_epoch),
        check!("resume", "a cursor ahead of the head: a snapshot", ahead),
        check!("resume", "a cursor without its epoch: a snapshot", no_epoch),
        check!("resume", "subscribing again starts anew from the cursor", again),
        check!("resume", "`unsubscribe` is answered, and nothing follows", unsubscribe),
    ]
}

/// Subscribes on a fresh socket; the mode, and what came until the next answer.
async fn resumed(
    target: &Target,
    ran: &Ran,
    after: Option<i64>,
    epoch: Option<String>,
) -> Result<(SubscribeMode, Vec<ServerFrame>), Fault> {
    let mut peer = Peer::open(target).await?;
    let answer = peer.call(subscribe(ran.thread, after, epoch)).await?;
    let mode = mode_of(&answer)?;
    let head = ran.events.len() as u64;
    if let ServerMessage::Subscribed(subscribed) = &answer.message
        && (subscribed.head_seq != head || Some(&subscribed.epoch) != self::epoch(ran).as_ref())
    {
        let (said, epoch) = (subscribed.head_seq, &subscribed.epoch);
        return Err(format!(
            "`subscribed` says event {said} of epoch {epoch}, which is not where the log ends, at {head}"
        ));
    }
    match mode {
        SubscribeMode::Snapshot => {
            let snapshot = |frame: &ServerFrame| matches!(frame.message, ServerMessage::ThreadSnapshot(_));
            peer.until("`thread_snapshot`", snapshot).await?;
        }
        SubscribeMode::Resumed if after.is_some_and(|after| after.unsigned_abs() < head) => {
            peer.until("the last event", |frame| frame.seq == Some(head)).await?;
        }
        SubscribeMode::Resumed | SubscribeMode::Unknown(_) => {}
    }
    peer.alive().await?;
    Ok((mode, peer.heard))
}

fn mode_of(answer: &ServerFrame) -> Result<SubscribeMode, Fault> {
    match &answer.message {
        ServerMessage::Subscribed(subscribed) => Ok(subscribed.mode),
        other => Err(format!("`subscribe` is answered by `{}`", other.info().name)),
    }
}

async fn ran(target: &Target) -> Result<Ran, Fault> {
    let mut peer = Peer::open(target).await?;
    let mut ran = ask(target, &mut peer).await?;
    peer.alive().await?;
    ran.events = events_of(&peer.heard, ran.thread);
    dense(&ran.events, 0)?;
    Ok(ran)
}

fn epoch(ran: &Ran) -> Option<String> {
    ran.events.first().and_then(|event| event.epoch.clone())
}

async fn from_cursor(target: &Target) -> Verdict {
    let ran = ran(target).await?;
    for after in [0, 1, ran.events.len() / 2, ran.events.len() - 1] {
        let (mode, heard) = resumed(target, &ran, i64::try_from(after).ok(), epoch(&ran)).await?;
        if mode != SubscribeMode::Resumed {
            return Err(format!("the cursor {after} is answered by a snapshot"));
        }
        if events_of(&heard, ran.thread) != ran.events[after..] {
            return Err(format!("what follows {after} is not the log after {after}"));
        }
    }
    Ok(String::new())
}

async fn at_head(target: &Target) -> Verdict {
    let ran = ran(target).await?;
    let (mode, heard) = resumed(target, &ran, i64::try_from(ran.events.len()).ok(), epoch(&ran)).await?;
    let more = events_of(&heard, ran.thread).len();
    if mode != SubscribeMode::Resumed || more > 0 {
        return Err(format!("{mode:?}, then {more} events"));
    }
    Ok(String::new())
}

/// A snapshot came, it says what the log says, and none of its events follows.
async fn snapshot(target: &Target, after: Option<i64>, epoch: Option<String>, ran: &Ran) -> Verdict {
    let (mode, heard) = resumed(target, ran, after, epoch).await?;
    if mode != SubscribeMode::Snapshot {
        return Err("it is resumed".to_owned());
    }
    let found = heard.iter().find_map(|frame| match &frame.message {
        ServerMessage::ThreadSnapshot(snapshot) => Some(snapshot.clone()),
        _ => None,
    });
    let snapshot = found.ok_or("no snapshot came")?;
    if snapshot.as_of_seq != ran.events.len() as u64 {
        return Err(format!("the snapshot is of {}, the log ends at {}", snapshot.as_of_seq, ran.events.len()));
    }
    let (mut told, mut shown) = (ThreadState::default(), ThreadState::from_snapshot(snapshot));
    for event in &ran.events {
        told.apply(event);
    }
    (told.thread, shown.thread) = (None, None);
    if told != shown {
        return Err("the snapshot is not what the events amount to".to_owned());
    }
    match events_of(&heard, ran.thread).len() {
        0 => Ok(String::new()),
        more => Err(format!("{more} events of the snapshot follow it")),
    }
}

async fn no_cursor(target: &Target) -> Verdict {
    let ran = ran(target).await?;
    snapshot(target, None, None, &ran).await
}

async fn wrong_epoch(target: &Target) -> Verdict {
    let ran = ran(target).await?;
    snapshot(target, Some(1), Some("ffffffff".to_owned()), &ran).await
}

async fn ahead(target: &Target) -> Verdict {
    let ran = ran(target).await?;
    snapshot(target, Some(1_000_000), epoch(&ran), &ran).await
}

async fn no_epoch(target: &Target) -> Verdict {
    let ran = ran(target).await?;
    snapshot(target, Some(1), None, &ran).await
}

async fn again(target: &Target) -> Verdict {
    let ran = ran(target).await?;
    let mut peer = Peer::open(target).await?;
    for _ in 0..2 {
        let from = peer.heard.len();
        mode_of(&peer.call(subscribe(ran.thread, Some(1), epoch(&ran))).await?)?;
        let head = Some(ran.events.len() as u64);
        peer.until_from(from, target.patience, "the last event", |frame| frame.seq == head).await?;
        if events_of(&peer.heard[from..], ran.thread) != ran.events[1..] {
            return Err("what follows is not the log after the cursor".to_owned());
        }
    }
    Ok(String::new())
}

async fn unsubscribe(target: &Target) -> Verdict {
    let ran = ran(target).await?;
    let mut peer = Peer::open(target).await?;
    mode_of(&peer.call(subscribe(ran.thread, i64::try_from(ran.events.len()).ok(), epoch(&ran))).await?)?;
    let answer = peer.call(Frame::new(ClientMessage::Unsubscribe(p::Empty {})).in_thread(ran.thread)).await?;
    if !matches!(answer.message, ServerMessage::Unsubscribed(_)) {
        return Err(format!("`{}` came instead of `unsubscribed`", answer.message.info().name));
    }
    let say = p::UserMessage { content: "And 7 times 8?".to_owned(), ..p::UserMessage::default() };
    peer.call(Frame::new(ClientMessage::UserMessage(say)).in_thread(ran.thread)).await?;
    peer.alive().await?;
    match events_of(&peer.heard, ran.thread).len() {
        0 => Ok(String::new()),
        more => Err(format!("{more} events came")),
    }
}
