//! The labels of what is counted.

use prometheus_client::encoding::EncodeLabelSet;

/// One label with a value from a closed set.
macro_rules! label {
    ($($(#[$doc:meta])* $name:ident { $field:ident })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $name {
            pub(super) $field: &'static str,
        }
    )*};
}

label! {
    /// An error code.
    ByCode { code }
    /// How something ended.
    ByOutcome { outcome }
    /// How a subscription began.
    ByMode { mode }
    /// What holds the writer.
    ByWork { work }
    /// What a person may use.
    ByQuota { quota }
}

/// Which way a frame goes, and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByType {
    pub(super) direction: &'static str,
    pub(super) r#type: &'static str,
}

/// A close code. There are a dozen of the server's; all that clients make up count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByClose {
    pub(super) code: u32,
}

/// A tool, and how its call ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByTool {
    pub(super) tool: String,
    pub(super) status: &'static str,
}

/// A model's server, by the origin that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByServer {
    pub(super) server: String,
}
