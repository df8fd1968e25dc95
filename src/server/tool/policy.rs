//! Which tools are called without asking, which are asked about, and which are never called.

use std::{collections::BTreeMap, time::Duration};

use netra_ws::model::Role;
use serde::Deserialize;

use crate::server::config::Audience;

/// What is done about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// It is made.
    Allow,
    /// A person decides.
    Ask,
    /// It is not made.
    Deny,
}

/// Rules by pattern: a tool's name, or the beginning of names and `*`. The longest that fits counts.
pub type Rules = BTreeMap<String, Rule>;

/// The rules of this server.
#[derive(Clone, Debug)]
pub struct ToolPolicy {
    /// For every agent that has none of its own for a tool.
    pub rules: Rules,
    /// Whom tools may work for, by pattern; everyone where none fits.
    pub users: BTreeMap<String, Audience>,
    /// How long a person has to decide.
    pub patience: Duration,
}

impl Default for ToolPolicy {
    fn default() -> Self {
        Self { rules: Rules::new(), users: BTreeMap::new(), patience: Duration::from_mins(10) }
    }
}

impl ToolPolicy {
    /// What is done about a call of this tool by an agent with these rules of its own. What Netra brings along is called, and
    /// what others offer is asked about, unless a rule says otherwise.
    pub fn rule(&self, own: &Rules, tool: &str) -> Rule {
        let elsewhere = tool.starts_with("mcp:");
        longest(own, tool).or_else(|| longest(&self.rules, tool)).unwrap_or(if elsewhere {
            Rule::Ask
        } else {
            Rule::Allow
        })
    }

    /// Whether a tool may work for this person; for nobody known, it does where no rule asks.
    pub fn is_for(&self, person: Option<&Person>, tool: &str) -> bool {
        longest(&self.users, tool)
            .is_none_or(|audience| person.is_some_and(|person| audience.holds(person.role, person.address.as_deref())))
    }
}

/// Whom an agent's calls are made for, as far as tools ask.
#[derive(Clone, Debug)]
pub struct Person {
    /// What the person is on this server.
    pub role: Role,
    /// The address, where the rules name addresses.
    pub address: Option<String>,
}

/// What stands beside the longest pattern that fits.
fn longest<T: Clone>(rules: &BTreeMap<String, T>, tool: &str) -> Option<T> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(beginning) => tool.starts_with(beginning),
        None => pattern == tool,
    };
    // Of a name and a pattern of the same length, the name says more.
    let weight = |pattern: &str| (pattern.len(), !pattern.ends_with('*'));
    rules
        .iter()
        .filter(|(pattern, _)| fits(pattern))
        .max_by_key(|(pattern, _)| weight(pattern))
        .map(|(_, rule)| rule.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_may_be_for_some() {
        let of = |names: &[&str]| Audience::of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let users = [("mcp:files/*", ["admin"]), ("mcp:files/read", ["ada@example.org"])]
            .map(|(pattern, names)| (pattern.to_owned(), of(&names).expect("an audience")));
        let policy = ToolPolicy { users: users.into(), ..ToolPolicy::default() };
        let admin = Person { role: Role::Admin, address: None };
        let ada = Person { role: Role::User, address: Some("ada@example.org".to_owned()) };
        for (tool, for_admin, for_ada) in
            [("calculate", true, true), ("mcp:files/write", true, false), ("mcp:files/read", false, true)]
        {
            assert_eq!(
                (policy.is_for(Some(&admin), tool), policy.is_for(Some(&ada), tool)),
                (for_admin, for_ada),
                "{tool}"
            );
        }
    }

    #[test]
    fn the_longest_pattern_counts_and_an_agents_own_before_all() {
        let rules = |given: &[(&str, Rule)]| given.iter().map(|(name, rule)| ((*name).to_owned(), *rule)).collect();
        let policy = ToolPolicy {
            rules: rules(&[
                ("*", Rule::Deny),
                ("calculate", Rule::Ask),
                ("mcp:files/*", Rule::Allow),
                ("mcp:files/delete*", Rule::Deny),
                ("mcp:files/delete_copy", Rule::Ask),
            ]),
            ..ToolPolicy::default()
        };
        let own: Rules = rules(&[("calculate", Rule::Allow), ("mcp:*", Rule::Ask)]);
        for (tool, anyone, this_one) in [
            ("calculate", Rule::Ask, Rule::Allow),
            ("date_time", Rule::Deny, Rule::Deny),
            ("mcp:files/read", Rule::Allow, Rule::Ask),
            ("mcp:files/delete", Rule::Deny, Rule::Ask),
            ("mcp:files/delete_copy", Rule::Ask, Rule::Ask),
        ] {
            assert_eq!(policy.rule(&Rules::new(), tool), anyone, "{tool}");
            assert_eq!(policy.rule(&own, tool), this_one, "{tool} of its own");
        }
        let silent = ToolPolicy::default();
        assert_eq!(silent.rule(&Rules::new(), "calculate"), Rule::Allow);
        assert_eq!(silent.rule(&Rules::new(), "mcp:files/read"), Rule::Ask);
    }
}
