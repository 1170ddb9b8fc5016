//! The acts of the workflow: on assignments (责任分解), from assigning to close-out (销号), on problems and on
//! complaint cases.
//!
//! Each act is one transaction. It locks the problem or the case, reads the row only if the caller may see it, checks
//! the policy and the workflow, writes, rolls the status up, updates the stored statistics, records the change and the
//! audit entry, and queues mails.

pub mod accountability;
pub mod applicability;
pub mod assigning;
pub mod case;
pub mod check;
pub mod close_out;
pub mod comment;
pub mod evidence;
pub mod extension;
pub mod ownership;
pub mod progress;
pub mod supervision;
mod telling;

pub use telling::{Done, Warning, WarningCode};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::assignment::Status;
use entity::{assignment, audit_entry, measure, problem};
use planner::Sql;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr,
    EntityTrait, FromQueryResult, IntoActiveModel, Iterable, QueryFilter, QuerySelect, QueryTrait, TryIntoModel,
};
use serde_json::{Value, json};

use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::people::policy::{self, Act, Principal, Standing};
use crate::record::audit::{self, By, Entry};
use crate::record::change::{self, ChangeKind, Changed};
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::writes::Writes;
use crate::rule::calendar;
use crate::rule::roll_up;
use crate::rule::workflow::{self, Step};
use crate::statistics::kept;
pub(crate) use telling::Announcement;
use telling::Subject;

/// The maximum length of a reason, an opinion or a notice, in characters.
pub const MAX_WORDS: usize = 5_000;

/// The context of an act: the ledger, the caller and the time.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// The connection to the ledger's database.
    pub db: &'a DatabaseConnection,
    /// Who acts, and from where.
    pub by: &'a By,
    /// The moment of the act, in UTC.
    pub now: DateTime<Utc>,
    /// The ledger's time zone, in which local dates begin and end.
    pub zone: Tz,
    /// The grace period of an immediate deadline (立行立改) without a date, in days.
    pub grace_days: i64,
}

impl Desk<'_> {
    /// Returns the date of the act in the ledger's time zone.
    pub fn today(&self) -> NaiveDate {
        calendar::local_day(self.now, self.zone)
    }
}

/// The target of an act: an assignment and the version of it that the caller saw.
#[derive(Debug, Clone, Copy)]
pub struct On {
    /// The key of the assignment; `None` if the id that the caller gave is not the id of an assignment.
    pub assignment: Option<i64>,
    /// The version that the caller saw; `None` for an act that only adds rows and leaves the assignment unchanged.
    pub version: Option<i32>,
}

/// An assignment that an act works on, within a transaction that has locked its problem.
pub(crate) struct Held {
    pub(crate) transaction: Transaction,
    pub(crate) problem: i64,
    pub(crate) measure: measure::Model,
    /// The assignment before the act.
    pub(crate) row: assignment::Model,
    /// The other assignments of the measure.
    others: Vec<assignment::Model>,
    /// The end of the problem's audit chain before the act.
    end: audit::End,
    /// Statements of the act that are sent together with those that [`Held::settle`] adds.
    pub(crate) writes: Writes,
}

impl Held {
    /// Begins a transaction, locks the assignment's problem and reads the assignment.
    ///
    /// An assignment that the caller may not see is reported like one that does not exist.
    pub(crate) async fn take(desk: &Desk<'_>, on: On) -> Result<Self> {
        Ok(Self::take_with(desk, on, "NULL").await?.0)
    }

    /// Takes an assignment as [`Held::take`] does, and draws a key from `table` for an act that inserts a row there.
    ///
    /// Returns the assignment and the key of the row to insert.
    pub(crate) async fn take_to_add(desk: &Desk<'_>, on: On, table: &str) -> Result<(Self, i64)> {
        let drawn = Sql::new(desk.db.get_database_backend(), &[]).next_key(table);
        let (held, key) = Self::take_with(desk, on, &drawn).await?;
        let missing = || DbErr::Custom(format!("no key was drawn for {table}"));
        Ok((held, key.ok_or_else(missing)?))
    }

