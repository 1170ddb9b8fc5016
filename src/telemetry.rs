//! Logs: to standard error, so that what a command prints stays its own.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::Failure;
use crate::settings::Settings;

/// What is left out unless it is asked for by name: SQL statements, which hold what people wrote, the libraries' talk, and
/// (`h1::dispatcher`) the complaints about connections that speak no HTTP, which anybody can cause.
const QUIET: &str =
    "sqlx=warn,sea_orm_migration=warn,actix_server=warn,tokio_cron_scheduler=warn,actix_http::h1::dispatcher=off";

/// Begins logging.
pub(crate) fn begin(settings: &Settings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", settings.log))
        .map_err(|error| Failure::Usage(format!("log：{error}")))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_coloured()).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first one's logs.
    let _ = if settings.log_format == "json" { logs.json().try_init() } else { logs.try_init() };
    Ok(())
}

/// Whether whoever reads the log sees colours, and wants them (<https://no-color.org>).
fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
