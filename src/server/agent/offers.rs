//! What an agent offers beside its answers: commands and modes, as the Agent Client Protocol tells of them.

use serde_json::Value;

/// Commands and modes of an agent that are kept.
const MAX_OFFERED: usize = 100;

/// A command that an agent offers: it stands behind a `/` at the beginning of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentCommand {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// What may stand behind it.
    pub hint: Option<String>,
}

/// A mode that an agent can work in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentMode {
    /// Which.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What an agent offers beside its answers, as it said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Commands.
    pub commands: Vec<AgentCommand>,
    /// Modes.
    pub modes: Vec<AgentMode>,
    /// The mode that it works in.
    pub mode: Option<String>,
}

impl Offers {
    /// Takes what an update or the beginning of a session says; whether that was something.
    pub(super) fn take(&mut self, update: &Value) -> bool {
        let text =
            |value: &Value, name: &str| value[name].as_str().map(|text| text.chars().take(200).collect::<String>());
        if let Some(commands) = update["availableCommands"].as_array() {
            let command = |value: &Value| {
                let hint = text(&value["input"], "hint");
                Some(AgentCommand {
                    name: text(value, "name")?,
                    description: text(value, "description").unwrap_or_default(),
                    hint,
                })
            };
            self.commands = commands.iter().filter_map(command).take(MAX_OFFERED).collect();
            return true;
        }
        if let Some(modes) = update["modes"]["availableModes"].as_array() {
            let mode = |value: &Value| Some(AgentMode { id: text(value, "id")?, name: text(value, "name")? });
            self.modes = modes.iter().filter_map(mode).take(MAX_OFFERED).collect();
            self.mode = text(&update["modes"], "currentModeId");
            return true;
        }
        if let Some(mode) = text(update, "currentModeId") {
            self.mode = Some(mode);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_offered_is_kept() {
        let mut offers = Offers::default();
        assert!(offers.take(&json!({ "availableCommands": [{ "name": "web", "description": "Search", "input": { "hint": "words" } }, {}] })));
        assert!(
            offers.take(
                &json!({ "modes": { "currentModeId": "ask", "availableModes": [{ "id": "ask", "name": "Ask" }] } })
            )
        );
        assert!(offers.take(&json!({ "currentModeId": "code" })));
        assert_eq!((offers.commands.len(), offers.modes.len(), offers.mode.as_deref()), (1, 1, Some("code")));
        assert!(!offers.take(&json!({ "sessionUpdate": "plan" })));
    }
}
