//! Brings measures and problems in line with their assignments: applies [`roll_up`] and stores the result in the same
//! transaction as the change that caused it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use entity::assignment::{StatedPace, Status};
use entity::{assignment, measure, problem};
use sea_orm::sea_query::{Expr, UpdateStatement};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryTrait};

use crate::Result;
use crate::record::database::Transaction;
use crate::record::writes::Writes;
use crate::rule::workflow::{is_settled, roll_up};

/// The most ids in one IN list.
const CHUNK: usize = 1_000;
/// The most problems whose measures and assignments are held in memory together.
const TOGETHER: usize = 200;

/// The ids of rows, grouped by the state that they reached. The key is the debug form of the state.
type Moved<S> = HashMap<String, (S, Vec<i64>)>;

/// Rolls the assignments of these problems up to their measures, and the measures up to the problems.
///
/// A measure or problem without assignments keeps the status that its ledger states.
pub async fn problems(db: &Transaction, touched: &[i64], now: DateTime<Utc>) -> Result<()> {
    for chunk in touched.chunks(TOGETHER) {
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
                measure.completed_on = state.completion.on;
                measure.is_completed_by = state.completion.is_by;
            }
            of_problem.entry(measure.problem_id).or_default().push(measure);
        }
        write_measures(db, moved, now).await?;
        let mut moved: Moved<(Status, Completion)> = HashMap::new();
        for row in problem::Entity::find().filter(problem::Column::Id.is_in(chunk.iter().copied())).all(db).await? {
            let (true, Some(measures)) = (backed.contains(&row.id), of_problem.get(&row.id)) else { continue };
            let status = roll_up(measures.iter().map(|measure| measure.status)).unwrap_or(row.status);
            let completion =
                Completion::of_parts(measures.iter().map(|measure| (measure.status, Completion::of_measure(measure))));
            let was = Completion { on: row.completed_on, is_by: row.is_completed_by };
            if row.status != status || row.status_stated_on.is_some() || was != completion {
                let state = (status, completion);
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
    if measure_alone(writes, measure, answers, now) {
        return Ok(());
    }
    writes.send(db).await?;
    problems(db, &[measure.problem_id], now).await
}

/// Rolls all assignments of one measure up to it by a pending write, unless that may change its problem.
///
/// Returns whether that was all there was to do.
pub(crate) fn measure_alone(
    writes: &mut Writes,
    measure: &measure::Model,
    answers: &[assignment::Model],
    now: DateTime<Utc>,
) -> bool {
    let state = State::of_answers(measure, answers);
    if answers.is_empty() || !state.differs_from(measure) {
        return true;
    }
    let is_alone = state.status == measure.status
        && state.completion == Completion::of_measure(measure)
        && measure.status_stated_on.is_none();
    if is_alone {
        writes.update(state.written_to(&[measure.id], now));
    }
    is_alone
}

/// The values of a measure that follow from its assignments.
#[derive(Debug, Clone, Copy, PartialEq)]
struct State {
    status: Status,
    completion: Completion,
    reported_on: Option<NaiveDate>,
    quantity_done: Option<f64>,
    quantity_target: Option<f64>,
    stated_pace: Option<(StatedPace, NaiveDate)>,
}

/// When something was completed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Completion {
    /// The local date, or `None` while it is not completed.
    on: Option<NaiveDate>,
    /// Whether it was completed by that date rather than on it.
    is_by: bool,
}

impl Completion {
    fn of_measure(row: &measure::Model) -> Self {
        Self { on: row.completed_on, is_by: row.is_completed_by }
    }

    /// Returns the completion of the last of the applicable parts; none while one of them is not completed.
    fn of_parts(parts: impl Iterator<Item = (Status, Self)>) -> Self {
        let parts: Vec<Self> =
            parts.filter(|(status, _)| *status != Status::NotApplicable).map(|(_, completion)| completion).collect();
        let days: Option<Vec<NaiveDate>> = parts.iter().map(|part| part.on).collect();
        let last = days.and_then(|days| days.into_iter().max());
        Self { on: last, is_by: last.is_some() && parts.iter().any(|part| part.is_by && part.on == last) }
    }
}

/// Returns the pace that ledgers state of a measure: the least of those of its applicable assignments, on the last day.
fn stated_pace(answers: &[assignment::Model]) -> Option<(StatedPace, NaiveDate)> {
    let stated = answers
        .iter()
        .filter(|answer| answer.status != Status::NotApplicable)
        .filter_map(|answer| Some((answer.stated_pace?, answer.stated_pace_on?)));
    stated.reduce(|(pace, day), (other, later)| (pace.min(other), day.max(later)))
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
            completion: Completion::of_parts(
                answers.iter().map(|answer| {
                    (answer.status, Completion { on: answer.completed_on, is_by: answer.is_completed_by })
                }),
            ),
            reported_on,
            quantity_done: sum(|answer| answer.quantity_done),
            quantity_target: sum(|answer| answer.quantity_target),
            stated_pace: stated_pace(answers),
        }
    }

    fn differs_from(&self, measure: &measure::Model) -> bool {
        measure.status_stated_on.is_some()
            || *self
                != Self {
                    status: measure.status,
                    completion: Completion::of_measure(measure),
                    reported_on: measure.reported_on,
                    quantity_done: measure.quantity_done,
                    quantity_target: measure.quantity_target,
                    stated_pace: measure.stated_pace.zip(measure.stated_pace_on),
                }
    }

    /// Returns the statement that stores this state in measures.
    fn written_to(&self, measures: &[i64], now: DateTime<Utc>) -> UpdateStatement {
        measure::Entity::update_many()
            .col_expr(measure::Column::Version, Expr::cust("version + 1"))
            .set(measure::ActiveModel {
                status: Set(self.status),
                status_stated_on: Set(None),
                completed_on: Set(self.completion.on),
                is_completed_by: Set(self.completion.is_by),
                stated_pace: Set(self.stated_pace.map(|(pace, _)| pace)),
                stated_pace_on: Set(self.stated_pace.map(|(_, day)| day)),
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
async fn write_problems(db: &Transaction, moved: Moved<(Status, Completion)>, now: DateTime<Utc>) -> Result<()> {
    for ((status, completion), ids) in moved.into_values() {
        for ids in ids.chunks(CHUNK) {
            problem::Entity::update_many()
                .col_expr(problem::Column::Version, Expr::cust("version + 1"))
                .set(problem::ActiveModel {
                    status: Set(status),
                    status_stated_on: Set(None),
                    completed_on: Set(completion.on),
                    is_completed_by: Set(completion.is_by),
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
