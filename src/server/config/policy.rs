//! `[tools]`: which tools are called without asking, which are asked about, and which are never called.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize as _;

use super::{
    audience::Audience,
    source::{ConfigError, Source},
};
use crate::server::tool::{Rule, ToolPolicy, builtin};

/// How long a person has to decide, in seconds.
const PATIENCE: &str = "approval_timeout_s";

/// Whom tools may work for.
const USERS: &str = "users";

/// The longest that a question may stand: a week.
const LONGEST: u64 = 7 * 86_400;

/// The rules of the file.
pub(super) fn policy(source: &Source, agents: &[&str]) -> Result<ToolPolicy, ConfigError> {
    let mut policy = ToolPolicy::default();
    let wrong = |problem: String| ConfigError::new("tools", problem);
    let Some(table) = source.file.get("tools") else { return Ok(policy) };
    let table = table.as_table().ok_or_else(|| wrong("is a table of tools and what is done about them".to_owned()))?;
    for (name, value) in table {
        if name == PATIENCE {
            let seconds = value.as_integer().and_then(|seconds| u64::try_from(seconds).ok());
            let seconds = seconds.filter(|seconds| (1..=LONGEST).contains(seconds));
            let seconds = seconds.ok_or_else(|| wrong(format!("{PATIENCE} is a number from 1 to {LONGEST}")))?;
            policy.patience = Duration::from_secs(seconds);
            continue;
        }
        if name == USERS {
            let named: BTreeMap<String, Vec<String>> = value
                .clone()
                .try_into()
                .map_err(|_| wrong(format!("{USERS} is a table of tools and lists of who may have them called")))?;
            for (pattern, names) in named {
                let audience = Audience::of(&names).map_err(|problem| wrong(format!("{pattern}: {problem}")))?;
                policy.users.insert(pattern, audience);
            }
            continue;
        }
        let rule = Rule::deserialize(value.clone())
            .map_err(|_| wrong(format!("{name}: what is done about a tool is allow, ask or deny, not {value}")))?;
        policy.rules.insert(name.clone(), rule);
    }
    check(policy.rules.keys().chain(policy.users.keys()), agents).map_err(wrong)?;
    Ok(policy)
}

/// Every pattern may fit something: one that is misspelt would allow what it was to forbid.
pub(super) fn check<'a>(patterns: impl Iterator<Item = &'a String>, agents: &[&str]) -> Result<(), String> {
    for pattern in patterns {
        let known = || builtin::NAMES.iter().chain(agents);
        let fits = match pattern.strip_suffix('*') {
            Some(beginning) => {
                beginning.starts_with("mcp:")
                    || "mcp:".starts_with(beginning)
                    || known().any(|name| name.starts_with(beginning))
            }
            None => pattern.starts_with("mcp:") || known().any(|name| name == pattern) || is_for_tests(pattern),
        };
        if !fits {
            let names: Vec<&str> = known().copied().collect();
            return Err(format!("{pattern:?} fits no tool; there are {} and mcp:<server>/<tool>", names.join(", ")));
        }
    }
    Ok(())
}

#[cfg(debug_assertions)]
fn is_for_tests(name: &str) -> bool {
    crate::server::tool::for_tests::NAMES.contains(&name)
}

#[cfg(not(debug_assertions))]
const fn is_for_tests(_name: &str) -> bool {
    false
}
