//! Outages of the mail server: a circuit breaker that all processes share, as one row of a table.
//!
//! While a server refuses what concerns this installation rather than a mail, such as its sign-in, nothing is sent and
//! no attempt is charged to a mail. A probe after growing pauses ends the outage.

use chrono::{DateTime, TimeDelta, Utc};
use entity::mail_outage::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};

use crate::Result;

/// The key of the only row.
const KEY: i64 = 1;
/// The longest pause between two probes.
const MAX_PAUSE: TimeDelta = TimeDelta::minutes(10);

/// Returns the outage, if there is one.
pub async fn current<C: ConnectionTrait>(db: &C) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(KEY).one(db).await?)
}

/// Begins an outage. Returns false if one has begun already; its reason is then updated.
pub async fn begin<C: ConnectionTrait>(db: &C, server: &str, reason: &str, now: DateTime<Utc>) -> Result<bool> {
    let row = ActiveModel {
        id: Set(KEY),
        server: Set(server.to_owned()),
        since: Set(now),
        reason: Set(reason.to_owned()),
        probes: Set(0),
        probe_at: Set(now + pause(0)),
    };
    let once = OnConflict::column(Column::Id).do_nothing().to_owned();
    let is_new = Entity::insert(row).on_conflict(once).exec_without_returning(db).await? == 1;
    if !is_new {
        let changed = ActiveModel { reason: Set(reason.to_owned()), ..Default::default() };
        Entity::update_many().set(changed).filter(Column::Reason.ne(reason)).exec(db).await?;
    }
    Ok(is_new)
}

/// Checks whether the server has to be probed by now. If so, the caller has to do it: other processes wait for the next
/// probe, whose time grows with their number.
pub async fn take_probe<C: ConnectionTrait>(db: &C, outage: &Model, now: DateTime<Utc>) -> Result<bool> {
    let probes = outage.probes + 1;
    let taken = Entity::update_many()
        .set(ActiveModel { probes: Set(probes), probe_at: Set(now + pause(probes)), ..Default::default() })
        .filter(Column::Probes.eq(outage.probes))
        // A time that no clock can have set rightly does not count.
        .filter(Condition::any().add(Column::ProbeAt.lte(now)).add(Column::ProbeAt.gt(now + MAX_PAUSE)))
        .exec(db)
        .await?;
    Ok(taken.rows_affected == 1)
}

/// Ends the outage. Returns false if it has ended already.
pub async fn end<C: ConnectionTrait>(db: &C) -> Result<bool> {
    Ok(Entity::delete_by_id(KEY).exec(db).await?.rows_affected == 1)
}

/// Returns the pause before the next probe: ten seconds, then twice as long each time.
pub(crate) fn pause(probes: i32) -> TimeDelta {
    TimeDelta::seconds(10 * 2_i64.pow(probes.clamp(0, 10).unsigned_abs())).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_minutes() {
        let pauses: Vec<i64> = (0..9).map(|probes| pause(probes).num_seconds()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
    }
}
