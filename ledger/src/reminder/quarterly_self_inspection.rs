//! Reminders of the quarterly self-inspection (自查) of open and ongoing measures.
//!
//! The self-inspection is due at the end of every quarter or, if the plan of the measure says so, of every half-year or
//! year, or not at all. The answering unit and the rectification office (整改办) of its region are reminded some days
//! before, then regularly until it is done.

use chrono::{Datelike, NaiveDate, NaiveTime};
use entity::check_plan::Every;
use planner::Sql;
use sea_orm::{ActiveEnum, ConnectionTrait, FromQueryResult};

use super::candidate::{Candidate, Matter, Timing, Told, owed_since};
use crate::Result;
use crate::rule::calendar::{Quarter, plus_days};

/// An assignment without the self-inspection that is due, by keys.
#[derive(FromQueryResult)]
struct Unchecked {
    measure: i64,
    assignment: i64,
    unit: i64,
    office: Option<i64>,
}

/// Returns the self-inspections that are owed: those for the quarter that ends soon, and those for the quarter that
/// ended last.
pub async fn candidates<C: ConnectionTrait>(db: &C, today: NaiveDate, timing: &Timing) -> Result<Vec<Candidate>> {
    let current = Quarter::of(today);
    let previous = current.previous();
    let mut candidates = Vec::new();
    if let Some(since) = owed_since(current.last_day(), today, &timing.self_inspection_before) {
        candidates.extend(unchecked(db, current, since).await?);
    }
    candidates.extend(unchecked(db, previous, plus_days(today, 1 - timing.again_after)).await?);
    Ok(candidates)
}

/// Returns the assignments that existed in the quarter and have no self-inspection for the period that ends with it:
/// the quarter or, by the plan of their measure, the half-year or the year.
///
/// An imported assignment exists from the issue of its measure on, one that a user assigned from that moment on.
async fn unchecked<C: ConnectionTrait>(db: &C, quarter: Quarter, since: NaiveDate) -> Result<Vec<Candidate>> {
    let ends = quarter.last_day();
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let (issued, asked) = (sql.bind(ends), sql.bind(plus_days(ends, 1).and_time(NaiveTime::MIN).and_utc()));
    let mut owed = Vec::new();
    for (every, quarters) in [(Every::Quarter, 1), (Every::HalfYear, 2), (Every::Year, 4)] {
        if !(ends.month() / 3).is_multiple_of(quarters) {
            continue;
        }
        let covered = std::iter::successors(Some(quarter), |later| Some(later.previous())).take(quarters as usize);
        let periods: Vec<String> = covered.map(|quarter| sql.bind(quarter.name())).collect();
        owed.push(format!(
            "(coalesce(p.every, 'QUARTER') = '{}' AND NOT EXISTS (SELECT 1 FROM \"check\" c \
             WHERE c.assignment_id = a.id AND c.kind = 'SELF_INSPECTION' AND c.period IN ({})))",
            every.to_value(),
            periods.join(", ")
        ));
    }
    let text = format!(
        "SELECT a.measure_id AS measure, a.id AS assignment, a.unit_id AS unit, o.id AS office FROM assignment a \
         JOIN measure m ON m.id = a.measure_id \
         LEFT JOIN unit o ON o.region_id = a.region_id AND o.kind = 'RECTIFICATION_OFFICE' AND o.retired_on IS NULL \
         LEFT JOIN check_plan p ON p.measure_id = a.measure_id AND p.kind = 'SELF_INSPECTION' \
         WHERE a.status NOT IN ('CLOSED', 'NOT_APPLICABLE') AND m.issued_on <= {issued} \
         AND NOT EXISTS (SELECT 1 FROM audit_entry e WHERE e.assignment_id = a.id AND e.act = 'ASSIGNED' \
         AND e.at >= {asked}) \
         AND ({}) \
         ORDER BY a.measure_id, a.id",
        owed.join(" OR ")
    );
    let rows = Unchecked::find_by_statement(sql.statement(text)).all(db).await?;
    let candidate = |row: Unchecked| Candidate {
        matter: Matter::Measure(row.measure),
        assignment: Some(row.assignment),
        due_on: quarter.last_day(),
        // The office, too, is told about the assignment: about its own county's duty, not its siblings'.
        units: [Some(row.unit), row.office].into_iter().flatten().map(|unit| Told { unit, answers: true }).collect(),
        people: Vec::new(),
        since,
    };
    Ok(rows.into_iter().map(candidate).collect())
}
