//! Logs: fields, not sentences; text for people or JSON for programs, on stderr.

use tracing_subscriber::EnvFilter;

use super::config::{Config, LogFormat};

/// Starts logging as configured. Called once.
pub fn init(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match config.log_format {
        LogFormat::Text => logs.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        eprintln!("netra: logging could not be started: {error}");
    }
}
