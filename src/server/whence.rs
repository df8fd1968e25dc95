//! From which address the work at hand was asked, for the audit log. It goes with the task, so that what is done deep inside need not be
//! handed it through every layer.

use std::net::IpAddr;

tokio::task_local! {
    static ADDRESS: IpAddr;
}

/// Does work that was asked from an address.
pub(crate) fn from<F: Future>(address: IpAddr, work: F) -> impl Future<Output = F::Output> {
    ADDRESS.scope(address, work)
}

/// That address; none where no one asked, or in a task of its own.
pub(crate) fn address() -> Option<String> {
    ADDRESS.try_with(ToString::to_string).ok()
}
