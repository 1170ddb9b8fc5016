//! The error type of this crate: either the caller made a mistake, or something below failed.
//!
//! Callers outside see only `Refused`. Every other variant is logged, and the API answers with a general message in its
//! place.

use crate::fault::Fault;

/// Why an act or a query failed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is refused. The list has every fault that the caller has to correct.
    #[error("{}", said(.0))]
    Refused(Vec<Fault>),
    /// The database failed.
    #[error("database error: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// The file storage failed.
    #[error("file storage error: {0}")]
    Storage(#[from] object_store::Error),
    /// A document could not be generated.
    #[error("cannot generate a document: {0}")]
    Unwritten(String),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The path of the file.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

/// Joins the Chinese messages of faults.
fn said(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.message.zh.as_str()).collect::<Vec<_>>().join("；")
}

impl Error {
    /// Returns the error of a step that fails only if the machine lacks resources, with the name of the step.
    pub(crate) fn failed(what: &str) -> Self {
        Self::Database(sea_orm::DbErr::Custom(format!("{what} failed")))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Refused(vec![fault])
    }
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
