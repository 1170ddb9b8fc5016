//! Keeping the ledger by hand: rounds, problems and measures by the regional office, regions and units by the
//! administrator, who also keeps schedules, mails and the calendar. What is kept here is what an import writes otherwise, by the same rules.

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

use crate::fault::{self, Fault, FaultCode};
use crate::people::policy::{self, Act};
use crate::record::audit::{self, Noted};
use crate::record::change::{self, ChangeKind, Changed};
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::deadline::{self, Columns, Deadline};
use crate::work::{Desk, current, hold_problem};
use crate::{Error, Result};

/// The most letters of a title, a name.
pub const MAX_TITLE: usize = 2_000;
/// The most letters of a description, a measure.
pub const MAX_CONTENT: usize = 20_000;

/// What is to become of a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// It stays.
    #[default]
    Keep,
    /// It becomes this.
    Set(T),
}

impl<T> Patch<T> {
    /// The value from now on.
    pub(crate) fn or(self, there: T) -> T {
        match self {
            Self::Keep => there,
            Self::Set(value) => value,
        }
    }

    /// The value from now on, read from what was typed.
    pub(crate) fn read<U, E>(self, there: U, read: impl FnOnce(T) -> Result<U, E>) -> Result<U, E> {
        match self {
            Self::Keep => Ok(there),
            Self::Set(value) => read(value),
        }
    }
}

/// A problem in hand, in a transaction that holds it.
struct Held {
    transaction: Transaction,
    row: problems::Model,
}

impl Held {
    /// Takes a problem in hand, for whoever keeps the ledger of the region that issued it: one that the caller may not
    /// see is not there.
    async fn take(desk: &Desk<'_>, problem: Option<i64>, version: Option<i32>) -> Result<Self> {
        let transaction = database::begin(desk.db).await?;
        let row = Self::take_also(&transaction, desk, problem).await?;
        current(version, row.version, ("问题", "problem"))?;
        Ok(Self { transaction, row })
    }

    /// Takes another one in hand beside it.
    async fn take_also(transaction: &Transaction, desk: &Desk<'_>, problem: Option<i64>) -> Result<problems::Model> {
        let unknown =
            || Fault::new(FaultCode::NotFound, "没有这个问题", "there is no such problem", &["input", "problemId"]);
        let id = problem.ok_or_else(unknown)?;
        hold_problem(transaction, desk.by, "problem", id).await?.ok_or_else(unknown)?;
        let row = problems::Entity::find_by_id(id).one(transaction).await?.ok_or_else(unknown)?;
        permit(transaction, desk, Act::KeepLedger, row.region_id).await?;
        Ok(row)
    }
}

/// Asks the policy about what a region has issued.
async fn permit<C: ConnectionTrait>(db: &C, desk: &Desk<'_>, act: Act, region: i64) -> Result<()> {
    let path: Option<String> =
        regions::Entity::find_by_id(region).select_only().column(regions::Column::Path).into_tuple().one(db).await?;
    let may = path.is_some_and(|path| desk.by.principal.permits_of_region(act, &path));
    if may { Ok(()) } else { Err(policy::not_allowed(act).into()) }
}

/// Asks the policy about what concerns no region in particular.
fn permit_anywhere(desk: &Desk<'_>, act: Act) -> Result<()> {
    if desk.by.principal.may(act) { Ok(()) } else { Err(policy::not_allowed(act).into()) }
}

/// What is noted of a change.
struct Said<'a> {
    act: &'a str,
    object: String,
    /// The measure whose readers read this too; none for what only the issuing region's offices read.
    measure: Option<i64>,
    before: Value,
    after: Value,
}

/// Notes a change of a problem or something below it, in the problem's chain.
async fn note(db: &Transaction, desk: &Desk<'_>, problem: i64, said: Said<'_>) -> Result<()> {
    let noted = Noted {
        chain: audit::chain_of(problem),
        act: said.act.to_owned(),
        object: said.object,
        measure: said.measure,
        assignment: None,
        before: said.before,
        after: said.after,
    };
    audit::note(db, desk.by, noted, desk.now).await
}

