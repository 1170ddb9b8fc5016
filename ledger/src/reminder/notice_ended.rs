//! Reminder of public notices that have ended (公示期满): from the first working day after the last day of a notice,
//! the office that closes what the round found is told that it can close the assignment (销号), and again regularly
//! until it does. A notice with an objection (异议) that is not decided is left out, because it cannot be closed yet.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::inspection_round::RoundLevel;
use entity::reminder_rule::ReminderKind;
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use super::candidate::{Candidate, Each, Matter, Told};
use super::office::Offices;
use super::rules::Rules;
use crate::Result;
use crate::people::policy::{self, Act};
use crate::record::database::Transaction;

/// An assignment that can be closed.
#[derive(FromQueryResult)]
struct Ended {
    measure_id: i64,
    assignment_id: i64,
    region_id: i64,
    level: RoundLevel,
    notice_until: NaiveDate,
}

/// Hands on the assignments whose notice has ended before a day and that are not closed.
pub async fn candidates(
    db: &Transaction,
    (today, _): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let offices = Offices::read(db).await?;
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT a.measure_id, a.id AS assignment_id, a.region_id, w.level, o.notice_until \
         FROM close_out o JOIN assignment a ON a.id = o.assignment_id JOIN measure m ON m.id = a.measure_id \
         JOIN inspection_round w ON w.id = m.round_id \
         WHERE o.state = 'PUBLICISED' AND o.notice_until < $1 AND a.status = 'PUBLICISED' \
         AND NOT EXISTS (SELECT 1 FROM objection j WHERE j.close_out_id = o.id AND j.decided_at IS NULL) \
         ORDER BY a.measure_id, a.id",
        [today.into()],
    );
    let candidate = |row: Ended| {
        let rule = rules.of(ReminderKind::NoticeEnded, Some(row.region_id));
        let (_, levels) = policy::next_doers(Act::Close, row.level);
        let office = offices.nearest(row.region_id, |level| levels.contains(&level));
        rule.is_sent_on(today).then(|| Candidate {
            matter: Matter::Measure(row.measure_id),
            assignment: Some(row.assignment_id),
            region: Some(row.region_id),
            due_on: row.notice_until,
            units: office.into_iter().map(|(unit, _)| Told { unit, answers: true }).collect(),
            people: Vec::new(),
            since: rule.silent_since(today),
            goes_along: true,
        })
    };
    Ok(db.each(statement, |row| candidate(row).into_iter().for_each(&mut *each)).await?)
}
