//! The program: command line, settings, logs, and putting the rooms of the house together.

// The futures of a merged schema nest as deep as it has parts; only optimised builds lay them out whole.
#![recursion_limit = "256"]

pub mod cli;
mod clock;
mod command;
mod database;
mod demo;
mod metrics;
mod secret;
mod serve;
mod settings;
mod telemetry;

/// Prints a line; a reader that has gone away ends the program quietly, as it does others.
macro_rules! say {
    ($($words:tt)*) => {
        if std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($words)*))).is_err() {
            std::process::exit(0);
        }
    };
}
pub(crate) use say;

/// Why a command did not do its work, and with which exit code it ends.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for cannot be done: exit code 1.
    #[error("{0}")]
    Rejected(String),
    /// The command or the settings are wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// The exit code.
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