/// Notes a change of something that has a chain of its own: a round, a region, a unit.
async fn note_own(db: &Transaction, desk: &Desk<'_>, said: Said<'_>) -> Result<()> {
    let noted = Noted {
        chain: said.object.clone(),
        act: said.act.to_owned(),
        object: said.object,
        measure: None,
        assignment: None,
        before: said.before,
        after: said.after,
    };
    audit::note(db, desk.by, noted, desk.now).await
}

/// Tells whoever watches the ledger that these problems, or one measure of one, were written anew.
async fn tell(db: &Transaction, desk: &Desk<'_>, problems: &[i64], measure: Option<i64>) -> Result<()> {
    let changed: Vec<Changed> =
        problems.iter().map(|problem| Changed { problem: *problem, measure, assignment: None }).collect();
    change::note(db, ChangeKind::Edited, &changed, desk.now).await
}

/// What differs between two states of a row: what it was, what it became. None where nothing does.
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

/// A number as printed; none where it is blank.
fn number(given: Option<String>) -> Result<Option<String>> {
    optional_line(given, 40, ("编号", "the number"), "number")
}

/// A text of one line that may be missing.
fn optional_line(given: Option<String>, most: usize, what: (&str, &str), name: &str) -> Result<Option<String>> {
    let Some(given) = given.filter(|text| !fault::is_empty(text)) else { return Ok(None) };
    Ok(Some(fault::line(&given, 1..=most, what, &["input", name])?))
}

/// A text that may be missing.
fn optional(given: Option<String>, most: usize, what: (&str, &str), name: &str) -> Result<Option<String>> {
    let Some(given) = given.filter(|text| !fault::is_empty(text)) else { return Ok(None) };
    Ok(Some(fault::text(&given, 1..=most, what, &["input", name])?))
}

/// A text that must not be missing.
fn needed(given: &str, most: usize, what: (&str, &str), name: &str) -> Result<String> {
    Ok(fault::text(given, 2..=most, what, &["input", name])?)
}

/// A text of one line that must not be missing.
fn needed_line(given: &str, most: usize, what: (&str, &str), name: &str) -> Result<String> {
    Ok(fault::line(given, 2..=most, what, &["input", name])?)
}

/// A deadline as it is printed; a blank one is none.
fn read_deadline(given: Option<String>) -> Result<Option<Deadline>> {
    let Some(raw) = optional(given, 500, ("整改时限", "the deadline"), "deadline")? else { return Ok(None) };
    let why = |unreadable: deadline::Unreadable| {
        let zh = format!("整改时限{unreadable}，应为{}", deadline::EXPECTED);
        let en = format!(
            "“{raw}” is no deadline: write a date (2022年12月31日), 长期坚持 (ongoing), 立行立改 (immediate), or several"
        );
        Error::from(Fault::invalid(zh, en, &["input", "deadline"]))
    };
    Deadline::parse(&raw).map(Some).map_err(why)
}

/// What the audit keeps of a deadline.
fn said_of(deadline: &Columns) -> Value {
    json!({ "raw": deadline.raw, "dueOn": deadline.on, "dueBy": deadline.by, "ongoing": deadline.ongoing })
}

/// The day from which grace and allotted time are counted: the round's feedback, else today.
async fn begins<C: ConnectionTrait>(db: &C, desk: &Desk<'_>, round: i64) -> Result<NaiveDate> {
    let round = entity::inspection_round::Entity::find_by_id(round).one(db).await?;
    Ok(round.and_then(|round| round.feedback_on).unwrap_or_else(|| desk.today()))
}

/// How many rows a statement counts.
async fn count<C: ConnectionTrait>(db: &C, text: &str, values: Vec<sea_orm::Value>) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct Counted {
        amount: i64,
    }
    let statement = Statement::from_sql_and_values(db.get_database_backend(), text, values);
    Ok(Counted::find_by_statement(statement).one(db).await?.map(|row| row.amount).unwrap_or_default())
}

/// What came of writing a row that must be the only one of its kind.
fn only_one<T>(written: Result<T, sea_orm::DbErr>, taken: impl FnOnce() -> Fault) -> Result<T> {
    written.map_err(|why| match why.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => taken().into(),
        _ => why.into(),
    })
}
