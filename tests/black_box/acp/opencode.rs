//! opencode, a coding agent that others wrote, with a scripted model: the entry of `docs/agents.md`, as it stands there.

use std::path::Path;

use serde_json::{Value, json};

use super::{asked, decide, end, folder, root};
use crate::{
    aimock::Aimock,
    support::{
        frame::on,
        rules::{answer_of, check_run, payloads, say, start_run},
        server::Setup,
        user::User,
    },
};

/// The entry of the page and its file, with another model and the place where the test set-up has put opencode.
fn entry(base: &str, folder: &Path) -> Option<String> {
    let installed = root().join("target/acp-agents");
    if !installed.join("node_modules/.bin/opencode").exists() {
        println!("not run: this test needs tools/agents.sh to have installed opencode");
        return None;
    }
    let page = std::fs::read_to_string(root().join("docs/agents.md")).expect("the page");
    let block = |begin: &str, from: &str| {
        let from = page.find(from).unwrap_or_else(|| panic!("{from} is not on the page"));
        let block = page[from..].split("```").next().expect("a block");
        assert!(block.contains(begin), "{begin} is not in {block}");
        block.to_owned()
    };
    let settings = block("\"permission\"", "{\n  \"model\": \"local/qwen3:8b\"");
    let settings = settings.replace("http://127.0.0.1:11434/v1", base).replace("qwen3:8b", "any-model");
    let file = folder.join("opencode.json");
    std::fs::write(&file, settings).expect("the settings are written");
    let entry = block("/opt/opencode/opencode.json", "[[agents]]\nname = \"coder\"");
    let entry = entry.replace("/opt/opencode/opencode.json", &file.display().to_string());
    let readable = format!("\"/opt/opencode\", {:?}", file.display().to_string());
    let entry = entry.replace("\"/opt/opencode\"", &readable);
    Some(entry.replace("/opt/opencode", &installed.display().to_string()))
}

#[tokio::test]
async fn opencode_writes_a_file_once_it_may_and_remembers_after_a_restart() {
    let write = json!({ "filePath": "hello.txt", "content": "hi\n" });
    let fixtures = json!({ "fixtures": [
        { "match": { "userMessage": "write the file", "hasToolResult": true }, "response": { "content": "It is written." } },
        { "match": { "userMessage": "write the file", "hasToolResult": false },
          "response": { "toolCalls": [{ "name": "write", "arguments": write }] } },
        { "match": { "userMessage": "still there" }, "response": { "content": "I am still here." } },
        { "match": { "userMessage": "title" }, "response": { "content": "A title" } },
    ] });
    let aimock = Aimock::start(&fixtures).await;
    let place = tempfile::tempdir().expect("a folder");
    let Some(entry) = entry(&aimock.base, place.path()) else { return };
    let mut server = Setup::new().toml(&entry).set("NETRA_RUN_LEASE_S", 1).start().await;
    let mut user = User::dev(&server).await;
    let socket = user.connect().await;
    let run = start_run(&socket, "coder", "Please write the file.").await;
    let question = asked(&socket, &run).await;
    assert_eq!(payloads(&socket.frames(), &run, "tool_executing"), Vec::<Value>::new(), "it may still be denied");
    assert!(!folder(&server, "coder", &run.thread).join("files/hello.txt").exists());
    decide(&socket, &run, &question, json!({ "decision": "approve" })).await;
    let ended = end(&socket, &run).await;
    assert_eq!(ended["payload"]["status"], "completed", "{ended} {}", server.log());
    check_run(&socket.frames(), &run);
    assert_eq!(answer_of(&socket.frames(), &run).whole, "It is written.");
    let done = payloads(&socket.frames(), &run, "tool_completed");
    assert_eq!(done.last().expect("a call")["status"], "ok", "{done:?}");
    let written = std::fs::read_to_string(folder(&server, "coder", &run.thread).join("files/hello.txt"));
    assert_eq!(written.expect("a file"), "hi\n");

    server = server.restart("TERM").await;
    user = user.moved(&server);
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let next = say(&socket, &run.thread, "Are you still there?").await;
    let ended = end(&socket, &next).await;
    assert_eq!(ended["payload"]["status"], "completed", "{ended} {}", server.log());
    assert_eq!(answer_of(&socket.frames(), &next).whole, "I am still here.");
    assert!(!server.log().contains("could not be taken up"), "{}", server.log());
}
