//! Reminders of what is overdue, to the answering unit and the lead unit, with a copy to the supervising unit. A
//! backlog goes out with the next run. After that, an address is told again when something else becomes overdue or the
//! time for it has come, then of everything that is overdue. What was overdue before it was entered into the ledger is
//! told once.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::reminder_rule::ReminderKind;
use sea_orm::ConnectionTrait;

use super::candidate::{Candidate, Matter};
use super::open::Open;
use super::rules::Rules;
use crate::Result;
use crate::rule::calendar::plus_days;

/// Returns what is overdue at the beginning of a day.
pub async fn candidates<C: ConnectionTrait>(
    db: &C,
    today: NaiveDate,
    zone: Tz,
    rules: &Rules,
) -> Result<Vec<Candidate>> {
    let open = Open::due_by(db, plus_days(today, -1), today, None).await?;
    let candidate = |row: Open| {
        let rule = rules.of(ReminderKind::Overdue, row.region_id);
        let entered_late_on = row.entered_late_on(zone);
        rule.is_sent_on(today, &rules.days).then(|| Candidate {
            matter: Matter::Measure(row.measure_id),
            assignment: row.assignment_id,
            region: row.region_id,
            due_on: row.due_by,
            units: row.units(rule),
            people: Vec::new(),
            since: entered_late_on.unwrap_or_else(|| rule.silent_since(today)),
            goes_along: entered_late_on.is_none(),
        })
    };
    Ok(open.into_iter().filter_map(candidate).collect())
}
