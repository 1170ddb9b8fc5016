//! Reminders of what is overdue, to the answering unit and the lead unit, with a copy to the supervising unit. A
//! backlog goes out with the next run; after that, an item is repeated when no overdue digest of the last `again_after`
//! days had it. What was overdue before it was entered into the ledger is told once.

use chrono::NaiveDate;
use chrono_tz::Tz;
use sea_orm::ConnectionTrait;

use super::candidate::{Candidate, Matter, Timing};
use super::open::Open;
use crate::Result;
use crate::rule::calendar::plus_days;

/// Returns what is overdue at the beginning of a day.
pub async fn candidates<C: ConnectionTrait>(
    db: &C,
    today: NaiveDate,
    zone: Tz,
    timing: &Timing,
) -> Result<Vec<Candidate>> {
    let open = Open::due_by(db, plus_days(today, -1), today, None).await?;
    let weekly = plus_days(today, 1 - timing.again_after);
    Ok(open
        .into_iter()
        .map(|row| Candidate {
            matter: Matter::Measure(row.measure_id),
            assignment: row.assignment_id,
            due_on: row.due_by,
            units: row.units(true),
            people: Vec::new(),
            since: row.entered_late_on(zone).unwrap_or(weekly),
        })
        .collect())
}
