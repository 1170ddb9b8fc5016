//! Acts on an assignment: reading it with what the act needs, and writing it with what follows.

use std::ops::{Deref, DerefMut};

use chrono::NaiveDate;
use entity::assignment::Status;
use entity::inspection_round::RoundLevel;
use entity::{assignment, measure, problem};
use planner::{Reader, Sql, is_violation};
use sea_orm::sea_query::{LockBehavior, LockType, SelectStatement};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    IdenStatic, IntoActiveModel, Iterable, QueryFilter, QueryResult, QuerySelect, QueryTrait, Statement, TryIntoModel,
};
use serde_json::{Value, json};

use super::acting::{Acting, permit};
use super::hold::{On, current, hold_problem, wrong_state};
use super::telling::{self, Announcement, Subject, Warning};
use crate::fault::{self, Thing};
use crate::people::policy::{Act, Standing};
use crate::record::audit::{self, Entry};
use crate::record::change::{self, ChangeKind, Changed};
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::writes::Writes;
use crate::rule::roll_up;
use crate::rule::workflow::{self, Step};
use crate::statistics::{kept, own};
use crate::{Error, Result};

/// What an act on an assignment has read, and what it will write.
pub(crate) struct AssignmentAct {
    pub(crate) problem: i64,
    /// The version of the problem.
    problem_version: i32,
    /// The level of the round that found the problem.
    pub(crate) level: RoundLevel,
    pub(crate) measure: measure::Model,
    /// The assignment before the act.
    pub(crate) row: assignment::Model,
    /// The version that the caller saw, if it was given.
    version: Option<i32>,
    /// The other assignments of the measure.
    others: Vec<assignment::Model>,
    /// The end of the problem's audit chain before the act.
    end: audit::End,
    /// Statements of the act that are sent together with those that settle it.
    pub(crate) writes: Writes,
}

/// An act on an assignment within a transaction that has locked its problem.
pub(crate) struct HeldAssignment {
    pub(crate) transaction: Transaction,
    act: AssignmentAct,
}

impl Deref for HeldAssignment {
    type Target = AssignmentAct;

    fn deref(&self) -> &AssignmentAct {
        &self.act
    }
}

impl DerefMut for HeldAssignment {
    fn deref_mut(&mut self) -> &mut AssignmentAct {
        &mut self.act
    }
}

