//! The one error type that reaches clients: a stable `extensions.code`, a message for people, and nothing internal.

use async_graphql::{Error, ErrorExtensions};

/// Stable codes of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// An argument is out of range or malformed.
    BadUserInput,
    /// Something failed inside; the log has it.
    Internal,
}

impl Code {
    fn as_str(self) -> &'static str {
        match self {
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Internal => "INTERNAL_SERVER_ERROR",
        }
    }
}

/// An error of a field.
pub(crate) fn coded(code: Code, message: impl Into<String>) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code.as_str()))
}

/// Logs what failed and returns an error that says nothing of it.
pub(crate) fn masked(source: &dyn std::error::Error) -> Error {
    let mut chain = source.to_string();
    let mut cause = source.source();
    while let Some(inner) = cause {
        chain = format!("{chain}: {inner}");
        cause = inner.source();
    }
    tracing::error!(error = chain, "a request failed");
    coded(Code::Internal, "服务内部错误，请稍后重试 / internal error, please try again later")
}

/// What the ledger refused, for the caller; what failed, masked.
pub(crate) fn of_ledger(error: &ledger::Error) -> Error {
    match error {
        ledger::Error::Invalid(message) | ledger::Error::NotFound(message) => {
            coded(Code::BadUserInput, message.clone())
        }
        other => masked(other),
    }
}
