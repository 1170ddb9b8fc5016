//! What mutations answer: what was written, and what the caller has to mend.

use async_graphql::SimpleObject;
use ledger::fault::Fault;

use crate::error::masked;
use crate::request::Language;

/// What a caller can mend: the input, the state, a stale version, a right that is missing. Nothing was written.
#[derive(SimpleObject)]
pub(crate) struct UserError {
    /// A stable code: INVALID, NOT_FOUND, STALE_VERSION, WRONG_STATE, NOT_ALLOWED, CONFLICT, SIGN_IN_FAILED, LOCKED.
    code: String,
    /// What is wrong and what to do.
    message: String,
    /// Where in the input.
    path: Vec<String>,
}

/// What came of an act: what it gave, or what the caller has to mend. Anything else is a failure inside.
pub(crate) fn outcome<T>(
    done: ledger::Result<T>,
    language: Language,
) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    let worded = |fault: Fault| UserError {
        code: fault.code.as_str().to_owned(),
        message: language.of(&fault.message).to_owned(),
        path: fault.path,
    };
    match done {
        Ok(done) => Ok((Some(done), Vec::new())),
        Err(ledger::Error::Refused(faults)) => Ok((None, faults.into_iter().map(worded).collect())),
        Err(failure) => Err(masked(&failure)),
    }
}

/// The key in a global id of a noun; none for anything else's, which no row has.
pub(crate) fn key_of<N: planner::Noun>(id: &async_graphql::ID) -> Option<i64> {
    match N::table().key(id) {
        Some(sea_orm::Value::BigInt(key)) => key,
        _ => None,
    }
}
