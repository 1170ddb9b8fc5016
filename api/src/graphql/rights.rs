//! Which root fields an operation may select, depending on the caller: an anonymous caller, a session that must first
//! set up a second factor, a read-only token, or an account with full rights. What an act requires of its row is
//! decided by `ledger::people::policy`.

use async_graphql::parser::types::OperationType;
use ledger::people::policy::Principal;

use crate::error::{Code, Refused};
use crate::gate::{may_change, unauthenticated};
use crate::graphql::document::Operation;

/// The root fields that anonymous callers may select. The schema itself is public if introspection is enabled.
const PUBLIC: &[&str] = &[
    "__typename",
    "__schema",
    "__type",
    "signIn",
    "signInAsDemo",
    "signInProvider",
    "signInWithCode",
    "createFirstAccount",
    "requestPasswordReset",
    "setPasswordWithLink",
    "installation",
    "demoAccounts",
    "notices",
    "publicNotices",
    "mailLink",
    "acknowledgeMail",
    "mailSubscription",
];

/// The root fields that a session may select that must first set up a second factor.
const LIMITED: &[&str] = &["enrolSecondFactor", "confirmSecondFactor", "signOut"];

/// The public root fields whose answer is the same for all callers.
const SHARED: &[&str] = &["notices", "publicNotices"];
/// For how many seconds caches may keep an answer that is the same for all callers.
pub(crate) const SHARED_FOR: i32 = 60;

/// Refuses an operation that the caller may not execute, by its root fields and those that its payloads read (`query`):
///
/// - an anonymous caller may select public fields only, and may not subscribe;
/// - a session that must first set up a second factor may also select the fields that serve this purpose;
/// - a read-only token may not execute mutations, except `signOut` and public ones.
pub(crate) fn check(principal: &Principal, operation: Option<&Operation>) -> Result<(), Refused> {
    let is_public = operation.is_some_and(|operation| {
        operation.kind != OperationType::Subscription
            && operation.root_fields().all(|root| PUBLIC.contains(&root.name()))
    });
    // A session has an account but no rights only until its second factor is set up.
    let is_limited = principal.account.is_some() && !principal.is_somebody();
    let serves_that = |operation: &Operation| operation.root_fields().all(|root| LIMITED.contains(&root.name()));
    if is_limited && operation.is_some_and(serves_that) {
        return Ok(());
    }
    if is_limited && !is_public {
        return Err(Refused::new(
            Code::Forbidden,
            "请先设置两步验证（enrolSecondFactor、confirmSecondFactor）",
            "set up the second factor first: enrolSecondFactor, then confirmSecondFactor",
        ));
    }
    if !principal.is_somebody() && !is_public {
        return Err(unauthenticated());
    }
    let changes = operation.is_some_and(|operation| {
        operation.kind == OperationType::Mutation && operation.roots.iter().any(|root| root.name() != "signOut")
    });
    if changes && !is_public { may_change(principal) } else { Ok(()) }
}

/// Refuses to export a list to a caller who may not select it.
pub(crate) fn check_list(principal: &Principal, list: &str) -> Result<(), Refused> {
    if PUBLIC.contains(&list) { Ok(()) } else { check(principal, None) }
}

/// Returns whether the answer of an operation is the same for all callers, so that caches may keep it.
pub(crate) fn is_shared(operation: &Operation) -> bool {
    let mut names =
        operation.roots.iter().map(planner::Selection::name).filter(|name| *name != "__typename").peekable();
    operation.kind == OperationType::Query && names.peek().is_some() && names.all(|name| SHARED.contains(&name))
}
