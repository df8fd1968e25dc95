//! Where tools come from that come and go while the server runs.

use std::sync::Arc;

use async_trait::async_trait;

use super::{SharedTool, ToolSpec};

/// A tool and its description.
#[derive(Clone)]
pub struct KnownTool {
    /// What it is.
    pub spec: Arc<ToolSpec>,
    /// What does it.
    pub tool: SharedTool,
}

impl KnownTool {
    /// A tool with the description that it gives.
    pub fn new(tool: SharedTool) -> Self {
        Self { spec: Arc::new(tool.spec()), tool }
    }
}

/// Has tools that come and go. What is asked of it is answered at once, from what it knows.
#[async_trait]
pub trait ToolSource: Send + Sync + 'static {
    /// The tools that can be called now.
    fn offered(&self) -> Vec<Arc<ToolSpec>>;

    /// The tool of this name, also while it cannot be called: it says why when it is.
    fn find(&self, name: &str) -> Option<KnownTool>;

    /// Waits, for a bounded time, until it is known which of the tools that these patterns mean are there.
    async fn settled(&self, patterns: &[String]);
}
