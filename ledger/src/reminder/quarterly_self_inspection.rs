//! Reminders of the quarterly self-inspection (自查) of open and ongoing measures.
//!
//! The self-inspection is due at the end of every quarter or, if the plan of the measure says so, of every half-year or
//! year, or not at all. The answering unit and the rectification office (整改办) of its region are reminded some days
//! before, then regularly until it is done, each quarter for itself. The first quarter that is owed is the first whole
//! one after the measure was issued and the assignment entered into the ledger.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use entity::assignment;
use entity::check_plan::Every;
use entity::reminder_rule::{Copied, ReminderKind};
use planner::Sql;
use sea_orm::{ActiveEnum, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QuerySelect};

use super::candidate::{Candidate, Matter, Told};
use super::rules::Rules;
use crate::Result;
use crate::rule::calendar::{Quarter, local_day, moment, plus_days};

/// An assignment without the self-inspection that is due, by keys.
#[derive(FromQueryResult)]
struct Unchecked {
    measure: i64,
    assignment: i64,
    unit: i64,
    region: Option<i64>,
    office: Option<i64>,
}

/// Returns the self-inspections that are owed: those for the quarter that ends soon, and those for the quarters that
/// have ended.
pub async fn candidates<C: ConnectionTrait>(
    db: &C,
    today: NaiveDate,
    zone: Tz,
    rules: &Rules,
) -> Result<Vec<Candidate>> {
    let first: Option<DateTime<Utc>> = assignment::Entity::find()
        .select_only()
        .column_as(assignment::Column::CreatedAt.min(), "first")
        .into_tuple::<Option<DateTime<Utc>>>()
        .one(db)
        .await?
        .flatten();
    let Some(first) = first.map(|at| Quarter::after(local_day(at, zone))) else { return Ok(Vec::new()) };
    let current = Quarter::of(today);
    let mut candidates = Vec::new();
    let nearest = rules.reach(ReminderKind::QuarterlySelfInspection).map(|reach| plus_days(today, reach));
    let mut quarter = if nearest.is_some_and(|day| current.last_day() <= day) { current } else { current.previous() };
    while quarter >= first {
        let rows = unchecked(db, quarter, zone).await?;
        candidates.extend(rows.into_iter().filter_map(|row| candidate(row, quarter, today, rules)));
        quarter = quarter.previous();
    }
    Ok(candidates)
}

/// Returns the reminder of a self-inspection that is owed for a quarter, if one is owed or goes along today.
fn candidate(row: Unchecked, quarter: Quarter, today: NaiveDate, rules: &Rules) -> Option<Candidate> {
    let rule = rules.of(ReminderKind::QuarterlySelfInspection, row.region);
    let ends = quarter.last_day();
    let since = if ends < today { Some(rule.silent_since(today)) } else { rule.owed_since(ends, today, &rules.days) }?;
    let office = row.office.filter(|_| rule.copied.contains(&Copied::Office));
    rule.is_sent_on(today, &rules.days).then(|| Candidate {
        matter: Matter::Measure(row.measure),
        assignment: Some(row.assignment),
        region: row.region,
        due_on: ends,
        // The office, too, is told about the assignment: about its own county's duty, not its siblings'.
        units: [Some(row.unit), office].into_iter().flatten().map(|unit| Told { unit, answers: true }).collect(),
        people: Vec::new(),
        since,
        goes_along: true,
    })
}

/// Returns the assignments that were entered before the quarter began and have no self-inspection for the period that
/// ends with it: the quarter or, by the plan of their measure, the half-year or the year.
async fn unchecked<C: ConnectionTrait>(db: &C, quarter: Quarter, zone: Tz) -> Result<Vec<Unchecked>> {
    let (begins, ends) = (quarter.first_day(), quarter.last_day());
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let (issued, entered) = (sql.bind(begins), sql.bind(moment(begins, NaiveTime::MIN, zone)));
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
        "SELECT a.measure_id AS measure, a.id AS assignment, a.unit_id AS unit, \
         a.region_id AS region, o.id AS office FROM assignment a \
         JOIN measure m ON m.id = a.measure_id \
         LEFT JOIN unit o ON o.region_id = a.region_id AND o.kind = 'RECTIFICATION_OFFICE' AND o.retired_on IS NULL \
         LEFT JOIN check_plan p ON p.measure_id = a.measure_id AND p.kind = 'SELF_INSPECTION' \
         WHERE a.status NOT IN ('CLOSED', 'NOT_APPLICABLE') AND m.issued_on < {issued} AND a.created_at < {entered} \
         AND ({}) \
         ORDER BY a.measure_id, a.id",
        owed.join(" OR ")
    );
    Ok(Unchecked::find_by_statement(sql.statement(text)).all(db).await?)
}
