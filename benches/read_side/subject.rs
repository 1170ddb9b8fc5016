//! The servers that are compared.

use crate::operations::Operation;

/// A measured server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The hand-written statements.
    Limit,
    /// Rectify.
    Rectify,
    /// Rectify, asked as a browser does in which the national office has signed in: with its token, and for answers
    /// that are compressed. It does not report, which is up to units.
    SignedIn,
    /// PostGraphile over the same tables.
    PostGraphile,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Rectify => "Rectify",
            Self::SignedIn => "Rectify, signed in and compressed",
            Self::PostGraphile => "PostGraphile",
        }
    }

    /// Returns whether it can carry out an operation.
    pub(crate) fn can(self, operation: Operation) -> bool {
        !(self == Self::SignedIn && operation == Operation::Report)
    }
}
