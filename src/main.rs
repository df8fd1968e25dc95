//! The command line.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use netra::server::{
    self,
    config::{Config, Flags},
    specification, telemetry,
};

/// A self-hosted chat for AI agents.
#[derive(Parser)]
#[command(name = "netra", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the chat (the default).
    Serve {
        #[command(flatten)]
        flags: Flags,
    },
    /// Write the protocol's specification: AsyncAPI, JSON Schema and OpenAPI.
    Schema {
        /// The folder to write to.
        #[arg(long, default_value = "schema")]
        folder: PathBuf,
    },
}

/// Exit code for settings that are wrong.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let flags = match cli.command {
        Some(Command::Serve { flags }) => flags,
        Some(Command::Schema { folder }) => return schema(&folder),
        None => cli.flags,
    };
    serve(&flags)
}

fn schema(folder: &Path) -> ExitCode {
    match specification::write(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netra: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn serve(flags: &Flags) -> ExitCode {
    let config = match Config::load(flags) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("netra: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    telemetry::init(&config);
    // TLS for outgoing requests: one provider for the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("netra: the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(server::run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netra: {error}");
            ExitCode::FAILURE
        }
    }
}
