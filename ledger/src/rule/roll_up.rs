//! Brings measures and problems in line with their assignments: applies [`roll_up`] and stores the result in the same
//! transaction as the change that caused it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use entity::assignment::Status;
use entity::{assignment, measure, problem};
use sea_orm::sea_query::{Expr, UpdateStatement};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryTrait};

use crate::Result;
use crate::record::database::Transaction;
use crate::record::writes::Writes;
use crate::rule::workflow::{is_settled, roll_up};

/// The most ids in one IN list.
const CHUNK: usize = 1_000;

/// The ids of rows, grouped by the state that they reached. The key is the debug form of the state.
type Moved<S> = HashMap<String, (S, Vec<i64>)>;

/// Rolls the assignments of these problems up to their measures, and the measures up to the problems.
///
/// A measure or problem without assignments keeps the status that its ledger states.
pub async fn problems(db: &Transaction, touched: &[i64], now: DateTime<Utc>) -> Result<()> {
    for chunk in touched.chunks(CHUNK) {
        let measures =
            measure::Entity::find().filter(measure::Column::ProblemId.is_in(chunk.iter().copied())).all(db).await?;
        let ids: Vec<i64> = measures.iter().map(|measure| measure.id).collect();
        let mut answers: HashMap<i64, Vec<assignment::Model>> = HashMap::new();
        for ids in ids.chunks(CHUNK) {
            let rows = assignment::Entity::find()
                .filter(assignment::Column::MeasureId.is_in(ids.iter().copied()))
                .all(db)
                .await?;
            for row in rows {
                answers.entry(row.measure_id).or_default().push(row);
            }
        }
        let mut of_problem: HashMap<i64, Vec<measure::Model>> = HashMap::new();
        let mut backed: BTreeSet<i64> = BTreeSet::new();
        let mut moved: Moved<State> = HashMap::new();
        for mut measure in measures {
            if let Some(answers) = answers.get(&measure.id) {
                backed.insert(measure.problem_id);
                let state = State::of_answers(&measure, answers);
                if state.differs_from(&measure) {
                    moved.entry(format!("{state:?}")).or_insert_with(|| (state, Vec::new())).1.push(measure.id);
                }
                measure.status = state.status;
                measure.completed_on = state.completed_on;
            }
            of_problem.entry(measure.problem_id).or_default().push(measure);
        }
        write_measures(db, moved, now).await?;
        let mut moved: Moved<(Status, Option<NaiveDate>)> = HashMap::new();
        for row in problem::Entity::find().filter(problem::Column::Id.is_in(chunk.iter().copied())).all(db).await? {
            let (true, Some(measures)) = (backed.contains(&row.id), of_problem.get(&row.id)) else { continue };
            let status = roll_up(measures.iter().map(|measure| measure.status)).unwrap_or(row.status);
            let completed_on = all_completed(measures.iter().map(|measure| (measure.status, measure.completed_on)));
            if row.status != status || row.status_stated_on.is_some() || row.completed_on != completed_on {
                let state = (status, completed_on);
                moved.entry(format!("{state:?}")).or_insert_with(|| (state, Vec::new())).1.push(row.id);
            }
        }
        write_problems(db, moved, now).await?;
    }
    Ok(())
}

/// Rolls all assignments of one measure up to it and, if that may change its problem, to the problem.
///
/// The pending writes are sent only if the database has to read them for that.
pub(crate) async fn measure(
    db: &Transaction,
    writes: &mut Writes,
    measure: &measure::Model,
    answers: &[assignment::Model],
    now: DateTime<Utc>,
) -> Result<()> {
    let state = State::of_answers(measure, answers);
    if answers.is_empty() || !state.differs_from(measure) {
        return Ok(());
    }
    let is_the_same = state.status == measure.status && state.completed_on == measure.completed_on;
    if is_the_same && measure.status_stated_on.is_none() {
        writes.update(state.written_to(&[measure.id], now));
        return Ok(());
    }
    writes.send(db).await?;
    problems(db, &[measure.problem_id], now).await
}

