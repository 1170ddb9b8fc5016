//! Which root fields an operation may ask for, by who asks: nobody, a session that has yet to set up its second factor, a
//! token that only reads, or somebody.

use async_graphql::parser::types::OperationType;
use ledger::people::policy::Principal;

use crate::error::{Code, Refused};
use crate::gate::{may_change, unauthenticated};
use crate::graphql::document::Operation;

/// The fields of the roots that nobody in particular may ask for; the schema itself is public where it is shown.
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
    "publicNotices",
    "publicNotice",
];

/// What a session may ask for that only serves to set up the second factor.
const LIMITED: &[&str] = &["enrolSecondFactor", "confirmSecondFactor", "signOut"];

/// The fields of the mutation root that check or set a secret: one in a request, each in the queue of `credentials.rs`.
pub(crate) const CREDENTIALS: &[&str] = &[
    "signIn",
    "signInAsDemo",
    "signInWithCode",
    "createAccount",
    "createFirstAccount",
    "setPassword",
    "requestPasswordReset",
    "setPasswordWithLink",
    "enrolSecondFactor",
    "confirmSecondFactor",
    "removeSecondFactor",
    "updateAccount",
    "eraseAccount",
];
/// Those of them by which nobody guesses a secret, so that an address may ask for many.
pub(crate) const UNGUESSED: [&str; 1] = ["createAccount"];

/// The public fields whose answer does not depend on who asks.
const SHARED: [&str; 2] = ["__typename", "publicNotices"];
/// For how many seconds such an answer may be kept.
pub(crate) const SHARED_FOR: i32 = 60;

/// Refuses nobody's operation, unless everything that it asks for is public.
pub(crate) fn check(principal: &Principal, operation: Option<&Operation>) -> Result<(), Refused> {
    let is_public = operation.is_some_and(|operation| {
        operation.kind != OperationType::Subscription
            && operation.roots.iter().all(|root| PUBLIC.contains(&root.name()))
    });
    // A session without rights only serves to set up the second factor.
    let is_limited = principal.account.is_some() && !principal.is_somebody();
    let serves_that = |operation: &Operation| operation.roots.iter().all(|root| LIMITED.contains(&root.name()));
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

/// Whether everybody gets the same answer, so that caches may keep it.
pub(crate) fn is_shared(operation: &Operation) -> bool {
    operation.kind == OperationType::Query && operation.roots.iter().all(|root| SHARED.contains(&root.name()))
}
