//! Agents that use the tools of the reference server, `@modelcontextprotocol/server-everything`, over both transports.

use std::{
    fs::File,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{agent, becomes, calls, everything, program, script, state};
use crate::{
    aimock::Aimock,
    support::{
        PATIENCE,
        answer::http,
        port,
        provider::{API_KEY, Provider},
        rules::{Run, check_critical, check_dense, check_run, ended, event, payloads, start_run},
        server::{Server, Setup},
        socket::Socket,
        user::User,
    },
};

/// A Netra whose agent `caller` may use all tools of the server `everything`.
async fn netra(provider: &Provider, server: &str) -> (Server, User, Socket) {
    let toml = agent(provider, "\"calculate\", \"mcp:everything/*\"") + server;
    let server = Setup::new().toml(&toml).set("CALLER_KEY", API_KEY).set("LEAKED", "by accident").start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    (server, user, socket)
}

fn over_stdio() -> String {
    program("everything", &["node", &everything().display().to_string(), "stdio"])
        + "env = { GIVEN = \"on purpose\" }\npass_env = [\"CALLER_KEY\"]\n"
}

/// Has the agent call a tool; the run, and how the call ended.
async fn call(socket: &Socket, tool: &str, arguments: Value) -> (Run, Value) {
    let run = start_run(socket, "caller", &format!("{tool} {arguments}")).await;
    let end = ended(socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{tool}: {end}");
    let frames = socket.frames();
    check_critical(&check_run(&frames, &run));
    check_dense(&frames, &run.thread, 1);
    let done = payloads(&frames, &run, "tool_completed");
    assert_eq!(done.len(), 1, "{done:?}");
    (run, done[0].clone())
}

/// What its tools answer, whatever way it is spoken to.
async fn check_tools(socket: &Socket) {
    let (run, done) = call(socket, "everything__echo", json!({ "message": "hello" })).await;
    assert_eq!(done["tool"], "mcp:everything/echo", "{done}");
    assert_eq!((&done["status"], &done["result"]), (&json!("ok"), &json!({ "text": "Echo: hello" })), "{done}");
    let begun = payloads(&socket.frames(), &run, "tool_executing");
    assert_eq!(
        (&begun[0]["tool"], &begun[0]["arguments"]["message"]),
        (&json!("mcp:everything/echo"), &json!("hello"))
    );

    let (_, done) = call(socket, "everything__get-structured-content", json!({ "location": "New York" })).await;
    assert!(done["result"]["temperature"].is_number(), "{done}");
    let (_, done) = call(socket, "everything__get-tiny-image", json!({})).await;
    let kinds: Vec<&str> =
        done["result"]["content"].as_array().expect("pieces").iter().filter_map(|c| c["type"].as_str()).collect();
    assert!(kinds.contains(&"image") && kinds.contains(&"text"), "{done}");
    let (_, done) = call(socket, "everything__get-resource-links", json!({ "count": 2 })).await;
    let links = done["result"]["content"].as_array().expect("pieces").iter().filter(|c| c["type"] == "link").count();
    assert_eq!(links, 2, "{done}");
    let (_, done) = call(socket, "everything__list_resources", json!({})).await;
    let uri = done["result"]["resources"][0]["uri"].as_str().expect("an address").to_owned();
    let (_, done) = call(socket, "everything__read_resource", json!({ "uri": uri })).await;
    assert!(done["result"]["content"][0]["text"].is_string(), "{done}");

    // It is wrong about its arguments, and says so.
    let (_, done) = call(socket, "everything__get-sum", json!({ "a": "no number" })).await;
    assert_eq!(done["status"], "error", "{done}");
    let (_, done) = call(socket, "everything__no_such", json!({})).await;
    assert_eq!(done["status"], "error", "{done}");

    let (run, done) =
        call(socket, "everything__trigger-long-running-operation", json!({ "duration": 1, "steps": 3 })).await;
    assert_eq!(done["status"], "ok", "{done}");
    let progress = payloads(&socket.frames(), &run, "agent_progress");
    assert!(!progress.is_empty() && progress.iter().all(|p| p["agent"] == "caller"), "{progress:?}");
    assert!(progress.iter().any(|p| p["fraction"].as_f64().is_some_and(|f| f > 0.3 && f <= 1.0)), "{progress:?}");
}

#[tokio::test]
async fn tools_over_standard_input_and_output() {
    let provider = Provider::start(calls).await;
    let (server, user, socket) = netra(&provider, &over_stdio()).await;
    check_tools(&socket).await;

    // It gets of our environment what the configuration names, and where programs are.
    let (_, done) = call(&socket, "everything__get-env", json!({})).await;
    let env: Value = serde_json::from_str(done["result"]["text"].as_str().expect("text")).expect("an environment");
    let mut names: Vec<&String> = env.as_object().expect("an environment").keys().collect();
    names.sort();
    assert_eq!(names, ["CALLER_KEY", "GIVEN", "PATH"], "{env}");
    assert_eq!(env["GIVEN"], "on purpose");

    let state = state(&user, "everything").await;
    assert_eq!(state["status"], "ready", "{state}");
    assert!(state["tools"].as_u64().is_some_and(|tools| tools > 5), "{state}");
    assert!(state["reason"].as_str().is_some_and(|reason| reason.contains("MCP 20")), "{state}");
    // The first account administers a server that nobody else can reach.
    let (_, other) = (User::register(&server).await, User::register(&server).await);
    let told = other.get("/api/agents").await.ok();
    assert_eq!((&told["mcp"][0]["status"], told["mcp"][0].get("reason")), (&json!("ready"), None), "{told}");
    let metrics =
        http().get(format!("{}/metrics", server.base)).send().await.expect("metrics").text().await.expect("text");
    assert!(metrics.contains("netra_mcp_up{server=\"everything\"} 1"), "{metrics}");
    assert!(metrics.contains("netra_tool_calls_total{tool=\"mcp:everything\",status=\"ok\"}"), "{metrics}");
    assert!(server.log().contains("an MCP server is there"), "{}", server.log());
}

/// The reference server over HTTP, on loopback.
struct Remote {
    child: Child,
    port: u16,
}

impl Remote {
    async fn start(port: u16) -> Self {
        let null = || File::options().write(true).open("/dev/null").expect("/dev/null");
        let child = Command::new("node")
            .arg("--import")
            .arg(script("mcp_loopback.mjs"))
            .arg(everything())
            .arg("streamableHttp")
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(null())
            .stderr(null())
            .spawn()
            .expect("node starts");
        let end = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "the server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { child, port }
    }

    fn settings(&self) -> String {
        format!("[[mcp]]\nname = \"everything\"\nurl = \"http://127.0.0.1:{}/mcp\"\n", self.port)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn tools_over_http_that_goes_away_and_comes_back() {
    let provider = Provider::start(calls).await;
    let remote = Remote::start(port::free()).await;
    let (_server, user, socket) = netra(&provider, &remote.settings()).await;
    check_tools(&socket).await;

    let port = remote.port;
    drop(remote);
    // A call finds out.
    let run = start_run(&socket, "caller", "everything__get-sum {\"a\":1,\"b\":2}").await;
    ended(&socket, &run).await;
    becomes(&user, "everything", "away").await;
    let _remote = Remote::start(port).await;
    becomes(&user, "everything", "ready").await;
    let (_, done) = call(&socket, "everything__get-sum", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(done["status"], "ok", "{done}");
}

/// The processes that this one started.
fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let of_all = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut all: Vec<u32> = of_all
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .chain(list.ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_of_a_call() {
    let provider = Provider::start(calls).await;
    let (server, user, socket) = netra(&provider, &over_stdio()).await;
    becomes(&user, "everything", "ready").await;
    let run =
        start_run(&socket, "caller", "everything__trigger-long-running-operation {\"duration\":3,\"steps\":10}").await;
    event(&socket, &run, "agent_progress").await;
    let programs = children(server.pid());
    assert_eq!(programs.len(), 1, "{programs:?}");
    let killed = Command::new("kill").arg("-KILL").arg(programs[0].to_string()).status();
    assert!(killed.is_ok_and(|status| status.success()));

    // It says of this tool that calling it twice does no harm, so it is called again; `hostile.rs` has one that is not.
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    let frames = socket.frames();
    check_run(&frames, &run);
    let done = payloads(&frames, &run, "tool_completed");
    assert_eq!((done.len(), &done[0]["status"]), (1, &json!("ok")), "{done:?}");
    assert!(server.log().contains("a call is made again"), "{}", server.log());
    assert!(server.log().contains("its program ended"), "{}", server.log());

    // It was started again, and has its tools.
    becomes(&user, "everything", "ready").await;
    let (_, done) = call(&socket, "everything__echo", json!({ "message": "back" })).await;
    assert_eq!(done["result"]["text"], "Echo: back", "{done}");

    // It ends with us.
    let programs = children(server.pid());
    assert_eq!(programs.len(), 1, "{programs:?}");
    let mut server = server;
    server.signal("TERM");
    assert_eq!(server.exit(PATIENCE).await, 0);
    assert!(!std::path::Path::new(&format!("/proc/{}", programs[0])).exists(), "the program outlived us");
}

#[tokio::test]
async fn a_stop_cancels_the_call() {
    let provider = Provider::start(calls).await;
    let (_server, _, socket) = netra(&provider, &over_stdio()).await;
    let run =
        start_run(&socket, "caller", "everything__trigger-long-running-operation {\"duration\":60,\"steps\":120}")
            .await;
    event(&socket, &run, "agent_progress").await;
    let ack = socket.call(crate::support::frame::frame("stop_agent", json!({ "run_id": run.id }))).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "stopped", "{end}");
    let done = payloads(&socket.frames(), &run, "tool_completed");
    assert_eq!(done[0]["status"], "interrupted", "{done:?}");
    // The server is there for others.
    let (_, done) = call(&socket, "everything__echo", json!({ "message": "next" })).await;
    assert_eq!(done["status"], "ok", "{done}");
}

#[tokio::test]
async fn a_model_of_others_calls_a_tool_of_others() {
    let fixtures = json!({ "fixtures": [
        {
            "match": { "userMessage": "say it back", "hasToolResult": false },
            "response": { "toolCalls": [{ "name": "everything__echo", "arguments": { "message": "to and fro" } }] },
        },
        {
            "match": { "userMessage": "say it back", "hasToolResult": true, "toolResultContains": "to and fro" },
            "response": { "content": "It said: to and fro." },
        },
    ] });
    let aimock = Aimock::start(&fixtures).await;
    let toml = format!(
        "[[agents]]\nname = \"caller\"\nkind = \"responses\"\nbase_url = \"{}\"\nmodel = \"any\"\ntools = [\"mcp:everything/echo\"]\n{}",
        aimock.base,
        over_stdio().replace("pass_env = [\"CALLER_KEY\"]\n", ""),
    );
    let server = Setup::new().toml(&toml).start().await;
    let socket = User::dev(&server).await.connect().await;
    let run = start_run(&socket, "caller", "Please say it back").await;
    let end = ended(&socket, &run).await;
    assert_eq!(end["payload"]["status"], "completed", "{end}");
    let frames = socket.frames();
    check_critical(&check_run(&frames, &run));
    assert_eq!(payloads(&frames, &run, "tool_completed")[0]["result"]["text"], "Echo: to and fro");
    assert_eq!(payloads(&frames, &run, "agent_response")[0]["content"], "It said: to and fro.");
}
