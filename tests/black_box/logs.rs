//! Logs for programs: one object a line, in which each key stands once (R10, R23).

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use crate::support::{
    provider::{Provider, always},
    rules::{ended, start_run},
    script::{Reply, Stream},
    server::Setup,
    user::User,
};

/// An object that has each key once: most readers keep the last, and what stood before it is lost.
struct Once(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Once;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if all.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("the key {key:?} stands twice")));
                    }
                }
                Ok(Once(all))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[tokio::test]
async fn every_line_has_each_key_once_also_when_runs_fail() {
    let refusing = Provider::start(always(Reply::error(401, "no such key"))).await;
    let silent = Provider::start(|_| Stream::new().texts(10_000, "tick ", Duration::from_millis(20)).end("stop")).await;
    let agent = |name: &str, base: &str, more: &str| {
        format!("[[agents]]\nname = \"{name}\"\nkind = \"openai\"\nbase_url = \"{base}\"\nmodel = \"m\"\n{more}\n")
    };
    let agents = agent("refused", &refusing.base, "") + &agent("slow", &silent.base, "max_seconds = 1");
    let server = Setup::new().toml(&agents).set("NETRA_LOG_FORMAT", "json").set("NETRA_LOG", "debug").start().await;
    let socket = User::dev(&server).await.connect().await;
    for name in ["refused", "slow", "guide"] {
        ended(&socket, &start_run(&socket, name, "What is 6 times 7?").await).await;
    }
    let log = server.log();
    let mut failed = Vec::new();
    for line in log.lines() {
        let Once(fields) = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(fields["level"].is_string() && fields["timestamp"].is_string(), "{line}");
        // Libraries may log fields alone.
        let is = |name: &str, value: &str| fields.get(name).is_some_and(|field| field == value);
        if is("message", "run ended") && is("outcome", "failed") {
            failed.push(fields["reason"].as_str().expect("a reason").to_owned());
        }
    }
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[0].contains("wants a key") && failed[1].contains("longer than 1 s"), "{failed:?}");
}
