//! The one error of the ledger: what the caller got wrong, or what failed below. Only `Invalid` and `NotFound` are for the
//! caller's eyes, as `Refused` is; the rest is logged and masked at the doors.

use crate::fault::Fault;

/// Why an act or a question was not carried out; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for is wrong: what, where and what to do.
    #[error("{0}")]
    Invalid(String),
    /// There is no such row, or it may not be seen.
    #[error("{0}")]
    NotFound(String),
    /// What the caller asked for is refused, with everything to mend.
    #[error("{}", said(.0))]
    Refused(Vec<Fault>),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
    /// The storage of files failed.
    #[error("the storage of files failed")]
    Storage(#[from] object_store::Error),
    /// A document could not be put together.
    #[error("a document could not be put together: {0}")]
    Unwritten(String),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

fn said(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.message.zh.as_str()).collect::<Vec<_>>().join("；")
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Refused(vec![fault])
    }
}

/// The result of whatever the ledger does.
pub type Result<T, E = Error> = std::result::Result<T, E>;
