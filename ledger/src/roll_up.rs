//! Bringing measures and problems in line with their assignments: the roll-up of `workflow`, written back in the same
//! transaction as what caused it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use entity::assignment::Status;
use entity::{assignment, measure, problem};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::Result;
use crate::workflow::{is_settled, roll_up};

/// Ids in one IN list.
const CHUNK: usize = 1_000;

/// The problems below which something changed.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    /// Their ids.
    pub problems: Vec<i64>,
}

/// Rolls the assignments of these problems up to their measures and to the problems.
pub async fn problems<C: ConnectionTrait>(db: &C, touched: &Touched, now: DateTime<Utc>) -> Result<()> {
    for chunk in touched.problems.chunks(CHUNK) {
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
        for measure in measures {
            let measure = match answers.get(&measure.id) {
                Some(answers) => {
                    backed.insert(measure.problem_id);
                    bring_in_line(db, measure, answers, now).await?
                }
                None => measure,
            };
            of_problem.entry(measure.problem_id).or_default().push(measure);
        }
        let rows = problem::Entity::find().filter(problem::Column::Id.is_in(chunk.iter().copied())).all(db).await?;
        for row in rows {
            if let (true, Some(measures)) = (backed.contains(&row.id), of_problem.get(&row.id)) {
                bring_problem_in_line(db, row, measures, now).await?;
            }
        }
    }
    Ok(())
}

async fn bring_in_line<C: ConnectionTrait>(
    db: &C,
    measure: measure::Model,
    answers: &[assignment::Model],
    now: DateTime<Utc>,
) -> Result<measure::Model> {
    let open = || answers.iter().filter(|answer| !is_settled(answer.status));
    let sum = |part: fn(&assignment::Model) -> Option<f64>| answers.iter().filter_map(part).reduce(|a, b| a + b);
    let status = roll_up(answers.iter().map(|answer| answer.status)).unwrap_or(measure.status);
    let completed_on = all_completed(answers.iter().map(|answer| (answer.status, answer.completed_on)));
    // An answer that was never reported on makes the measure unheard of, from its beginning.
    let reported_on = if open().any(|answer| answer.reported_on.is_none()) {
        None
    } else {
        open().filter_map(|answer| answer.reported_on).min().or(measure.reported_on)
    };
    let quantity_done = sum(|answer| answer.quantity_done);
    let quantity_target = sum(|answer| answer.quantity_target);
    let same = measure.status == status
        && measure.status_stated_on.is_none()
        && measure.completed_on == completed_on
        && measure.reported_on == reported_on
        && measure.quantity_done == quantity_done
        && measure.quantity_target == quantity_target;
    if same {
        return Ok(measure);
    }
    let version = measure.version + 1;
    let mut row: measure::ActiveModel = measure.into();
    row.status = Set(status);
    row.status_stated_on = Set(None);
    row.completed_on = Set(completed_on);
    row.reported_on = Set(reported_on);
    row.quantity_done = Set(quantity_done);
    row.quantity_target = Set(quantity_target);
    row.version = Set(version);
    row.updated_at = Set(now);
    Ok(row.update(db).await?)
}

async fn bring_problem_in_line<C: ConnectionTrait>(
    db: &C,
    problem: problem::Model,
    measures: &[measure::Model],
    now: DateTime<Utc>,
) -> Result<()> {
    let status = roll_up(measures.iter().map(|measure| measure.status)).unwrap_or(problem.status);
    let completed_on = all_completed(measures.iter().map(|measure| (measure.status, measure.completed_on)));
    if problem.status == status && problem.status_stated_on.is_none() && problem.completed_on == completed_on {
        return Ok(());
    }
    let version = problem.version + 1;
    let mut row: problem::ActiveModel = problem.into();
    row.status = Set(status);
    row.status_stated_on = Set(None);
    row.completed_on = Set(completed_on);
    row.version = Set(version);
    row.updated_at = Set(now);
    row.update(db).await?;
    Ok(())
}

/// When the last of the applicable parts was completed; none while one is not.
fn all_completed(parts: impl Iterator<Item = (Status, Option<NaiveDate>)>) -> Option<NaiveDate> {
    let days: Option<Vec<NaiveDate>> =
        parts.filter(|(status, _)| *status != Status::NotApplicable).map(|(_, day)| day).collect();
    days?.into_iter().max()
}
