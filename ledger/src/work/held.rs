//! An assignment that an act works on: reading it with what the act needs, and writing it with what follows.

use chrono::NaiveDate;
use entity::assignment::Status;
use entity::inspection_round::RoundLevel;
use entity::{assignment, audit_entry, measure};
use planner::Sql;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    IntoActiveModel, Iterable, QueryFilter, QuerySelect, QueryTrait, TryIntoModel,
};
use serde_json::{Value, json};

use super::acting::{Acting, permit};
use super::hold::{On, current, hold_problem, wrong_state};
use super::telling::{self, Announcement, Subject, Warning};
use crate::Result;
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

/// An assignment that an act works on, within a transaction that has locked its problem.
pub(crate) struct HeldAssignment {
    pub(crate) transaction: Transaction,
    pub(crate) problem: i64,
    /// The level of the round that found the problem.
    pub(crate) level: RoundLevel,
    pub(crate) measure: measure::Model,
    /// The assignment before the act.
    pub(crate) row: assignment::Model,
    /// The other assignments of the measure.
    others: Vec<assignment::Model>,
    /// The end of the problem's audit chain before the act.
    end: audit::End,
    /// Statements of the act that are sent together with those that [`HeldAssignment::settle`] adds.
    pub(crate) writes: Writes,
}

impl HeldAssignment {
    /// Begins a transaction, locks the assignment's problem and reads the assignment.
    ///
    /// An assignment that the caller may not see is reported like one that does not exist.
    pub(crate) async fn take(acting: &Acting<'_>, on: On) -> Result<Self> {
        Ok(Self::take_with(acting, on, "NULL").await?.0)
    }

    /// Takes an assignment as [`HeldAssignment::take`] does, and draws a key from `table` for an act that inserts a row
    /// there.
    ///
    /// Returns the assignment and the key of the row to insert.
    pub(crate) async fn take_to_add(acting: &Acting<'_>, on: On, table: &str) -> Result<(Self, i64)> {
        let drawn = Sql::new(acting.db.get_database_backend(), &[]).next_key(table);
        let (held, key) = Self::take_with(acting, on, &drawn).await?;
        let missing = || DbErr::Custom(format!("no key was drawn for {table}"));
        Ok((held, key.ok_or_else(missing)?))
    }

    async fn take_with(acting: &Acting<'_>, on: On, key: &str) -> Result<(Self, Option<i64>)> {
        let unknown = || fault::unknown(Thing::Assignment, &["input", "assignmentId"]);
        let Some(id) = on.assignment else { return Err(unknown().into()) };
        let transaction = database::begin(acting.db).await?;
        let (problem, level) = hold_problem(&transaction, acting.by, "assignment", id).await?.ok_or_else(unknown)?;
        let around = Around::read(&transaction, (problem, id), key).await?.ok_or_else(unknown)?;
        let Around { measure, answers: mut others, end, key } = around;
        let place = others.iter().position(|answer| answer.id == id).ok_or_else(unknown)?;
        let row = others.swap_remove(place);
        current(on.version, row.version, ("责任分解", "assignment"))?;
        Ok((Self { transaction, problem, level, measure, row, others, end, writes: Writes::default() }, key))
    }

    /// Checks that the policy allows the caller to do `act` to this assignment.
    pub(crate) fn permit(&self, acting: &Acting<'_>, act: Act) -> Result<()> {
        let whole = Standing::of_measure(self.level, &self.measure);
        permit(acting, act, Standing { answers: Some(self.row.unit_id), ..whole })
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
        acting: &Acting<'_>,
        kind: ChangeKind,
        moved: assignment::ActiveModel,
        also: Value,
    ) -> Result<i64> {
        let Self { transaction, problem, measure, row, mut others, end, mut writes, .. } = self;
        let before = audit::kept::assignment(&row);
        let mut moved = moved;
        moved.version = Set(row.version + 1);
        moved.updated_at = Set(acting.now);
        // The statistics depend only on the completion date and on settled statuses. If the act changes neither, the
        // problem need not be recounted.
        let counts =
            |status: Status, completed: Option<NaiveDate>| (workflow::is_settled(status).then_some(status), completed);
        let id = row.id;
        let now = with(&row, &moved)?;
        let is_counted = counts(row.status, row.completed_on) != counts(now.status, now.completed_on);
        let is_moved = is_counted || row.status != now.status;
        let mut after = audit::kept::assignment(&now);
        others.push(now);
        let counted = if is_counted { vec![problem] } else { Vec::new() };
        kept::around(&transaction, &counted, async {
            writes.update_one(moved)?;
            roll_up::measure(&transaction, &mut writes, &measure, &others, acting.now).await?;
            if is_moved { writes.send(&transaction).await } else { Ok(()) }
        })
        .await?;
        if is_moved && !is_counted {
            own::renew(&transaction, &[problem]).await?;
        }
        let changed = Changed { problem, measure: Some(measure.id), assignment: Some(id) };
        change::write(&mut writes, kind, changed, acting.now);
        if let (Value::Object(after), Value::Object(also)) = (&mut after, also) {
            after.extend(also);
        }
        let noted = Entry::of(kind.to_value(), format!("assignment_{id}"))
            .in_problem(problem)
            .measure(Some(measure.id))
            .assignment(Some(id))
            .changed(before, after);
        audit::write(&mut writes, acting.by, noted, end, acting.now)?;
        writes.send(&transaction).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Records an act that leaves the assignment itself unchanged, in the change feed and the audit, and commits.
    ///
    /// `what` is the content of the audit entry. Returns the key of the assignment.
    pub(crate) async fn settle_beside(mut self, acting: &Acting<'_>, kind: ChangeKind, what: Value) -> Result<i64> {
        let changed = Changed { problem: self.problem, measure: Some(self.measure.id), assignment: Some(self.row.id) };
        change::write(&mut self.writes, kind, changed, acting.now);
        let noted = Entry::of(kind.to_value(), format!("assignment_{}", self.row.id))
            .in_problem(self.problem)
            .measure(Some(self.measure.id))
            .assignment(Some(self.row.id))
            .changed(json!({}), what);
        audit::write(&mut self.writes, acting.by, noted, self.end, acting.now)?;
        self.writes.send(&self.transaction).await?;
        self.transaction.commit().await?;
        Ok(self.row.id)
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
