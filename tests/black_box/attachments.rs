//! Files that go with messages: taken in, sent, read by who may, given to models, and gone with their thread.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    PATIENCE,
    answer::{Answer, http},
    frame::{error_code, frame, on},
    provider::{Provider, always},
    rules::{Run, acked, ended, say},
    script::Reply,
    server::{Server, Setup},
    user::User,
};

/// A picture that says its size.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n\xff\xfe\n%%EOF";

async fn upload(user: &User, query: &str, kind: &str, content: &[u8]) -> Answer {
    let request = http()
        .post(format!("{}/api/attachments{query}", user.base()))
        .header("cookie", user.cookies())
        .header("content-type", kind)
        .body(content.to_vec());
    Answer::of(request).await
}

/// A file that is kept; what is told of it.
async fn kept(user: &User, name: &str, kind: &str, content: &[u8]) -> Value {
    let answer = upload(user, &format!("?name={name}"), kind, content).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["attachment"].clone()
}

fn id(attachment: &Value) -> &str {
    attachment["id"].as_str().unwrap_or_else(|| panic!("no id in {attachment}"))
}

fn url(attachment: &Value) -> &str {
    attachment["url"].as_str().unwrap_or_else(|| panic!("no url in {attachment}"))
}

/// The files that the server keeps on its disk.
fn on_disk(data: &std::path::Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(data.join("attachments")).expect("the folder of files");
    folder.map(|entry| entry.expect("an entry").path()).collect()
}

/// Waits until so many files are on the disk.
async fn wait_for_files(data: &std::path::Path, count: usize) {
    let end = std::time::Instant::now() + PATIENCE;
    while on_disk(data).len() != count {
        assert!(std::time::Instant::now() < end, "{:?}, not {count} files", on_disk(data));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Sends a message with these files in a new conversation; its run has ended.
async fn send(user: &User, agent: &str, content: &str, attachments: Value) -> (Run, Vec<Value>) {
    let socket = user.connect().await;
    let start = frame("start_agent", json!({ "agent": agent, "content": content, "attachments": attachments }));
    let ack = socket.call(start).await;
    let run = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&socket, &run).await;
    (run, socket.frames())
}

#[tokio::test]
async fn a_file_is_kept_and_sent_and_read() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let picture = kept(&user, "cat%20photo.png", "image/png", &png(4, 4)).await;
    assert_eq!(
        (&picture["name"], &picture["media_type"], &picture["bytes"]),
        (&json!("cat photo.png"), &json!("image/png"), &json!(png(4, 4).len()))
    );
    assert_eq!(url(&picture), format!("/api/attachments/{}", id(&picture)));
    let (run, frames) = send(&user, "guide", "What is 6 times 7?", json!([id(&picture)])).await;
    let told = frames.iter().find(|frame| frame["type"] == "thread_message").expect("the message");
    assert_eq!(told["payload"]["attachments"], json!([picture]), "{told}");
    let messages = user.get(&format!("/api/threads/{}/messages", run.thread)).await.ok();
    assert_eq!(messages["messages"][0]["attachments"], json!([picture]), "after a reload, too");
    let answer = frames.iter().find(|frame| frame["type"] == "agent_response").expect("an answer");
    let said = answer["payload"]["content"].as_str().unwrap_or_default();
    assert!(said.contains("cat photo.png") && said.contains("cannot look into files"), "{said}");

    let response =
        http().get(format!("{}{}", user.base(), url(&picture))).header("cookie", user.cookies()).send().await;
    let response = response.expect("an answer");
    let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-security-policy").starts_with("sandbox; default-src 'none'"));
    assert_eq!(header("content-disposition"), "inline; filename=\"cat photo.png\"; filename*=UTF-8''cat%20photo.png");
    let tag = header("etag");
    assert_eq!(response.bytes().await.expect("a body").to_vec(), png(4, 4));
    let again = user.send(Method::GET, url(&picture), None, &[("if-none-match", &tag)]).await;
    assert_eq!(again.status, 304);
}

