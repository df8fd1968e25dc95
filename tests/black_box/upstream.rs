//! A provider that misbehaves: the run ends once, with a code, a log line, and no key in sight.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::support::{
    frame::{ends, on},
    provider::{API_KEY, Provider, always, nowhere, text},
    rules::{check_answer, check_run, ended, payloads, say, start_run},
    script::{Reply, Step, Stream},
    server::{Server, Setup},
    socket::Socket,
    user::User,
};

const EITHER: &[&str] = &["upstream_unavailable", "upstream_protocol"];
const UNAVAILABLE: &[&str] = &["upstream_unavailable"];
const PROTOCOL: &[&str] = &["upstream_protocol"];

/// A run that ends with one of these codes, in the events and in the log, and tells nobody the key.
async fn check_failure(server: &Server, name: &str, codes: &[&str]) -> Socket {
    let user = User::dev(server).await;
    let socket = user.connect().await;
    let from = server.log().len();
    let run = start_run(&socket, "assistant", "Say something.").await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["type"], "agent_error", "{name}: {end}");
    let payload = &end["payload"];
    let code = payload["code"].as_str().unwrap_or_default();
    assert!(codes.contains(&code), "{name}: {end}");
    assert_eq!(payload["agent"], "assistant", "{name}: {end}");
    assert!(payload["message"].as_str().is_some_and(|m| !m.is_empty()), "{name}: {end}");
    assert!(payload["retryable"].is_boolean(), "{name}: {end}");

    let logged = |log: &str| log.lines().any(|l| l.contains(code) && (l.contains("WARN") || l.contains("ERROR")));
    server.logged(from, &format!("{name}: a warning with {code}"), logged).await;
    // Long enough for a second end to show itself.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let frames = socket.frames();
    check_run(&frames, &run);
    assert!(!server.log().contains(API_KEY), "{name}: the key is in the log");
    assert!(!Value::from(frames).to_string().contains(API_KEY), "{name}: the key is in a frame");
    let history = user.get(&format!("/api/threads/{}/messages", run.thread)).await;
    assert!(!history.body.contains(API_KEY), "{name}: the key is in the history");
    socket.alive().await;
    socket
}

fn html(status: u16) -> Reply {
    let body = "<html><body>Welcome to the hotel network</body></html>".to_owned();
    Reply::Whole { status, headers: vec![("content-type", "text/html".into())], body }
}

