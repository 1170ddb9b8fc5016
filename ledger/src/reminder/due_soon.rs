//! Reminders of what is due soon, to the answering unit and the lead unit, some days before the deadline.

use chrono::NaiveDate;
use sea_orm::ConnectionTrait;

use super::candidate::{Candidate, Matter, Timing, owed_since};
use super::open::Open;
use crate::Result;
use crate::rule::calendar::plus_days;

/// Returns what is about to fall due and of which a reminder is owed.
pub async fn candidates<C: ConnectionTrait>(db: &C, today: NaiveDate, timing: &Timing) -> Result<Vec<Candidate>> {
    let Some(longest) = timing.due_soon_before.iter().max() else { return Ok(Vec::new()) };
    let open = Open::between(db, today, plus_days(today, *longest), today).await?;
    Ok(open
        .into_iter()
        .filter_map(|row| {
            let since = owed_since(row.due_by, today, &timing.due_soon_before)?;
            let units = row.units(false);
            let (matter, assignment) = (Matter::Measure(row.measure_id), row.assignment_id);
            Some(Candidate { matter, assignment, due_on: row.due_by, units, people: Vec::new(), since })
        })
        .collect())
}