    async fn take_with(desk: &Desk<'_>, on: On, key: &str) -> Result<(Self, Option<i64>)> {
        let unknown = || fault::unknown(Thing::Assignment, &["input", "assignmentId"]);
        let Some(id) = on.assignment else { return Err(unknown().into()) };
        let transaction = database::begin(desk.db).await?;
        let problem = hold_problem(&transaction, desk.by, "assignment", id).await?.ok_or_else(unknown)?;
        let around = Around::read(&transaction, (problem, id), key).await?.ok_or_else(unknown)?;
        let Around { measure, answers: mut others, end, key } = around;
        let place = others.iter().position(|answer| answer.id == id).ok_or_else(unknown)?;
        let row = others.swap_remove(place);
        current(on.version, row.version, ("责任分解", "assignment"))?;
        Ok((Self { transaction, problem, measure, row, others, end, writes: Writes::default() }, key))
    }

    /// Checks that the policy allows the caller to do `act` to this assignment.
    pub(crate) fn permit(&self, desk: &Desk<'_>, act: Act) -> Result<()> {
        let standing = Standing {
            answers: Some(self.row.unit_id),
            leads: self.measure.lead_unit_id,
            supervises: self.measure.supervising_unit_id,
        };
        permit(desk, act, standing)
    }

    /// Returns the status that a step of the workflow leads to, or an error if the step is not open now.
    pub(crate) fn step(&self, step: Step) -> Result<Status> {
        let (from, path) = (self.row.status, ["input", "assignmentId"]);
        let wrong = || wrong_state(from, &workflow::open_from(step), workflow::status_name, &path).into();
        workflow::next(from, step).ok_or_else(wrong)
    }

    /// Returns an update of the assignment that sets its status; the caller may set more columns.
    pub(crate) fn moved(&self, status: Status) -> assignment::ActiveModel {
        assignment::ActiveModel { id: Set(self.row.id), status: Set(status), ..Default::default() }
    }

