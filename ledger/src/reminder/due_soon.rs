//! Reminders of what is due soon, to the answering unit and the lead unit, some days before the deadline.

use chrono::NaiveDate;
use entity::reminder_rule::ReminderKind;
use sea_orm::ConnectionTrait;

use super::candidate::{Candidate, Matter};
use super::open::Open;
use super::rules::Rules;
use crate::Result;
use crate::rule::calendar::plus_days;

/// Returns what is about to fall due and of which a reminder is owed or goes along.
pub async fn candidates<C: ConnectionTrait>(db: &C, today: NaiveDate, rules: &Rules) -> Result<Vec<Candidate>> {
    let Some(reach) = rules.reach(ReminderKind::DueSoon) else { return Ok(Vec::new()) };
    let open = Open::between(db, today, plus_days(today, reach), today).await?;
    let candidate = |row: Open| {
        let rule = rules.of(ReminderKind::DueSoon, row.region_id);
        let since = rule.owed_since(row.due_by, today, &rules.days).filter(|_| rule.is_sent_on(today, &rules.days))?;
        Some(Candidate {
            matter: Matter::Measure(row.measure_id),
            assignment: row.assignment_id,
            region: row.region_id,
            due_on: row.due_by,
            units: row.units(rule),
            people: Vec::new(),
            since,
            goes_along: true,
        })
    };
    Ok(open.into_iter().filter_map(candidate).collect())
}
