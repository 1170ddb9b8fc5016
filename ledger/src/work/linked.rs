//! What a link in a mail shows without signing in: no more than the mail itself.

use chrono::NaiveDate;
use sea_orm::{DatabaseConnection, FromQueryResult, Statement};

use crate::Result;

/// A measure or a case as a mail shows it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Linked {
    /// The number as printed; `None` if it has none.
    pub number: Option<String>,
    /// The text of the measure, or the summary of the case.
    pub text: String,
    /// The title of the problem, or the name of the region of the case.
    pub origin: String,
    /// The name of the inspection round.
    pub round: String,
    /// The deadline as printed; `None` for a case.
    pub deadline: Option<String>,
    /// The date after which it is overdue; `None` if there is none.
    pub due_on: Option<NaiveDate>,
    /// The status of the measure or the state of the case, as stored.
    pub status: String,
}

/// Returns what a link shows, by the global id of a measure or a case; `None` if it no longer exists.
pub async fn find(db: &DatabaseConnection, id: &str) -> Result<Option<Linked>> {
    let measure = "SELECT m.number, m.content AS text, p.title AS origin, r.name AS round, m.due_raw AS deadline, \
         coalesce(m.due_by, m.due_on) AS due_on, m.status FROM measure m JOIN problem p ON p.id = m.problem_id \
         JOIN inspection_round r ON r.id = p.round_id WHERE m.id = $1";
    let case = "SELECT c.number, c.summary AS text, g.name AS origin, r.name AS round, CAST(NULL AS text) AS deadline, \
         c.due_on, c.state AS status FROM inspection_case c JOIN region g ON g.id = c.region_id \
         JOIN inspection_round r ON r.id = c.round_id WHERE c.id = $1";
    let Some((prefix, key)) = id.split_once('_') else { return Ok(None) };
    let (text, Ok(key)) = (if prefix == "measure" { measure } else { case }, key.parse::<i64>()) else {
        return Ok(None);
    };
    if !["measure", "case"].contains(&prefix) {
        return Ok(None);
    }
    let statement =
        Statement::from_sql_and_values(sea_orm::ConnectionTrait::get_database_backend(db), text, [key.into()]);
    Ok(Linked::find_by_statement(statement).one(db).await?)
}