    /// Writes the changed assignment and everything that follows from it, and commits: the rolled-up status of measure
    /// and problem, the statistics, the change feed and the audit entry.
    ///
    /// `also` is an object whose fields the audit entry records in addition to the state of the assignment. Returns the
    /// key of the assignment.
    pub(crate) async fn settle(
        self,
        desk: &Desk<'_>,
        kind: ChangeKind,
        moved: assignment::ActiveModel,
        also: Value,
    ) -> Result<i64> {
        let Self { transaction, problem, measure, row, mut others, end, mut writes } = self;
        let before = state(&row);
        let mut moved = moved;
        moved.version = Set(row.version + 1);
        moved.updated_at = Set(desk.now);
        // The statistics depend only on the completion date and on settled statuses. If the act changes neither, the
        // problem need not be recounted.
        let counts =
            |status: Status, completed: Option<NaiveDate>| (workflow::is_settled(status).then_some(status), completed);
        let id = row.id;
        let now = with(&row, &moved)?;
        let is_counted = counts(row.status, row.completed_on) != counts(now.status, now.completed_on);
        let mut after = state(&now);
        others.push(now);
        let counted = if is_counted { vec![problem] } else { Vec::new() };
        kept::around(&transaction, &counted, async {
            writes.update_one(moved)?;
            roll_up::measure(&transaction, &mut writes, &measure, &others, desk.now).await?;
            if is_counted { writes.send(&transaction).await } else { Ok(()) }
        })
        .await?;
        let changed = Changed { problem, measure: Some(measure.id), assignment: Some(id) };
        change::write(&mut writes, kind, changed, desk.now);
        if let (Value::Object(after), Value::Object(also)) = (&mut after, also) {
            after.extend(also);
        }
        let noted = Entry::of(kind.to_value(), format!("assignment_{id}"))
            .in_problem(problem)
            .measure(Some(measure.id))
            .assignment(Some(id))
            .changed(before, after);
        audit::write(&mut writes, desk.by, noted, end, desk.now)?;
        writes.send(&transaction).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Records an act that leaves the assignment itself unchanged, in the change feed and the audit, and commits.
    ///
    /// `what` is the content of the audit entry. Returns the key of the assignment.
    pub(crate) async fn settle_beside(mut self, desk: &Desk<'_>, kind: ChangeKind, what: Value) -> Result<i64> {
        let changed = Changed { problem: self.problem, measure: Some(self.measure.id), assignment: Some(self.row.id) };
        change::write(&mut self.writes, kind, changed, desk.now);
        let noted = Entry::of(kind.to_value(), format!("assignment_{}", self.row.id))
            .in_problem(self.problem)
            .measure(Some(self.measure.id))
            .assignment(Some(self.row.id))
            .changed(json!({}), what);
        audit::write(&mut self.writes, desk.by, noted, self.end, desk.now)?;
        self.writes.send(&self.transaction).await?;
        self.transaction.commit().await?;
        Ok(self.row.id)
    }

    /// Queues an immediate notice to the assigned unit, the lead unit and the submitter, one mail per address.
    ///
    /// Returns warnings about recipients that have no address.
    pub(crate) async fn tell(&self, desk: &Desk<'_>, told: Announcement<'_>) -> Result<Vec<Warning>> {
        let subject = Subject {
            id: format!("assignment_{}", self.row.id),
            act: self.end.0,
            units: [Some(self.row.unit_id), self.measure.lead_unit_id].into_iter().flatten().collect(),
            items: vec![(self.measure.id, Some(self.row.id))],
            case: None,
        };
        telling::tell(&self.transaction, desk, subject, told).await
    }
}

/// Returns the assignment as it will be once `moved` is written.
fn with(row: &assignment::Model, moved: &assignment::ActiveModel) -> Result<assignment::Model> {
    let mut after = row.clone().into_active_model();
    for column in assignment::Column::iter() {
        if let Set(value) = moved.get(column) {
            after.set(column, value);
        }
    }
    Ok(after.try_into_model()?)
}

/// Returns the fields of an assignment that the audit records.
pub(crate) fn state(row: &assignment::Model) -> Value {
    json!({
        "status": row.status.to_value(),
        "completedOn": row.completed_on,
        "unit": row.unit_id,
        "version": row.version,
        "acceptedAt": row.accepted_at,
        "declinedAt": row.declined_at,
    })
}

/// Checks that the policy allows the caller to do `act`; the error names the roles that may.
pub(crate) fn permit(desk: &Desk<'_>, act: Act, standing: Standing) -> Result<()> {
    if desk.by.principal.permits(act, standing) { Ok(()) } else { Err(policy::not_allowed(act).into()) }
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

/// Checks whether the caller is one of `submitters`, either as the acting delegate or as the account acted for.
///
/// No one may decide on their own submission, whether they submitted or decide in their own name or as a delegate.
pub(crate) fn is_own(desk: &Desk<'_>, submitters: [Option<i64>; 2]) -> bool {
    let principal = &desk.by.principal;
    let acts = |person: i64| principal.account == Some(person) || principal.delegate == Some(person);
    submitters.into_iter().flatten().any(acts)
}

/// Locks the problem that a row belongs to and returns its key, or `None` if the caller may not see the row.
///
/// The row is a problem, an assignment, or a row of any table with a `problem_id` column. Every act on an assignment
/// locks the problem first, so that two concurrent acts on the same measure see each other's result when they roll it
/// up.
pub(crate) async fn hold_problem(db: &Transaction, by: &By, table: &'static str, id: i64) -> Result<Option<i64>> {
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
    let text = format!("SELECT p.id FROM problem p WHERE p.id = ({problem}){}", sql.lock(None));
    let found = db.query_one_raw(sql.statement(text)).await?;
    Ok(found.map(|row| row.try_get("", "id")).transpose()?)
}

/// Begins a transaction, locks the problem that an act is on and reads it.
async fn take_problem(desk: &Desk<'_>, problem: Option<i64>) -> Result<(Transaction, problem::Model)> {
    let unknown = || fault::unknown(Thing::Problem, &["input", "problemId"]);
    let Some(id) = problem else { return Err(unknown().into()) };
    let transaction = database::begin(desk.db).await?;
    let id = hold_problem(&transaction, desk.by, "problem", id).await?.ok_or_else(unknown)?;
    let found = problem::Entity::find_by_id(id).one(&transaction).await?.ok_or_else(unknown)?;
    Ok((transaction, found))
}

/// Returns the row of `table` with this key, if the caller may see it.
///
/// A hidden row is looked up by the same statement as a missing one, so that the two cannot be told apart.
pub(crate) async fn in_sight<E: EntityTrait>(
    desk: &Desk<'_>,
    table: &'static str,
    id: i64,
) -> Result<Option<E::Model>> {
    seen::<E, _>(desk.db, &desk.by.principal, (table, id), |_| String::new()).await
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

/// The rows that an act on an assignment needs.
struct Around {
    measure: measure::Model,
    /// All assignments of the measure.
    answers: Vec<assignment::Model>,
    /// The end of the problem's audit chain.
    end: audit::End,
    /// The key of the row that the act inserts, if it inserts one.
    key: Option<i64>,
}

impl Around {
    /// Reads everything in one statement, without locks, once the problem is locked.
    ///
    /// This cannot be part of the statement that locks the problem: that statement sees the rows as they were when it
    /// began, not as they are after it has waited for the lock.
    async fn read(db: &Transaction, (problem, assignment): (i64, i64), key: &str) -> Result<Option<Self>> {
        let measure = Query::select()
            .column(assignment::Column::MeasureId)
            .from(assignment::Entity)
            .and_where(assignment::Column::Id.eq(assignment))
            .to_owned();
        let of = assignment::Entity::belongs_to(measure::Entity)
            .from(assignment::Column::MeasureId)
            .to(measure::Column::Id)
            .into();
        let chain = audit::chain_of(problem);
        let query = assignment::Entity::find()
            .select_also(measure::Entity)
            .join(sea_orm::JoinType::InnerJoin, of)
            .filter(assignment::Column::MeasureId.in_subquery(measure))
            .expr_as(audit::of_end(&chain, audit_entry::Column::Position), "position")
            .expr_as(audit::of_end(&chain, audit_entry::Column::Hash), "hash")
            // As an uncorrelated subquery, the key is drawn once for all rows.
            .expr_as(Expr::cust(format!("(SELECT CAST({key} AS bigint))")), "key");
        let rows = db.query_all(query.as_query()).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let position: Option<i32> = first.try_get("", "position")?;
        let hash: Option<String> = first.try_get("", "hash")?;
        Ok(Some(Self {
            measure: measure::Model::from_query_result(first, "B_")?,
            end: position.zip(hash).unwrap_or_default(),
            key: first.try_get("", "key")?,
            answers: rows
                .iter()
                .map(|row| assignment::Model::from_query_result(row, "A_"))
                .collect::<Result<_, _>>()?,
        }))
    }
}

/// Begins a transaction, locks a measure's problem and reads the measure, for an act on the measure as a whole.
///
/// Returns the transaction, the key of the problem and the measure.
pub(crate) async fn hold_measure(desk: &Desk<'_>, measure: Option<i64>) -> Result<(Transaction, i64, measure::Model)> {
    let unknown = || fault::unknown(Thing::Measure, &["input", "measureId"]);
    let id = measure.ok_or_else(unknown)?;
    let transaction = database::begin(desk.db).await?;
    let problem = hold_problem(&transaction, desk.by, "measure", id).await?.ok_or_else(unknown)?;
    let found = measure::Entity::find_by_id(id).one(&transaction).await?.ok_or_else(unknown)?;
    Ok((transaction, problem, found))
}

/// Records an act on a measure as a whole, in the change feed and the audit, and commits.
pub(crate) async fn settle_measure(
    desk: &Desk<'_>,
    transaction: Transaction,
    (problem, measure): (i64, i64),
    kind: ChangeKind,
    said: (Value, Value),
) -> Result<()> {
    settle_beside(desk, transaction, (problem, Some(measure), format!("measure_{measure}")), kind, said).await
}

/// Records an act on an object that belongs to a problem, in the change feed and the audit, and commits.
///
/// `object` is the global id of the object, such as `measure_7`.
pub(crate) async fn settle_beside(
    desk: &Desk<'_>,
    transaction: Transaction,
    (problem, measure, object): (i64, Option<i64>, String),
    kind: ChangeKind,
    (before, after): (Value, Value),
) -> Result<()> {
    let changed = Changed { problem, measure, assignment: None };
    let mut writes = Writes::default();
    change::write(&mut writes, kind, changed, desk.now);
    let noted = Entry::of(kind.to_value(), object).in_problem(problem).measure(measure).changed(before, after);
    let end = audit::end(&transaction, &noted.chain).await?;
    audit::write(&mut writes, desk.by, noted, end, desk.now)?;
    writes.send(&transaction).await?;
    Ok(transaction.commit().await?)
}
