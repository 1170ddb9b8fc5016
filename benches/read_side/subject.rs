//! The servers that are compared.

use crate::operations::Operation;

/// A measured server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The hand-written statements.
    Limit,
    /// The hand-written statements, with a check of the session beside each, and with compressed answers. It does not
    /// report.
    SignedLimit,
    /// Rectify.
    Rectify,
    /// Rectify, asked as a browser does in which the national office has signed in: with its token, and for answers
    /// that are compressed. It does not report, which is up to units.
    SignedIn,
    /// PostGraphile over the same tables.
    PostGraphile,
    /// `pg_graphql` over the same tables, with a small server in front of it.
    PgGraphql,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::SignedLimit => "limit, signed in and compressed",
            Self::Rectify => "Rectify",
            Self::SignedIn => "Rectify, signed in and compressed",
            Self::PostGraphile => "PostGraphile",
            Self::PgGraphql => "pg_graphql",
        }
    }

    /// Returns whether it makes its own schema of the tables, in which an id is a bare key.
    pub(crate) fn serves_tables(self) -> bool {
        matches!(self, Self::PostGraphile | Self::PgGraphql)
    }

    /// Returns whether it can carry out an operation.
    pub(crate) fn can(self, operation: Operation) -> bool {
        !(matches!(self, Self::SignedIn | Self::SignedLimit) && operation == Operation::Report)
    }
}
