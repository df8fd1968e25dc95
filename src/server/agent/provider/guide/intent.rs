// Overwritten by its author shortly.
pub(crate) struct Plan { pub thoughts: Vec<String>, pub calls: Vec<Call> }
pub(crate) enum Call { Calculate { expression: String }, DateTime { expression: String, zone: Option<String> }, SearchConversations { query: String }, SearchDocs { query: String } }
pub(crate) fn plan(q: &str) -> Plan { Plan { thoughts: vec!["x".into()], calls: vec![Call::Calculate { expression: q.to_owned() }] } }