#[tokio::test]
async fn each_failure_ends_the_run_once() {
    let echo = format!("Incorrect API key provided: {API_KEY}");
    let half = r#"data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"del"#;
    let cases: Vec<(&str, Reply, &[&str])> = vec![
        ("401 that repeats the key", Reply::error(401, &echo), EITHER),
        ("404", Reply::error(404, "no such model"), EITHER),
        ("429", Reply::error(429, "slow down").header("retry-after", "1"), UNAVAILABLE),
        ("500", Reply::error(500, "oh no"), UNAVAILABLE),
        ("a reason without an end", Reply::Endless { status: 400, body: "{\"error\":\"no\"}".to_owned() }, UNAVAILABLE),
        ("gzip that nobody asked for", Reply::error(200, "x").header("content-encoding", "gzip"), PROTOCOL),
        ("503 in HTML", html(503), UNAVAILABLE),
        ("200 in HTML", html(200), PROTOCOL),
        ("half a line, then the end", Stream::new().text("Well, ").raw(half).close(), PROTOCOL),
        ("half a line, then a cut", Stream::new().text("Well, ").raw(half).abort(), EITHER),
        ("a cut between lines", Stream::new().text("Well, ").abort(), EITHER),
        ("an event that is no JSON", Stream::new().text("Well, ").raw("data: {oops}\n\n").end("stop"), PROTOCOL),
        ("an event that is another JSON", Stream::new().raw("data: [1,2]\n\n").end("stop"), PROTOCOL),
        (
            "an error inside the stream",
            Stream::new().text("Well, ").raw("data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n").close(),
            EITHER,
        ),
        ("an empty body", Reply::Whole { status: 200, headers: vec![], body: String::new() }, EITHER),
    ];
    let mut tests = Vec::new();
    for (name, reply, codes) in cases {
        tests.push(async move {
            let provider = Provider::start(always(reply)).await;
            let server = Setup::new().assistant(&provider).start().await;
            check_failure(&server, name, codes).await;
            assert!(!provider.requests().is_empty(), "{name}: the provider was asked");
            provider.idle(Duration::from_secs(1)).await;
        });
    }
    // A few at a time: a server that tries again waits more than it works.
    stream::iter(tests).buffer_unordered(4).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn silence_is_cut_off() {
    let hush = Duration::from_mins(1);
    for (name, reply) in [
        ("from the start", Stream::new().pause(hush).end("stop")),
        ("after a word", Stream::new().text("Well, ").pause(hush).end("stop")),
    ] {
        let provider = Provider::start(always(reply)).await;
        let server = Setup::new().assistant(&provider).set("NETRA_LLM_STALL_S", 1).start().await;
        check_failure(&server, name, UNAVAILABLE).await;
        provider.idle(Duration::from_secs(1)).await;
        assert_eq!(provider.requests().len(), 1, "{name}: who waited once for nothing does not do so again");
    }
}

#[tokio::test]
async fn a_slow_stream_is_not_a_silent_one() {
    let provider = Provider::start(|_| Stream::new().texts(5, "{k} ", Duration::from_millis(400)).end("stop")).await;
    let server = Setup::new().assistant(&provider).set("NETRA_LLM_STALL_S", 1).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "assistant", "Take your time.").await;
    ended(&socket, &run).await;
    check_answer(&socket.frames(), &run, "0 1 2 3 4 ");
}

#[tokio::test]
async fn a_comment_is_a_sign_of_life() {
    let waiting = |stream: Stream| stream.raw(": waiting\n\n").pause(Duration::from_millis(400));
    let provider =
        Provider::start(move |_| (0..5).fold(Stream::new(), |s, _| waiting(s)).text("At last.").end("stop")).await;
    let server = Setup::new().assistant(&provider).set("NETRA_LLM_STALL_S", 1).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "assistant", "Queue up.").await;
    ended(&socket, &run).await;
    check_answer(&socket.frames(), &run, "At last.");
}

