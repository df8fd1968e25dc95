// Overwritten by its author shortly.
#[derive(serde::Serialize)]
pub(crate) struct DateTimeAnswer { expression: String, result: String, iso: String, zone: String }
pub(crate) fn date_time(e: &str, _z: Option<&str>, _n: jiff::Timestamp) -> Result<DateTimeAnswer, String> { Err(e.to_owned()) }
