//! What a link in a mail shows without signing in: no more than the mail itself.

use chrono::NaiveDate;
use sea_orm::{DatabaseConnection, FromQueryResult, Statement};

use crate::Result;

/// A measure or a case as a mail shows it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Linked {
    /// The global id of the measure or the case.
    pub item: String,
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
    /// The date to which the printed deadline was extended; `None` if it was not.
    pub extended_to: Option<NaiveDate>,
    /// The date after which it is overdue; `None` if there is none.
    pub due_on: Option<NaiveDate>,
    /// The status of the answer or the measure, or the state of the case, as stored.
    pub status: String,
}

/// Selects the measure as a whole, whose deadline is the latest of its answers.
const MEASURE: &str = "SELECT 'measure_' || m.id AS item, m.number, m.content AS text, p.title AS origin, \
    r.name AS round, m.due_raw AS deadline, \
    CASE WHEN m.due_on IS DISTINCT FROM m.plan_due_on THEN m.due_on END AS extended_to, \
    coalesce(m.due_by, m.due_on) AS due_on, m.status FROM measure m JOIN problem p ON p.id = m.problem_id \
    JOIN inspection_round r ON r.id = p.round_id WHERE m.id = $1";
/// Selects the measure of an answer (责任分解), with the deadline and the status of the answer.
const ANSWER: &str = "SELECT 'measure_' || m.id AS item, m.number, m.content AS text, p.title AS origin, \
    r.name AS round, m.due_raw AS deadline, \
    CASE WHEN coalesce(a.due_on, m.due_on) IS DISTINCT FROM m.plan_due_on \
       THEN coalesce(a.due_on, m.due_on) END AS extended_to, \
    coalesce(a.due_by, a.due_on, m.due_by, m.due_on) AS due_on, a.status FROM assignment a \
    JOIN measure m ON m.id = a.measure_id JOIN problem p ON p.id = m.problem_id \
    JOIN inspection_round r ON r.id = p.round_id WHERE a.id = $1";
const CASE: &str = "SELECT 'case_' || c.id AS item, c.number, c.summary AS text, g.name AS origin, r.name AS round, \
    CAST(NULL AS text) AS deadline, CAST(NULL AS date) AS extended_to, c.due_on, c.state AS status \
    FROM inspection_case c JOIN region g ON g.id = c.region_id JOIN inspection_round r ON r.id = c.round_id \
    WHERE c.id = $1";

/// Returns what a link shows, by the global id of a measure, of the answer that the mail is about, or of a case; `None`
/// if it no longer exists.
pub async fn find(db: &DatabaseConnection, id: &str) -> Result<Option<Linked>> {
    let Some((prefix, key)) = id.split_once('_') else { return Ok(None) };
    let text = match prefix {
        "measure" => MEASURE,
        "assignment" => ANSWER,
        "case" => CASE,
        _ => return Ok(None),
    };
    let Ok(key) = key.parse::<i64>() else { return Ok(None) };
    let statement =
        Statement::from_sql_and_values(sea_orm::ConnectionTrait::get_database_backend(db), text, [key.into()]);
    Ok(Linked::find_by_statement(statement).one(db).await?)
}
