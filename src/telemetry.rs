//! Logs: to standard error, so that what a command prints stays its own.

use tracing_subscriber::EnvFilter;

use crate::Failure;
use crate::settings::Settings;

/// Begins logging. SQL statements are left out unless they are asked for: they hold what people wrote.
pub(crate) fn begin(settings: &Settings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(format!(
        "sqlx=warn,sea_orm_migration=warn,actix_server=warn,tokio_cron_scheduler=warn,{}",
        settings.log
    ))
    .map_err(|error| Failure::Usage(format!("log：{error}")))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first one's logs.
    let _ = if settings.log_format == "json" { logs.json().try_init() } else { logs.try_init() };
    Ok(())
}
