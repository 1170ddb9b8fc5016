//! Quarterly self-inspection (自查): open and ongoing measures, unless their plan says otherwise, fall due at the end of
//! every quarter. The answering unit and its region's rectification office are told some days before, then weekly until
//! it is done.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{Candidate, Timing, Told, owed_since, select};
use crate::Result;
use crate::calendar::{Quarter, plus_days};

#[derive(FromQueryResult)]
struct Unchecked {
    measure: i64,
    assignment: i64,
    unit: i64,
    office: Option<i64>,
}

/// What has to be inspected: of the quarter that ends soon, and of the one that has ended.
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

/// Assignments that were there in the quarter and have no self-inspection for it.
async fn unchecked<C: ConnectionTrait>(db: &C, quarter: Quarter, since: NaiveDate) -> Result<Vec<Candidate>> {
    let statement = select(
        db.get_database_backend(),
        "SELECT a.measure_id AS measure, a.id AS assignment, a.unit_id AS unit, o.id AS office FROM assignment a \
         JOIN measure m ON m.id = a.measure_id \
         LEFT JOIN unit o ON o.region_id = a.region_id AND o.kind = 'RECTIFICATION_OFFICE' \
         WHERE a.status NOT IN ('CLOSED', 'NOT_APPLICABLE') AND m.issued_on <= $1 \
         AND NOT EXISTS (SELECT 1 FROM \"check\" c WHERE c.assignment_id = a.id AND c.kind = 'SELF_INSPECTION' AND c.period = $2) \
         AND NOT EXISTS (SELECT 1 FROM check_plan p WHERE p.measure_id = a.measure_id AND p.kind = 'SELF_INSPECTION' \
              AND p.every = 'NEVER') \
         ORDER BY a.measure_id, a.id",
        vec![quarter.last_day().into(), quarter.name().into()],
    );
    let rows = Unchecked::find_by_statement(statement).all(db).await?;
    let candidate = |row: Unchecked| Candidate {
        measure: row.measure,
        assignment: Some(row.assignment),
        due_on: quarter.last_day(),
        // The office sees what its own county has to do, and no sibling's.
        units: [Some(row.unit), row.office].into_iter().flatten().map(|unit| Told { unit, answers: true }).collect(),
        since,
    };
    Ok(rows.into_iter().map(candidate).collect())
}
