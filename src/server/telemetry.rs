//! Logs: fields, not sentences; text for people or JSON for programs, on stderr. Traces, when OpenTelemetry's variables ask
//! for them: a span for each connection, run, model call and tool call.

use std::io::{self, IsTerminal as _};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, Targets, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::{
    VERSION,
    config::{Config, LogFormat},
};

/// The variables that name where traces go, and how; the first that is set counts. What else there is in `OTEL_*` is read by the
/// library.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

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

/// Starts logging and tracing as configured. Called once, outside of any runtime. Fails with what is wrong with `OTEL_*`.
pub fn init(config: &Config) -> Result<Telemetry, String> {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    // At `trace` libraries write down what passes through them: frames, and people's words in them.
    let filter = filter.and(filter_fn(|metadata| {
        match metadata.target().split("::").next() {
            Some(name) if name.starts_with("netra") => true,
            // It writes down what servers say, and addresses whole, with what opens them; what matters of it is said by us.
            Some("rmcp") => *metadata.level() == Level::ERROR && metadata.target() == "rmcp::transport::async_rw",
            Some(_) | None => *metadata.level() < Level::TRACE,
        }
    }));
    let logs = tracing_subscriber::fmt::layer().with_target(false);
    let logs = match config.log_format {
        LogFormat::Text if std::io::stderr().is_terminal() => {
            logs.with_writer(std::io::stderr).with_ansi(true).with_filter(filter).boxed()
        }
        LogFormat::Text => logs.with_writer(|| OneLine(std::io::stderr())).with_ansi(false).with_filter(filter).boxed(),
        LogFormat::Json => logs.with_writer(std::io::stderr).json().flatten_event(true).with_filter(filter).boxed(),
    };
    let destination = destination()?;
    let traces = match &destination {
        Some(destination) => Some(provider(destination.exporter()?)),
        None => None,
    };
    let spans = traces.as_ref().map(|traces| {
        // Ours alone: what libraries trace is theirs to understand.
        let ours = Targets::new().with_target("netra", LevelFilter::INFO);
        tracing_opentelemetry::layer().with_tracer(traces.tracer("netra")).with_filter(ours)
    });
    if let Err(error) = tracing_subscriber::registry().with(logs).with(spans).try_init() {
        eprintln!("netra: logging could not be started: {error}");
    }
    if let Some(Destination { endpoint, protocol_name, .. }) = destination {
        tracing::info!(endpoint, protocol = protocol_name, "sending traces");
    }
    Ok(Telemetry { traces })
}

/// Writes an event as one line, whatever is in it: a line break in somebody's words begins no line of its own, and no control
/// character reaches the terminal of whoever reads the file.
struct OneLine<W>(W);

impl<W: io::Write> io::Write for OneLine<W> {
    /// Called once for each event.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut clean = String::with_capacity(text.len());
        for c in line.chars() {
            if c.is_control() { clean.extend(c.escape_default()) } else { clean.push(c) }
        }
        clean.push('\n');
        self.0.write_all(clean.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Where traces go.
struct Destination {
    endpoint: String,
    protocol: Protocol,
    protocol_name: &'static str,
}

impl Destination {
    fn exporter(&self) -> Result<SpanExporter, String> {
        let builder = SpanExporter::builder().with_http().with_protocol(self.protocol);
        builder.build().map_err(|error| format!("traces cannot be sent to {}: {error}", self.endpoint))
    }
}

/// The first of these variables that is set, and its value.
fn first_set(names: &[&'static str]) -> Option<(&'static str, String)> {
    let set = |name: &&'static str| std::env::var(name).ok().map(|value| (*name, value.trim().to_owned()));
    names.iter().filter_map(set).find(|(_, value)| !value.is_empty())
}

/// Where the environment asks for traces to go.
fn destination() -> Result<Option<Destination>, String> {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set.eq_ignore_ascii_case(value));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    let Some((name, endpoint)) = first_set(&ENDPOINTS) else { return Ok(None) };
    let mut endpoint = match url::Url::parse(&endpoint) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ => return Err(format!("{name}: it is not an http address")),
    };
    // What proves who sends is not for the log.
    let _ = (endpoint.set_username(""), endpoint.set_password(None));
    endpoint.set_query(None);
    let (protocol, protocol_name) = match first_set(&PROTOCOLS) {
        // The standard's default, whatever the library's is.
        None => (Protocol::HttpBinary, "http/protobuf"),
        Some((_, given)) if given.eq_ignore_ascii_case("http/protobuf") => (Protocol::HttpBinary, "http/protobuf"),
        Some((_, given)) if given.eq_ignore_ascii_case("http/json") => (Protocol::HttpJson, "http/json"),
        Some((name, given)) => return Err(format!("{name}: {given:?} is neither http/protobuf nor http/json")),
    };
    Ok(Some(Destination { endpoint: endpoint.into(), protocol, protocol_name }))
}

fn provider(exporter: SpanExporter) -> SdkTracerProvider {
    let named = std::env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty());
    let resource = Resource::builder().with_attribute(opentelemetry::KeyValue::new("service.version", VERSION));
    let resource = if named { resource } else { resource.with_service_name("netra") };
    SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let mut line = OneLine(Vec::new());
        line.write_all("INFO a\n2026-11-25 INFO forged\u{1b}[31m\u{9b} Zoë\n".as_bytes()).expect("written");
        let text = String::from_utf8(line.0).expect("text");
        assert_eq!(text, "INFO a\\n2026-11-25 INFO forged\\u{1b}[31m\\u{9b} Zoë\n");
    }
}
