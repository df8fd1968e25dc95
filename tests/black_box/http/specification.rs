//! The specification is served, and what it says exists does (R22).

use serde_json::Value;

use crate::support::{server::Setup, user::User};

#[tokio::test]
async fn the_specification_is_served_as_it_is_committed() {
    let server = Setup::new().start().await;
    let visitor = User::visitor(&server);
    for (path, committed) in [
        ("/asyncapi.json", include_str!("../../../schema/asyncapi.json")),
        ("/openapi.json", include_str!("../../../schema/openapi.json")),
    ] {
        let answer = visitor.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{path}");
        assert_eq!(answer.json(), serde_json::from_str::<Value>(committed).expect("JSON"), "{path}");
    }
}

/// An id that nothing has.
const ID: &str = "01931a5e-7c00-7000-8000-000000000001";

/// Asked by a stranger, an operation that exists wants a sign-in or answers; one that does not is not found.
#[tokio::test]
async fn every_operation_of_the_document_exists() {
    let server = Setup::new().set("NETRA_AUTH", "password").start().await;
    let document: Value = serde_json::from_str(include_str!("../../../schema/openapi.json")).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut asked = 0;
    for (path, operations) in paths {
        let address = path.replace("{id}", ID).replace("{run_id}", ID);
        for (method, operation) in operations.as_object().expect("operations") {
            let stranger = User::visitor(&server);
            let answer = match method.as_str() {
                "get" => stranger.get(&address).await,
                "post" => stranger.post(&address, serde_json::json!({})).await,
                "patch" => stranger.patch(&address, serde_json::json!({})).await,
                "delete" => stranger.delete(&address).await,
                other => panic!("{other} {path}"),
            };
            assert!(!matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
            let documented = &operation["responses"][answer.status.to_string()];
            assert!(documented.is_object(), "{method} {path} answers {}, which is not in the document", answer.status);
            asked += 1;
        }
    }
    assert!(asked >= 19, "{asked} operations");
}
