//! The handshake and its refusals.

use netra_ws::{PROTOCOL, TOKEN_PREFIX, message::ServerMessage};

use crate::conform::{
    Check, Target, Verdict, check,
    peer::{Handshake, Peer, Refusal},
};

const PROTOCOLS: &str = "sec-websocket-protocol";

pub(super) fn checks() -> Vec<Check> {
    vec![
        check!("handshake", "discovery names the protocol", discovery),
        check!("handshake", "no `netra.v1` offered: 400 unsupported_protocol", unknown_protocol),
        check!("handshake", "a token in the address: 400 token_in_query", token_in_query),
        check!("handshake", "no token: 401 unauthenticated", no_token),
        check!("handshake", "a token of nobody: 401 unauthenticated", foreign_token),
        check!("handshake", "a foreign origin: 403 origin_not_allowed", foreign_origin),
        check!("handshake", "the origin `null`: 403 origin_not_allowed", null_origin),
        check!("handshake", "`netra.v1` alone is echoed, `connect` comes first", greeting),
        check!("handshake", "a token in `Authorization` opens the socket", bearer),
    ]
}

fn refusal(handshake: Handshake, status: u16, code: &str) -> Verdict {
    match handshake {
        Handshake::Open(_) => Err("the socket opens".to_owned()),
        Handshake::Refused(Refusal { status: got, code: got_code }) if (got, got_code.as_str()) == (status, code) => {
            Ok(String::new())
        }
        Handshake::Refused(Refusal { status, code }) => Err(format!("refused with {status} {code}")),
    }
}

async fn discovery(target: &Target) -> Verdict {
    let discovery = &target.discovery;
    if discovery.protocol != PROTOCOL || discovery.ws.subprotocol != PROTOCOL {
        return Err(format!("the protocol is {:?}", discovery.protocol));
    }
    if discovery.ws.token_prefix != TOKEN_PREFIX {
        return Err(format!("the token's prefix is {:?}", discovery.ws.token_prefix));
    }
    Ok(format!("version {}, {} agents", discovery.version, discovery.agents.len()))
}

async fn unknown_protocol(target: &Target) -> Verdict {
    let offered = format!("graphql-ws, {TOKEN_PREFIX}{}", target.ws_token().await?);
    refusal(Peer::shake(target, &[(PROTOCOLS, offered)], "").await?, 400, "unsupported_protocol")
}

async fn token_in_query(target: &Target) -> Verdict {
    let token = target.ws_token().await?;
    for name in ["token", "jwt", "access_token"] {
        let offered = format!("{PROTOCOL}, {TOKEN_PREFIX}{token}");
        let shaken = Peer::shake(target, &[(PROTOCOLS, offered)], &format!("?{name}={token}")).await?;
        refusal(shaken, 400, "token_in_query").map_err(|fault| format!("`{name}`: {fault}"))?;
    }
    Ok(String::new())
}

async fn no_token(target: &Target) -> Verdict {
    refusal(Peer::shake(target, &[(PROTOCOLS, PROTOCOL.to_owned())], "").await?, 401, "unauthenticated")
}

async fn foreign_token(target: &Target) -> Verdict {
    // Signed with another server's secret.
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJub2JvZHkiLCJhdWQiOiJuZXRyYTp3cyIsImV4cCI6NDEwMjQ0NDgwMH0.c2lnbmF0dXJl";
    refusal(
        Peer::shake(target, &[(PROTOCOLS, format!("{PROTOCOL}, {TOKEN_PREFIX}{token}"))], "").await?,
        401,
        "unauthenticated",
    )
}

async fn from_origin(target: &Target, origin: &str) -> Verdict {
    let offered = format!("{PROTOCOL}, {TOKEN_PREFIX}{}", target.ws_token().await?);
    let headers = [(PROTOCOLS, offered), ("origin", origin.to_owned())];
    refusal(Peer::shake(target, &headers, "").await?, 403, "origin_not_allowed")
}

async fn foreign_origin(target: &Target) -> Verdict {
    from_origin(target, "https://conform.invalid").await
}

async fn null_origin(target: &Target) -> Verdict {
    from_origin(target, "null").await
}

async fn greeting(target: &Target) -> Verdict {
    let peer = Peer::open(target).await?;
    if peer.subprotocol.as_deref() != Some(PROTOCOL) {
        return Err(format!("the server answers the subprotocol {:?}", peer.subprotocol));
    }
    match peer.heard.first().map(|frame| &frame.message) {
        Some(ServerMessage::Connect(connect)) if connect.limits == target.discovery.ws.limits => {
            Ok(format!("as {}", connect.user.name))
        }
        Some(ServerMessage::Connect(_)) => Err("`connect` names other limits than discovery".to_owned()),
        Some(_) | None => Err("the first frame is not `connect`".to_owned()),
    }
}

async fn bearer(target: &Target) -> Verdict {
    let token = target.ws_token().await?;
    let headers = [(PROTOCOLS, PROTOCOL.to_owned()), ("authorization", format!("Bearer {token}"))];
    match Peer::shake(target, &headers, "").await? {
        Handshake::Open(mut peer) => peer.alive().await.map(|()| String::new()),
        Handshake::Refused(Refusal { status, code }) => Err(format!("refused with {status} {code}")),
    }
}