/// The values of a measure that follow from its assignments.
#[derive(Debug, Clone, Copy, PartialEq)]
struct State {
    status: Status,
    completed_on: Option<NaiveDate>,
    reported_on: Option<NaiveDate>,
    quantity_done: Option<f64>,
    quantity_target: Option<f64>,
}

impl State {
    fn of_answers(measure: &measure::Model, answers: &[assignment::Model]) -> Self {
        let open = || answers.iter().filter(|answer| !is_settled(answer.status));
        let sum = |part: fn(&assignment::Model) -> Option<f64>| answers.iter().filter_map(part).reduce(|a, b| a + b);
        // One open assignment without any report leaves the measure without a report, so that it becomes stale from its
        // issue on.
        let reported_on = if open().any(|answer| answer.reported_on.is_none()) {
            None
        } else {
            open().filter_map(|answer| answer.reported_on).min().or(measure.reported_on)
        };
        Self {
            status: roll_up(answers.iter().map(|answer| answer.status)).unwrap_or(measure.status),
            completed_on: all_completed(answers.iter().map(|answer| (answer.status, answer.completed_on))),
            reported_on,
            quantity_done: sum(|answer| answer.quantity_done),
            quantity_target: sum(|answer| answer.quantity_target),
        }
    }

    fn differs_from(&self, measure: &measure::Model) -> bool {
        measure.status_stated_on.is_some()
            || *self
                != Self {
                    status: measure.status,
                    completed_on: measure.completed_on,
                    reported_on: measure.reported_on,
                    quantity_done: measure.quantity_done,
                    quantity_target: measure.quantity_target,
                }
    }

    /// Returns the statement that stores this state in measures.
    fn written_to(&self, measures: &[i64], now: DateTime<Utc>) -> UpdateStatement {
        measure::Entity::update_many()
            .col_expr(measure::Column::Version, Expr::cust("version + 1"))
            .set(measure::ActiveModel {
                status: Set(self.status),
                status_stated_on: Set(None),
                completed_on: Set(self.completed_on),
                reported_on: Set(self.reported_on),
                quantity_done: Set(self.quantity_done),
                quantity_target: Set(self.quantity_target),
                updated_at: Set(now),
                ..Default::default()
            })
            .filter(measure::Column::Id.is_in(measures.iter().copied()))
            .into_query()
    }
}

/// Stores each state in all the measures that reached it.
async fn write_measures(db: &Transaction, moved: Moved<State>, now: DateTime<Utc>) -> Result<()> {
    for (state, ids) in moved.into_values() {
        for ids in ids.chunks(CHUNK) {
            db.execute(&state.written_to(ids, now)).await?;
        }
    }
    Ok(())
}

/// Stores each state in all the problems that reached it.
async fn write_problems(db: &Transaction, moved: Moved<(Status, Option<NaiveDate>)>, now: DateTime<Utc>) -> Result<()> {
    for ((status, completed_on), ids) in moved.into_values() {
        for ids in ids.chunks(CHUNK) {
            problem::Entity::update_many()
                .col_expr(problem::Column::Version, Expr::cust("version + 1"))
                .set(problem::ActiveModel {
                    status: Set(status),
                    status_stated_on: Set(None),
                    completed_on: Set(completed_on),
                    updated_at: Set(now),
                    ..Default::default()
                })
                .filter(problem::Column::Id.is_in(ids.iter().copied()))
                .exec(db)
                .await?;
        }
    }
    Ok(())
}

/// Returns the date on which the last of the applicable parts was completed, or `None` while one of them is not.
fn all_completed(parts: impl Iterator<Item = (Status, Option<NaiveDate>)>) -> Option<NaiveDate> {
    let days: Option<Vec<NaiveDate>> =
        parts.filter(|(status, _)| *status != Status::NotApplicable).map(|(_, day)| day).collect();
    days?.into_iter().max()
}