#[tokio::test]
async fn what_could_run_is_saved_and_never_shown() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    for (kind, content) in [
        ("text/html", &b"<script>alert(1)</script>"[..]),
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
        ("application/pdf", PDF),
    ] {
        let file = kept(&user, "..%2F..%2Fx%22%0d%0aSet-Cookie:%20a=b", kind, content).await;
        assert_eq!(file["name"], "x_Set-Cookie_ a=b");
        let answer = http().get(format!("{}{}", user.base(), url(&file))).header("cookie", user.cookies()).send().await;
        let answer = answer.expect("an answer");
        let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
        assert!(header("content-disposition").starts_with("attachment; "), "{kind}");
        assert!(header("content-security-policy").contains("sandbox"), "{kind}");
        assert!(answer.headers().get("set-cookie").is_none());
        assert_eq!(answer.bytes().await.expect("a body").to_vec(), content);
    }
}

#[tokio::test]
async fn who_may_read_the_thread_may_read_its_files() {
    let server = Setup::new().start().await;
    let (ada, bob, eve) = (User::register(&server).await, User::register(&server).await, User::register(&server).await);
    let file = kept(&ada, "plan.txt", "text/plain", b"a plan").await;
    for stranger in [&bob, &eve, &User::visitor(&server)] {
        assert!(
            matches!(stranger.get(url(&file)).await.status, 401 | 404),
            "before it is sent it is its sender's alone"
        );
    }
    assert_eq!(bob.delete(url(&file)).await.error().0, 404, "nor may others take it back");
    // Nor send it.
    let foreign = frame("start_agent", json!({ "content": "Mine now", "attachments": [id(&file)] }));
    let refused = bob.connect().await.call(foreign).await;
    assert_eq!(error_code(&refused), "invalid_payload", "{refused}");
    assert_eq!(bob.get("/api/threads").await.ok()["threads"], json!([]), "and no conversation comes of it");

    let (run, _) = send(&ada, "guide", "Look", json!([id(&file)])).await;
    assert_eq!(bob.get(url(&file)).await.error().0, 404);
    let members = format!("/api/threads/{}/members", run.thread);
    assert_eq!(ada.post(&members, json!({ "email": bob.email })).await.status, 201);
    assert_eq!(bob.get(url(&file)).await.body, "a plan");
    assert_eq!(eve.get(url(&file)).await.error().0, 404);
    assert_eq!(ada.delete(url(&file)).await.error().0, 404, "what was sent is not taken back");
    assert!(ada.delete(&format!("{members}?email={}", bob.email)).await.status < 300);
    assert_eq!(bob.get(url(&file)).await.error().0, 404, "removed, with access to the files");
    assert_eq!(ada.get(url(&file)).await.body, "a plan");
    assert_eq!(User::visitor(&server).get(url(&file)).await.error().0, 401);
}

#[tokio::test]
async fn files_go_with_their_thread_and_when_taken_back() {
    let setup = Setup::new();
    let data = setup.data();
    let server = setup.start().await;
    let user = User::dev(&server).await;
    let (sent, unsent) =
        (kept(&user, "a.txt", "text/plain", b"one").await, kept(&user, "b.txt", "text/plain", b"two").await);
    assert_eq!(on_disk(&data).len(), 2);
    assert_eq!(user.delete(url(&unsent)).await.status, 204);
    wait_for_files(&data, 1).await;
    let (run, _) = send(&user, "guide", "Look", json!([id(&sent)])).await;
    assert_eq!(user.delete(&format!("/api/threads/{}", run.thread)).await.status, 204);
    assert_eq!(user.get(url(&sent)).await.error().0, 404, "out of reach at once");
    wait_for_files(&data, 0).await;
    let log = server.log();
    assert!(log.contains("a file was kept") && log.contains("files were removed"), "{log}");
}

