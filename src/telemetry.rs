//! Logging to standard error, so that standard output contains only what a command prints; with it, traces begin.

use std::io::{IsTerminal, Write};

use chrono::SecondsFormat;
use serde_json::json;
use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::clock;
use crate::settings::Settings;
use crate::traces::Traces;

/// Default filters, which the `log` setting can override by target: no SQL statements, because they contain user data;
/// no routine messages of libraries; and (`h1::dispatcher`) no errors of connections that do not speak HTTP, because
/// any client can cause them.
const QUIET: &str =
    "sqlx=warn,sea_orm_migration=warn,actix_server=warn,tokio_cron_scheduler=warn,actix_http::h1::dispatcher=off";

/// The spans that are traced. `trace` has those that enclose others and are not in the log.
const TRACED: &str = "off,api=info,scheduler=info,ledger=info,workbook=info,rectify=info,trace=trace";

/// Starts logging, and tracing, as the settings say. Traces are sent until what is returned is dropped.
pub(crate) fn begin(settings: &Settings) -> Option<Traces> {
    let filter = filter(&settings.log)?;
    let logs = tracing_subscriber::fmt::layer().with_ansi(is_coloured()).with_writer(std::io::stderr);
    let traces = Traces::begin(settings);
    let spans = traces.as_ref().map(|traces| {
        let layer = tracing_opentelemetry::layer().with_tracer(traces.tracer()).with_location(false);
        layer.with_threads(false).with_filter(EnvFilter::new(TRACED).and(filter_fn(is_span)))
    });
    let logs = if settings.logs_json() {
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "the program has panicked")));
        logs.json().with_filter(filter).boxed()
    } else {
        logs.with_filter(filter).boxed()
    };
    // Tests start it several times in one process; the first subscriber stays.
    let _ = tracing_subscriber::registry().with(logs).with(spans).try_init();
    traces
}

/// Whether it is a span. What is logged in a span is not traced, because it may name people.
fn is_span(what: &Metadata<'_>) -> bool {
    what.is_span()
}

/// Returns the filter that the setting `log` describes; none if it is wrong. A word that is no level is not taken for a
/// module, as the library would, but for a slip.
pub(crate) fn filter(log: &str) -> Option<EnvFilter> {
    let is_level = |word: &str| word.trim().parse::<LevelFilter>().is_ok();
    let are_right = log.split(',').all(|part| part.contains(['=', '[']) || is_level(part));
    are_right.then(|| EnvFilter::try_new(format!("{QUIET},{log}")).ok()).flatten()
}

/// Tells the operator of a server something on standard output: as plain text, or as a line of JSON if it logs JSON. A
/// closed pipe does not end the server.
pub(crate) fn tell(settings: &Settings, text: &str) {
    let line = if settings.logs_json() { entry("INFO", text) } else { text.to_owned() };
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Returns an entry of a JSON log, in the form of those of the log itself.
pub(crate) fn entry(level: &str, message: &str) -> String {
    let timestamp = clock::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    json!({ "timestamp": timestamp, "level": level, "fields": { "message": message }, "target": "rectify" }).to_string()
}

/// Whether to colour the log: standard error is a terminal and `NO_COLOR` is unset or empty (<https://no-color.org>).
fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
