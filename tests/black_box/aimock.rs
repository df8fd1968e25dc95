//! Runs against `@copilotkit/aimock`, a server of all three protocols that others wrote.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    PATIENCE,
    answer::{Answer, http},
    frame::{frame, on},
    rules::{Run, acked, check_answer, check_critical, check_dense, check_run, ended, payloads, start_run},
    server::Setup,
    user::User,
};

/// The running server; killed when dropped.
pub(crate) struct Aimock {
    child: Child,
    pub(crate) base: String,
    _home: TempDir,
}

impl Aimock {
    pub(crate) async fn start(fixtures: &serde_json::Value) -> Self {
        Self::at(0, fixtures).await
    }

    /// One at this port, or at any for 0.
    pub(crate) async fn at(port: u16, fixtures: &serde_json::Value) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/.bin/llmock");
        assert!(program.exists(), "{} is missing: run `npm ci` first", program.display());
        let home = tempfile::tempdir().expect("a temporary folder");
        let (file, log) = (home.path().join("fixtures.json"), home.path().join("aimock.log"));
        std::fs::write(&file, fixtures.to_string()).expect("the fixtures are written");
        let out = File::create(&log).expect("the log opens");
        let err = out.try_clone().expect("the log opens twice");
        let child = Command::new(program)
            .args(["--port", &port.to_string(), "--chunk-size", "3", "--validate-on-load", "--fixtures"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("aimock starts");
        let mut aimock = Self { child, base: String::new(), _home: home };
        let end = Instant::now() + PATIENCE;
        while aimock.base.is_empty() {
            let said = std::fs::read_to_string(&log).expect("the log is text");
            assert!(Instant::now() < end, "aimock is not ready: {said}");
            if let Some((_, url)) = said.split_once("listening on ").filter(|(_, rest)| rest.contains('\n')) {
                aimock.base = format!("{}/v1", url.lines().next().unwrap_or_default().trim());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        aimock
    }
}

impl Drop for Aimock {
    fn drop(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A product that a tool works out, after a thought.
fn product() -> serde_json::Value {
    json!({ "fixtures": [
        {
            "match": { "userMessage": "six times seven", "hasToolResult": false },
            "response": {
                "reasoning": "A product; the tool knows.",
                "toolCalls": [{ "name": "calculate", "arguments": { "expression": "6*7" } }],
                "usage": { "prompt_tokens": 7, "completion_tokens": 11 },
            },
        },
        {
            "match": { "userMessage": "six times seven", "hasToolResult": true, "toolResultContains": "42" },
            "response": {
                "content": "Six times seven is **42**.",
                "usage": { "prompt_tokens": 7, "completion_tokens": 11 },
            },
        },
    ] })
}

/// A run with a thought, a call and an answer, by the agent of this kind.
async fn check_run_of(kind: &str) {
    let aimock = Aimock::start(&product()).await;
    let agent = format!(
        "[[agents]]\nname = \"other\"\nkind = \"{kind}\"\nbase_url = \"{}\"\nmodel = \"any-model\"\napi_key_env = \"OTHER_KEY\"\n",
        aimock.base
    );
    let server = Setup::new().toml(&agent).set("OTHER_KEY", "sk-other-1234").start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "other", "What is six times seven?").await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{kind}: {end}");

    let frames = socket.frames();
    check_critical(&check_run(&frames, &run));
    check_dense(&frames, &run.thread, 1);
    check_answer(&frames, &run, "Six times seven is **42**.");
    let thoughts = payloads(&frames, &run, "agent_thinking");
    let thought: String = thoughts.iter().filter_map(|p| p["thought"].as_str()).collect();
    assert!(thought.contains("A product; the tool knows."), "{kind}: {thought:?}");
    let calls = payloads(&frames, &run, "tool_executing");
    assert_eq!(calls[0]["arguments"], json!({ "expression": "6*7" }), "{kind}: {calls:?}");
    assert!(payloads(&frames, &run, "tool_completed")[0]["result"].to_string().contains("42"));
    assert_eq!(end["payload"]["usage"]["total_tokens"], 36, "{kind}: both turns: {end}");
    assert!(!server.log().contains("sk-other-1234"), "{kind}: the key is in the log");
}

#[tokio::test]
async fn the_five_events_come_from_a_foreign_provider_too() {
    check_run_of("openai").await;
}

#[tokio::test]
async fn the_responses_api_is_spoken() {
    check_run_of("responses").await;
}

#[tokio::test]
async fn the_messages_api_is_spoken() {
    check_run_of("messages").await;
}

#[tokio::test]
async fn refusals_are_told_whatever_the_protocol() {
    let fixtures = json!({ "fixtures": [{
        "match": { "userMessage": "anything" },
        "response": { "error": { "message": "This key may not do that.", "type": "permission_error" }, "status": 403 },
    }] });
    for kind in ["openai", "responses", "messages"] {
        let aimock = Aimock::start(&fixtures).await;
        let agent =
            format!("[[agents]]\nname = \"other\"\nkind = \"{kind}\"\nbase_url = \"{}\"\nmodel = \"m\"\n", aimock.base);
        let server = Setup::new().toml(&agent).start().await;
        let socket = User::dev(&server).await.connect().await;
        let run = start_run(&socket, "other", "Say anything.").await;
        let end = ended(&socket, &run).await;
        assert_eq!(end["payload"]["code"], "upstream_unavailable", "{kind}: {end}");
        let message = end["payload"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("403") && message.contains("This key may not do that."), "{kind}: {message}");
        check_run(&socket.frames(), &run);
    }
}

/// What ends an answer in the middle of the stream, in each protocol's own words.
#[tokio::test]
async fn an_answer_that_ends_early_is_told_as_such() {
    for (kind, reason, told) in [
        ("openai", "length", "limit of tokens"),
        ("openai", "content_filter", "content filter"),
        ("responses", "length", "limit of tokens"),
        ("messages", "length", "limit of tokens"),
    ] {
        let fixtures = json!({ "fixtures": [{
            "match": { "userMessage": "anything" },
            "response": { "content": "It begins, and", "finishReason": reason },
        }] });
        let end = end_of(kind, &fixtures, "Say anything.").await;
        assert_eq!(end["type"], "agent_error", "{kind}, {reason}: {end}");
        assert!(end["payload"]["message"].to_string().contains(told), "{kind}, {reason}: {end}");
    }
    // What was said before a refusal is the answer.
    let fixtures = json!({ "fixtures": [{
        "match": { "userMessage": "anything" },
        "response": { "content": "I would rather not.", "finishReason": "refusal" },
    }] });
    let end = end_of("messages", &fixtures, "Say anything.").await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    // A response that failed comes with the words before it.
    let fixtures = json!({ "fixtures": [{
        "match": { "userMessage": "anything" },
        "response": { "content": "It begins, and", "finishReason": "content_filter" },
    }] });
    let end = end_of("responses", &fixtures, "Say anything.").await;
    assert_eq!(end["type"], "agent_error", "{end}");
}

/// The end of a run whose agent of this kind has such a model.
async fn end_of(kind: &str, fixtures: &Value, question: &str) -> Value {
    let aimock = Aimock::start(fixtures).await;
    let agent =
        format!("[[agents]]\nname = \"other\"\nkind = \"{kind}\"\nbase_url = \"{}\"\nmodel = \"m\"\n", aimock.base);
    let server = Setup::new().toml(&agent).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "other", question).await;
    let end = ended(&socket, &run).await;
    check_run(&socket.frames(), &run);
    end
}

/// All three take a picture; what came is recorded of chat completions alone.
#[tokio::test]
async fn a_picture_goes_to_each() {
    let fixtures = json!({ "fixtures": [{
        "match": { "userMessage": "picture" },
        "response": { "content": "A dot." },
    }] });
    for kind in ["openai", "responses", "messages"] {
        let aimock = Aimock::start(&fixtures).await;
        let agent = format!(
            "[[agents]]\nname = \"other\"\nkind = \"{kind}\"\nbase_url = \"{}\"\nmodel = \"m\"\ntakes = [\"text\", \"image\"]\n",
            aimock.base
        );
        let server = Setup::new().toml(&agent).start().await;
        let user = User::dev(&server).await;
        let request = http()
            .post(format!("{}/api/attachments?name=dot.gif", user.base()))
            .header("cookie", user.cookies())
            .header("content-type", "image/gif")
            .body(DOT);
        let kept = Answer::of(request).await;
        assert_eq!(kept.status, 201, "{}", kept.body);
        let socket = user.connect().await;
        let message = json!({ "agent": "other", "content": "What is in the picture?", "attachments": [kept.json()["attachment"]["id"]] });
        let ack = socket.call(frame("start_agent", message)).await;
        let run = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
        socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
        ended(&socket, &run).await;
        check_answer(&socket.frames(), &run, "A dot.");
        let came = Answer::of(http().get(format!("{}/_requests", aimock.base))).await.json();
        let came = came.as_array().expect("requests");
        assert_eq!(came.len(), 1, "{kind}: it was not asked again without the picture: {came:?}");
        if kind == "openai" {
            let asked =
                came[0]["body"]["messages"].as_array().and_then(|messages| messages.last()).expect("a question");
            let picture = &asked["content"][1]["image_url"]["url"];
            assert!(picture.as_str().is_some_and(|url| url.starts_with("data:image/gif;base64,R0lGODlh")), "{picture}");
        }
    }
}

/// A picture of one dot.
const DOT: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// The blocks of a language in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begins = format!("```{language}\n");
    page.split(&begins).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// What stands in quotes behind a name in an entry, as often as it stands there.
fn named<'a>(entry: &'a str, name: &str) -> Vec<&'a str> {
    let begins = format!("{name} = \"");
    entry.split(&begins).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// What the pages say to copy for each model's server, with aimock where that would be.
#[tokio::test]
async fn what_the_pages_say_to_copy_reaches_a_model() {
    let aimock = Aimock::start(&product()).await;
    let page = |name: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_else(|_| panic!("{name}"))
    };
    let (connecting, readme) = (page("docs/connecting-a-model.md"), page("README.md"));

    let entries: Vec<String> =
        blocks(&connecting, "toml").into_iter().filter(|block| block.contains("[[agents]]")).collect();
    assert!(entries.len() >= 7, "{entries:?}");
    let mut setup = Setup::new();
    let mut toml = String::new();
    for entry in &entries {
        let [address] = named(entry, "base_url")[..] else { panic!("one address: {entry}") };
        toml += &entry.replace(address, &aimock.base);
        for key in [named(entry, "api_key_env"), named(entry, "api-key")].concat() {
            setup = setup.set(key, "sk-of-the-page-7f3d");
        }
    }
    let server = setup.toml(&toml).start().await;
    let socket = User::dev(&server).await.connect().await;
    for name in entries.iter().flat_map(|entry| named(entry, "name")) {
        let run = start_run(&socket, name, "What is six times seven?").await;
        assert_eq!(ended(&socket, &run).await["payload"]["status"], "completed", "{name}");
        check_answer(&socket.frames(), &run, "Six times seven is **42**.");
    }
    assert!(!server.log().contains("sk-of-the-page-7f3d"), "a key is in the log");

    let shells = [blocks(&connecting, "sh"), blocks(&readme, "sh")].concat();
    let shells: Vec<String> = shells.into_iter().filter(|block| block.contains("export NETRA_LLM_BASE_URL=")).collect();
    assert!(shells.len() >= 6, "{shells:?}");
    for shell in shells {
        let mut setup = Setup::new();
        for line in shell.lines().filter_map(|line| line.strip_prefix("export ")) {
            let (name, value) = line.split('#').next().unwrap_or_default().trim().split_once('=').expect("a value");
            let value = if name == "NETRA_LLM_BASE_URL" { aimock.base.as_str() } else { value };
            setup = setup.set(name, value);
        }
        let server = setup.start().await;
        let socket = User::dev(&server).await.connect().await;
        let run = start_run(&socket, "assistant", "What is six times seven?").await;
        assert_eq!(ended(&socket, &run).await["payload"]["status"], "completed", "{shell}");
    }
}
