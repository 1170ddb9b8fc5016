//! Reminders of what is overdue, to the answering unit and the lead unit, with a copy to the supervising unit. A
//! backlog goes out with the next run. After that, an address is told again when something else becomes overdue or the
//! time for it has come, then of everything that is overdue. What was overdue before it was entered into the ledger is
//! told once.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::reminder_rule::ReminderKind;

use super::candidate::{Candidate, Each, Matter};
use super::open::Open;
use super::rules::Rules;
use crate::Result;
use crate::record::database::Transaction;
use crate::rule::calendar::plus_days;

/// Hands on what is overdue at the beginning of a day.
pub async fn candidates(
    db: &Transaction,
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let candidate = |row: Open| {
        let rule = rules.of(ReminderKind::Overdue, row.region_id);
        let entered_late_on = row.entered_late_on(zone);
        rule.is_sent_on(today).then(|| Candidate {
            matter: Matter::Measure(row.measure_id),
            assignment: row.assignment_id,
            region: row.region_id,
            due_on: row.due_by,
            units: row.units(&rule),
            people: Vec::new(),
            since: entered_late_on.unwrap_or_else(|| rule.silent_since(today)),
            goes_along: entered_late_on.is_none(),
        })
    };
    let until_yesterday = (NaiveDate::default(), plus_days(today, -1));
    Open::each(db, until_yesterday, today, |row| candidate(row).into_iter().for_each(&mut *each)).await
}
