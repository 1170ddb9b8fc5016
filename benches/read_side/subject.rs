//! The three servers that are compared.

/// A measured server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The hand-written statements.
    Limit,
    /// Rectify.
    Rectify,
    /// PostGraphile over the same tables.
    PostGraphile,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Rectify => "Rectify",
            Self::PostGraphile => "PostGraphile",
        }
    }
}
