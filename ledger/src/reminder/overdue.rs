//! Overdue: whoever answers and whoever leads, with a copy to who supervises. A backlog goes out at the next run; after
//! that each item comes back when it was in no overdue digest of the last days.

use chrono::NaiveDate;
use sea_orm::ConnectionTrait;

use super::{Candidate, Matter, Open, Timing};
use crate::Result;
use crate::rule::calendar::plus_days;

/// What is overdue at the beginning of a day.
pub async fn candidates<C: ConnectionTrait>(db: &C, today: NaiveDate, timing: &Timing) -> Result<Vec<Candidate>> {
    let open = Open::due_by(db, plus_days(today, -1), today, None).await?;
    let since = plus_days(today, 1 - timing.again_after);
    Ok(open
        .into_iter()
        .map(|row| Candidate {
            matter: Matter::Measure(row.measure_id),
            assignment: row.assignment_id,
            due_on: row.due_by,
            units: row.units(true),
            people: Vec::new(),
            since,
        })
        .collect())
}
