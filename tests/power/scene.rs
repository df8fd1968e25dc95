//! What is recorded: a server that two people and their programs keep busy, a restart in order, and its death in the middle of
//! answers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    disk::Files,
    facts::{Claim, Fact},
    support::{
        PATIENCE,
        answer::{Answer, http},
        frame::{frame, on},
        provider::{Provider, Request},
        rules::{Run, acked, ended, event, say, start_run},
        script::{Reply, Stream},
        server::{Server, Setup},
        socket::Socket,
        user::{PASSWORD, User},
    },
    trace::{self, Step},
};

/// Conversations of each person at a time.
const THREADS: usize = 3;

/// Pieces of an answer.
const WORDS: usize = 120;

/// A recording of one home folder.
#[derive(Default)]
pub(crate) struct Scene {
    /// What each process did, one after the other.
    pub(crate) recordings: Vec<Vec<Step>>,
    /// The folder that they worked in, which is gone.
    pub(crate) root: PathBuf,
    /// What the last process left in it.
    pub(crate) left: Files,
    /// What clients were told by other means than frames.
    pub(crate) claims: Vec<Claim>,
    /// All frames that clients got.
    pub(crate) frames: Vec<Value>,
}

fn model(request: &Request) -> Reply {
    if request.prompt().contains("Calculate") && request.tool_results().is_empty() {
        let arguments = json!({ "expression": "6 * 7" }).to_string();
        return Stream::new().tool(0, "call_1", "calculate", &arguments).end("tool_calls");
    }
    Stream::new().texts(WORDS, "word {k} of an answer, ", Duration::from_millis(8)).end("stop")
}

async fn start(setup: Setup, provider: &Provider, durability: &str, file: &Path) -> Server {
    let setup = setup.assistant(provider).set("NETRA_DURABILITY", durability).set("NETRA_RUN_LEASE_S", 1);
    setup.under(trace::wrapper(file)).start().await
}

/// Records a server with this durability.
pub(crate) async fn play(durability: &str) -> Scene {
    let tapes = tempfile::tempdir().expect("a folder");
    let provider = Provider::start(model).await;
    let home = Arc::new(tempfile::tempdir().expect("a folder"));
    let mut scene = Scene { root: home.path().to_owned(), ..Scene::default() };
    let tape = tapes.path().join("first");
    let mut server = start(Setup::at(Arc::clone(&home)), &provider, durability, &tape).await;
    let (ada, bob) = (User::register(&server).await, User::register(&server).await);
    scene.claims.extend([&ada, &bob].map(|user| (user.id.clone(), Fact::User(id(&user.id)))));
    scene.claims.extend([&ada, &bob].map(|user| (user.id.clone(), Fact::SignedIn(id(&user.id)))));
    let (first, second) = (scene.connect(&ada).await, scene.connect(&bob).await);
    let (mut runs, mut others, claims) = tokio::join!(talk(&first), talk(&second), errands(&server, &ada, &bob));
    scene.claims.extend(claims);
    scene.send_files(&ada, &first).await;
    let database = home.path().join("data/netra.db");
    let size = || std::fs::metadata(&database).expect("a database").len();
    // Until the log was written back into the database, which held next to nothing before.
    while size() < 65_536 {
        (runs, others) = tokio::join!(talk(&first), talk(&second));
    }
    stop(&first, &runs[0]).await;
    server.signal("TERM");
    assert_eq!(server.exit(PATIENCE).await, 0, "{}", server.log());
    scene.recordings.push(trace::read(&tape, server.pid()).await);
    for socket in [first, second] {
        scene.frames.extend(socket.cut().await);
    }

    let tape = tapes.path().join("second");
    let mut server = start(Setup::at(Arc::clone(&home)), &provider, durability, &tape).await;
    let (ada, bob) = (ada.moved(&server), bob.moved(&server));
    let (first, second) = (scene.connect(&ada).await, scene.connect(&bob).await);
    for (socket, runs) in [(&first, &runs), (&second, &others)] {
        for run in runs {
            socket.call(on(&run.thread, "subscribe", json!({}))).await;
            say(socket, &run.thread, "Tell another story.").await;
        }
    }
    let claims = errands(&server, &ada, &bob).await;
    scene.claims.extend(claims);
    scene.send_files(&bob, &second).await;
    let before = size();
    while size() == before {
        tokio::join!(talk(&first), talk(&second));
    }
    // The last answers are cut off in their middle.
    for socket in [&first, &second] {
        let run = start_run(socket, "assistant", "Tell a last story.").await;
        event(socket, &run, "partial_result").await;
    }
    server.signal("KILL");
    server.exit(PATIENCE).await;
    scene.recordings.push(trace::read(&tape, server.pid()).await);
    for socket in [first, second] {
        scene.frames.extend(socket.cut().await);
    }
    let mut folders = vec![home.path().join("data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a data folder") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(home.path()).expect("below the home").to_owned();
            scene.left.insert(below, std::fs::read(&path).expect("a file is read"));
        }
    }
    scene
}

