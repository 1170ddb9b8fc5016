//! Manual maintenance of the ledger, by the same rules as an import.
//!
//! The regional office maintains rounds, problems and measures. The administrator maintains regions, units, schedules,
//! mails and the calendar.

pub mod calendar;
pub mod machine;
pub mod measure;
pub mod merge;
pub mod party;
pub mod problem;
pub mod region;
pub mod round;
pub mod unit;

use chrono::NaiveDate;
use entity::{problem as problems, region as regions};
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, QuerySelect, SqlErr, Statement};
use serde_json::{Map, Value, json};

use crate::fault::{self, Fault, Thing};
use crate::people::policy::{self, Act};
use crate::record::audit::{self, Entry};
use crate::record::change::{self, ChangeKind, Changed};
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::deadline::{self, Columns, Deadline};
use crate::work::{Desk, current, hold_problem};
use crate::{Error, Result};

/// The maximum length of a title, in characters.
pub const MAX_TITLE: usize = 2_000;
/// The maximum length of a description, a goal or the text of a measure, in characters.
pub const MAX_CONTENT: usize = 20_000;

/// A change of one field: keep its value or set a new one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Keeps the current value.
    #[default]
    Keep,
    /// Sets this value.
    Set(T),
}

impl<T> Patch<T> {
    /// Returns the new value, or `there`, the current one, if it is kept.
    pub(crate) fn or(self, there: T) -> T {
        match self {
            Self::Keep => there,
            Self::Set(value) => value,
        }
    }

    /// Returns the new value as `read` parses it, or `there`, the current one, if it is kept.
    pub(crate) fn read<U, E>(self, there: U, read: impl FnOnce(T) -> Result<U, E>) -> Result<U, E> {
        match self {
            Self::Keep => Ok(there),
            Self::Set(value) => read(value),
        }
    }
}

/// A problem that an act works on, within a transaction that has locked it.
struct Held {
    transaction: Transaction,
    row: problems::Model,
}

impl Held {
    /// Begins a transaction, locks a problem and reads it, if the caller may maintain the ledger of its issuing region.
    ///
    /// A problem that the caller may not see is reported like one that does not exist.
    async fn take(desk: &Desk<'_>, problem: Option<i64>, version: Option<i32>) -> Result<Self> {
        let transaction = database::begin(desk.db).await?;
        let row = Self::take_also(&transaction, desk, problem).await?;
        current(version, row.version, ("问题", "problem"))?;
        Ok(Self { transaction, row })
    }

    /// Locks and reads another problem within the same transaction.
    async fn take_also(transaction: &Transaction, desk: &Desk<'_>, problem: Option<i64>) -> Result<problems::Model> {
        let unknown = || fault::unknown(Thing::Problem, &["input", "problemId"]);
        let id = problem.ok_or_else(unknown)?;
        hold_problem(transaction, desk.by, "problem", id).await?.ok_or_else(unknown)?;
        let row = problems::Entity::find_by_id(id).one(transaction).await?.ok_or_else(unknown)?;
        permit(transaction, desk, Act::KeepLedger, row.region_id).await?;
        Ok(row)
    }
}

/// Checks that the policy allows the caller to do `act` to what `region` has issued.
async fn permit<C: ConnectionTrait>(db: &C, desk: &Desk<'_>, act: Act, region: i64) -> Result<()> {
    let path: Option<String> =
        regions::Entity::find_by_id(region).select_only().column(regions::Column::Path).into_tuple().one(db).await?;
    let may = path.is_some_and(|path| desk.by.principal.permits_of_region(act, &path));
    if may { Ok(()) } else { Err(policy::not_allowed(act).into()) }
}

/// Checks that the policy allows the caller to do `act`, which concerns no region in particular.
fn permit_anywhere(desk: &Desk<'_>, act: Act) -> Result<()> {
    Ok(desk.by.principal.require(act)?)
}

/// Records a change of a problem or something below it in the problem's audit chain.
async fn note(db: &Transaction, desk: &Desk<'_>, problem: i64, entry: Entry) -> Result<()> {
    audit::note(db, desk.by, entry.in_problem(problem), desk.now).await
}

/// Records a change of an object that has an audit chain of its own, such as a round, a region or a unit.
async fn note_own(db: &Transaction, desk: &Desk<'_>, entry: Entry) -> Result<()> {
    audit::note(db, desk.by, entry, desk.now).await
}

