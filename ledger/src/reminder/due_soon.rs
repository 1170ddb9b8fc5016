//! Reminders of what is due soon, to the answering unit and the lead unit, some days before the deadline.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::reminder_rule::ReminderKind;

use super::candidate::{Candidate, Each, Matter};
use super::open::Open;
use super::rules::Rules;
use crate::Result;
use crate::record::database::Transaction;
use crate::rule::calendar::plus_days;

/// Hands on what is about to fall due and of which a reminder is owed or goes along.
pub async fn candidates(
    db: &Transaction,
    (today, _): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let Some(reach) = rules.reach(ReminderKind::DueSoon) else { return Ok(()) };
    let candidate = |row: Open| {
        let rule = rules.of(ReminderKind::DueSoon, row.region_id);
        let since = rule.owed_since(row.due_by, today).filter(|_| rule.is_sent_on(today))?;
        Some(Candidate {
            matter: Matter::Measure(row.measure_id),
            assignment: row.assignment_id,
            region: row.region_id,
            due_on: row.due_by,
            units: row.units(&rule),
            people: Vec::new(),
            since,
            goes_along: true,
        })
    };
    Open::each(db, (today, plus_days(today, reach)), today, |row| candidate(row).into_iter().for_each(&mut *each)).await
}
