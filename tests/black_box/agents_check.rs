//! `netra agents check`: one line a model, and an exit code.

use std::process::Command;

use crate::{
    acp::entry,
    support::{
        answer::{Answer, http},
        provider::{API_KEY, Provider, always, nowhere},
        script::{Reply, Stream},
        server::Setup,
        user::User,
    },
};

/// Runs the command over these agents; its exit code, and all that it said.
async fn check(agents: &str, name: Option<&str>) -> (i32, String) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("netra.toml");
    std::fs::write(&file, agents).expect("the settings are written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_netra"));
    command.args(["agents", "check"]).args(name).arg("--config").arg(&file);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("NETRA_") {
            command.env_remove(variable);
        }
    }
    command.env("NO_PROXY", "127.0.0.1").env("CHECK_KEY", API_KEY).current_dir(home.path());
    let done = tokio::task::spawn_blocking(move || command.output().expect("the command runs")).await.expect("it ends");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(!said.contains(API_KEY), "{said}");
    (done.status.code().unwrap_or(-1), said)
}

fn agent(name: &str, base: &str) -> String {
    format!(
        "[[agents]]\nname = \"{name}\"\nkind = \"openai\"\nbase_url = \"{base}\"\nmodel = \"m\"\napi_key_env = \"CHECK_KEY\"\n"
    )
}

#[tokio::test]
async fn each_model_gets_a_line() {
    let works = Provider::start(always(
        Stream::new()
            .thinking("reasoning", "a product")
            .tool(0, "a", "multiply", r#"{"a":17,"b":23}"#)
            .end("tool_calls"),
    ))
    .await;
    let toolless = Provider::start(|request| {
        if request.body["tools"].is_null() {
            Reply::text("I have no such tool.")
        } else {
            Reply::error(400, "m does not support tools")
        }
    })
    .await;
    let refuses = Provider::start(always(Reply::error(401, &format!("bad key {API_KEY}")))).await;
    let agents = [
        agent("works", &works.base),
        agent("toolless", &toolless.base),
        agent("refuses", &refuses.base),
        agent("absent", &nowhere()),
    ];
    let (code, said) = check(&agents.concat(), None).await;
    assert_eq!(code, 1, "{said}");
    let line =
        |name: &str| said.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap_or_default().to_owned();
    for (name, words) in [
        ("works", "key accepted"),
        ("works", "stream yes, tools yes, images not asked for, reasoning yes, usage yes"),
        ("toolless", "tools refused, answers without"),
        ("refuses", "FAILED: the model's server refused the key (401): bad key [key]"),
        ("absent", "cannot be reached"),
    ] {
        assert!(line(name).contains(words), "{name}: {said}");
    }
    assert!(said.contains("2 of 4 agents did not answer"), "{said}");
    let (code, said) = check(&agents.concat(), Some("works")).await;
    assert_eq!((code, said.lines().count()), (0, 1), "{said}");
}

#[tokio::test]
async fn each_line_says_what_was_seen() {
    let completion = serde_json::json!({ "object": "chat.completion", "choices": [{ "index": 0, "finish_reason": "tool_calls",
        "message": { "role": "assistant", "content": null, "tool_calls": [{ "id": "a", "type": "function",
            "function": { "name": "multiply", "arguments": "{\"a\":17,\"b\":23}" } }] } }] });
    let json = ("content-type", "application/json".to_owned());
    let whole = Reply::Whole { status: 200, headers: vec![json], body: completion.to_string() };
    let whole = Provider::start(always(whole)).await;
    let text = Provider::start(always(Reply::text("I have no such tool."))).await;
    let empty = Provider::start(always(Stream::new().end("stop"))).await;
    let cut = Provider::start(always(Stream::new().text("I have ").text("no").end("length"))).await;
    let filtered = Provider::start(always(Stream::new().text("I have ").end("content_filter"))).await;
    let header =
        agent("header", &text.base).replace("api_key_env = \"CHECK_KEY\"", "headers_env = { x-key = \"CHECK_KEY\" }");
    let agents = [
        agent("whole", &whole.base),
        header,
        agent("off", &text.base) + "tool_use = false\n",
        agent("empty", &empty.base),
        agent("cut", &cut.base),
        agent("filtered", &filtered.base),
    ];
    let (code, said) = check(&agents.concat(), None).await;
    for (name, words) in [
        ("whole", "stream no, tools yes"),
        ("header", "key accepted"),
        ("off", "tools switched off"),
        ("empty", "no word"),
        ("cut", "ANSWER NOT WHOLE: cut off at the limit of tokens"),
        ("filtered", "ANSWER NOT WHOLE: cut off by a content filter"),
    ] {
        let line = said.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap_or_default();
        assert!(line.contains(words), "{name}: {said}");
    }
    assert!(code == 1 && said.contains("3 of 6 agents did not answer"), "{said}");
}

#[tokio::test]
async fn an_agent_without_a_model_cannot_be_checked() {
    let (code, said) = check("", None).await;
    assert!(code == 1 && said.contains("no agent has a model"), "{said}");
    let (code, said) = check("", Some("guide")).await;
    assert!(code == 1 && said.contains("\"guide\""), "{said}");
}

/// What the page's own function answers.
async fn call(user: &User, name: &str, form: &str) -> Answer {
    let request = http()
        .post(format!("{}/fn/{name}", user.base()))
        .header("cookie", user.cookies())
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.to_owned());
    Answer::of(request).await
}

