//! What is tried, a group a file.

mod errors;
mod handshake;
mod limits;
mod liveness;
mod resume;
mod runs;

use super::Check;

/// Every check, in order; those that wait for heartbeats when `slow`.
pub(super) fn all(slow: bool) -> Vec<Check> {
    let mut checks = handshake::checks();
    checks.extend(errors::checks());
    checks.extend(runs::checks());
    checks.extend(resume::checks());
    checks.extend(limits::checks());
    if slow {
        checks.extend(liveness::checks());
    }
    checks
}
