//! The `rectify` program: command line, settings, logging, and the wiring of the workspace's crates.

// The futures of the merged GraphQL schema nest one level per merged part; only optimised builds compute the layout of
// the whole nest.
#![recursion_limit = "256"]

mod archive;
pub mod cli;
mod clock;
mod command;
mod database;
mod demo;
mod drain;
mod health;
mod metrics;
#[cfg(unix)]
mod ownership;
mod secret;
mod serve;
mod settings;
mod signals;
mod telemetry;
mod traces;

/// Prints a line to standard output. Exits quietly when the reader has closed the pipe, as other command-line tools do.
macro_rules! say {
    ($($words:tt)*) => {
        if std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($words)*))).is_err() {
            std::process::exit(0);
        }
    };
}
pub(crate) use say;

/// Why a command failed; the variant determines the exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The request cannot be carried out: exit code 1.
    #[error("{0}")]
    Rejected(String),
    /// The command line or the settings are invalid: exit code 2.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// Returns the exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Rejected(_) => 1,
            Self::Usage(_) => 2,
        }
    }
}

impl From<ledger::Error> for Failure {
    fn from(error: ledger::Error) -> Self {
        match error {
            ledger::Error::Database(error) => error.into(),
            other => Self::Rejected(other.to_string()),
        }
    }
}

impl From<sea_orm::DbErr> for Failure {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Rejected(format!("数据库出错：{error}"))
    }
}