#[tokio::test]
async fn the_settings_page_shows_what_the_check_finds() {
    let provider =
        Provider::start(always(Stream::new().tool(0, "a", "multiply", r#"{"a":17,"b":23}"#).end("tool_calls"))).await;
    let server = Setup::new().assistant(&provider).start().await;
    let admin = User::dev(&server).await;
    let before = call(&admin, "agent-states", "").await.ok();
    assert_eq!((&before[0]["name"], &before[0]["works"]), (&"assistant".into(), &serde_json::Value::Null), "{before}");
    assert_eq!((&before[1]["name"], &before[1]["works"]), (&"guide".into(), &true.into()), "{before}");
    let found = call(&admin, "check-agent", "name=assistant").await.ok();
    assert_eq!(found["works"], true, "{found}");
    let said = found["said"].as_str().unwrap_or_default();
    assert!(said.contains("key accepted") && said.contains("tools yes") && !said.contains(API_KEY), "{said}");
    assert_eq!(call(&admin, "agent-states", "").await.ok()[0], found, "it is kept");
    // Asked again at once, the model is left alone.
    assert_eq!(call(&admin, "check-agent", "name=assistant").await.ok(), found);
    assert_eq!(provider.requests().len(), 1);
    assert_eq!(call(&admin, "check-agent", "name=nobody").await.status, 400);
    // The first account administers a server that nobody else can reach.
    let (_, user) = (User::register(&server).await, User::register(&server).await);
    for (name, form) in [("agent-states", ""), ("check-agent", "name=assistant")] {
        assert_eq!(call(&user, name, form).await.status, 403, "{name}");
        assert_eq!(call(&User::visitor(&server), name, form).await.status, 401, "{name}");
    }
}

#[tokio::test]
async fn a_program_of_this_machine_gets_a_line() {
    let agents = entry("coder", "acp_agent.mjs", &[], "") + &entry("gone", "acp_hostile.mjs", &["leave"], "");
    let (code, said) = check(&agents, None).await;
    assert_eq!(code, 1, "{said}");
    let line = |name: &str| said.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    let works = line("coder: ");
    assert!(works.starts_with("coder: acp, node: scripted 1.0.0, first word after "), "{said}");
    assert!(works.contains("takes up sessions yes") && works.contains("kept to its folder"), "{said}");
    assert_eq!(line("gone: "), "gone: acp, node: FAILED: the agent's program ended: exit status: 3", "{said}");
}