/// Carries out an act that inserts a row into `table` and changes the assignment, and for which nothing else has to be
/// read or told. Returns the key of the assignment.
///
/// `act` checks what was read, adds its writes, of which one inserts the row with the key that it is given, and returns
/// the update of the assignment and what the audit entry records in addition.
///
/// On PostgreSQL, such an act saves round trips by reading without a lock. Whoever changes what an act may depend on
/// locks the problem, and adds an entry to its audit chain or raises its version. If that happens between reading and
/// writing, nothing is written, and the act is carried out once more, under the lock.
pub(crate) async fn add(
    acting: &Acting<'_>,
    (on, table, kind): (On, &str, ChangeKind),
    act: impl Fn(&mut AssignmentAct, i64) -> Result<(assignment::ActiveModel, Value)>,
) -> Result<i64> {
    let missing = || DbErr::Custom(format!("no key was drawn for {table}"));
    if let Some(reader) = acting.alone() {
        let id = on.assignment.ok_or_else(unknown)?;
        let sql = Sql::within(reader.backend(), &[], &acting.by.principal);
        let rows = reader.rows(AssignmentAct::read(sql, id, Some(table))).await?;
        let (mut read, key) = AssignmentAct::of(&rows, on)?;
        let (moved, also) = act(&mut read, key.ok_or_else(missing)?)?;
        match Box::pin(read.settle_unlocked((acting, reader), kind, moved, also)).await {
            Ok(true) => return Ok(id),
            Ok(false) => {}
            Err(Error::Database(error)) if is_violation(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let (mut held, key) = HeldAssignment::take_with(acting, on, Some(table)).await?;
    let (moved, also) = act(&mut held, key.ok_or_else(missing)?)?;
    held.settle(acting, kind, moved, also).await
}

fn unknown() -> Error {
    fault::unknown(Thing::Assignment, &["input", "assignmentId"]).into()
}

impl HeldAssignment {
    /// Begins a transaction, locks the assignment's problem and reads the assignment.
    ///
    /// An assignment that the caller may not see is reported like one that does not exist.
    pub(crate) async fn take(acting: &Acting<'_>, on: On) -> Result<Self> {
        Ok(Self::take_with(acting, on, None).await?.0)
    }

    /// Takes an assignment as [`HeldAssignment::take`] does, and draws the key of a new row of `table`.
    async fn take_with(acting: &Acting<'_>, on: On, table: Option<&str>) -> Result<(Self, Option<i64>)> {
        let id = on.assignment.ok_or_else(unknown)?;
        let transaction = database::begin(acting.db).await?;
        hold_problem(&transaction, acting.by, "assignment", id).await?.ok_or_else(unknown)?;
        // This cannot be part of the statement that locks the problem: that statement sees the rows as they were when
        // it began, not as they are after it has waited for the lock.
        let sql = Sql::new(transaction.get_database_backend(), &[]);
        let rows = transaction.query_all_raw(AssignmentAct::read(sql, id, table)).await?;
        let (act, key) = AssignmentAct::of(&rows, on)?;
        Ok((Self { transaction, act }, key))
    }

    /// Begins a transaction for an act that has read without a lock, and locks the problem; none if its version has
    /// changed since.
    async fn hold(acting: &Acting<'_>, act: AssignmentAct) -> Result<Option<Self>> {
        let transaction = database::begin(acting.db).await?;
        let held = transaction.query_one(act.unchanged().lock(LockType::Update)).await?;
        if held.is_none() {
            transaction.rollback().await?;
            return Ok(None);
        }
        Ok(Some(Self { transaction, act }))
    }

    /// Writes the changed assignment and everything that follows from it, and commits: the rolled-up status of measure
    /// and problem, the statistics, the change feed and the audit entry.
    ///
    /// `also` is an object whose fields the audit entry records in addition to the state of the assignment. Returns the
    /// key of the assignment.
    pub(crate) async fn settle(
        self,
        acting: &Acting<'_>,
        kind: ChangeKind,
        moved: assignment::ActiveModel,
        also: Value,
    ) -> Result<i64> {
        let settled = self.settled(acting, moved, also)?;
        self.write(acting, kind, settled).await
    }

    /// Writes what follows from an act, and commits.
    async fn write(self, acting: &Acting<'_>, kind: ChangeKind, settled: Settled) -> Result<i64> {
        let Self { transaction, mut act } = self;
        let Settled { moved, answers, is_counted, is_moved, said } = settled;
        let counted = if is_counted { vec![act.problem] } else { Vec::new() };
        kept::around(&transaction, &counted, async {
            act.writes.update_one(moved)?;
            roll_up::measure(&transaction, &mut act.writes, &act.measure, &answers, acting.now).await?;
            if is_moved { act.writes.send(&transaction).await } else { Ok(()) }
        })
        .await?;
        if is_moved && !is_counted {
            own::renew(&transaction, &[act.problem]).await?;
        }
        act.record(acting, transaction, kind, said).await
    }

    /// Records an act that leaves the assignment itself unchanged, in the change feed and the audit, and commits.
    ///
    /// `what` is the content of the audit entry. Returns the key of the assignment.
    pub(crate) async fn settle_beside(self, acting: &Acting<'_>, kind: ChangeKind, what: Value) -> Result<i64> {
        self.act.record(acting, self.transaction, kind, (json!({}), what)).await
    }

    /// Queues the immediate notices of an event, one mail per address.
    ///
    /// Returns warnings about recipients that have no address.
    pub(crate) async fn tell(&self, acting: &Acting<'_>, told: Announcement<'_>) -> Result<Vec<Warning>> {
        let subject = Subject {
            id: format!("assignment_{}", self.row.id),
            act: self.end.0.into(),
            answers: vec![(self.row.unit_id, Some(self.row.id))],
            measure: Some(self.measure.id),
            lead: self.measure.lead_unit_id,
            supervising: self.measure.supervising_unit_id,
            place: Some((self.level, self.row.region_id)),
            ..Subject::default()
        };
        telling::tell(&self.transaction, acting, subject, told).await
    }
}

/// What follows from an act that changes its assignment.
struct Settled {
    /// The update of the assignment.
    moved: assignment::ActiveModel,
    /// All assignments of the measure after the act.
    answers: Vec<assignment::Model>,
    /// Whether the act changes the statistics. They depend only on the completion date and on settled statuses.
    is_counted: bool,
    /// Whether the act changes the status or the statistics.
    is_moved: bool,
    /// The state of the assignment before and after the act, for the audit.
    said: (Value, Value),
}

impl AssignmentAct {
    /// Checks that the policy allows the caller to do `act` to this assignment, and that the caller saw its current
    /// version.
    pub(crate) fn permit(&self, acting: &Acting<'_>, act: Act) -> Result<()> {
        let whole = Standing::of_measure(self.level, &self.measure);
        permit(acting, act, Standing { answers: Some(self.row.unit_id), ..whole })?;
        Ok(current(self.version, self.row.version, ("责任分解", "assignment"))?)
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

    /// Completes the update of the assignment, and finds what follows from it.
    fn settled(&self, acting: &Acting<'_>, mut moved: assignment::ActiveModel, also: Value) -> Result<Settled> {
        let row = &self.row;
        moved.version = Set(row.version + 1);
        moved.updated_at = Set(acting.now);
        let counts =
            |status: Status, completed: Option<NaiveDate>| (workflow::is_settled(status).then_some(status), completed);
        let now = with(row, &moved)?;
        let is_counted = counts(row.status, row.completed_on) != counts(now.status, now.completed_on);
        let is_moved = is_counted || row.status != now.status;
        let mut after = audit::kept::assignment(&now);
        if let (Value::Object(after), Value::Object(also)) = (&mut after, also) {
            after.extend(also);
        }
        let said = (audit::kept::assignment(row), after);
        let answers = self.others.iter().cloned().chain([now]).collect();
        Ok(Settled { moved, answers, is_counted, is_moved, said })
    }

    /// Settles an act that has read without a lock. If it changes nothing but its assignment and the measure, that is
    /// one statement, which locks the problem, or else a transaction.
    ///
    /// Returns false, and writes nothing, if the problem has changed since it was read. A violation means the same.
    async fn settle_unlocked(
        mut self,
        (acting, reader): (&Acting<'_>, &Reader),
        kind: ChangeKind,
        moved: assignment::ActiveModel,
        also: Value,
    ) -> Result<bool> {
        let settled = self.settled(acting, moved, also)?;
        if settled.is_moved || !roll_up::measure_alone(&mut self.writes, &self.measure, &settled.answers, acting.now) {
            let Some(held) = HeldAssignment::hold(acting, self).await? else { return Ok(false) };
            return held.write(acting, kind, settled).await.map(|_| true);
        }
        self.writes.update_one(settled.moved)?;
        // Whoever has locked the problem is not waited for: what was read is out of date once they have written.
        let hold = self.unchanged().lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked).to_owned();
        let noted = self.noted(acting, kind, settled.said);
        audit::write_holding(&mut self.writes, acting.by, noted, self.end, acting.now)?;
        if let Some(statement) = self.writes.holding(hold) {
            reader.write(statement).await?;
        }
        Ok(true)
    }

    /// Selects the problem unless its version has changed.
    fn unchanged(&self) -> SelectStatement {
        problem::Entity::find_by_id(self.problem)
            .filter(problem::Column::Version.eq(self.problem_version))
            .select_only()
            .column(problem::Column::Id)
            .into_query()
    }

    /// Adds the act to the change feed, and returns its audit entry.
    fn noted(&mut self, acting: &Acting<'_>, kind: ChangeKind, (before, after): (Value, Value)) -> Entry {
        let (measure, assignment) = (Some(self.measure.id), Some(self.row.id));
        change::write(&mut self.writes, kind, Changed { problem: self.problem, measure, assignment }, acting.now);
        Entry::of(kind.to_value(), format!("assignment_{}", self.row.id))
            .in_problem(self.problem)
            .measure(measure)
            .assignment(assignment)
            .changed(before, after)
    }

    /// Records the act in the change feed and the audit, sends what is left to write, and commits.
    async fn record(
        mut self,
        acting: &Acting<'_>,
        transaction: Transaction,
        kind: ChangeKind,
        said: (Value, Value),
    ) -> Result<i64> {
        let noted = self.noted(acting, kind, said);
        audit::write(&mut self.writes, acting.by, noted, self.end, acting.now)?;
        self.writes.send(&transaction).await?;
        transaction.commit().await?;
        Ok(self.row.id)
    }

    /// Writes the statement that reads all that an act needs: the assignments of the measure, and with each of them the
    /// measure, its problem and the key of a new row of `table`.
    fn read(mut sql: Sql<'_>, assignment: i64, table: Option<&str>) -> Statement {
        let id = sql.bind(assignment);
        let seen = sql.seen("assignment", "held").map(|seen| format!(" AND {seen}")).unwrap_or_default();
        let end = |column| audit::of_end("(SELECT target.problem FROM target)", column);
        // As an uncorrelated subquery, the key is drawn once for all rows.
        let key = table.map_or_else(|| "NULL".to_owned(), |table| sql.next_key(table));
        let text = format!(
            "WITH target AS (SELECT of.id AS measure, p.id AS problem, p.version AS problem_version, r.level \
             FROM assignment held JOIN measure of ON of.id = held.measure_id JOIN problem p ON p.id = of.problem_id \
             JOIN inspection_round r ON r.id = p.round_id WHERE held.id = {id}{seen}) \
             SELECT {}, {}, target.problem, target.problem_version, target.level, {} AS position, {} AS hash, \
             (SELECT CAST({key} AS bigint)) AS key \
             FROM target JOIN measure m ON m.id = target.measure JOIN assignment a ON a.measure_id = m.id",
            columns::<assignment::Entity>("a"),
            columns::<measure::Entity>("m"),
            end("position"),
            end("hash"),
        );
        sql.statement(text)
    }

    /// Makes the act from what [`AssignmentAct::read`] gave, and returns the key that was drawn.
    fn of(rows: &[QueryResult], on: On) -> Result<(Self, Option<i64>)> {
        let first = rows.first().ok_or_else(unknown)?;
        let mut others =
            rows.iter().map(|row| assignment::Model::from_query_result(row, "a_")).collect::<Result<Vec<_>, _>>()?;
        let place = others.iter().position(|answer| Some(answer.id) == on.assignment).ok_or_else(unknown)?;
        let row = others.swap_remove(place);
        let position: Option<i32> = first.try_get("", "position")?;
        let hash: Option<String> = first.try_get("", "hash")?;
        let act = Self {
            problem: first.try_get("", "problem")?,
            problem_version: first.try_get("", "problem_version")?,
            level: first.try_get("", "level")?,
            measure: measure::Model::from_query_result(first, "m_")?,
            row,
            version: on.version,
            others,
            end: position.zip(hash).unwrap_or_default(),
            writes: Writes::default(),
        };
        Ok((act, first.try_get("", "key")?))
    }
}

/// Writes the columns of a table with this alias, each named after both.
fn columns<E: EntityTrait>(alias: &str) -> String {
    let columns: Vec<String> =
        E::Column::iter().map(|column| format!("{alias}.{0} AS {alias}_{0}", column.as_str())).collect();
    columns.join(", ")
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