#[tokio::test]
async fn bad_files_are_refused_with_a_sentence() {
    let server = Setup::new().set("NETRA_ATTACHMENTS_MAX_BYTES", 4096).set("NETRA_ATTACHMENTS_MAX_USER_BYTES", 10_000);
    let data = server.data();
    let server = server.start().await;
    let user = User::dev(&server).await;
    let check = async |kind: &str, content: &[u8], status: u16, code: &str, why: &str| {
        let answer = upload(&user, "?name=x", kind, content).await;
        assert_eq!(answer.error(), (status, code.to_owned()), "{why}");
        assert!(answer.body.contains(why), "{why}: {}", answer.body);
    };
    check("text/plain", b"", 400, "invalid_payload", "the file is empty").await;
    check("text/plain", &[b'x'; 4097], 413, "frame_too_large", "4 KiB at most").await;
    check("image/png", b"PK\x03\x04\x14\0\0\0\x08\0zip", 400, "invalid_payload", "called image/png").await;
    check("image/png", &png(60_000, 60_000), 400, "invalid_payload", "60000 by 60000 pixels").await;
    let program = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 64]].concat();
    check("application/octet-stream", &program, 400, "invalid_payload", "programs").await;
    // Without a length, as a stream: counted as it comes.
    let parts = futures::stream::iter((0..8).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 1024])));
    let request = http()
        .post(format!("{}/api/attachments", user.base()))
        .header("cookie", user.cookies())
        .body(reqwest::Body::wrap_stream(parts));
    assert_eq!(Answer::of(request).await.error().0, 413);
    wait_for_files(&data, 0).await;
    kept(&user, "a", "text/plain", &[b'x'; 4000]).await;
    kept(&user, "b", "text/plain", &[b'x'; 4000]).await;
    check("text/plain", &[b'x'; 4000], 413, "frame_too_large", "delete conversations").await;
    let visitor = User::visitor(&server);
    assert_eq!(upload(&visitor, "", "text/plain", b"x").await.error().0, 401);
    let foreign = http().post(format!("{}/api/attachments", user.base())).header("origin", "https://evil.example");
    assert_eq!(Answer::of(foreign.header("cookie", user.cookies()).body("x")).await.error().0, 403);
    let metrics = user.get("/metrics").await.body;
    assert!(metrics.contains("netra_uploads_total{outcome=\"kept\"} 2"), "{metrics}");
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let setup = Setup::new();
    let (data, port) = (setup.data(), setup.port());
    let server = setup.start().await;
    let user = User::dev(&server).await;
    let cookies = user.cookies();
    let half = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        let head = format!(
            "POST /api/attachments?name=half HTTP/1.1\r\nhost: x\r\ncookie: {cookies}\r\ncontent-length: 1000000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("the head goes out");
        stream.write_all(&vec![b'x'; 500_000]).expect("half of it goes out");
        stream.shutdown(std::net::Shutdown::Write).expect("it ends");
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        said
    });
    let said = half.await.expect("it was tried");
    assert!(!said.contains(" 201 "), "{said}");
    wait_for_files(&data, 0).await;
    kept(&user, "whole.txt", "text/plain", b"whole").await;
    assert_eq!(on_disk(&data).len(), 1);
    assert!(server.log().contains("a file was not kept"), "{}", server.log());
}

