//! Deadlines as the tables store them.

use chrono::{DateTime, NaiveDate, Utc};
use entity::check::CheckKind;
use entity::check_plan::{self, Every};
use entity::deadline_change::{self, DeadlineChangeState};
use entity::milestone;
use sea_orm::ActiveValue::Set;

use super::{CheckPlan, Deadline, printed};

/// The SQL expression of a deadline's class, over the columns of the row `{t}`: `DATED_ONGOING`, `DATED`, `IMMEDIATE`,
/// `ONGOING` or `NONE`.
pub const CLASS: &str = "CASE WHEN {t}.due_on IS NOT NULL AND {t}.due_ongoing THEN 'DATED_ONGOING' \
    WHEN {t}.due_on IS NOT NULL THEN 'DATED' WHEN {t}.due_immediate THEN 'IMMEDIATE' \
    WHEN {t}.due_ongoing THEN 'ONGOING' ELSE 'NONE' END";

/// A deadline as the tables store it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The deadline as printed, or empty if none is.
    pub raw: String,
    /// Whether work has to begin at once (立行立改).
    pub immediate: bool,
    /// The latest local date, or `None` if no date is printed.
    pub on: Option<NaiveDate>,
    /// Whether the measure is ongoing (长期坚持).
    pub ongoing: bool,
    /// The date after which it is overdue, or `None` if it never is.
    pub by: Option<NaiveDate>,
}

impl Columns {
    /// Returns the deadline of a problem.
    pub(crate) fn of_problem(problem: &entity::problem::Model) -> Self {
        Self {
            raw: problem.due_raw.clone(),
            immediate: problem.due_immediate,
            on: problem.due_on,
            ongoing: problem.due_ongoing,
            by: problem.due_by,
        }
    }

    /// Returns the deadline in the plan of a measure.
    pub(crate) fn of_plan(measure: &entity::measure::Model) -> Self {
        Self {
            raw: measure.due_raw.clone(),
            immediate: measure.due_immediate,
            on: measure.plan_due_on,
            ongoing: measure.due_ongoing,
            by: measure.plan_due_by,
        }
    }

    /// Returns the columns of a deadline, whose grace period, if it has one, begins on `grace_from`. Without a deadline
    /// the columns are empty.
    pub fn of(deadline: Option<&Deadline>, grace_from: NaiveDate, grace_days: i64) -> Self {
        Self {
            raw: deadline.map(|deadline| deadline.raw.clone()).unwrap_or_default(),
            immediate: deadline.is_some_and(|deadline| deadline.immediate),
            on: deadline.and_then(|deadline| deadline.due_on),
            ongoing: deadline.is_some_and(|deadline| deadline.ongoing),
            by: deadline.and_then(|deadline| deadline.due_by(grace_from, grace_days)),
        }
    }
}

impl Deadline {
    /// Returns the milestones as rows of a problem or a measure, with positions counted from 1.
    pub fn steps(&self, problem: Option<i64>, measure: Option<i64>) -> Vec<milestone::ActiveModel> {
        let rows = self.milestones.iter().enumerate().map(|(index, step)| milestone::ActiveModel {
            problem_id: Set(problem),
            measure_id: Set(measure),
            position: Set(index as i32 + 1),
            label: Set(step.label.clone()),
            due_on: Set(step.due_on),
            ..Default::default()
        });
        rows.collect()
    }

    /// Returns the plan of self-inspections that the deadline prints, as a row of a measure. A yearly check by another
    /// day than the last falls due with the year.
    pub fn plan(&self, measure: i64) -> Option<check_plan::ActiveModel> {
        let every = match self.checks? {
            CheckPlan::Quarterly => Every::Quarter,
            CheckPlan::HalfYearly => Every::HalfYear,
            CheckPlan::Yearly { .. } => Every::Year,
        };
        Some(check_plan::ActiveModel {
            measure_id: Set(measure),
            kind: Set(CheckKind::SelfInspection),
            every: Set(every),
            ..Default::default()
        })
    }

    /// Returns the extension that the deadline prints, as an approved change of a measure's deadline, recorded at a
    /// moment.
    pub fn extension(&self, measure: i64, at: DateTime<Utc>) -> Option<deadline_change::ActiveModel> {
        let change = self.change?;
        Some(deadline_change::ActiveModel {
            measure_id: Set(measure),
            state: Set(DeadlineChangeState::Approved),
            reason: Set(format!("台账载明：{}", self.raw)),
            old_raw: Set(printed(change.from)),
            old_due_on: Set(Some(change.from)),
            new_raw: Set(printed(change.to)),
            new_due_on: Set(Some(change.to)),
            requested_at: Set(at),
            decided_at: Set(Some(at)),
            ..Default::default()
        })
    }
}
