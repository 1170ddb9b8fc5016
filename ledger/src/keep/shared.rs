//! What the acts of maintenance share: taking the rows that they change, their permission, and recording them.

use chrono::NaiveDate;
use entity::inspection_round::RoundLevel;
use entity::problem as problems;
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, PrimaryKeyTrait, QuerySelect, SqlErr, Statement};
use serde_json::{Map, Value, json};

use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::people::policy::{self, Act};
use crate::record::audit::{self, Entry};
use crate::record::change::{self, ChangeKind, Changed};
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::deadline::Columns;
use crate::work::{Acting, current, hold_problem};

/// A problem that an act works on, within a transaction that has locked it.
pub(super) struct HeldProblem {
    pub(super) transaction: Transaction,
    pub(super) row: problems::Model,
}

impl HeldProblem {
    /// Begins a transaction, locks a problem and reads it, if the caller may maintain the ledger of its issuing region.
    ///
    /// A problem that the caller may not see is reported like one that does not exist.
    pub(super) async fn take(acting: &Acting<'_>, problem: Option<i64>, version: Option<i32>) -> Result<Self> {
        let transaction = database::begin(acting.db).await?;
        let row = Self::take_also(&transaction, acting, problem).await?;
        current(version, row.version, ("问题", "problem"))?;
        Ok(Self { transaction, row })
    }

    /// Locks and reads another problem within the same transaction.
    pub(super) async fn take_also(
        transaction: &Transaction,
        acting: &Acting<'_>,
        problem: Option<i64>,
    ) -> Result<problems::Model> {
        let unknown = || fault::unknown(Thing::Problem, &["input", "problemId"]);
        let id = problem.ok_or_else(unknown)?;
        hold_problem(transaction, acting.by, "problem", id).await?.ok_or_else(unknown)?;
        let row = problems::Entity::find_by_id(id).one(transaction).await?.ok_or_else(unknown)?;
        permit(transaction, acting, Act::KeepLedger, (row.round_id, row.region_id)).await?;
        Ok(row)
    }
}

/// Locks the row with this key and reads it; refuses a missing one.
///
/// `field` is the input field to which an error points.
pub(super) async fn take_row<E>(db: &Transaction, id: Option<i64>, thing: Thing, field: &str) -> Result<E::Model>
where
    E: EntityTrait,
    i64: Into<<E::PrimaryKey as PrimaryKeyTrait>::ValueType>,
{
    let unknown = || fault::unknown(thing, &["input", field]);
    let id = id.ok_or_else(unknown)?;
    Ok(E::find_by_id(id).lock_exclusive().one(db).await?.ok_or_else(unknown)?)
}

/// Refuses to change a row that is retired (撤销).
///
/// `what` names the kind of row in English, and `field` is the input field to which the error points.
pub(super) fn not_retired(name: &str, retired_on: Option<NaiveDate>, what: &str, field: &str) -> Result<()> {
    if retired_on.is_none() {
        return Ok(());
    }
    let (zh, en) = (format!("{name}已撤销，不能再改"), format!("the {what} is retired"));
    Err(Fault::new(FaultCode::WrongState, zh, en, &["input", field]).into())
}

/// Checks that the policy allows the caller to do `act` to what a region has issued in a round.
pub(super) async fn permit<C: ConnectionTrait>(
    db: &C,
    acting: &Acting<'_>,
    act: Act,
    (round, region): (i64, i64),
) -> Result<()> {
    const ISSUED: &str = "SELECT o.level, r.path FROM inspection_round o JOIN region r ON r.id = $2 WHERE o.id = $1";
    let values = [round.into(), region.into()];
    let found = db.query_one_raw(Statement::from_sql_and_values(db.get_database_backend(), ISSUED, values)).await?;
    let found = found.ok_or_else(|| policy::not_allowed(act))?;
    let (level, path): (RoundLevel, String) = (found.try_get("", "level")?, found.try_get("", "path")?);
    let may = acting.by.principal.permits_of_region(act, level, &path);
    if may { Ok(()) } else { Err(policy::not_allowed_at(act, level).into()) }
}

/// Checks that the policy allows the caller to do `act`, which concerns no region in particular.
pub(super) fn permit_anywhere(acting: &Acting<'_>, act: Act) -> Result<()> {
    Ok(acting.by.principal.require(act)?)
}

/// Records a change of a problem or something below it in the problem's audit chain.
pub(super) async fn note(db: &Transaction, acting: &Acting<'_>, problem: i64, entry: Entry) -> Result<()> {
    audit::note(db, acting.by, entry.in_problem(problem), acting.now).await
}

/// Records a change of an object that has an audit chain of its own, such as a round, a region or a unit.
pub(super) async fn note_own(db: &Transaction, acting: &Acting<'_>, entry: Entry) -> Result<()> {
    audit::note(db, acting.by, entry, acting.now).await
}

/// Adds to the change feed that these problems, or one measure of a problem, were edited.
pub(super) async fn tell(db: &Transaction, acting: &Acting<'_>, problems: &[i64], measure: Option<i64>) -> Result<()> {
    let changed: Vec<Changed> =
        problems.iter().map(|problem| Changed { problem: *problem, measure, assignment: None }).collect();
    change::note(db, ChangeKind::Edited, &changed, acting.now).await
}

/// Returns the fields that differ between two states of a row, before and after, or `None` if none does.
pub(super) fn difference(before: Value, after: Value) -> Option<(Value, Value)> {
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

/// Returns the fields of a deadline that the audit records.
pub(super) fn said_of(deadline: &Columns) -> Value {
    json!({ "raw": deadline.raw, "dueOn": deadline.on, "dueBy": deadline.by, "ongoing": deadline.ongoing })
}

/// Returns the date from which the grace period and the allotted time are counted: the round's feedback, else today.
pub(super) async fn begins<C: ConnectionTrait>(db: &C, acting: &Acting<'_>, round: i64) -> Result<NaiveDate> {
    let round = entity::inspection_round::Entity::find_by_id(round).one(db).await?;
    Ok(round.and_then(|round| round.feedback_on).unwrap_or_else(|| acting.today()))
}

/// Runs a statement that counts rows as `amount`, and returns the count.
pub(super) async fn count<C: ConnectionTrait>(db: &C, text: &str, values: Vec<sea_orm::Value>) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct Counted {
        amount: i64,
    }
    let statement = Statement::from_sql_and_values(db.get_database_backend(), text, values);
    Ok(Counted::find_by_statement(statement).one(db).await?.map(|row| row.amount).unwrap_or_default())
}

/// Maps a violation of a unique constraint to the fault that `taken` returns.
pub(super) fn only_one<T>(written: Result<T, sea_orm::DbErr>, taken: impl FnOnce() -> Fault) -> Result<T> {
    written.map_err(|why| match why.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => taken().into(),
        _ => why.into(),
    })
}
