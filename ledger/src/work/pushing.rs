//! Messages to other systems about an act: which receivers are told of it, and what they are told.
//!
//! A receiver that is restricted to a region gets what the office of that region sees: cases of the region and those
//! below it, and of a measure the answers there, wherever the measure itself belongs. A measure that nobody answers yet
//! goes by its own region. Messages name units, never persons, and repeat nothing that a person wrote about the act.

use chrono::NaiveDate;
use planner::Sql;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};

use super::acting::Acting;
use super::telling::Subject;
use crate::Result;
use crate::record::database::Transaction;
use crate::record::webhook::{Message, queue};
use crate::rule::wording::shortened;

/// The most characters of the text of a measure in a message.
const TEXT: usize = 100;

/// A receiver that wants to know of a kind of event.
#[derive(FromQueryResult)]
struct Receiver {
    id: i64,
    /// The path of the region to which it is restricted.
    path: Option<String>,
}

/// What an event is about.
#[derive(FromQueryResult)]
struct About {
    number: Option<String>,
    /// The text of a measure; none for a case, whose text may say who complained.
    text: Option<String>,
    problem_id: Option<i64>,
    due_on: Option<NaiveDate>,
    /// The deadline as printed; none for a case.
    due_raw: Option<String>,
    round: String,
    region_id: i64,
    code: Option<String>,
    region: String,
    path: String,
}

/// A unit that answers.
#[derive(FromQueryResult)]
struct Answer {
    unit_id: i64,
    unit: String,
    due_on: Option<NaiveDate>,
    /// The region of the assignment, else that of the unit.
    region_id: i64,
    code: Option<String>,
    region: String,
    path: String,
}

/// Queues the messages about an act within its transaction. `by` is the acting party.
///
/// Without receivers of the kind of event, this is one statement; with any number of them, it is four.
pub(super) async fn push(
    db: &Transaction,
    acting: &Acting<'_>,
    subject: &Subject,
    (kind, by): (&'static str, &Value),
) -> Result<()> {
    let receivers = receivers(db, kind).await?;
    if receivers.is_empty() {
        return Ok(());
    }
    let Some(about) = about(db, subject).await? else { return Ok(()) };
    let answers = answers(db, subject).await?;
    let message = |receiver: Receiver| {
        let is_within = |path: &str| receiver.path.as_deref().is_none_or(|top| path.starts_with(top));
        // A case is seen by its own region, with the unit that answers, wherever that is; a measure by its answers.
        let is_case = subject.case.is_some();
        let own: Vec<&Answer> = answers.iter().filter(|answer| is_case || is_within(&answer.path)).collect();
        let sees = if is_case || answers.is_empty() { is_within(&about.path) } else { !own.is_empty() };
        sees.then(|| Message {
            webhook: receiver.id,
            cause: format!("{kind}:{}:{}:webhook_{}", subject.id, subject.act, receiver.id),
            event: kind,
            data: data(subject, &about, &own, by),
        })
    };
    queue(db, receivers.into_iter().filter_map(message).collect(), acting.now).await
}

/// Finds the enabled receivers of a kind of event.
async fn receivers(db: &Transaction, kind: &str) -> Result<Vec<Receiver>> {
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let pattern = sql.bind(format!("%,{kind},%"));
    let text = format!(
        "SELECT w.id, r.path FROM webhook w LEFT JOIN region r ON r.id = w.region_id \
         WHERE w.is_enabled AND (w.events = '' OR w.events LIKE {pattern}) ORDER BY w.id"
    );
    Ok(Receiver::find_by_statement(sql.statement(text)).all(db).await?)
}

async fn about(db: &Transaction, subject: &Subject) -> Result<Option<About>> {
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let text = match (subject.case, subject.measure) {
        (Some(case), _) => format!(
            "SELECT c.number, NULL AS text, NULL AS problem_id, c.due_on, NULL AS due_raw, o.name AS round, \
             r.id AS region_id, r.code, r.name AS region, r.path FROM inspection_case c \
             JOIN inspection_round o ON o.id = c.round_id JOIN region r ON r.id = c.region_id WHERE c.id = {}",
            sql.bind(case)
        ),
        (None, Some(measure)) => format!(
            "SELECT m.number, m.content AS text, m.problem_id, m.due_on, m.due_raw, o.name AS round, \
             r.id AS region_id, r.code, r.name AS region, r.path FROM measure m \
             JOIN inspection_round o ON o.id = m.round_id JOIN region r ON r.id = m.region_id WHERE m.id = {}",
            sql.bind(measure)
        ),
        (None, None) => return Ok(None),
    };
    Ok(About::find_by_statement(sql.statement(text)).one(db).await?)
}

async fn answers(db: &Transaction, subject: &Subject) -> Result<Vec<Answer>> {
    if subject.answers.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let measure = sql.bind(subject.measure);
    let units: Vec<String> = subject.answers.iter().map(|(unit, _)| sql.bind(*unit)).collect();
    let text = format!(
        "SELECT u.id AS unit_id, u.name AS unit, a.due_on, r.id AS region_id, r.code, r.name AS region, r.path \
         FROM unit u LEFT JOIN assignment a ON a.unit_id = u.id AND a.measure_id = {measure} \
         JOIN region r ON r.id = coalesce(a.region_id, u.region_id) \
         WHERE u.id IN ({}) ORDER BY u.id",
        units.join(", ")
    );
    Ok(Answer::find_by_statement(sql.statement(text)).all(db).await?)
}

/// Returns what a receiver is told, which is restricted to the answers that it sees.
fn data(subject: &Subject, about: &About, answers: &[&Answer], by: &Value) -> Value {
    let object = |noun: &str, key: Option<i64>| key.map(|key| format!("{noun}_{key}"));
    let region = |key: i64, code: &Option<String>, name: &str| {
        let id = object("region", Some(key));
        json!({ "id": id, "code": code, "name": name })
    };
    let unit = |answer: &&Answer| json!({ "id": object("unit", Some(answer.unit_id)), "name": answer.unit });
    let only = match answers {
        [answer] if subject.measure.is_some() => Some(answer),
        _ => None,
    };
    json!({
        "id": subject.id,
        "measure": object("measure", subject.measure),
        "case": object("case", subject.case),
        "problem": object("problem", about.problem_id),
        "number": about.number,
        "text": about.text.as_deref().map(|text| shortened(text, TEXT)),
        "round": about.round,
        "region": only.map_or_else(
            || region(about.region_id, &about.code, &about.region),
            |answer| region(answer.region_id, &answer.code, &answer.region),
        ),
        "units": answers.iter().map(unit).collect::<Vec<_>>(),
        "deadline": only.and_then(|answer| answer.due_on).or(about.due_on),
        "deadlineText": about.due_raw,
        "by": by,
    })
}
