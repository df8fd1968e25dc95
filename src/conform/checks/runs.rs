//! Commands and runs: acknowledged once, in order, to one end.

use netra_ws::{
    ClientFrame, ErrorCode, MessageId, RunId, ServerFrame, ThreadId,
    frame::Frame,
    message::{ClientMessage, FrameMessage as _, ServerMessage},
    payload as p,
};

use crate::conform::{
    CHECK, Check, Fault, Target, Verdict, check,
    order::{adds, dense, ends, events_of, whole_run},
    peer::{Peer, expect_code, subscribe},
};

/// Something that any agent can answer.
const QUESTION: &str = "What is 6 times 7?";

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!("runs", "a run keeps the order of events, to one end", order),
        check!("runs", "the log over HTTP is what the socket carried", same_over_http),
        check!("runs", "a command sent again is carried out once", idempotent),
        check!("runs", "the same id with another body: id_conflict", id_conflict),
        check!("runs", "`stop_agent` is acknowledged, and the run ends", stop),
        check!("runs", "an agent that does not exist: agent_unknown", unknown_agent),
        check!("runs", "an empty message is refused: invalid_payload", empty),
    ]
}

/// A run that ended, and the events of its thread.
pub(super) struct Ran {
    pub(super) thread: ThreadId,
    pub(super) run: RunId,
    pub(super) events: Vec<ServerFrame>,
}

fn start(target: &Target, content: &str) -> ClientFrame {
    let start =
        p::StartAgent { agent: Some(target.agent.clone()), content: content.to_owned(), ..p::StartAgent::default() };
    Frame::new(ClientMessage::StartAgent(start))
}

/// What an `ack` of a message names.
#[derive(Clone, Copy, PartialEq)]
struct Acked {
    thread: ThreadId,
    run: RunId,
    message: MessageId,
    seq: u64,
}

/// What an `ack` names, and whether the command had been carried out before.
fn acked(target: &Target, frame: &ServerFrame) -> Result<(Acked, bool), Fault> {
    let ServerMessage::Ack(ack) = &frame.message else {
        return Err(format!("`{}` came instead of `ack`", frame.message.info().name));
    };
    let (Some(thread), Some(run), Some(message), Some(seq)) = (ack.thread_id, ack.run_id, ack.message_id, ack.seq)
    else {
        return Err("`ack` leaves out the thread, the message, its run, or its event".to_owned());
    };
    target.made(thread);
    Ok((Acked { thread, run, message, seq }, ack.duplicate))
}

/// Asks in a new thread and follows the run to its end.
pub(super) async fn ask(target: &Target, peer: &mut Peer) -> Result<Ran, Fault> {
    let ack = peer.call(start(target, QUESTION)).await?;
    let (acked, _) = acked(target, &ack)?;
    follow(peer, acked).await
}

async fn follow(peer: &mut Peer, acked: Acked) -> Result<Ran, Fault> {
    let Acked { thread, run, message, seq } = acked;
    let answer = peer.call(subscribe(thread, Some(0), None)).await?;
    match &answer.message {
        ServerMessage::Subscribed(subscribed) if subscribed.head_seq < seq => {
            return Err(format!("`head_seq` is {}, and event {seq} was acknowledged before", subscribed.head_seq));
        }
        ServerMessage::Subscribed(subscribed) if subscribed.mode == p::SubscribeMode::Resumed => {}
        ServerMessage::Subscribed(_) => return Err("`after_seq` 0 is answered by a snapshot".to_owned()),
        other => return Err(format!("`subscribe` is answered by `{}`", other.info().name)),
    }
    peer.until_from(0, CHECK, "the end of the run", |frame| ends(frame, run)).await?;
    let events = events_of(&peer.heard, thread);
    let became = events.iter().find(|event| event.seq == Some(seq));
    if !became.is_some_and(|event| adds(event, message)) {
        return Err(format!("`ack` says that the message became event {seq}, which is another"));
    }
    Ok(Ran { thread, run, events })
}

async fn order(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let ran = ask(target, &mut peer).await?;
    dense(&ran.events, 0)?;
    let count = whole_run(&ran.events, ran.run)?;
    // Nothing may follow the end: what a server has to say it says before this answer.
    peer.alive().await?;
    whole_run(&events_of(&peer.heard, ran.thread), ran.run)?;
    Ok(format!("{count} events"))
}

async fn same_over_http(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let ran = ask(target, &mut peer).await?;
    let page = target.get(&format!("/api/threads/{}/events?after_seq=0&limit=1000", ran.thread)).await?;
    let frames = page["events"].as_array().ok_or("`events` is no list")?;
    let events: Vec<ServerFrame> = frames
        .iter()
        .map(|frame| ServerFrame::decode(&frame.to_string()).map_err(|error| error.message))
        .collect::<Result<_, _>>()?;
    if events[..events.len().min(ran.events.len())] != ran.events[..] {
        return Err("they differ".to_owned());
    }
    Ok(format!("{} events", events.len()))
}

async fn idempotent(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let command = start(target, QUESTION);
    let (first, _) = acked(target, &peer.call(command.clone()).await?)?;
    // Elsewhere, as after a cut.
    let mut other = Peer::open(target).await?;
    let (second, is_duplicate) = acked(target, &other.call(command).await?)?;
    if (first.thread, first.run) != (second.thread, second.run) {
        return Err("it is carried out twice".to_owned());
    }
    if first != second {
        return Err("the second `ack` names another message or event than the first".to_owned());
    }
    if !is_duplicate {
        return Err("the second `ack` does not say `duplicate`".to_owned());
    }
    follow(&mut peer, first).await?;
    Ok(String::new())
}

async fn id_conflict(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let command = start(target, QUESTION);
    let (acked, _) = acked(target, &peer.call(command.clone()).await?)?;
    let clash = ClientFrame { id: command.id, ..start(target, "Something else") };
    // Both frames have one id, so the answer to the first is passed over.
    let from = peer.heard.len();
    peer.send(&clash).await?;
    let answers = |frame: &ServerFrame| frame.reply_to == Some(command.id);
    let answer = peer.until_from(from, target.patience, "an answer to the clash", answers).await?;
    expect_code(&answer, ErrorCode::IdConflict)?;
    follow(&mut peer, acked).await?;
    Ok(String::new())
}

async fn stop(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let (acked, _) = acked(target, &peer.call(start(target, QUESTION)).await?)?;
    let stop = Frame::new(ClientMessage::StopAgent(p::StopAgent { run_id: acked.run }));
    let ack = peer.call(stop).await?;
    if !matches!(ack.message, ServerMessage::Ack(_)) {
        return Err(format!("`{}` came instead of `ack`", ack.message.info().name));
    }
    let ran = follow(&mut peer, acked).await?;
    whole_run(&ran.events, ran.run)?;
    Ok(String::new())
}

async fn unknown_agent(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let agent = Some("nobody-of-this-name".to_owned());
    let start = p::StartAgent { agent, content: QUESTION.to_owned(), ..p::StartAgent::default() };
    let answer = peer.call(Frame::new(ClientMessage::StartAgent(start))).await?;
    expect_code(&answer, ErrorCode::AgentUnknown)?;
    Ok(String::new())
}

async fn empty(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let answer = peer.call(start(target, " \n ")).await?;
    expect_code(&answer, ErrorCode::InvalidPayload)?;
    Ok(String::new())
}
