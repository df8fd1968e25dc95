use std::collections::BTreeSet;

use super::*;

/// The names that the registry says, with their types: `netra_frames` counter.
fn registered() -> BTreeSet<(String, String)> {
    // A family is told with its first member, and no server of a model or of tools is configured here.
    metrics().circuit("http://127.0.0.1:1", false);
    metrics().mcp_standing("tools", false);
    metrics().mcp_restart("tools");
    let text = render::encoded();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .map(|line| {
            let (name, kind) = line.split_once(' ').expect("a name and a type");
            // A counter's samples end in `_total`; that is the name people look for.
            let suffix = if kind == "counter" { "_total" } else { "" };
            (format!("{name}{suffix}"), kind.to_owned())
        })
        .collect()
}

#[test]
fn the_page_lists_what_is_counted() {
    let page = include_str!("../../docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `netra_"));
    let listed: BTreeSet<(String, String)> = rows
        .map(|row| {
            let mut cells = row.split('|').map(str::trim);
            let name = cells.next().unwrap_or_default().trim_end_matches('`');
            (format!("netra_{name}"), cells.next().unwrap_or_default().to_owned())
        })
        .collect();
    assert_eq!(listed, registered(), "docs/metrics.md and src/server/metrics.rs name different metrics");
}

#[test]
fn the_dashboard_asks_for_what_is_counted() {
    let dashboard = include_str!("../../docs/grafana.json");
    let known: BTreeSet<String> = registered().into_iter().map(|(name, _)| name).collect();
    let mut asked = 0;
    for part in dashboard.split("netra_").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let name = format!("netra_{name}");
        let base = name.strip_suffix("_bucket").or_else(|| name.strip_suffix("_sum")).unwrap_or(&name);
        assert!(known.contains(base), "{name} is not counted");
        asked += 1;
    }
    assert!(asked > 10, "{asked} queries");
}

#[test]
fn a_frame_counts_under_its_type_and_nothing_else() {
    let of = |kind: &str| metrics().sent[kind].frames.get();
    let before = (of("pong"), of("ack"));
    metrics().sent(&r#"{"v":1,"type":"pong","id":"x","payload":{}}"#.into());
    metrics().sent(&r#"{"v":1,"type":"made_up","id":"x","payload":{}}"#.into());
    metrics().sent(&"{}".into());
    assert_eq!((of("pong"), of("ack")), (before.0 + 1, before.1));
    metrics().received("made_up", 10);
    assert!(!String::from_utf8_lossy(&render()).contains("made_up"), "labels are closed sets");
}

#[test]
fn every_frame_that_this_server_writes_has_its_type_where_it_is_looked_for() {
    use netra_ws::frame::Frame;
    let frame = Frame::new(netra_ws::ServerMessage::Pong(netra_ws::payload::Ping { nonce: None }));
    let before = metrics().sent["pong"].bytes.get();
    let text: Encoded = frame.encode().expect("encodes").into();
    metrics().sent(&text);
    assert!(metrics().sent["pong"].bytes.get() >= before + text.len() as u64);
}
