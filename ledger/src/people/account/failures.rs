//! Failed attempts to prove an identity: they are counted and, from the fifth on, pause the account.

use chrono::TimeDelta;
use entity::account;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;

use super::row::{note, tell};
use super::security_log::log_denied;
use crate::Result;
use crate::record::audit::By;
use crate::record::database::Transaction;
use crate::work::Acting;

/// The number of consecutive failures from which on an account is paused.
pub(super) const MAX_FAILURES: i32 = 5;
/// The duration of the first pause; each further failure doubles it.
const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(1);
/// The maximum duration of a pause.
const MAX_PAUSE: TimeDelta = TimeDelta::hours(1);
/// The time without failures after which earlier ones no longer count.
const FORGOTTEN: TimeDelta = TimeDelta::hours(24);
/// The minimum time between two mails that notify the owner of a pause.
const TOLD: TimeDelta = TimeDelta::hours(1);

/// Counts a wrong password or code of an account, which the caller has locked.
///
/// From the fifth consecutive failure on, each pauses the account for twice as long as the previous one, up to an hour,
/// and the owner is notified by mail.
pub(super) async fn fail(
    db: &Transaction,
    acting: &Acting<'_>,
    found: &account::Model,
    why: &'static str,
) -> Result<()> {
    let is_recent = found.failed_at.is_some_and(|at| acting.now - at < FORGOTTEN);
    let failures = if is_recent { found.failures.saturating_add(1) } else { 1 };
    let pause = pause_after(failures);
    let until = pause.map(|pause| acting.now + pause);
    let is_told = found.lock_told_at.is_some_and(|at| acting.now - at < TOLD && at <= acting.now);
    let tells = until.is_some() && !is_told;
    let change = account::ActiveModel {
        id: Set(found.id),
        failures: Set(failures),
        failed_at: Set(Some(acting.now)),
        locked_until: Set(until),
        lock_told_at: Set(if tells { Some(acting.now) } else { found.lock_told_at }),
        ..Default::default()
    };
    account::Entity::update(change).exec(db).await?;
    log_denied(Some(found.id), acting, why);
    let by = By { address: acting.by.address.clone(), request_id: acting.by.request_id.clone(), ..By::program() };
    note(db, &by, found.id, "SIGN_IN_FAILED", json!({ "failures": failures, "pausedUntil": until }), acting.now)
        .await?;
    if tells {
        tell(db, found, ("account-locked", json!({ "failures": failures })), acting).await?;
    }
    Ok(())
}

/// Returns the duration of the pause after this number of consecutive failures, or `None` if there is no pause.
fn pause_after(failures: i32) -> Option<TimeDelta> {
    let beyond = u32::try_from(failures - MAX_FAILURES).ok()?;
    let minutes = 1_i32.checked_shl(beyond).filter(|minutes| *minutes > 0).unwrap_or(i32::MAX);
    Some(FIRST_PAUSE.checked_mul(minutes).unwrap_or(MAX_PAUSE).min(MAX_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_with_the_fifth_failure_and_double_up_to_an_hour() {
        let minutes = |failures| pause_after(failures).map(|pause| pause.num_minutes());
        assert_eq!((1..=4).map(minutes).collect::<Vec<_>>(), [None; 4]);
        let paused: Vec<i64> = (5..=12).filter_map(minutes).collect();
        assert_eq!(paused, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(minutes(i32::MAX), Some(60));
    }
}
