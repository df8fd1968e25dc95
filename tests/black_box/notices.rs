//! Words of an administrator: on every open page, or on one user's (R10).

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    server::{Server, Setup},
    user::User,
};

fn broadcast(server: &Server, data: &std::path::Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netra"))
        .arg("broadcast")
        .args(args)
        .env("NETRA_DATA_DIR", data)
        .env("NETRA_CONFIG", server.home().path().join("netra.toml"))
        .env("NETRA_ADDR", server.host())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary runs")
}

#[tokio::test]
async fn an_administrator_speaks_to_everyone_or_to_one() {
    let server = Setup::new().start().await;
    let (admin, user) = (User::register(&server).await, User::register(&server).await);
    assert_eq!(admin.get("/api/me").await.ok()["user"]["role"], "admin", "the first account administers");
    let (own, theirs) = (admin.connect().await, user.connect().await);
    let notice = json!({ "message": "Maintenance at 18:00 UTC.", "level": "warn" });
    assert_eq!(admin.post("/api/admin/broadcast", notice.clone()).await.status, 204);
    for socket in [&own, &theirs] {
        let heard = socket.wait("the notice", |f| f["type"] == "broadcast").await;
        assert_eq!(heard["payload"], notice);
    }
    let personal = json!({ "message": "Your export is ready.", "email": user.email });
    assert_eq!(admin.post("/api/admin/broadcast", personal).await.status, 204);
    let heard = theirs.wait("the word", |f| f["type"] == "system_message").await;
    assert_eq!(heard["payload"], json!({ "level": "info", "message": "Your export is ready." }));
    own.alive().await;
    assert!(own.frames().iter().all(|f| f["type"] != "system_message"), "it was for one user");
}

#[tokio::test]
async fn others_and_nonsense_are_refused_and_nobody_hears_it() {
    let server = Setup::new().start().await;
    let (admin, user) = (User::register(&server).await, User::register(&server).await);
    let socket = admin.connect().await;
    let word = json!({ "message": "Hello." });
    assert_eq!(user.post("/api/admin/broadcast", word.clone()).await.error(), (403, "forbidden".into()));
    assert_eq!(
        User::visitor(&server).post("/api/admin/broadcast", word).await.error(),
        (401, "unauthenticated".into())
    );
    for (body, code) in [
        (json!({ "message": "  " }), "invalid_payload"),
        (json!({ "message": "x".repeat(2_001) }), "invalid_payload"),
        (json!({ "message": "Hello.", "level": "shouting" }), "invalid_payload"),
        (json!({ "message": "Hello.", "email": "nobody@example.org" }), "not_found"),
    ] {
        assert_eq!(admin.post("/api/admin/broadcast", body.clone()).await.error().1, code, "{body}");
    }
    socket.alive().await;
    let heard = |f: &Value| f["type"] == "broadcast" || f["type"] == "system_message";
    assert!(!socket.frames().iter().any(heard));
}

#[tokio::test]
async fn the_command_line_speaks_through_the_running_server() {
    let server = Setup::new().start().await;
    let socket = User::dev(&server).await.connect().await;
    let data = server.home().path().join("data");
    let said = broadcast(&server, &data, &["Restarting soon.", "--level", "danger"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let heard = socket.wait_for(0, PATIENCE, "the notice", |f| f["type"] == "broadcast").await;
    assert_eq!(heard["payload"], json!({ "level": "danger", "message": "Restarting soon." }));

    // Whoever does not hold the server's secret does not speak for it.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let refused = broadcast(&server, elsewhere.path(), &["Hello."]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("refused"), "{why}");
    let nowhere = broadcast(&server, &data, &["Hello.", "--url", "http://127.0.0.1:9"]);
    assert!(!nowhere.status.success());
    socket.alive().await;
    assert_eq!(socket.frames().iter().filter(|f| f["type"] == "broadcast").count(), 1);
}
