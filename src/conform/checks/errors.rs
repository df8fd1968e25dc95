//! Frames that are wrong: each gets its code, and the connection lives on.

use netra_ws::{ErrorCode, FrameId, ThreadId, frame::Frame, message::ClientMessage, payload as p};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::conform::{
    Check, Target, Verdict, check,
    peer::{Peer, expect_code, subscribe},
};

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!("errors", "text that is no JSON: malformed_json", malformed),
        check!("errors", "JSON in a JSON string: double_encoded", double_encoded),
        check!("errors", "a payload that is a string: payload_not_object", payload_not_object),
        check!("errors", "another version: unsupported_version", version),
        check!("errors", "a binary frame: unsupported_frame", binary),
        check!("errors", "a type that does not exist: unknown_type", unknown_type),
        check!("errors", "a payload without its fields: invalid_payload", invalid_payload),
        check!("errors", "fields that do not exist are ignored", unknown_field),
        check!("errors", "a thread that does not exist: not_found", unknown_thread),
        check!("errors", "a token of nobody in `authenticate` changes nothing", bad_token),
        check!("errors", "the third malformed frame closes with 4400", three_malformed),
        check!("errors", "a frame over the limit closes with 4413", too_large),
    ]
}

fn ping() -> Value {
    json!({ "v": 1, "type": "ping", "id": FrameId::new(), "payload": {} })
}

/// Sends what is wrong on a connection of its own, expects the code, and looks whether the connection lives.
async fn answered(target: &Target, wrong: Message, code: ErrorCode) -> Verdict {
    let mut peer = Peer::open(target).await?;
    peer.refused(wrong, code).await?;
    peer.alive().await?;
    Ok(String::new())
}

async fn malformed(target: &Target) -> Verdict {
    answered(target, Message::text("{\"v\":1,"), ErrorCode::MalformedJson).await
}

async fn double_encoded(target: &Target) -> Verdict {
    answered(target, Message::text(Value::String(ping().to_string()).to_string()), ErrorCode::DoubleEncoded).await
}

async fn payload_not_object(target: &Target) -> Verdict {
    let mut frame = ping();
    frame["payload"] = json!("{}");
    answered(target, Message::text(frame.to_string()), ErrorCode::PayloadNotObject).await
}

async fn version(target: &Target) -> Verdict {
    let mut frame = ping();
    frame["v"] = json!(2);
    answered(target, Message::text(frame.to_string()), ErrorCode::UnsupportedVersion).await
}

async fn binary(target: &Target) -> Verdict {
    answered(target, Message::binary(ping().to_string().into_bytes()), ErrorCode::UnsupportedFrame).await
}

async fn unknown_type(target: &Target) -> Verdict {
    let mut frame = ping();
    frame["type"] = json!("teleport");
    answered(target, Message::text(frame.to_string()), ErrorCode::UnknownType).await
}

async fn invalid_payload(target: &Target) -> Verdict {
    let mut frame = ping();
    frame["type"] = json!("stop_agent");
    answered(target, Message::text(frame.to_string()), ErrorCode::InvalidPayload).await
}

async fn unknown_field(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let mut frame = ping();
    (frame["later"], frame["payload"]["later"]) = (json!(1), json!(2));
    peer.raw(Message::text(frame.to_string())).await?;
    let id = frame["id"].clone();
    let answers = move |frame: &netra_ws::ServerFrame| frame.reply_to.is_some_and(|reply| json!(reply) == id);
    let answer = peer.until("`pong`", answers).await?;
    match answer.message {
        netra_ws::ServerMessage::Pong(_) => Ok(String::new()),
        _ => Err("it is refused".to_owned()),
    }
}

async fn unknown_thread(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let answer = peer.call(subscribe(ThreadId::new(), Some(0), None)).await?;
    expect_code(&answer, ErrorCode::NotFound)?;
    peer.alive().await?;
    Ok(String::new())
}

async fn bad_token(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let token = "not a token".to_owned();
    let answer = peer.call(Frame::new(ClientMessage::Authenticate(p::Authenticate { token }))).await?;
    expect_code(&answer, ErrorCode::Unauthenticated)?;
    peer.alive().await?;
    Ok(String::new())
}

async fn three_malformed(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    for _ in 0..3 {
        peer.raw(Message::text("{")).await?;
    }
    expect_close(peer.closed(target.patience).await?, 4400)
}

async fn too_large(target: &Target) -> Verdict {
    let mut peer = Peer::open(target).await?;
    let limit = target.discovery.ws.limits.max_frame_bytes;
    let mut frame = ping();
    frame["payload"]["nonce"] = json!("x".repeat(limit));
    peer.raw(Message::text(frame.to_string())).await?;
    expect_close(peer.closed(target.patience).await?, 4413)?;
    Ok(format!("{limit} bytes"))
}

fn expect_close(code: u16, expected: u16) -> Verdict {
    if code == expected { Ok(String::new()) } else { Err(format!("closed with {code} instead of {expected}")) }
}
