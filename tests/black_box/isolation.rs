//! Many users at once: nobody sees, reaches or learns of another's thread (R15).

use futures::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    frame::{error_code, frame, on},
    provider::Provider,
    rules::{Run, check_answer, check_dense, check_run, ended, ended_within, start_run},
    script::Stream,
    server::Setup,
    socket::Socket,
    user::User,
};

const USERS: usize = 100;

struct Person {
    user: User,
    socket: Socket,
    mark: String,
}

impl Person {
    async fn join(server: &crate::support::server::Server) -> Self {
        let user = User::register(server).await;
        let socket = user.connect().await;
        Self { user, socket, mark: Uuid::now_v7().simple().to_string() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_users_at_once_see_their_own_alone() {
    // The provider repeats the mark it was given, in pieces that overlap in time with everybody else's.
    let provider = Provider::start(|request| {
        let mark = request.prompt().trim_start_matches("Repeat ").to_owned();
        Stream::new().texts(10, &format!("{mark} "), std::time::Duration::from_millis(20)).end("stop")
    })
    .await;
    let server = Setup::new().set("NETRA_REGISTRATIONS_PER_HOUR", 100_000).assistant(&provider).start().await;
    let people: Vec<Person> = stream::iter(0..USERS).map(|_| Person::join(&server)).buffer_unordered(8).collect().await;

    let runs: Vec<Run> = join_all(people.iter().enumerate().map(async |(n, p)| {
        let agent = if n % 5 == 0 { "guide" } else { "assistant" };
        start_run(&p.socket, agent, &format!("Repeat {}", p.mark)).await
    }))
    .await;
    let limit = std::time::Duration::from_secs(40);
    join_all(people.iter().zip(&runs).map(|(p, run)| ended_within(&p.socket, run, limit))).await;

    for (n, (person, run)) in people.iter().zip(&runs).enumerate() {
        let frames = person.socket.frames();
        check_run(&frames, run);
        check_dense(&frames, &run.thread, 1);
        if n % 5 != 0 {
            check_answer(&frames, run, &format!("{} ", person.mark).repeat(10));
        }
        let threads = person.user.get("/api/threads").await;
        let seen = format!("{}{}", Value::from(frames), threads.body);
        assert!(seen.contains(&person.mark), "user {n} does not see their own");
        for (k, other) in people.iter().enumerate().filter(|(k, _)| *k != n) {
            let leak = [&other.mark, &runs[k].thread, &runs[k].id].into_iter().find(|x| seen.contains(x.as_str()));
            assert_eq!(leak, None, "user {n} sees something of user {k}");
        }
    }
}

/// Two answers that differ in nothing but the ids they name.
fn check_same(foreign: &Value, absent: &Value, ids: [&str; 2]) {
    let plain = |v: &Value| v["payload"].to_string().replace(ids[0], "ID").replace(ids[1], "ID");
    assert_eq!(plain(foreign), plain(absent));
}

#[tokio::test]
async fn a_foreign_thread_does_not_exist_on_the_socket() {
    let server = Setup::new().start().await;
    let (ada, eve) = (User::register(&server).await, User::register(&server).await);
    let (hers, socket) = (ada.connect().await, eve.connect().await);
    let run = start_run(&hers, "guide", "What is 6 times 7?").await;
    let end = ended(&hers, &run).await;
    // The last that the run itself causes: the thread's line in the sidebar no longer says that it runs.
    let rest = |f: &Value| {
        f["type"] == "thread_update" && f["payload"]["head_seq"] == end["seq"] && f["payload"]["running"] == false
    };
    hers.wait("the thread at rest", rest).await;
    let events = hers.count();
    let absent = Uuid::now_v7().to_string();
    let commands: [(&str, Value); 7] = [
        ("subscribe", json!({})),
        ("subscribe", json!({ "after_seq": 0 })),
        ("subscribe", json!({ "after_seq": 1, "epoch": hers.frames().last().expect("a frame")["epoch"] })),
        ("user_message", json!({ "content": "hello" })),
        ("start_agent", json!({ "content": "hello" })),
        ("stop_agent", json!({ "run_id": run.id })),
        ("tool_approval", json!({ "tool_call_id": "call_a", "decision": "approve" })),
    ];
    for (kind, payload) in commands {
        let foreign = socket.call(on(&run.thread, kind, payload.clone())).await;
        assert_eq!(error_code(&foreign), "not_found", "{kind}: {foreign}");
        let unknown = socket.call(on(&absent, kind, payload)).await;
        check_same(&foreign, &unknown, [&run.thread, &absent]);
    }
    let stop = socket.call(frame("stop_agent", json!({ "run_id": run.id }))).await;
    assert_eq!(error_code(&stop), "not_found", "without naming the thread: {stop}");
    assert!(socket.frames().iter().all(|f| f.get("seq").is_none()), "an event came through");
    hers.alive().await;
    assert_eq!(hers.count(), events + 1, "the owner was told of {:#?}", &hers.frames()[events..]);
}

#[tokio::test]
async fn a_foreign_thread_does_not_exist_over_http() {
    let server = Setup::new().start().await;
    let (ada, eve) = (User::register(&server).await, User::register(&server).await);
    let id = ada.thread("Ada's notes").await["id"].as_str().expect("id").to_owned();
    let absent = Uuid::now_v7().to_string();
    let not_found = (404, "not_found".to_owned());
    for thread in [id.as_str(), absent.as_str(), "not-a-uuid"] {
        for rest in ["", "/events", "/messages"] {
            let path = format!("/api/threads/{thread}{rest}");
            assert_eq!(eve.get(&path).await.error(), not_found, "GET {path}");
        }
        let path = format!("/api/threads/{thread}");
        assert_eq!(eve.patch(&path, json!({ "title": "Eve's" })).await.error(), not_found, "PATCH {path}");
        assert_eq!(eve.delete(&path).await.error(), not_found, "DELETE {path}");
    }
    assert_eq!(eve.get("/api/threads?query=notes").await.ok()["threads"], json!([]), "search finds nothing of hers");
    let page = eve.browse(&format!("/t/{id}")).await;
    assert!(!page.body.contains("Ada's notes") && !page.body.contains("Ada&#x27;s notes"), "the page shows it");
    let thread = ada.get(&format!("/api/threads/{id}")).await.ok();
    assert_eq!(thread["title"], "Ada's notes", "it is there, unchanged");
}
