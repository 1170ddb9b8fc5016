//! What mutations answer: what was written, and what the caller has to mend.

use std::cell::Cell;

use async_graphql::{Enum, ID, SimpleObject};
use ledger::fault::{Fault, FaultCode};
use ledger::work::Done;

use crate::error::masked;
use crate::language::Language;

/// Why nothing was done, for a program to decide by.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::fault::FaultCode")]
pub(crate) enum UserErrorCode {
    /// A value is malformed or out of range.
    Invalid,
    /// There is no such row, or it may not be seen.
    NotFound,
    /// Somebody has changed the row since the version that the caller saw.
    StaleVersion,
    /// The step is not open in this state.
    WrongState,
    /// Somebody else has to do this.
    NotAllowed,
    /// Something else has it already.
    Conflict,
    /// Address or password are wrong, or the account cannot be used.
    SignInFailed,
    /// The password is right: send the code of the second factor along.
    SecondFactorRequired,
}

/// What a caller can mend: the input, the state, a stale version, a right that is missing. Nothing was written.
#[derive(SimpleObject)]
pub(crate) struct UserError {
    /// What kind of fault it is.
    code: UserErrorCode,
    /// What is wrong and what to do.
    message: String,
    /// Where in the input.
    path: Vec<String>,
}

/// What was not done, for a program to decide by.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::work::WarningCode")]
pub(crate) enum WarningCode {
    /// No unit concerned has an address that the notice could go to.
    NobodyTold,
    /// The unit that has to act has no address.
    UnitNotTold,
}

/// What was not done beside a change that holds, and what to do about it.
#[derive(SimpleObject)]
pub(crate) struct Warning {
    /// What kind of warning it is.
    code: WarningCode,
    /// What was not done and what to do.
    message: String,
}

/// The warnings of an act, as they are said.
pub(crate) fn warnings(done: Option<Done>, language: Language) -> Vec<Warning> {
    let worded = |warning: ledger::work::Warning| Warning {
        code: warning.code.into(),
        message: language.of(&warning.message).to_owned(),
    };
    done.into_iter().flat_map(|done| done.warnings).map(worded).collect()
}

tokio::task_local! {
    /// Whether anything that an operation asked for was denied by the policy.
    static DENIED: Cell<bool>;
}

/// Carries out an operation, and says whether anything of it was denied by the policy.
pub(crate) async fn watch_denials<T>(operation: impl Future<Output = T>) -> (T, bool) {
    DENIED.scope(Cell::new(false), async { (operation.await, DENIED.with(Cell::get)) }).await
}

/// What came of an act: what it gave, or what the caller has to mend. Anything else is a failure inside.
pub(crate) fn outcome<T>(
    done: ledger::Result<T>,
    language: Language,
) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    let worded = |fault: Fault| UserError {
        code: fault.code.into(),
        message: language.of(&fault.message).to_owned(),
        path: fault.path,
    };
    match done {
        Ok(done) => Ok((Some(done), Vec::new())),
        Err(ledger::Error::Refused(faults)) if faults.iter().any(|fault| fault.code == FaultCode::NotAllowed) => {
            let _ = DENIED.try_with(|denied| denied.set(true));
            Ok((None, faults.into_iter().map(worded).collect()))
        }
        Err(ledger::Error::Refused(faults)) => Ok((None, faults.into_iter().map(worded).collect())),
        Err(failure) => Err(masked(&failure)),
    }
}

/// The same act where the mutation takes its arguments by themselves, and not in an `input`.
pub(crate) fn bare<T>(done: ledger::Result<T>) -> ledger::Result<T> {
    done.map_err(|failure| match failure {
        ledger::Error::Refused(mut faults) => {
            for fault in &mut faults {
                fault.path.retain(|part| part != "input");
            }
            ledger::Error::Refused(faults)
        }
        other => other,
    })
}

/// What came of deleting something that was entered by mistake.
#[derive(SimpleObject)]
pub(crate) struct DeletePayload {
    /// Whether it was deleted.
    deleted: bool,
    /// The global id that it had; null when it was not deleted.
    deleted_id: Option<ID>,
    /// Why it was not; empty when it was.
    errors: Vec<UserError>,
}

impl DeletePayload {
    /// From what an act gives.
    pub(crate) fn of(done: ledger::Result<i64>, id: ID, language: Language) -> async_graphql::Result<Self> {
        let (done, errors) = outcome(done, language)?;
        Ok(Self { deleted: done.is_some(), deleted_id: done.map(|_| id), errors })
    }
}

/// The key in a global id of a noun; none for anything else's, which no row has.
pub(crate) fn key_of<N: planner::Noun>(id: &async_graphql::ID) -> Option<i64> {
    match N::table().key(id) {
        Some(sea_orm::Value::BigInt(key)) => key,
        _ => None,
    }
}

/// Declares what a mutation on one row answers: the row as it is now, read back as the caller asks for it, or the errors;
/// and, where its acts tell others, whom they could not tell.
macro_rules! payload {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $(#[doc = $words:literal])+ $field:ident: $noun:ty,
            $(#[doc = $why:literal])+ errors
            $(, $(#[doc = $beside:literal])+ $warnings:ident)?
        }
    ) => {
        $(#[doc = $about])+
        pub(crate) struct $name {
            key: Option<i64>,
            errors: Vec<crate::part::payload::UserError>,
            $($warnings: Vec<crate::part::payload::Warning>,)?
        }

        impl $name {
            /// From what an act gives.
            pub(crate) fn of(
                done: ledger::Result<impl Into<ledger::work::Done>>,
                request: &crate::context::Request,
            ) -> async_graphql::Result<Self> {
                let (done, errors) = crate::part::payload::outcome(done.map(Into::into), request.language)?;
                Ok(Self {
                    key: done.as_ref().map(|done| done.key),
                    errors,
                    $($warnings: crate::part::payload::warnings(done, request.language),)?
                })
            }
        }

        $(#[doc = $about])+
        #[async_graphql::Object]
        impl $name {
            $(#[doc = $words])+
            async fn $field(&self, ctx: &async_graphql::Context<'_>) -> Option<planner::Planned<$noun>> {
                crate::part::read::back(ctx, self.key?).await
            }

            $(#[doc = $why])+
            async fn errors(&self) -> &[crate::part::payload::UserError] {
                &self.errors
            }

            $(
                $(#[doc = $beside])+
                async fn $warnings(&self) -> &[crate::part::payload::Warning] {
                    &self.$warnings
                }
            )?
        }
    };
}

pub(crate) use payload;
