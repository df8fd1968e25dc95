//! Signing in with a provider of identities: a real one (npm `oidc-provider`), which also lies, changes its keys and dies.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    browser::{Browser, Page, plain},
    support::{
        PATIENCE,
        answer::Answer,
        server::{Server, Setup},
        user::{PASSWORD, User},
    },
};

/// The running provider; killed when dropped.
struct Provider {
    child: Child,
    issuer: String,
    _home: TempDir,
}

impl Provider {
    async fn start(back: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/black_box/support/oidc.mjs");
        let home = tempfile::tempdir().expect("a temporary folder");
        let log = home.path().join("provider.log");
        let out = File::create(&log).expect("the log opens");
        let err = out.try_clone().expect("the log opens twice");
        let child = Command::new("node")
            .arg(script)
            .arg(back)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("the provider starts");
        let mut provider = Self { child, issuer: String::new(), _home: home };
        let end = Instant::now() + PATIENCE;
        while provider.issuer.is_empty() {
            let said = std::fs::read_to_string(&log).expect("the log is text");
            assert!(Instant::now() < end, "the provider is not ready; was `npm ci` run? {said}");
            if let Some((_, rest)) = said.split_once("listening on ").filter(|(_, rest)| rest.contains('\n')) {
                rest.lines().next().unwrap_or_default().trim().clone_into(&mut provider.issuer);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        provider
    }

    async fn ask(&self, path: &str) -> String {
        let answer = plain().get(format!("{}{path}", self.issuer)).send().await.expect("an answer");
        answer.text().await.expect("text")
    }

    async fn lies(&self, kind: &str) {
        self.ask(&format!("/test/lie?kind={kind}")).await;
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser at this server.
trait At {
    async fn sign_in(&self, server: &Server, name: &str) -> Page;
    async fn me(&self, server: &Server) -> Answer;
}

impl At for Browser {
    async fn sign_in(&self, server: &Server, name: &str) -> Page {
        self.sign_in_at(&format!("{}/api/auth/oidc/start?next=/settings", server.base), name).await
    }

    async fn me(&self, server: &Server) -> Answer {
        let host = server.base.trim_start_matches("http://");
        Answer::of(self.http.get(format!("{}/api/me", server.base)).header("cookie", self.cookies(host))).await
    }
}

struct World {
    provider: Provider,
    server: Server,
}

async fn world(more: impl FnOnce(Setup) -> Setup) -> World {
    let setup = Setup::new();
    let provider = Provider::start(&format!("http://127.0.0.1:{}", setup.port())).await;
    let setup = setup
        .set("NETRA_AUTH", "password,oidc")
        .set("NETRA_OIDC_ISSUER", &provider.issuer)
        .set("NETRA_OIDC_CLIENT_ID", "netra")
        .set("NETRA_OIDC_CLIENT_SECRET", "the secret of the client in the tests");
    let server = more(setup).start().await;
    World { provider, server }
}

fn refused(page: &Page) -> String {
    assert_eq!(page.url.path(), "/login", "{} {}", page.url, page.body);
    let found = page.url.query_pairs().find(|(name, _)| name == "refused");
    found.unwrap_or_else(|| panic!("no refusal in {}", page.url)).1.into_owned()
}

#[tokio::test]
async fn people_sign_in_are_known_again_and_sign_out_on_both_sides() {
    let World { provider, server } = world(|setup| setup).await;
    assert_eq!(User::visitor(&server).get("/api/config").await.ok()["auth"]["modes"], json!(["password", "oidc"]));
    let browser = Browser::new();
    let page = browser.sign_in(&server, "ada").await;
    assert_eq!((page.url.path(), page.status), ("/settings", 200), "{}", page.body);
    let first = browser.me(&server).await.ok();
    assert_eq!(
        (&first["user"]["name"], &first["user"]["email"], &first["user"]["role"]),
        (&json!("Person ada"), &json!("ada@people.example.org"), &json!("user"))
    );
    let other = Browser::new();
    other.sign_in(&server, "ada").await;
    assert_eq!(other.me(&server).await.ok()["user"]["id"], first["user"]["id"], "known again");

    // A stranger's word, an old one and one for another client end nothing; the provider's does.
    let say = async |token: String| {
        let form = format!("logout_token={token}");
        let request = plain().post(format!("{}/api/auth/oidc/logout", server.base));
        Answer::of(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await.status
    };
    for wrong in ["wrong=key", "wrong=aud", "wrong=event", "nonce=1", "age=600"] {
        assert_eq!(say(provider.ask(&format!("/test/logout-token?sub=ada&{wrong}")).await).await, 400, "{wrong}");
    }
    assert_eq!(say("nonsense".to_owned()).await, 400);
    assert_eq!(browser.me(&server).await.status, 200);
    assert_eq!(say(provider.ask("/test/logout-token?sub=ada").await).await, 200);
    assert_eq!((browser.me(&server).await.status, other.me(&server).await.status), (401, 401));

    // From this side: the page is told where to sign out, and the provider leads back.
    let again = Browser::new();
    again.sign_in(&server, "ada").await;
    let host = server.base.trim_start_matches("http://").to_owned();
    let request = again.http.post(format!("{}/fn/logout", server.base)).header("cookie", again.cookies(&host));
    let elsewhere: Value = Answer::of(request.header("accept", "application/json")).await.json();
    let elsewhere = elsewhere.as_str().expect("where to sign out").to_owned();
    assert!(elsewhere.starts_with(&provider.issuer) && elsewhere.contains("id_token_hint="), "{elsewhere}");
    assert_eq!(again.me(&server).await.status, 401);
    let asks = again.go(&elsewhere, None).await;
    let xsrf = asks.body.split("name=\"xsrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let form = format!("xsrf={}&logout=yes", xsrf.unwrap_or_else(|| panic!("no form in {}", asks.body)));
    let back = again.go(&format!("{}/session/end/confirm", provider.issuer), Some(&form)).await;
    assert_eq!(back.url.as_str().split('?').next(), Some(format!("{}/login", server.base).as_str()));
}

#[tokio::test]
async fn accounts_are_linked_by_verified_addresses_alone() {
    let World { provider, server } = world(|setup| setup).await;
    let form = |email: &str| json!({ "email": email, "password": PASSWORD, "name": "Eve" });
    // Somebody took the address first, with a password of their own.
    let squatter = User::visitor(&server);
    let made = squatter.post("/api/auth/register", form("ada@people.example.org")).await.json();
    let token = squatter.post("/api/tokens", json!({ "name": "later" })).await.json()["token"].clone();
    provider.lies("unverified").await;
    let browser = Browser::new();
    assert_eq!(refused(&browser.sign_in(&server, "ada").await), "403");
    assert_eq!(browser.me(&server).await.status, 401);
    assert_eq!(squatter.get("/api/me").await.status, 200, "nothing happened to the account");
    provider.lies("").await;
    let owner = Browser::new();
    assert_eq!(owner.sign_in(&server, "ada").await.url.path(), "/settings");
    assert_eq!(owner.me(&server).await.ok()["user"]["id"], made["user"]["id"], "the same account");
    assert_eq!(squatter.get("/api/me").await.status, 401, "whoever took the address first is out");
    let sign_in = json!({ "email": "ada@people.example.org", "password": PASSWORD });
    assert_eq!(User::visitor(&server).post("/api/auth/login", sign_in).await.status, 401, "and so is the password");
    let bearer = format!("Bearer {}", token.as_str().expect("a token"));
    let program = User::visitor(&server).send(Method::GET, "/api/me", None, &[("authorization", &bearer)]).await;
    assert_eq!(program.status, 401, "and the tokens");
}

#[tokio::test]
async fn groups_give_roles_at_each_sign_in() {
    let World { provider: _provider, server } = world(|setup| {
        setup
            .set("NETRA_OIDC_ADMIN_GROUPS", "ops")
            .set("NETRA_OIDC_MEMBER_GROUPS", "staff")
            .set("NETRA_OIDC_GUEST_GROUPS", "friends")
    })
    .await;
    for (name, role) in [("ada:ops", "admin"), ("bob:staff,friends", "user"), ("gil:friends", "guest")] {
        let browser = Browser::new();
        browser.sign_in(&server, name).await;
        assert_eq!(browser.me(&server).await.ok()["user"]["role"], role, "{name}");
    }
    let browser = Browser::new();
    assert_eq!(refused(&browser.sign_in(&server, "eve:others").await), "403");
    assert_eq!(browser.me(&server).await.status, 401);
}

#[tokio::test]
async fn a_provider_that_lies_lets_nobody_in() {
    let World { provider, server } = world(|setup| setup).await;
    for lie in ["nonce", "aud", "iss", "key", "expired"] {
        provider.lies(lie).await;
        let browser = Browser::new();
        assert_eq!(refused(&browser.sign_in(&server, "ada").await), "401", "{lie}");
        assert_eq!(browser.me(&server).await.status, 401, "{lie}");
    }
    provider.lies("").await;
    // An answer without this browser's question, and one to another's.
    let browser = Browser::new();
    let start = format!("{}/api/auth/oidc/callback?code=x&state=y", server.base);
    assert_eq!(refused(&browser.go(&start, None).await), "401");
    let begun = browser.go(&format!("{}/api/auth/oidc/start", server.base), None).await;
    assert!(begun.url.as_str().starts_with(&provider.issuer), "{}", begun.url);
    assert_eq!(refused(&browser.go(&start, None).await), "401");
    assert_eq!(Browser::new().sign_in(&server, "ada").await.url.path(), "/settings", "the truth lets in");
    let foreign = Browser::new();
    let page = foreign.go(&format!("{}/api/auth/oidc/start?next=//evil.example/", server.base), None).await;
    assert!(page.url.as_str().starts_with(&provider.issuer), "{}", page.url);
}

#[tokio::test]
async fn a_provider_may_change_its_keys_and_die() {
    let World { provider, server } = world(|setup| setup).await;
    assert_eq!(Browser::new().sign_in(&server, "ada").await.url.path(), "/settings");
    provider.lies("rotated").await;
    // Keys that were just read are not read again at once.
    let end = Instant::now() + PATIENCE;
    while Browser::new().sign_in(&server, "ada").await.url.path() != "/settings" {
        assert!(Instant::now() < end, "the new key is never taken");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    let issuer = provider.issuer.clone();
    drop(provider);
    let page = Browser::new().http.get(format!("{}/api/auth/oidc/start", server.base)).send().await.expect("an answer");
    let to = page.headers()["location"].to_str().expect("text").to_owned();
    assert!(to.starts_with(&issuer), "what it said of itself is still known: {to}");
    let callback = format!("{}/api/auth/oidc/callback?code=x&state=y", server.base);
    assert_eq!(refused(&Browser::new().go(&callback, None).await), "401");
    assert_eq!(User::visitor(&server).get("/readyz").await.status, 200);

    // A server whose provider is away starts, and says so to who wants to sign in.
    let server = Setup::new()
        .set("NETRA_AUTH", "password,oidc")
        .set("NETRA_OIDC_ISSUER", &issuer)
        .set("NETRA_OIDC_CLIENT_ID", "netra")
        .start()
        .await;
    let page = Browser::new().go(&format!("{}/api/auth/oidc/start", server.base), None).await;
    assert_eq!(refused(&page), "503");
    assert!(page.body.contains("the sign-in service does not answer"), "{}", page.body);
    User::register(&server).await;
}

#[tokio::test]
async fn settings_that_cannot_work_are_said_at_start() {
    for (name, value, word) in [
        ("NETRA_OIDC_CLIENT_ID", "netra", "NETRA_OIDC_ISSUER"),
        ("NETRA_OIDC_ISSUER", "https://id.example.org", "NETRA_OIDC_CLIENT_ID"),
        ("NETRA_OIDC_ISSUER", "http://id.example.org", "https"),
        ("NETRA_OIDC_ISSUER", "nonsense", "https"),
    ] {
        let wrong = Setup::new().set("NETRA_AUTH", "oidc").set(name, value).refused().await;
        assert!(wrong.code == 2 && wrong.stderr.contains(word), "{name}={value}: {}", wrong.stderr);
    }
}
