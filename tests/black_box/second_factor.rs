//! Signing in with a second factor (RFC 6238): a code counts once, clocks may be a step apart, recovery codes get in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use totp_rs::{Algorithm, Secret, TOTP};

use crate::support::{
    answer::Answer,
    server::{Server, Setup},
    user::{PASSWORD, User},
};

const STEP: u64 = 30;

/// What an authenticator app does.
struct App(TOTP);

impl App {
    fn with(secret: &str) -> Self {
        let secret = Secret::Encoded(secret.to_owned()).to_bytes().expect("Base32");
        Self(TOTP::new(Algorithm::SHA1, 6, 0, STEP, secret).expect("a secret"))
    }

    /// The code of a clock that is off by so many steps.
    fn code(&self, step: u64) -> String {
        self.0.generate(step * STEP)
    }
}

fn step() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() / STEP
}

/// The start of a step: what follows ends within it, unless the machine stands still for half a minute.
async fn early_in_a_step() -> u64 {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        if now.as_secs() % STEP < 15 {
            return step();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn set_up(user: &User) -> (App, u64, Vec<String>) {
    let begun = user.post("/api/account/second-factor", json!({ "password": PASSWORD })).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    let begun = begun.json();
    let secret = begun["secret"].as_str().expect("a secret");
    assert!(
        begun["uri"].as_str().is_some_and(|uri| uri.starts_with("otpauth://totp/") && uri.contains(secret)),
        "{begun}"
    );
    let app = App::with(secret);
    let now = early_in_a_step().await;
    let confirmed = user.post("/api/account/second-factor/confirm", json!({ "code": app.code(now) })).await.ok();
    let codes = confirmed["recovery_codes"].as_array().expect("codes");
    (app, now, codes.iter().map(|code| code.as_str().expect("a code").to_owned()).collect())
}

async fn sign_in(server: &Server, user: &User, code: Value) -> Answer {
    let form = json!({ "email": user.email, "password": PASSWORD, "code": code });
    User::visitor(server).post("/api/auth/login", form).await
}

#[tokio::test]
async fn a_code_counts_once_and_clocks_may_be_a_step_apart() {
    let server = Setup::new().start().await;
    let ada = User::register(&server).await;
    let wrong = ada.post("/api/account/second-factor", json!({ "password": "not it at all" })).await;
    assert_eq!(wrong.error(), (403, "forbidden".into()));
    let unconfirmed = ada.post("/api/account/second-factor", json!({ "password": PASSWORD })).await;
    assert_eq!(unconfirmed.status, 201);
    assert_eq!(sign_in(&server, &ada, Value::Null).await.status, 200, "what was not confirmed is not asked for");

    let (app, now, codes) = set_up(&ada).await;
    assert_eq!(codes.len(), 10);
    let again = ada.post("/api/account/second-factor", json!({ "password": PASSWORD })).await;
    assert_eq!(again.error().0, 409, "there is one already");
    let missing = sign_in(&server, &ada, Value::Null).await;
    assert_eq!(missing.error(), (401, "unauthenticated".into()));
    assert!(missing.body.contains("code"), "{}", missing.body);
    assert_eq!(sign_in(&server, &ada, json!(app.code(now))).await.status, 401, "it was used to confirm");
    assert_eq!(sign_in(&server, &ada, json!(app.code(now + 2880))).await.status, 401, "a clock that is a day off");
    assert_eq!(sign_in(&server, &ada, json!(app.code(now + 1))).await.status, 200, "a clock that is a step ahead");
    assert_eq!(sign_in(&server, &ada, json!(app.code(now + 1))).await.status, 401, "used again");

    let typed = codes[0].to_uppercase();
    assert_eq!(sign_in(&server, &ada, json!(typed)).await.status, 200);
    assert_eq!(sign_in(&server, &ada, json!(codes[0])).await.status, 401, "used again");
    assert_eq!(ada.get("/api/account").await.ok()["recovery_codes_left"], 9);
    let log = server.log();
    assert!(!log.contains(&codes[1]) && !log.contains(&app.code(now)), "codes stay out of the log");

    let end = json!({ "password": PASSWORD }).to_string();
    let ended = ada.send(reqwest::Method::DELETE, "/api/account/second-factor", Some(end), &[]).await;
    assert_eq!(ended.status, 204, "{}", ended.body);
    assert_eq!(sign_in(&server, &ada, Value::Null).await.status, 200);
    assert!(ada.get("/api/account").await.ok().get("recovery_codes_left").is_none());
}

/// Whoever knows the password and guesses codes is slowed for the account, wherever the guesses come from; recovery codes still get in.
#[tokio::test]
async fn guesses_of_codes_are_counted_for_the_account() {
    let server = Setup::new().set("NETRA_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let ada = User::register(&server).await;
    let (_, _, codes) = set_up(&ada).await;
    let form = |code: &str| json!({ "email": ada.email, "password": PASSWORD, "code": code }).to_string();
    let guess = async |from: u32, code: &str| {
        let address = format!("198.51.{}.{}", from / 250, from % 250);
        let headers = [("x-forwarded-for", address.as_str())];
        User::visitor(&server).send(reqwest::Method::POST, "/api/auth/login", Some(form(code)), &headers).await
    };
    let mut slowed = 0;
    for from in 0..16 {
        let answer = guess(from, "000000").await;
        assert!(matches!(answer.status, 401 | 429), "{}", answer.body);
        if answer.status == 429 {
            assert!(!answer.header("retry-after").is_empty());
            slowed += 1;
        }
    }
    assert!(slowed >= 4, "{slowed} of 16 were slowed");
    assert_eq!(guess(300, &codes[0]).await.status, 200, "the owner gets in");
}

/// Whoever gets hold of the database makes no codes with it; the server's secret is elsewhere.
#[tokio::test]
async fn the_secret_is_sealed_in_the_database() {
    let server = Setup::new().start().await;
    let ada = User::register(&server).await;
    let begun = ada.post("/api/account/second-factor", json!({ "password": PASSWORD })).await.json();
    let secret = Secret::Encoded(begun["secret"].as_str().expect("a secret").to_owned()).to_bytes().expect("Base32");
    let app = App::with(begun["secret"].as_str().expect("a secret"));
    let now = early_in_a_step().await;
    ada.post("/api/account/second-factor/confirm", json!({ "code": app.code(now) })).await.ok();
    let data = server.home().path().join("data");
    let files = std::fs::read_dir(&data).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut looked_at = 0;
    for file in files.filter(|path| path.to_string_lossy().contains("db") || path.to_string_lossy().contains("sqlite"))
    {
        let bytes = std::fs::read(&file).expect("a file");
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "in {}", file.display());
        looked_at += 1;
    }
    assert!(looked_at > 0, "no database in {}", data.display());
    let confirmed = ada.post("/api/auth/confirm", json!({ "code": app.code(now + 1) })).await;
    assert_eq!(confirmed.status, 204, "a code confirms, too: {}", confirmed.body);
}

#[tokio::test]
async fn administrators_may_be_asked_for_one() {
    let server =
        Setup::new().set("NETRA_AUTH", "password").set("NETRA_ADMINISTRATORS_NEED_SECOND_FACTOR", "true").start().await;
    let admin = User::register(&server).await;
    let refused = admin.get("/api/admin/users").await;
    assert_eq!(refused.error(), (403, "forbidden".into()));
    assert!(refused.body.contains("second factor"), "{}", refused.body);
    set_up(&admin).await;
    admin.get("/api/admin/users").await.ok();
    let wrong = Setup::new().set("NETRA_ADMINISTRATORS_NEED_SECOND_FACTOR", "maybe").refused().await;
    assert!(wrong.code == 2 && wrong.stderr.contains("SECOND_FACTOR"), "{}", wrong.stderr);
}
