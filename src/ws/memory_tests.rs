//! The log in memory does what every log must.

use super::*;
use crate::conformance::check;

#[tokio::test]
async fn it_conforms() {
    check(&*MemoryLog::new()).await;
}
