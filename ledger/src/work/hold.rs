//! The rows that acts work on: finding and locking those that the caller may see, and checking their version and
//! state.

use chrono::{DateTime, Utc};
use entity::inspection_round::RoundLevel;
use entity::{measure, problem};
use planner::Sql;
use sea_orm::{ActiveEnum, ConnectionTrait, EntityTrait};

use super::acting::Acting;
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::people::policy::Principal;
use crate::record::audit::By;
use crate::record::database;
use crate::record::database::Transaction;

/// The target of an act: an assignment and the version of it that the caller saw.
#[derive(Debug, Clone, Copy)]
pub struct On {
    /// The key of the assignment; `None` if the id that the caller gave is not the id of an assignment.
    pub assignment: Option<i64>,
    /// The version that the caller saw; `None` for an act that only adds rows and leaves the assignment unchanged.
    pub version: Option<i32>,
}

/// Refuses an act on an outdated version of a row, which another user has changed since.
///
/// `what` names the kind of row in Chinese and English. A missing `given` version is always accepted.
pub(crate) fn current(given: Option<i32>, current: i32, what: (&str, &str)) -> Result<(), Fault> {
    let Some(given) = given.filter(|given| *given != current) else { return Ok(()) };
    let (zh, en) = what;
    Err(Fault::new(
        FaultCode::StaleVersion,
        format!("{zh}已被他人更新（当前版本 {current}，提交的是 {given}）：请刷新后核对再提交"),
        format!(
            "someone else has changed the {en} (current version {current}, submitted version {given}): \
             reload it, review and submit again"
        ),
        &["input", "version"],
    ))
}

/// Refuses an act on a record that was withdrawn. `record` names it in Chinese, such as `这条追责记录`.
pub(crate) fn not_withdrawn(at: Option<DateTime<Utc>>, record: &str, path: &[&str]) -> Result<(), Fault> {
    if at.is_none() {
        return Ok(());
    }
    let zh = format!("{record}已撤回");
    Err(Fault::new(FaultCode::WrongState, zh, "this record has been withdrawn", path))
}

/// Returns the error for a step that is not open in the state `from`, naming the states (`needed`) in which it is.
pub(crate) fn wrong_state<S: ActiveEnum<Value = String> + Copy>(
    from: S,
    needed: &[S],
    name: fn(S) -> &'static str,
    path: &[&str],
) -> Fault {
    let names: Vec<&str> = needed.iter().map(|state| name(*state)).collect();
    let codes: Vec<String> = needed.iter().map(ActiveEnum::to_value).collect();
    Fault::new(
        FaultCode::WrongState,
        format!("当前状态为“{}”，此步骤须在“{}”时办理", name(from), names.join("”或“")),
        format!("the current state is {}; this step is only open from {}", from.to_value(), codes.join(", ")),
        path,
    )
}

/// Locks the problem that a row belongs to and returns its key and the level of its round, or `None` if the caller may
/// not see the row.
///
/// The row is a problem, an assignment, or a row of any table with a `problem_id` column. Every act on an assignment
/// locks the problem first, so that two concurrent acts on the same measure see each other's result when they roll it
/// up.
pub(crate) async fn hold_problem(
    db: &Transaction,
    by: &By,
    table: &'static str,
    id: i64,
) -> Result<Option<(i64, RoundLevel)>> {
    let mut sql = Sql::within(db.get_database_backend(), &[], &by.principal);
    let key = sql.bind(id);
    let seen = sql.seen(table, "held").map(|seen| format!(" AND {seen}")).unwrap_or_default();
    let problem = match table {
        "problem" => format!("SELECT held.id FROM problem held WHERE held.id = {key}{seen}"),
        "assignment" => format!(
            "SELECT of.problem_id FROM assignment held JOIN measure of ON of.id = held.measure_id \
             WHERE held.id = {key}{seen}"
        ),
        _ => format!("SELECT held.problem_id FROM {table} held WHERE held.id = {key}{seen}"),
    };
    let text = format!(
        "SELECT p.id, (SELECT r.level FROM inspection_round r WHERE r.id = p.round_id) AS level FROM problem p \
         WHERE p.id = ({problem}){}",
        sql.lock(None)
    );
    let Some(row) = db.query_one_raw(sql.statement(text)).await? else { return Ok(None) };
    Ok(Some((row.try_get("", "id")?, row.try_get("", "level")?)))
}

/// Begins a transaction, locks the problem that an act is on and reads it, with the level of its round.
pub(super) async fn take_problem(
    acting: &Acting<'_>,
    problem: Option<i64>,
) -> Result<(Transaction, problem::Model, RoundLevel)> {
    let unknown = || fault::unknown(Thing::Problem, &["input", "problemId"]);
    let Some(id) = problem else { return Err(unknown().into()) };
    let transaction = database::begin(acting.db).await?;
    let (id, level) = hold_problem(&transaction, acting.by, "problem", id).await?.ok_or_else(unknown)?;
    let found = problem::Entity::find_by_id(id).one(&transaction).await?.ok_or_else(unknown)?;
    Ok((transaction, found, level))
}

/// Begins a transaction, locks a measure's problem and reads the measure, for an act on the measure as a whole.
///
/// Returns the transaction, the measure and the level of its round.
pub(crate) async fn hold_measure(
    acting: &Acting<'_>,
    measure: Option<i64>,
) -> Result<(Transaction, measure::Model, RoundLevel)> {
    let unknown = || fault::unknown(Thing::Measure, &["input", "measureId"]);
    let id = measure.ok_or_else(unknown)?;
    let transaction = database::begin(acting.db).await?;
    let (_, level) = hold_problem(&transaction, acting.by, "measure", id).await?.ok_or_else(unknown)?;
    let found = measure::Entity::find_by_id(id).one(&transaction).await?.ok_or_else(unknown)?;
    Ok((transaction, found, level))
}

/// Returns the row of `table` with this key, if the caller may see it.
///
/// A hidden row is looked up by the same statement as a missing one, so that the two cannot be told apart.
pub(crate) async fn in_sight<E: EntityTrait>(
    acting: &Acting<'_>,
    table: &'static str,
    id: i64,
) -> Result<Option<E::Model>> {
    seen::<E, _>(acting.db, &acting.by.principal, (table, id), |_| String::new()).await
}

/// Returns the row of `table` with this key, if the caller may see it, and locks it until the transaction ends.
pub(crate) async fn hold<E: EntityTrait>(
    db: &Transaction,
    by: &By,
    table: &'static str,
    id: i64,
) -> Result<Option<E::Model>> {
    seen::<E, _>(db, &by.principal, (table, id), |sql| sql.lock(Some("held"))).await
}

/// Returns the row of `table` with this key, if `principal` may see it; `end` writes the end of the SQL statement, such
/// as a lock clause.
pub(crate) async fn seen<E: EntityTrait, C: ConnectionTrait>(
    db: &C,
    principal: &Principal,
    (table, id): (&'static str, i64),
    end: impl FnOnce(&Sql<'_>) -> String,
) -> Result<Option<E::Model>> {
    let mut sql = Sql::within(db.get_database_backend(), &[], principal);
    let key = sql.bind(id);
    let seen = sql.seen(table, "held").map(|seen| format!(" AND {seen}")).unwrap_or_default();
    let text = format!("SELECT held.* FROM {table} held WHERE held.id = {key}{seen}{}", end(&sql));
    Ok(E::find().from_raw_sql(sql.statement(text)).one(db).await?)
}
