//! Payloads of mutations: the object that was written, or the errors that the caller can correct, and warnings.

use std::cell::Cell;

use async_graphql::{Enum, ID, SimpleObject};
use ledger::fault::{Fault, FaultCode};
use ledger::work::Done;

use crate::error::masked;
use crate::language::Language;
use crate::part::reread::Reread;

/// Machine-readable reason why a mutation was refused.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::fault::FaultCode")]
pub(crate) enum UserErrorCode {
    /// 输入有误 · A value is malformed or out of range.
    Invalid,
    /// 不存在 · No object has this id, or the caller may not see it.
    NotFound,
    /// 版本已过期 · The object was changed after the caller read it: read it again and retry.
    StaleVersion,
    /// 状态不符 · The step is not possible in the current state of the object.
    WrongState,
    /// 无权办理 · The caller may not do this.
    NotAllowed,
    /// 冲突 · The mutation conflicts with existing data, such as a name that is already in use.
    Conflict,
    /// 登录失败 · The credentials are wrong, or the account cannot be used.
    SignInFailed,
    /// 需要验证码 · The password is right, but the account has a second factor: send its code as well.
    SecondFactorRequired,
}

/// A reason why a mutation was refused that the caller can act on: invalid input, a wrong state, a stale version, or a
/// missing right. Nothing was written.
#[derive(SimpleObject)]
pub(crate) struct UserError {
    /// Machine-readable code of the error.
    code: UserErrorCode,
    /// What is wrong and what to do about it, in the language of the request.
    message: String,
    /// Path to the value at fault, from the argument down, such as `["input", "name"]`.
    path: Vec<String>,
}

/// Machine-readable code of a warning.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::work::WarningCode")]
pub(crate) enum WarningCode {
    /// 无人收到通知 · No unit concerned has an e-mail address, so nobody was notified.
    NobodyTold,
    /// 下一步办理单位未收到通知 · A unit that has to act next has no e-mail address; others concerned were notified.
    UnitNotTold,
    /// 邮箱不通用 · A mail address was entered whose name is not in ASCII, which not every mail server takes.
    InternationalAddress,
}

/// A notification that a successful mutation could not make, or that later mails may not reach. The change itself was
/// written.
#[derive(SimpleObject)]
pub(crate) struct Warning {
    /// Machine-readable code of the warning.
    code: WarningCode,
    /// What could not be done and what to do about it, in the language of the request.
    message: String,
}

/// Converts the warnings of an act to the language of the request.
pub(crate) fn warnings(done: Option<Done>, language: Language) -> Vec<Warning> {
    let worded = |warning: ledger::work::Warning| Warning {
        code: warning.code.into(),
        message: language.of(&warning.message).to_owned(),
    };
    done.into_iter().flat_map(|done| done.warnings).map(worded).collect()
}

tokio::task_local! {
    /// Whether the policy has denied anything that the current operation asked for.
    static DENIED: Cell<bool>;
}

/// Runs an operation and returns its result, and whether the policy denied any part of it.
pub(crate) async fn watch_denials<T>(operation: impl Future<Output = T>) -> (T, bool) {
    DENIED.scope(Cell::new(false), async { (operation.await, DENIED.with(Cell::get)) }).await
}

/// Splits the result of an act into its value and the errors that the caller can correct, in the given language. Any
/// other failure becomes a masked internal error. Notes denials by the policy for [`watch_denials`].
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

/// Result of a mutation that deletes an object.
#[derive(SimpleObject)]
pub(crate) struct DeletePayload {
    /// Whether the object was deleted.
    is_deleted: bool,
    /// Global id of the deleted object; null if it was not deleted. It is an id, not an object, because the object no
    /// longer exists.
    deleted_id: Option<ID>,
    /// Reasons why the mutation was refused, in which case nothing was written; empty on success.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

impl DeletePayload {
    /// Builds the payload from the result of the act on the object with the global id `id`.
    pub(crate) fn of(done: ledger::Result<i64>, id: ID, language: Language) -> async_graphql::Result<Self> {
        let (done, errors) = outcome(done, language)?;
        Ok(Self { is_deleted: done.is_some(), deleted_id: done.map(|_| id), errors, reread: Reread })
    }
}

/// Returns the database key in a global id of the noun `N`, or `None` if the id is not one of that noun.
pub(crate) fn key_of<N: planner::Noun>(id: &async_graphql::ID) -> Option<i64> {
    match N::table().key(id) {
        Some(sea_orm::Value::BigInt(key)) => key,
        _ => None,
    }
}

/// Declares the payload of mutations on one object: the object after the mutation, read back with the fields that the
/// caller selected, or the errors, and optionally `warnings` about notifications that could not be made.
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
            /// Builds the payload from the result of the act, in the language of the request.
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

            #[graphql(flatten)]
            async fn reread(&self) -> crate::part::reread::Reread {
                crate::part::reread::Reread
            }
        }
    };
}

/// Declares the payload of mutations on several objects, all of which are changed or none: the objects after the
/// mutation in the order of the items, or the errors, and warnings.
macro_rules! batch_payload {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $(#[doc = $words:literal])+ $field:ident: $noun:ty,
            $(#[doc = $why:literal])+ errors,
            $(#[doc = $beside:literal])+ warnings
        }
    ) => {
        $(#[doc = $about])+
        pub(crate) struct $name {
            keys: Option<Vec<i64>>,
            errors: Vec<crate::part::payload::UserError>,
            warnings: Vec<crate::part::payload::Warning>,
        }

        impl $name {
            /// Builds the payload from the results of the acts, in the language of the request.
            pub(crate) fn of(
                done: ledger::Result<Vec<ledger::work::Done>>,
                request: &crate::context::Request,
            ) -> async_graphql::Result<Self> {
                let (done, errors) = crate::part::payload::outcome(done, request.language)?;
                let keys = done.as_ref().map(|done| done.iter().map(|one| one.key).collect());
                let warnings = done.into_iter().flatten();
                let warnings = warnings.flat_map(|one| crate::part::payload::warnings(Some(one), request.language));
                Ok(Self { keys, errors, warnings: warnings.collect() })
            }
        }

        $(#[doc = $about])+
        #[async_graphql::Object]
        impl $name {
            $(#[doc = $words])+
            async fn $field(&self, ctx: &async_graphql::Context<'_>) -> Option<planner::Planned<Vec<Option<$noun>>>> {
                crate::part::read::all_back(ctx, self.keys.as_ref()?).await
            }

            $(#[doc = $why])+
            async fn errors(&self) -> &[crate::part::payload::UserError] {
                &self.errors
            }

            $(#[doc = $beside])+
            async fn warnings(&self) -> &[crate::part::payload::Warning] {
                &self.warnings
            }

            #[graphql(flatten)]
            async fn reread(&self) -> crate::part::reread::Reread {
                crate::part::reread::Reread
            }
        }
    };
}

pub(crate) use {batch_payload, payload};
