//! Reminders of what nobody has heard of: open assignments without a report for 30 days, ongoing ones (长期坚持) for
//! three times as long. Days count from the last report, or from the entry into the ledger. The answering unit is told.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::reminder_rule::ReminderKind;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use super::candidate::{Candidate, Each, Matter, Told};
use super::rules::Rules;
use crate::Result;
use crate::record::database::Transaction;
use crate::rule::calendar::{local_day, plus_days};

/// How many times as long an ongoing measure (长期坚持) may stay without a report: a quarter instead of a month.
pub(crate) const ONGOING: i64 = 3;

/// An assignment that waits for its unit.
#[derive(FromQueryResult)]
struct Silent {
    measure_id: i64,
    assignment_id: i64,
    unit_id: i64,
    region_id: i64,
    reported_on: Option<NaiveDate>,
    created_at: DateTime<Utc>,
    is_ongoing: bool,
}

/// Hands on the assignments of which nothing was heard for too long.
pub async fn candidates(
    db: &Transaction,
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let Some(soonest) = rules.soonest_again(ReminderKind::StaleProgress) else { return Ok(()) };
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT a.measure_id, a.id AS assignment_id, a.unit_id, a.region_id, a.reported_on, a.created_at, \
         m.due_ongoing AS is_ongoing FROM assignment a JOIN measure m ON m.id = a.measure_id \
         WHERE a.status IN ('ASSIGNED', 'IN_PROGRESS', 'RETURNED', 'REOPENED') AND a.completed_on IS NULL \
         AND (a.reported_on IS NULL OR a.reported_on <= $1)",
        [plus_days(today, -soonest).into()],
    );
    let candidate = |row: Silent| {
        let rule = rules.of(ReminderKind::StaleProgress, Some(row.region_id));
        let entered_on = local_day(row.created_at, zone);
        let heard_on = row.reported_on.map_or(entered_on, |reported_on| reported_on.max(entered_on));
        let patience = rule.again_after * if row.is_ongoing { ONGOING } else { 1 };
        let stale_on = plus_days(heard_on, patience);
        (stale_on <= today && rule.is_sent_on(today)).then(|| Candidate {
            matter: Matter::Measure(row.measure_id),
            assignment: Some(row.assignment_id),
            region: Some(row.region_id),
            due_on: stale_on,
            units: vec![Told { unit: row.unit_id, answers: true }],
            people: Vec::new(),
            since: rule.silent_since(today),
            goes_along: true,
        })
    };
    Ok(db.each(statement, |row| candidate(row).into_iter().for_each(&mut *each)).await?)
}
