//! One operation as it is built up, and the types in it.

use axum::http::Method;
use netra_ws::ErrorCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Types as requests hold them, and as answers do.
pub(super) struct Types {
    pub(super) read: SchemaGenerator,
    pub(super) written: SchemaGenerator,
}

/// An operation as it is built up.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) value: Value,
}

impl Operation {
    pub(super) fn new(method: Method, path: &'static str, id: &str, tag: &str, summary: &str) -> Self {
        let value = json!({ "operationId": id, "tags": [tag], "summary": summary, "security": [], "responses": {} });
        Self { method, path, value }.id_in_path()
    }

    /// `{id}` is what the path is about.
    fn id_in_path(mut self) -> Self {
        if self.path.contains("{id}") {
            let (what, schema) = match self.path.split('/').nth(2) {
                Some("tokens") => ("The token.", json!({ "type": "string", "format": "uuid" })),
                Some("blocks") => ("The person.", json!({ "type": "string", "format": "uuid" })),
                Some("admin") if self.path.contains("/links/") => ("The link.", json!({ "type": "string" })),
                Some("admin") if self.path.contains("/runs/") => {
                    ("The run.", json!({ "type": "string", "format": "uuid" }))
                }
                Some("admin") => ("The person.", json!({ "type": "string", "format": "uuid" })),
                Some("attachments") => ("The file.", json!({ "type": "string", "format": "uuid" })),
                Some("sessions") => ("The sign-in.", json!({ "type": "string" })),
                _ => ("The thread.", json!({ "type": "string", "format": "uuid" })),
            };
            self.value["parameters"] = json!([{
                "name": "id", "in": "path", "required": true, "description": what, "schema": schema,
            }]);
        }
        if self.path.contains("{agent}") {
            self.value["parameters"] = json!([{
                "name": "agent", "in": "path", "required": true, "description": "The agent's name.",
                "schema": { "type": "string" },
            }]);
        }
        if self.path.contains("{name}") {
            self.value["parameters"] = json!([{
                "name": "name", "in": "path", "required": true, "description": "The command's name.",
                "schema": { "type": "string" },
            }]);
        }
        if self.path.contains("{server}") {
            self.value["parameters"] = json!([{
                "name": "server", "in": "path", "required": true, "description": "The MCP server's name.",
                "schema": { "type": "string" },
            }]);
        }
        if self.path.contains("{link}")
            && let Some(parameters) = self.value["parameters"].as_array_mut()
        {
            parameters.push(json!({
                "name": "link", "in": "path", "required": true, "description": "The link.",
                "schema": { "type": "string", "format": "uuid" },
            }));
        }
        if self.path.contains("{run_id}")
            && let Some(parameters) = self.value["parameters"].as_array_mut()
        {
            parameters.push(json!({
                "name": "run_id", "in": "path", "required": true, "description": "The run.",
                "schema": { "type": "string", "format": "uuid" },
            }));
        }
        self
    }

    /// Needs a sign-in.
    pub(super) fn signed_in(mut self) -> Self {
        self.value["security"] = json!([{ "session": [] }, { "token": [] }]);
        self.fails(&[ErrorCode::Unauthenticated])
    }

    pub(super) fn query(mut self, schema: Schema) -> Self {
        let required = schema.get("required").cloned().unwrap_or_default();
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut parameters = self.value["parameters"].as_array().cloned().unwrap_or_default();
        for (name, mut schema) in properties {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let needed = required.as_array().is_some_and(|required| required.contains(&json!(name)));
            parameters.push(json!({
                "name": name, "in": "query", "required": needed, "description": description, "schema": schema,
            }));
        }
        self.value["parameters"] = Value::Array(parameters);
        self.fails(&[ErrorCode::InvalidPayload])
    }

    pub(super) fn body(mut self, schema: Schema) -> Self {
        let content = json!({ "application/json": { "schema": schema } });
        self.value["requestBody"] = json!({ "required": true, "content": content });
        self.fails(&[ErrorCode::InvalidPayload, ErrorCode::MalformedJson])
    }

    /// The body is a form.
    pub(super) fn form(mut self, schema: Schema) -> Self {
        let content = json!({ "application/x-www-form-urlencoded": { "schema": schema } });
        self.value["requestBody"] = json!({ "required": true, "content": content });
        self
    }

    /// Answers with the address of another page.
    pub(super) fn leads(mut self, description: &str) -> Self {
        self.value["responses"]["303"] = json!({ "description": description });
        self
    }

    pub(super) fn may_carry(mut self, schema: Schema) -> Self {
        self = self.body(schema);
        self.value["requestBody"]["required"] = json!(false);
        self
    }

    pub(super) fn answers(mut self, status: u16, description: &str, schema: Schema) -> Self {
        let content = json!({ "application/json": { "schema": schema } });
        self.value["responses"][status.to_string()] = json!({ "description": description, "content": content });
        self
    }

    /// Answers without a body.
    pub(super) fn done(mut self, description: &str) -> Self {
        self.value["responses"]["204"] = json!({ "description": description });
        self
    }

    pub(super) fn text(mut self, status: u16, description: &str) -> Self {
        let content = json!({ "text/plain": { "schema": { "type": "string" } } });
        self.value["responses"][status.to_string()] = json!({ "description": description, "content": content });
        self
    }

    pub(super) fn lines(mut self, description: &str) -> Self {
        let content = json!({ "application/jsonl": { "schema": { "type": "string" } } });
        self.value["responses"]["200"] = json!({ "description": description, "content": content });
        self
    }

    pub(super) fn events(mut self, description: &str) -> Self {
        let content = json!({ "text/event-stream": { "schema": { "type": "string" } } });
        self.value["responses"]["200"] = json!({ "description": description, "content": content });
        self
    }

    /// The body is a file.
    pub(super) fn carries_file(mut self) -> Self {
        self.value["requestBody"] = json!({ "required": true, "content": { "*/*": {} } });
        self
    }

    /// Answers with a file.
    pub(super) fn file(mut self, status: u16, description: &str) -> Self {
        self.value["responses"][status.to_string()] = json!({ "description": description, "content": { "*/*": {} } });
        self
    }

    /// May be refused with these codes.
    pub(super) fn fails(mut self, codes: &[ErrorCode]) -> Self {
        for code in codes {
            let response = &mut self.value["responses"][code.http_status().to_string()];
            let before = response["description"].as_str().map(|before| format!("{before}, ")).unwrap_or_default();
            *response = json!({
                "description": format!("{before}`{code}`"),
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ErrorBody" } } },
            });
        }
        self
    }
}

impl Types {
    pub(super) fn read<T: JsonSchema>(&mut self) -> Schema {
        self.read.subschema_for::<T>()
    }

    pub(super) fn query<T: JsonSchema>(&mut self) -> Schema {
        self.read.root_schema_for::<T>()
    }

    pub(super) fn written<T: JsonSchema>(&mut self) -> Schema {
        self.written.subschema_for::<T>()
    }
}
