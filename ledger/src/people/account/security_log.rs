//! The security log: sign-ins, and changes of the rights or credentials of accounts.

use crate::record::audit::By;
use crate::work::Acting;

/// The log target of security events, by which they can be filtered.
pub const SECURITY: &str = "rectify::security";

/// Writes a change of an account's rights or credentials to the security log.
pub(crate) fn log_change(by: &By, account: i64, event: &'static str) {
    let (actor, address) = (by.actor(), by.address.as_deref());
    tracing::info!(target: SECURITY, event, account, actor, address, "rights or credentials of the account changed");
}

/// Writes a sign-in to the security log.
pub(super) fn log_sign_in(account: i64, acting: &Acting<'_>) {
    tracing::info!(target: SECURITY, event = "signed-in", account, address = acting.by.address, "signed in");
}

/// Writes a failed sign-in to the security log, without the address and password that were given.
pub(super) fn log_denied(account: Option<i64>, acting: &Acting<'_>, why: &'static str) {
    let address = acting.by.address.as_deref();
    tracing::warn!(target: SECURITY, event = "sign-in-failed", account, address, why, "sign-in failed");
}

/// Writes a refused sign-in through an identity provider to the security log.
pub(crate) fn log_refused(why: &str) {
    tracing::warn!(target: SECURITY, event = "sign-in-failed", why, "sign-in through the provider refused");
}

/// Writes an attempt to create the first account with a wrong set-up code to the security log.
pub(super) fn log_failed_set_up(acting: &Acting<'_>) {
    tracing::warn!(target: SECURITY, event = "set-up-failed", address = acting.by.address, "wrong set-up code");
}
