//! Tools under the names that models take, and back.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use super::model::ChatMessage;
use crate::server::tool::{ToolRequest, ToolSpec, names::for_models};

/// The tools of a run as its model is given them.
pub(super) struct ModelNames {
    specs: Vec<Arc<ToolSpec>>,
    /// From a model's name to the tool's own, where they differ.
    own: HashMap<String, String>,
}

impl ModelNames {
    pub(super) fn new(tools: &[Arc<ToolSpec>]) -> Self {
        let mut own = HashMap::new();
        let specs = tools.iter().map(|tool| match for_models(&tool.name) {
            safe if safe == tool.name => tool.clone(),
            safe => {
                own.insert(safe.clone().into_owned(), tool.name.clone());
                Arc::new(ToolSpec { name: safe.into_owned(), ..ToolSpec::clone(tool) })
            }
        });
        Self { specs: specs.collect(), own }
    }

    /// The tools.
    pub(super) fn specs(&self) -> Vec<&ToolSpec> {
        self.specs.iter().map(AsRef::as_ref).collect()
    }

    /// Names the tools of a conversation as the model knows them, also those that it can no longer call.
    #[allow(clippy::unused_self, reason = "the pair of `own_names`")]
    pub(super) fn safe_names(&self, messages: &mut [ChatMessage]) {
        let rename = |name: &mut String| {
            if let Cow::Owned(safe) = for_models(name) {
                *name = safe;
            }
        };
        for message in messages {
            match message {
                ChatMessage::User { .. } => {}
                ChatMessage::Assistant { calls, .. } => calls.iter_mut().for_each(|call| rename(&mut call.tool)),
                ChatMessage::Tool { name, .. } => rename(name),
            }
        }
    }

    /// Names the tools that a model called as everyone else knows them.
    pub(super) fn own_names(&self, calls: &mut [ToolRequest]) {
        for call in calls {
            if let Some(own) = self.own.get(&call.tool) {
                call.tool.clone_from(own);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use netra_ws::model::Object;
    use serde_json::json;

    use super::*;
    use crate::server::agent::model::Replay;

    #[test]
    fn there_and_back() {
        let spec = |name: &str| {
            Arc::new(ToolSpec {
                name: name.to_owned(),
                description: String::new(),
                parameters: json!({}),
                idempotent: true,
            })
        };
        let names = ModelNames::new(&[spec("calculate"), spec("mcp:everything/echo")]);
        let given: Vec<&str> = names.specs().iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(given, ["calculate", "everything__echo"]);
        let call = |tool: &str| ToolRequest { id: "1".to_owned(), tool: tool.to_owned(), arguments: Ok(Object::new()) };
        let mut calls = [call("everything__echo"), call("calculate"), call("nothing__such")];
        names.own_names(&mut calls);
        assert_eq!(
            calls.each_ref().map(|call| call.tool.as_str()),
            ["mcp:everything/echo", "calculate", "nothing__such"]
        );
        let mut told = [
            ChatMessage::Assistant { text: String::new(), calls: calls.to_vec(), replay: Replay::default() },
            ChatMessage::Tool { id: "1".to_owned(), name: "mcp:gone/tool".to_owned(), result: String::new() },
        ];
        names.safe_names(&mut told);
        match &told {
            [ChatMessage::Assistant { calls, .. }, ChatMessage::Tool { name, .. }] => {
                assert_eq!((calls[0].tool.as_str(), name.as_str()), ("everything__echo", "gone__tool"));
            }
            other => panic!("{other:?}"),
        }
    }
}