/// Adds to the change feed that these problems, or one measure of a problem, were edited.
async fn tell(db: &Transaction, desk: &Desk<'_>, problems: &[i64], measure: Option<i64>) -> Result<()> {
    let changed: Vec<Changed> =
        problems.iter().map(|problem| Changed { problem: *problem, measure, assignment: None }).collect();
    change::note(db, ChangeKind::Edited, &changed, desk.now).await
}

/// Returns the fields that differ between two states of a row, before and after, or `None` if none does.
fn difference(before: Value, after: Value) -> Option<(Value, Value)> {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return None };
    let (mut was, mut is) = (Map::new(), Map::new());
    for (name, value) in after {
        let there = before.get(&name).cloned().unwrap_or_default();
        if there != value {
            was.insert(name.clone(), there);
            is.insert(name, value);
        }
    }
    (!is.is_empty()).then(|| (Value::Object(was), Value::Object(is)))
}

/// Checks a number as printed; a blank one becomes `None`.
fn number(given: Option<String>) -> Result<Option<String>> {
    optional_line(given, 40, ("编号", "the number"), "number")
}

/// Checks an optional text of one line of at most `most` characters; a blank one becomes `None`.
fn optional_line(given: Option<String>, most: usize, what: (&str, &str), name: &str) -> Result<Option<String>> {
    let Some(given) = given.filter(|text| !fault::is_empty(text)) else { return Ok(None) };
    Ok(Some(fault::line(&given, 1..=most, what, &["input", name])?))
}

/// Checks an optional text of at most `most` characters; a blank one becomes `None`.
fn optional(given: Option<String>, most: usize, what: (&str, &str), name: &str) -> Result<Option<String>> {
    let Some(given) = given.filter(|text| !fault::is_empty(text)) else { return Ok(None) };
    Ok(Some(fault::text(&given, 1..=most, what, &["input", name])?))
}

/// Checks a required text of 2 to `most` characters.
fn needed(given: &str, most: usize, what: (&str, &str), name: &str) -> Result<String> {
    Ok(fault::text(given, 2..=most, what, &["input", name])?)
}

/// Checks a required text of one line of 2 to `most` characters.
fn needed_line(given: &str, most: usize, what: (&str, &str), name: &str) -> Result<String> {
    Ok(fault::line(given, 2..=most, what, &["input", name])?)
}

/// Parses a deadline as printed; a blank one becomes `None`.
fn read_deadline(given: Option<String>) -> Result<Option<Deadline>> {
    let Some(raw) = optional(given, 500, ("整改时限", "the deadline"), "deadline")? else { return Ok(None) };
    let why = |unreadable: deadline::Unreadable| {
        let (zh, en) = deadline::EXPECTED;
        let zh = format!("整改时限{unreadable}，应为{zh}");
        let en = format!("“{raw}” is not a deadline: enter {en}");
        Error::from(Fault::invalid(zh, en, &["input", "deadline"]))
    };
    Deadline::parse(&raw).map(Some).map_err(why)
}

/// Returns the fields of a deadline that the audit records.
fn said_of(deadline: &Columns) -> Value {
    json!({ "raw": deadline.raw, "dueOn": deadline.on, "dueBy": deadline.by, "ongoing": deadline.ongoing })
}

/// Returns the date from which the grace period and the allotted time are counted: the round's feedback, else today.
async fn begins<C: ConnectionTrait>(db: &C, desk: &Desk<'_>, round: i64) -> Result<NaiveDate> {
    let round = entity::inspection_round::Entity::find_by_id(round).one(db).await?;
    Ok(round.and_then(|round| round.feedback_on).unwrap_or_else(|| desk.today()))
}

/// Runs a statement that counts rows as `amount`, and returns the count.
async fn count<C: ConnectionTrait>(db: &C, text: &str, values: Vec<sea_orm::Value>) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct Counted {
        amount: i64,
    }
    let statement = Statement::from_sql_and_values(db.get_database_backend(), text, values);
    Ok(Counted::find_by_statement(statement).one(db).await?.map(|row| row.amount).unwrap_or_default())
}

/// Maps a violation of a unique constraint to the fault that `taken` returns.
fn only_one<T>(written: Result<T, sea_orm::DbErr>, taken: impl FnOnce() -> Fault) -> Result<T> {
    written.map_err(|why| match why.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => taken().into(),
        _ => why.into(),
    })
}
