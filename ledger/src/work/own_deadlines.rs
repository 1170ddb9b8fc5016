//! The deadlines of what an account's unit answers, for its calendar.

use chrono::NaiveDate;
use planner::Sql;
use sea_orm::{DatabaseConnection, FromQueryResult};

use crate::Result;
use crate::people::policy::{Principal, Reach};
use crate::rule::ics::Deadline;

/// The most deadlines of a calendar; the earliest are kept.
const MAX_DEADLINES: usize = 1_000;

#[derive(FromQueryResult)]
struct Row {
    id: String,
    version: i32,
    day: NaiveDate,
    number: Option<String>,
    text: String,
    origin: String,
    round: String,
    page: String,
}

/// Returns the deadlines of the open assignments and complaint cases that a caller sees and whose unit is the caller's,
/// the earliest first.
pub async fn find(db: &DatabaseConnection, principal: &Principal) -> Result<Vec<Deadline>> {
    let Reach::Role { answers, .. } = &principal.reach else { return Ok(Vec::new()) };
    if answers.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::within(db.get_database_backend(), &[], principal);
    let mut condition = |table, name: &str, unit: &str| {
        let units: Vec<String> = answers.iter().map(|unit| sql.bind(*unit)).collect();
        let seen = sql.seen(table, name).map(|seen| format!(" AND {seen}")).unwrap_or_default();
        format!("{name}.{unit} IN ({}){seen}", units.join(", "))
    };
    let of_assignments = condition("assignment", "a", "unit_id");
    let of_cases = condition("inspection_case", "c", "lead_unit_id");
    let text = format!(
        "SELECT 'assignment_' || a.id AS id, a.version, a.due_by AS day, \
         CASE WHEN p.number IS NULL OR m.number LIKE '%-%' THEN m.number ELSE p.number || '-' || m.number END \
            AS number, \
         m.content AS text, p.title AS origin, r.name AS round, '/measures/measure_' || m.id AS page \
         FROM assignment a JOIN measure m ON m.id = a.measure_id JOIN problem p ON p.id = m.problem_id \
         JOIN inspection_round r ON r.id = m.round_id \
         WHERE {of_assignments} AND a.due_by IS NOT NULL AND a.completed_on IS NULL \
         AND a.status NOT IN ('CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE') \
         UNION ALL SELECT 'case_' || c.id, c.version, c.due_on, c.number, c.summary, g.name, r.name, \
         '/cases/case_' || c.id FROM inspection_case c JOIN region g ON g.id = c.region_id \
         JOIN inspection_round r ON r.id = c.round_id \
         WHERE {of_cases} AND c.state IN ('HANDED_OVER', 'IN_PROGRESS', 'PARTLY_RESOLVED') \
         ORDER BY 3, 1 LIMIT {MAX_DEADLINES}"
    );
    let rows = Row::find_by_statement(sql.statement(text)).all(db).await?;
    let deadline = |row: Row| Deadline {
        id: row.id,
        version: row.version,
        day: row.day,
        summary: row.number.into_iter().chain([row.text]).collect::<Vec<_>>().join(" "),
        description: format!("{}\n{}", row.origin, row.round),
        path: row.page,
    };
    Ok(rows.into_iter().map(deadline).collect())
}