#[tokio::test]
async fn messages_with_wrong_files_change_nothing() {
    let server = Setup::new().start().await;
    let user = User::dev(&server).await;
    let socket = user.connect().await;
    let thread = user.thread("Files").await["id"].as_str().expect("an id").to_owned();
    let mut many = Vec::new();
    for number in 0..30 {
        many.push(kept(&user, &format!("{number}.txt"), "text/plain", b"x").await["id"].clone());
    }
    let nobody = "0193a1b2-0000-7000-8000-000000000000";
    for (attachments, why) in [
        (json!(many), "10 files at most, and this one has 30"),
        (json!([nobody]), "attach it again"),
        (json!([{ "name": "a", "media_type": "text/plain", "url": "/x" }]), "ids of files"),
        (json!([many[0], nobody]), "attach it again"),
    ] {
        let message = on(&thread, "user_message", json!({ "content": "Look", "attachments": attachments }));
        let refused = socket.call(message).await;
        assert_eq!(error_code(&refused), "invalid_payload", "{refused}");
        assert!(refused["payload"]["message"].as_str().is_some_and(|said| said.contains(why)), "{why}: {refused}");
    }
    assert_eq!(user.get(&format!("/api/threads/{thread}/messages")).await.ok()["messages"], json!([]));
    // None of that used the files up; and one is sent once, however often its message is.
    let message = on(&thread, "user_message", json!({ "content": "", "attachments": [many[0], many[0]] }));
    let first = socket.call(message.clone()).await;
    let again = socket.call(message).await;
    assert_eq!((&first["payload"]["duplicate"], &again["payload"]["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(first["payload"]["run_id"], again["payload"]["run_id"]);
    let other = user.thread("Elsewhere").await["id"].as_str().expect("an id").to_owned();
    let twice = |thread: &str| on(thread, "user_message", json!({ "content": "Again", "attachments": [many[0]] }));
    assert_eq!(error_code(&socket.call(twice(&other)).await), "invalid_payload");
    let messages = user.get(&format!("/api/threads/{thread}/messages")).await.ok();
    let asked: Vec<&Value> =
        messages["messages"].as_array().expect("messages").iter().filter(|m| m["role"] == "user").collect();
    assert_eq!((asked.len(), asked[0]["attachments"].as_array().map(Vec::len)), (1, Some(1)), "{messages}");
    // Said again in its own conversation it is the same file, in both.
    assert_eq!(socket.call(twice(&thread)).await["type"], "ack");
    let messages = user.get(&format!("/api/threads/{thread}/messages")).await.ok();
    let asked: Vec<&Value> =
        messages["messages"].as_array().expect("messages").iter().filter(|m| m["role"] == "user").collect();
    assert_eq!(asked[0]["attachments"], asked[1]["attachments"], "{messages}");
}

#[tokio::test]
async fn what_was_uploaded_survives_a_restart() {
    let server = Setup::new().start().await;
    let user = User::register(&server).await;
    let file = kept(&user, "a.txt", "text/plain", b"kept").await;
    let again = server.restart("KILL").await;
    let user = user.moved(&again);
    let (_, frames) = send(&user, "guide", "Look", json!([id(&file)])).await;
    let told = frames.iter().find(|frame| frame["type"] == "thread_message").expect("the message");
    assert_eq!(told["payload"]["attachments"], json!([file]));
    assert_eq!(user.get(url(&file)).await.body, "kept");
}

/// A model's server that keeps what it was asked, and says a word.
async fn listener(path: &str, events: &'static str) -> (String, Arc<Mutex<Vec<Value>>>) {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let heard = asked.clone();
    let app = Router::new()
        .route(
            path,
            post(move |body: Bytes| async move {
                heard.lock().expect("the list").push(serde_json::from_slice(&body).expect("JSON"));
                ([("content-type", "text/event-stream")], events)
            }),
        )
        .layer(axum::extract::DefaultBodyLimit::max(64 << 20));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (base, asked)
}

const CHAT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Seen.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const RESPONSES: &str = "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"Seen.\"}\n\n\
    data: {\"type\":\"response.completed\",\"response\":{\"output\":[]}}\n\n";
const MESSAGES: &str = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Seen.\"}}\n\n\
    data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n";

async fn with_model(kind: &str, base: &str, takes: &str) -> (Server, User) {
    let agent = format!("[[agents]]\nname = \"m\"\nkind = \"{kind}\"\nbase_url = \"{base}\"\nmodel = \"m\"\n{takes}\n");
    let server = Setup::new().toml(&agent).start().await;
    let user = User::dev(&server).await;
    (server, user)
}

/// Sends a picture, a document and a text to a model; the content of the message that it was asked with.
async fn shown(kind: &str, base: &str, asked: &Mutex<Vec<Value>>, takes: &str) -> Value {
    let (_server, user) = with_model(kind, base, takes).await;
    let files = [
        kept(&user, "cat.png", "image/png", &png(4, 4)).await,
        kept(&user, "plan.pdf", "application/pdf", PDF).await,
        kept(&user, "notes.md", "text/markdown", b"# Notes\nBuy milk.").await,
    ];
    let ids: Vec<&str> = files.iter().map(id).collect();
    let (_, frames) = send(&user, "m", "What is this?", json!(ids)).await;
    let said = frames.iter().find(|frame| frame["type"] == "agent_response").expect("an answer");
    assert_eq!(said["payload"]["content"], "Seen.", "{kind}");
    let asked = asked.lock().expect("the list").last().expect("a request").clone();
    let messages = if kind == "responses" { &asked["input"] } else { &asked["messages"] };
    messages.as_array().and_then(|messages| messages.iter().find(|m| m["role"] == "user")).expect("a message")["content"]
        .clone()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn the_bytes_reach_models_in_each_protocol() {
    let takes = "takes = [\"text\", \"image\", \"file\"]";
    let (picture, document) = (base64(&png(4, 4)), base64(PDF));
    let (picture_url, document_url) =
        (format!("data:image/png;base64,{picture}"), format!("data:application/pdf;base64,{document}"));
    let text = "What is this?\n\n<file name=\"notes.md\" type=\"text/markdown\">\n# Notes\nBuy milk.\n</file>";

    let (base, asked) = listener("/v1/chat/completions", CHAT).await;
    assert_eq!(
        shown("openai", &base, &asked, takes).await,
        json!([
            { "type": "text", "text": text },
            { "type": "image_url", "image_url": { "url": picture_url } },
            { "type": "file", "file": { "filename": "plan.pdf", "file_data": document_url } },
        ])
    );
    let (base, asked) = listener("/v1/responses", RESPONSES).await;
    assert_eq!(
        shown("responses", &base, &asked, takes).await,
        json!([
            { "type": "input_text", "text": text },
            { "type": "input_image", "image_url": picture_url, "detail": "auto" },
            { "type": "input_file", "filename": "plan.pdf", "file_data": document_url },
        ])
    );
    let (base, asked) = listener("/v1/messages", MESSAGES).await;
    let source = |kind: &str, data: &str| json!({ "type": "base64", "media_type": kind, "data": data });
    assert_eq!(
        shown("messages", &base, &asked, takes).await,
        json!([
            { "type": "image", "source": source("image/png", &picture) },
            { "type": "document", "source": source("application/pdf", &document), "title": "plan.pdf" },
            { "type": "text", "text": text },
        ])
    );
}

#[tokio::test]
async fn a_model_that_takes_none_is_told_their_names() {
    let (base, asked) = listener("/v1/chat/completions", CHAT).await;
    let content = shown("openai", &base, &asked, "").await;
    let said = content.as_str().expect("text alone");
    assert!(said.contains("The attached file \"cat.png\" (image/png, 33 bytes) cannot be shown to you."), "{said}");
    assert!(said.contains("\"plan.pdf\"") && said.contains("Buy milk."), "{said}");
}

#[tokio::test]
async fn a_server_that_refuses_pictures_is_asked_without_them() {
    let provider = Provider::start(|request| {
        if request.body["messages"].to_string().contains("image_url") {
            Reply::error(400, "This model does not support image input")
        } else {
            Reply::text("Without.")
        }
    })
    .await;
    let (_server, user) = with_model("openai", &provider.base, "takes = [\"image\"]").await;
    let picture = kept(&user, "cat.png", "image/png", &png(4, 4)).await;
    let (_, frames) = send(&user, "m", "What is this?", json!([id(&picture)])).await;
    let said = frames.iter().find(|frame| frame["type"] == "agent_response").expect("an answer");
    assert_eq!(said["payload"]["content"], "Without.");
    let note = frames.iter().find(|frame| frame["type"] == "agent_progress").expect("a note");
    assert!(note["payload"]["message"].as_str().is_some_and(|note| note.contains("was not shown the attached files")));
    let prompt = provider.requests().last().expect("a request").prompt();
    assert!(prompt.contains("\"cat.png\" cannot be shown"), "{prompt}");
}

/// One file that a server cannot read costs neither its conversation nor any other.
#[tokio::test]
async fn a_picture_that_is_refused_spoils_nothing() {
    let damaged = STANDARD.encode(png(7, 7));
    let provider = Provider::start(move |request| {
        let sent = request.body["messages"].to_string();
        if !sent.contains(&damaged) {
            return Reply::text("I see.");
        }
        let unsupported = sent.contains("unsupported");
        Reply::error(400, if unsupported { "You uploaded an unsupported image" } else { "Could not process image" })
    })
    .await;
    let (_server, user) = with_model("openai", &provider.base, "takes = [\"image\"]").await;
    let damaged = kept(&user, "damaged.png", "image/png", &png(7, 7)).await;
    let (run, frames) = send(&user, "m", "What is this?", json!([id(&damaged)])).await;
    let note = |frames: &[Value], run: &Run| {
        let note = |frame: &&Value| frame["type"] == "agent_progress" && frame["run_id"] == run.id.as_str();
        frames.iter().find(note).map(|frame| frame["payload"]["message"].as_str().unwrap_or_default().to_owned())
    };
    let said = note(&frames, &run).expect("a note");
    assert!(said.contains("was not shown the attached files") && said.contains("Could not process image"), "{said}");
    let pictures = || {
        let sent = provider.requests().last().expect("a request").body["messages"].to_string();
        sent.matches("image_url\":{").count()
    };

    // The same conversation goes on, with a picture that is fine.
    let socket = user.connect().await;
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    let fine = kept(&user, "fine.png", "image/png", &png(4, 4)).await;
    let message = json!({ "content": "And this?", "attachments": [id(&fine)] });
    let ack = socket.call(on(&run.thread, "user_message", message)).await;
    let next = Run { thread: run.thread.clone(), id: acked(&ack, "run_id") };
    assert_eq!(ended(&socket, &next).await["payload"]["status"], "completed");
    assert_eq!(pictures(), 1, "the one that is fine");
    let said = note(&socket.frames(), &next).expect("a note");
    assert!(said.contains("was not shown the files of earlier messages"), "{said}");
    let next = say(&socket, &run.thread, "Thank you.").await;
    assert_eq!(ended(&socket, &next).await["payload"]["status"], "completed");

    // Another picture whose refusal sounds as if there were none to take, and then one in another conversation.
    let other = kept(&user, "other.png", "image/png", &png(7, 7)).await;
    send(&user, "m", "Is this unsupported?", json!([id(&other)])).await;
    assert_eq!(pictures(), 0);
    let fine = kept(&user, "fine.png", "image/png", &png(4, 4)).await;
    let (_, frames) = send(&user, "m", "And this?", json!([id(&fine)])).await;
    assert_eq!(pictures(), 1, "others are shown theirs");
    assert!(!frames.iter().any(|frame| frame["type"] == "agent_progress"));
}

#[tokio::test]
async fn a_conversation_that_begins_with_a_file_alone_is_named_by_its_model() {
    let provider = Provider::start(|request| {
        let asked = request.prompt().contains("a title of two to six words");
        Reply::text(if asked { "Milk to buy" } else { "It is a list." })
    })
    .await;
    let (_server, user) = with_model("openai", &provider.base, "titles = true").await;
    let watching = user.connect().await;
    let notes = kept(&user, "notes.md", "text/markdown", b"# Notes\nBuy milk.").await;
    send(&user, "m", "", json!([id(&notes)])).await;
    watching.wait("the title", |f| f["type"] == "thread_update" && f["payload"]["title"] == "Milk to buy").await;
}

#[tokio::test]
async fn files_that_are_gone_from_the_disk_are_said_to_be() {
    let provider = Provider::start(always(Reply::text("Hm."))).await;
    let setup = Setup::new().assistant(&provider);
    let data = setup.data();
    let server = setup.start().await;
    let user = User::dev(&server).await;
    let file = kept(&user, "notes.txt", "text/plain", b"x").await;
    for path in on_disk(&data) {
        std::fs::remove_file(path).expect("it goes");
    }
    send(&user, "assistant", "Read it", json!([id(&file)])).await;
    let prompt = provider.requests().last().expect("a request").prompt();
    assert!(prompt.contains("\"notes.txt\"") && prompt.contains("could not be read"), "{prompt}");
    assert_eq!(user.get(url(&file)).await.error().0, 503);
}
