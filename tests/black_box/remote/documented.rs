//! The examples of `docs/agents.md` as they stand there: other people's software serves them, and Netra is told of them by the
//! entries beside them. opencode's has its own test, `acp/opencode.rs`.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{START, python};
use crate::support::{
    PATIENCE, port,
    provider::{Provider, always},
    rules::{answer_of, check_run, ended, start_run},
    script::Reply,
    server::Setup,
    user::User,
};

/// What the page takes as given: a graph, and the names that its handler uses.
const GRAPH: &str = r#"
from langchain_core.language_models import FakeListChatModel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph


async def model(state: MessagesState):
    return {"messages": [await FakeListChatModel(responses=["Hello from the graph."]).ainvoke(state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("model", model)
builder.add_edge(START, "model")
graph = builder.compile(checkpointer=InMemorySaver())
"#;

const BEFORE: &str = r"
import json
from langchain_core.load import dumpd
from my_graph import graph
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route
";

const AFTER: &str = r#"
app = Starlette(routes=[Route("/chain/stream_events", stream_events, methods=["POST"])])
"#;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agents.md");
    std::fs::read_to_string(path).expect("the page")
}

/// The block of a language in the section of this heading.
fn block(heading: &str, language: &str) -> String {
    let page = page();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let (_, rest) = section.split_once(&format!("```{language}\n")).unwrap_or_else(|| panic!("{heading}: {language}"));
    rest.split("```").next().expect("it ends").to_owned()
}

/// An example that is served, as the page says, with `uvicorn`.
struct Served(Child);

impl Served {
    async fn start(folder: &Path, module: &str, code: &str, port: u16) -> Self {
        std::fs::write(folder.join("my_graph.py"), GRAPH).expect("written");
        std::fs::write(folder.join(format!("{module}.py")), code).expect("written");
        let said = File::create(folder.join("said")).expect("a file");
        let child = Command::new(python())
            .args(["-m", "uvicorn", &format!("{module}:app"), "--port", &port.to_string()])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("a file"))
            .stderr(said)
            .spawn()
            .expect("python starts");
        let end = Instant::now() + START;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = std::fs::read_to_string(folder.join("said")).unwrap_or_default();
            assert!(Instant::now() < end, "{module} is not served: {said}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self(child)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn what_the_page_says_to_copy_is_answered() {
    if !python().exists() {
        println!("not run: this test needs tools/agents.sh to have installed pydantic-ai and LangGraph");
        return;
    }
    let chain = "Connect a LangChain chain or graph";
    for (heading, module, address, before, after, answer) in [
        // Without a key the model of this name is the library's own, for tests.
        ("Connect a pydantic-ai agent", "agent", "http://127.0.0.1:8000", "", "", "success"),
        (
            "Connect a LangGraph agent by AG-UI",
            "graph_server",
            "http://127.0.0.1:8000",
            "",
            "",
            "Hello from the graph.",
        ),
        (chain, "chain", "http://127.0.0.1:8001", BEFORE, AFTER, "Hello from the graph."),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let code = block(heading, "python").replace("openai:gpt-5.2", "test");
        let port = port::free();
        let _served = Served::start(folder.path(), module, &format!("{before}{code}{after}"), port).await;
        let entry = block(heading, "toml");
        assert!(entry.contains(address), "{entry}");
        let entry = entry.replace(address, &format!("http://127.0.0.1:{port}"));
        let name = entry.split("name = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a name").to_owned();
        let server = Setup::new().toml(&entry).start().await;
        let socket = User::dev(&server).await.connect().await;
        let run = start_run(&socket, &name, "Hello.").await;
        let end = ended(&socket, &run).await;
        assert_eq!(end["payload"]["status"], "completed", "{heading}: {end}");
        check_run(&socket.frames(), &run);
        let told = answer_of(&socket.frames(), &run);
        assert!(told.whole.contains(answer) && told.whole == told.folded, "{heading}: {told:?}");
    }
}

#[tokio::test]
async fn the_client_on_the_page_hears_an_agent() {
    let provider = Provider::start(always(Reply::text("It is 434."))).await;
    let server = Setup::new().assistant(&provider).start().await;
    let user = User::dev(&server).await;
    let made = user.post("/api/tokens", json!({ "name": "page", "scope": "chat" })).await;
    let token = made.json()["token"].as_str().expect("a token").to_owned();
    let code = block("Ask Netra's agents by AG-UI", "js");
    assert!(code.contains("http://127.0.0.1:3000/"), "{code}");
    // Below the root, where npm's packages are found.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ag_ui_page_{}.mjs", std::process::id()));
    std::fs::write(&file, code.replace("http://127.0.0.1:3000", &server.base)).expect("written");
    let mut command = Command::new("node");
    command.arg(&file).env("NETRA_TOKEN", token);
    let running = tokio::task::spawn_blocking(move || command.output());
    let done = tokio::time::timeout(PATIENCE, running).await.expect("in time").expect("it ends").expect("node runs");
    std::fs::remove_file(&file).expect("removed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "It is 434.");
}
