//! Tokens that must not open a socket: forged, foreign, outdated, or of a session that is over (§2).

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    handshake::check_refused,
    support::{
        handshake::Handshake,
        server::{Server, Setup},
        user::User,
    },
};

const SECRET: &str = "black-box-secret-black-box-secret-black-box-secret-0123456789abcdef";

async fn server() -> Server {
    Setup::new().set("NETRA_JWT_SECRET", SECRET).start().await
}

/// The claims of a token that the server made.
fn claims_of(token: &str) -> Value {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["netra:ws"]);
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    decode::<Value>(token, &key, &validation).expect("signed with HS256 and the configured secret").claims
}

fn sign(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(algorithm), claims, &key).expect("claims can be signed")
}

/// The claims with some of them changed; `null` takes one away.
fn with(claims: &Value, change: &Value) -> Value {
    let mut claims = claims.clone();
    let object = claims.as_object_mut().expect("claims are an object");
    for (name, value) in change.as_object().expect("changes are an object") {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    claims
}

#[tokio::test]
async fn a_token_carries_the_claims_of_its_session() {
    let server = server().await;
    let user = User::dev(&server).await;
    let claims = claims_of(&user.token().await);
    assert_eq!(claims["sub"], user.id.as_str());
    for name in ["sid", "jti"] {
        assert!(claims[name].as_str().is_some_and(|v| !v.is_empty()), "{name} in {claims}");
    }
    let life = claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat");
    assert_eq!(life, 300, "five minutes by default");
    assert_ne!(claims["jti"], claims_of(&user.token().await)["jti"], "each token has its own id");
}

#[tokio::test]
async fn a_forged_token_is_refused() {
    let server = server().await;
    let user = User::dev(&server).await;
    let claims = claims_of(&user.token().await);
    let now = jiff::Timestamp::now().as_second();
    let made = |change: Value| sign(&with(&claims, &change), Algorithm::HS256, SECRET);

    let again = Handshake::with_token(&made(json!({ "jti": Uuid::now_v7().to_string() })));
    assert_eq!(again.send(&server).await.status, 101, "a token made this way is good when nothing is wrong with it");

    let none = {
        let token = made(json!({}));
        let body = token.split('.').nth(1).expect("a token has three parts");
        // {"alg":"none","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.")
    };
    let cases = [
        ("another audience", made(json!({ "aud": "netra:api" })), "wrong_audience"),
        ("no audience", made(json!({ "aud": null })), "wrong_audience"),
        ("outdated", made(json!({ "iat": now - 900, "exp": now - 600 })), "token_expired"),
        ("no expiry", made(json!({ "exp": null })), "unauthenticated"),
        ("another secret", sign(&claims, Algorithm::HS256, &SECRET.replace("box", "fox")), "unauthenticated"),
        ("another algorithm", sign(&claims, Algorithm::HS512, SECRET), "unauthenticated"),
        ("no signature", none, "unauthenticated"),
        ("an unknown session", made(json!({ "sid": Uuid::now_v7().to_string() })), "unauthenticated"),
        ("an unknown user", made(json!({ "sub": Uuid::now_v7().to_string() })), "unauthenticated"),
    ];
    for (name, token, code) in cases {
        check_refused(&server, name, &Handshake::with_token(&token), 401, code).await;
    }
}

#[tokio::test]
async fn a_session_of_one_user_does_not_carry_another() {
    let server = server().await;
    let (user, other) = (User::dev(&server).await, User::register(&server).await);
    let claims = with(&claims_of(&user.token().await), &json!({ "sub": other.id }));
    let token = sign(&claims, Algorithm::HS256, SECRET);
    check_refused(&server, "mixed", &Handshake::with_token(&token), 401, "unauthenticated").await;
}

#[tokio::test]
async fn a_token_of_a_signed_out_session_is_refused() {
    let server = server().await;
    let user = User::register(&server).await;
    let attempt = Handshake::with_token(&user.token().await);
    assert_eq!(attempt.send(&server).await.status, 101);
    let logout = user.post("/api/auth/logout", json!({})).await;
    assert!((200..300).contains(&logout.status), "{}", logout.status);
    check_refused(&server, "signed out", &attempt, 401, "unauthenticated").await;
}