fn id(text: &str) -> uuid::Uuid {
    text.parse().expect("an id")
}

impl Scene {
    async fn connect(&mut self, user: &User) -> Socket {
        let token = user.token().await;
        let socket = Socket::open(user.base(), &token).await;
        self.claims.push((token, Fact::Key));
        socket
    }

    /// Uploads files and sends some of them, each as soon as it is acknowledged.
    async fn send_files(&mut self, user: &User, socket: &Socket) {
        for number in 0..6 {
            let bytes = format!("Line {number} of {}.\n", user.id).repeat(1 + number * 400).into_bytes();
            let request = http()
                .post(format!("{}/api/attachments?name=notes.txt", user.base()))
                .header("cookie", user.cookies())
                .header("content-type", "text/plain")
                .body(bytes.clone());
            let kept = Answer::of(request).await;
            assert_eq!(kept.status, 201, "{}", kept.body);
            let file = text(&kept.json()["attachment"]["id"]);
            self.claims.push((file.clone(), Fact::File { id: id(&file), bytes }));
            if number % 2 == 0 {
                let message = json!({ "agent": "assistant", "content": "Read this.", "attachments": [file] });
                let ack = socket.call(frame("start_agent", message)).await;
                let message = acked(&ack, "message_id");
                self.claims.push((message.clone(), Fact::Sent { file: id(&file), message: id(&message) }));
            }
        }
    }
}

/// Several conversations at a time, to the end of their answers.
async fn talk(socket: &Socket) -> Vec<Run> {
    let mut runs = Vec::new();
    for number in 0..THREADS {
        runs.push(start_run(socket, "assistant", ["Tell a story.", "Calculate."][number % 2]).await);
    }
    for run in &runs {
        ended(socket, run).await;
    }
    runs
}

/// Stops an answer in its middle.
async fn stop(socket: &Socket, earlier: &Run) {
    let run = say(socket, &earlier.thread, "Tell it again.").await;
    event(socket, &run, "partial_result").await;
    let ack = socket.call(on(&run.thread, "stop_agent", json!({ "run_id": run.id }))).await;
    assert_eq!(acked(&ack, "run_id"), run.id);
}

/// What is acknowledged over HTTP.
async fn errands(server: &Server, ada: &User, bob: &User) -> Vec<Claim> {
    let mut claims = Vec::new();
    for number in 0..4 {
        let thread = text(&ada.thread("A thread").await["id"]);
        claims.push((thread.clone(), Fact::Thread(id(&thread))));
        let path = format!("/api/threads/{thread}");
        let title = format!("Title {number} of {thread}");
        ada.patch(&path, json!({ "title": title })).await.ok();
        claims.push((title.clone(), Fact::Title(id(&thread), title)));
        let member = ada.post(&format!("{path}/members"), json!({ "email": bob.email })).await;
        assert_eq!(member.status, 201, "{}", member.body);
        // Its answer names nothing new; what is made next is told later.
        let later = text(&ada.thread("Another thread").await["id"]);
        claims.push((later.clone(), Fact::Member { thread: id(&thread), user: id(&bob.id) }));
        assert_eq!(ada.delete(&format!("/api/threads/{later}")).await.status, 204);
        claims.push((later.clone(), Fact::Thread(id(&later))));

        let visitor = User::register(server).await;
        claims.push((visitor.id.clone(), Fact::User(id(&visitor.id))));
        let mut tokens = Vec::new();
        for name in ["kept", "revoked"] {
            let made = visitor.post("/api/tokens", json!({ "name": name })).await.ok();
            let token = text(&made["id"]);
            claims.push((token.clone(), Fact::ApiToken(id(&token))));
            tokens.push(token);
        }
        assert_eq!(visitor.delete(&format!("/api/tokens/{}", tokens[1])).await.status, 204);
        let later = text(&visitor.thread("A visitor's").await["id"]);
        claims.push((later, Fact::ApiTokenGone(id(&tokens[1]))));
        if number % 2 == 0 {
            assert_eq!(visitor.post("/api/auth/logout", json!({})).await.status, 204);
            let later = text(&ada.thread("Told after a sign-out").await["id"]);
            claims.push((later, Fact::SignedOut(id(&visitor.id))));
        } else {
            let login = json!({ "email": visitor.email, "password": PASSWORD });
            let known = visitor.post("/api/auth/login", login).await.ok();
            claims.push((text(&known["user"]["id"]), Fact::SignedIn(id(&visitor.id))));
        }
    }
    claims
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
