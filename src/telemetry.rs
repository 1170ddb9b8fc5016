//! Logging to standard error, so that standard output contains only what a command prints.

use std::io::{IsTerminal, Write};

use chrono::SecondsFormat;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::clock;
use crate::settings::Settings;

/// Default filters, which the `log` setting can override by target: no SQL statements, because they contain user data;
/// no routine messages of libraries; and (`h1::dispatcher`) no errors of connections that do not speak HTTP, because
/// any client can cause them.
const QUIET: &str =
    "sqlx=warn,sea_orm_migration=warn,actix_server=warn,tokio_cron_scheduler=warn,actix_http::h1::dispatcher=off";

/// Starts logging as the settings say.
pub(crate) fn begin(settings: &Settings) {
    let Some(filter) = filter(&settings.log) else { return };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_coloured()).with_writer(std::io::stderr);
    // Tests start it several times in one process; the first subscriber stays.
    let _ = if settings.logs_json() {
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "the program has panicked")));
        logs.json().try_init()
    } else {
        logs.try_init()
    };
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
