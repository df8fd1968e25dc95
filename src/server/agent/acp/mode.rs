//! The modes of an agent: the command that changes one's, and what is told of it.

use super::super::{AgentCommand, AgentMode, Offers, model::ChatMessage};

/// The command, unless the agent has one of this name itself.
const NAME: &str = "mode";

/// The command that changes the mode, where there is a choice; for one conversation it tells the mode that it is in.
pub(super) fn command(offers: &Offers) -> Option<AgentCommand> {
    if offers.modes.len() < 2 || offers.commands.iter().any(|command| command.name == NAME) {
        return None;
    }
    let names: Vec<&str> = offers.modes.iter().map(|mode| mode.name.as_str()).collect();
    let now = offers.mode.as_deref().map(|id| format!(" Now: {}.", name(offers, id))).unwrap_or_default();
    Some(AgentCommand {
        name: NAME.to_owned(),
        description: format!("Change how the agent works: {}.{now}", names.join(", ")),
        hint: Some(names.join(" | ")),
    })
}

/// The name of a mode.
pub(super) fn name<'a>(offers: &'a Offers, id: &'a str) -> &'a str {
    offers.modes.iter().find(|mode| mode.id == id).map_or(id, |mode| mode.name.as_str())
}

/// The mode that a message asks for, or why there is none; nothing for any other message.
pub(super) fn asked(message: Option<&ChatMessage>, offers: &Offers) -> Option<Result<AgentMode, String>> {
    let ChatMessage::User { text, .. } = message? else { return None };
    let command = command(offers)?;
    let wanted = text.trim().strip_prefix('/')?.strip_prefix(NAME)?;
    if !wanted.is_empty() && !wanted.starts_with(char::is_whitespace) {
        return None;
    }
    let wanted = wanted.trim();
    let is_meant = |mode: &&AgentMode| mode.id == wanted || mode.name.to_lowercase() == wanted.to_lowercase();
    let told = || match wanted {
        "" => command.description.clone(),
        _ => format!("There is no mode {wanted:?}. {}", command.description),
    };
    Some(offers.modes.iter().find(is_meant).cloned().ok_or_else(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(commands: &[&str]) -> Offers {
        let mode = |id: &str, name: &str| AgentMode { id: id.to_owned(), name: name.to_owned() };
        let command = |name: &&str| AgentCommand { name: (*name).to_owned(), description: String::new(), hint: None };
        Offers {
            commands: commands.iter().map(command).collect(),
            modes: vec![mode("ask", "Ask First"), mode("code", "Code")],
            mode: Some("ask".to_owned()),
        }
    }

    #[test]
    fn a_message_that_is_the_command_names_a_mode() {
        let ask = |text: &str| {
            let message = ChatMessage::user(text);
            asked(Some(&message), &offers(&["plan"])).map(|found| found.map(|mode| mode.id).map_err(drop))
        };
        for (text, found) in [
            ("/mode code", Some(Ok("code".to_owned()))),
            (" /mode  ask first\n", Some(Ok("ask".to_owned()))),
            ("/mode", Some(Err(()))),
            ("/mode fly", Some(Err(()))),
            ("/modern art", None),
            ("What is /mode code?", None),
            ("mode code", None),
        ] {
            assert_eq!(ask(text), found, "{text}");
        }
        let own = asked(Some(&ChatMessage::user("/mode code")), &offers(&["mode"]));
        assert!(own.is_none(), "the agent's own command is the agent's");
    }
}