#[tokio::test]
async fn an_event_without_end_is_cut_short() {
    let mebibyte = "x".repeat(1 << 20);
    let endless = (0..6).fold(Stream::new().text("Well, ").raw("data: {\""), |stream, _| stream.raw(&mebibyte));
    let provider = Provider::start(always(endless.pause(Duration::from_mins(1)).close())).await;
    let server = Setup::new().assistant(&provider).start().await;
    check_failure(&server, "an event without end", PROTOCOL).await;
    provider.idle(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_flood_ends_the_run_and_nothing_else() {
    let mebibyte = "x".repeat(1 << 20);
    let calls = (0..1_000).fold(Stream::new(), |stream, k| stream.tool(k, "", "calculate", "{}"));
    let line = (0..100).fold(Stream::new().raw("data: {\""), |stream, _| stream.raw(&mebibyte));
    let body = format!("{{\"choices\": \"{}", mebibyte.repeat(8));
    let whole = Reply::Whole { status: 200, headers: vec![("content-type", "application/json".into())], body };
    for (name, reply) in [
        ("a thousand calls", calls.end("tool_calls")),
        ("100 MB in one line", line.close()),
        ("a value without end", whole),
    ] {
        let provider = Provider::start(always(reply)).await;
        let server = Setup::new().assistant(&provider).start().await;
        check_failure(&server, name, PROTOCOL).await;
        provider.idle(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_stream_that_closes_anywhere_ends_its_run() {
    let bytes = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"Grüße.\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    );
    // What comes before the first word would be asked for again, with pauses.
    let from = bytes.find("]}\n\n").expect("the first event") + 4;
    let provider = Provider::start(move |request| {
        let at: usize = request.prompt().parse().expect("a place");
        let at = bytes.floor_char_boundary(at);
        Reply::Stream { steps: vec![Step::Bytes(bytes.as_bytes()[..at].to_vec()), Step::Abort], piece: usize::MAX }
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    for at in from..=bytes.len() {
        let run = start_run(&socket, "assistant", &at.to_string()).await;
        let end = ended(&socket, &run).await;
        let whole = at == bytes.len();
        assert_eq!(end["type"] == "agent_completed", whole, "{at} of {}: {end}", bytes.len());
        check_run(&socket.frames(), &run);
    }
}

#[tokio::test]
async fn a_key_that_no_header_can_hold_is_refused_at_the_start() {
    let refusal = Setup::new().assistant_at(&nowhere()).set("NETRA_LLM_API_KEY", "sk-one\nsk-two").refused().await;
    assert_eq!(refusal.code, 2);
    assert!(
        refusal.stderr.contains("NETRA_LLM_API_KEY") && refusal.stderr.contains("line break"),
        "{}",
        refusal.stderr
    );
    assert!(!refusal.stderr.contains("sk-two"), "{}", refusal.stderr);
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let server = Setup::new().assistant_at(&nowhere()).start().await;
    check_failure(&server, "connection refused", UNAVAILABLE).await;
}

#[tokio::test]
async fn an_odd_but_whole_stream_is_fine() {
    let crlf =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Fine.\"},\"finish_reason\":\"stop\"}]}\r\n\r\n";
    let cases = [
        ("no [DONE]", Stream::new().text("Fine.").finish("stop").usage().close()),
        ("no usage", Stream::new().text("Fine.").finish("stop").raw("data: [DONE]\n\n").close()),
        ("comments between events", Stream::new().raw(": keep-alive\n\n").text("Fine.").raw(":\n\n").end("stop")),
        ("no space after the colon", Stream::new().raw(&crlf.replace("data: ", "data:").replace('\r', "")).close()),
        ("carriage returns", Stream::new().raw(crlf).raw("data: [DONE]\r\n\r\n").close()),
        ("one byte at a time", Stream::new().piece(1).raw(crlf).raw("data: [DONE]\r\n\r\n").close()),
        ("empty deltas", Stream::new().text("").text("Fine.").text("").end("stop")),
        (
            "half an event after the end",
            Stream::new().text("Fine.").finish("stop").raw("data: {\"choices\":[],\"usage\":{\"pro").close(),
        ),
        (
            "an error after the end",
            Stream::new().text("Fine.").finish("stop").raw("data: {\"error\":{\"message\":\"late\"}}\n\n").close(),
        ),
        (
            "words after [DONE]",
            Stream::new().text("Fine.").finish("stop").raw("data: [DONE]\n\ndata: {oops\n\n").close(),
        ),
    ];
    for (name, reply) in cases {
        let provider = Provider::start(always(reply)).await;
        let server = Setup::new().assistant(&provider).start().await;
        let socket = User::dev(&server).await.connect().await;
        let run = start_run(&socket, "assistant", "How are you?").await;
        let end = ended(&socket, &run).await;
        assert_eq!(end["payload"]["status"], "completed", "{name}: {end}");
        check_run(&socket.frames(), &run);
        check_answer(&socket.frames(), &run, "Fine.");
    }
}

#[tokio::test]
async fn a_bad_tool_call_is_told_to_the_model_and_the_run_goes_on() {
    let deep = format!("{{\"expression\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: [(&str, &str, &str); 7] = [
        ("a name that no server takes back", "functions.divine", "{}"),
        ("arguments nested ten thousand deep", "calculate", deep.leak()),
        ("arguments that are no JSON", "calculate", r#"{"expression": "6*"#),
        ("arguments that are no object", "calculate", "[6, 7]"),
        ("arguments of another shape", "calculate", r#"{"sum": 13}"#),
        ("an expression that means nothing", "calculate", r#"{"expression": "6 *"}"#),
        ("a tool nobody knows", "divine", r#"{"question": "why"}"#),
    ];
    for (name, tool, arguments) in cases {
        let provider = Provider::start(move |request| {
            if request.tool_results().is_empty() {
                Stream::new().tool(0, "call_a", tool, arguments).end("tool_calls")
            } else {
                Reply::text("That did not work.")
            }
        })
        .await;
        let server = Setup::new().assistant(&provider).start().await;
        let socket = User::dev(&server).await.connect().await;
        let run = start_run(&socket, "assistant", "Use the tool.").await;
        let end = ended(&socket, &run).await;
        assert_eq!(
            (&end["type"], &end["payload"]["status"]),
            (&json!("agent_completed"), &json!("completed")),
            "{name}: {end}"
        );
        let frames = socket.frames();
        check_run(&frames, &run);
        check_answer(&frames, &run, "That did not work.");
        let done = payloads(&frames, &run, "tool_completed");
        assert_eq!(done.len(), 1, "{name}: the failed call is shown: {done:?}");
        assert_eq!(done[0]["status"], "error", "{name}: {done:?}");
        let requests = provider.requests();
        let asked = requests[1].messages().iter().find(|m| m["role"] == "assistant").expect("the call");
        // Servers want the key there, be there nothing in it.
        assert!(asked.as_object().is_some_and(|asked| asked.contains_key("content")), "{name}: {asked}");
        let called = asked["tool_calls"][0]["function"]["name"].as_str().unwrap_or_default();
        assert_eq!(called, tool.replace('.', "_"), "{name}");
        let results = requests[1].tool_results();
        assert_eq!(results.len(), 1, "{name}: {results:?}");
        assert_eq!(results[0]["tool_call_id"], "call_a", "{name}: {results:?}");
        assert!(!text(results[0]).is_empty(), "{name}: the model is told why");
    }
}

#[tokio::test]
async fn a_thread_goes_on_after_a_failed_run() {
    let provider = Provider::start(|request| {
        if request.prompt().contains("fail") { Reply::error(500, "oh no") } else { Reply::text("Here again.") }
    })
    .await;
    let server = Setup::new().assistant(&provider).start().await;
    let socket = User::dev(&server).await.connect().await;
    let failed = start_run(&socket, "assistant", "Please fail.").await;
    assert_eq!(ended(&socket, &failed).await["type"], "agent_error");
    let next = say(&socket, &failed.thread, "And now?").await;
    assert_eq!(ended(&socket, &next).await["payload"]["status"], "completed");
    check_answer(&socket.frames(), &next, "Here again.");
    let again = socket.call(on(&failed.thread, "subscribe", json!({}))).await;
    assert_eq!(again["payload"]["mode"], "snapshot");
    let ends = socket.frames().iter().filter(|f| ends(f, &failed.id)).count();
    assert_eq!(ends, 1);
}

/// An agent of `netra.toml`, with these further lines.
fn agent(provider: &Provider, more: &str) -> String {
    let base = &provider.base;
    format!("[[agents]]\nname = \"assistant\"\nkind = \"openai\"\nbase_url = \"{base}\"\nmodel = \"m\"\n{more}\n")
}

#[tokio::test]
async fn a_key_in_a_header_is_shown_to_nobody() {
    let provider = Provider::start(always(Reply::error(401, &format!("Incorrect API key provided: {API_KEY}")))).await;
    let setup = Setup::new().toml(&agent(&provider, "headers_env = { Authorization = \"GATEWAY_AUTH\" }"));
    let server = setup.set("GATEWAY_AUTH", format!("Bearer {API_KEY}")).start().await;
    check_failure(&server, "a key behind a scheme", UNAVAILABLE).await;
    assert_eq!(provider.requests()[0].authorization, format!("Bearer {API_KEY}"));
}

#[tokio::test]
async fn a_part_that_the_options_put_back_is_refused_once_more_and_no_oftener() {
    let provider = Provider::start(always(Reply::error(400, "m does not support tools"))).await;
    let server =
        Setup::new().toml(&agent(&provider, "options = { tools = [{ type = \"web_search\" }] }")).start().await;
    check_failure(&server, "tools in the options", UNAVAILABLE).await;
    assert_eq!(provider.requests().len(), 2);
}
