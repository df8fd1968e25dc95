//! Logs: fields, not sentences; text for people or JSON for programs, on stderr. Traces, when OpenTelemetry's variables ask
//! for them: a span for each connection, run, model call and tool call.

use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{
    VERSION,
    config::{Config, LogFormat},
};

/// The variables that name where traces go. What else there is in `OTEL_*` is read by the library.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// What was started; to be ended when the process ends, so that the last spans leave it.
#[must_use]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Sends what is left.
    pub fn shutdown(self) {
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown()) {
            eprintln!("netra: the last traces were not sent: {error}");
        }
    }
}

/// Starts logging and tracing as configured. Called once, outside of any runtime.
pub fn init(config: &Config) -> Telemetry {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let logs = match config.log_format {
        LogFormat::Text => logs.with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed(),
        LogFormat::Json => logs.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let (traces, problem) = match exporter() {
        None => (None, None),
        Some(Ok(exporter)) => (Some(provider(exporter)), None),
        Some(Err(error)) => (None, Some(error)),
    };
    let spans = traces.as_ref().map(|traces| {
        // Ours alone: what libraries trace is theirs to understand.
        let ours = Targets::new().with_target("netra", LevelFilter::INFO);
        tracing_opentelemetry::layer().with_tracer(traces.tracer("netra")).with_filter(ours)
    });
    if let Err(error) = tracing_subscriber::registry().with(logs).with(spans).try_init() {
        eprintln!("netra: logging could not be started: {error}");
    }
    if let Some(error) = problem {
        tracing::error!(error, "traces cannot be exported");
    }
    Telemetry { traces }
}

/// The exporter that the environment asks for.
fn exporter() -> Option<Result<SpanExporter, String>> {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set.eq_ignore_ascii_case(value));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return None;
    }
    let wanted = ENDPOINTS.iter().any(|name| std::env::var(name).is_ok_and(|endpoint| !endpoint.is_empty()));
    wanted.then(|| SpanExporter::builder().with_http().build().map_err(|error| error.to_string()))
}

fn provider(exporter: SpanExporter) -> SdkTracerProvider {
    let named = std::env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty());
    let resource = Resource::builder().with_attribute(opentelemetry::KeyValue::new("service.version", VERSION));
    let resource = if named { resource } else { resource.with_service_name("netra") };
    SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build()
}
