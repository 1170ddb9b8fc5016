//! Milestones (分步时限): the dated steps of a deadline that names several dates.

use ledger::record::concern;
use ledger::rule::deadline::BEGINNING;
use planner::{Condition, Dimension, Kind, Link, Member, Noun, SortKey, SortType, Sql, noun};

use crate::noun::measure::{Measure, MeasureFilter};
use crate::noun::problem::{Problem, ProblemFilter};
use crate::noun::region::SubtreeFilter;
use crate::part::filter::{DateFilter, RelationFilter, TextFilter, filter};
use crate::part::group::dated;
use crate::part::order::order;
use crate::part::scalar::Date;

const DUE_ON: SortKey = SortKey::column("{t}.due_on", "due_on", SortType::Date);
const POSITION: SortKey = SortKey::column("{t}.position", "position", SortType::Integer);

const GROUPS: &[Dimension] = dated!("{t}.due_on", "due date of the step", []);

/// Returns the SQL condition that the item to which a milestone belongs is completed.
fn completed(_: &mut Sql<'_>, milestone: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM measure m WHERE m.id = {milestone}.measure_id AND m.completed_on IS NOT NULL) \
         OR EXISTS (SELECT 1 FROM problem p WHERE p.id = {milestone}.problem_id AND p.completed_on IS NOT NULL))"
    )
}

/// Returns SQL for whether the item to which a milestone belongs is completed.
fn is_completed(sql: &mut Sql<'_>, milestone: &str) -> String {
    let condition = completed(sql, milestone);
    sql.boolean(&condition)
}

/// Returns the condition for milestones of the problems and measures that concern a region.
fn concerning(region: &SubtreeFilter) -> Condition {
    let of = |table: &'static str, key: &'static str, list: fn(sea_orm::Value) -> Member| Condition::Exists {
        table,
        column: "id",
        key,
        condition: Box::new(region.listed(list)),
    };
    let of_measures = of("measure", "measure_id", concern::measures_of);
    Condition::Any(vec![of("problem", "problem_id", concern::problems_of), of_measures])
}

noun! {
    /// One dated step of a deadline that names several dates.
    pub(crate) Milestone from "milestone" {
        order: &[DUE_ON, POSITION],
        total: None,
        filter: MilestoneFilter,
        by: MilestoneOrder,
        groups: GROUPS
    }
    /// What is due on the date, such as `5A级、4A级景区`; `整体` where the deadline does not say, `开始` for the
    /// beginning of a range, on which nothing is due.
    label: String = Kind::Column("label");
    /// Local date on which the step is due.
    dueOn: Date = Kind::Column("due_on");
    /// Whether the measure or problem to which the step belongs is completed (完成). Steps are not completed one by
    /// one.
    isCompleted: bool = Kind::Expression(is_completed);
    /// Measure (整改措施) whose deadline has the step; null if it is the deadline of a problem.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Problem (反馈问题) whose own deadline has the step; null if it is the deadline of a measure.
    problem: Option<Problem> = Kind::One(<Problem as Noun>::table, "problem_id");
}

/// Link from a problem to the milestones of its deadline.
pub(crate) const OF_PROBLEM: Link = Link::Column("problem_id");
/// Link from a measure to the milestones of its deadline.
pub(crate) const OF_MEASURE: Link = Link::Column("measure_id");

order! { MilestoneOrder by MilestoneOrderField {
    /// 到期日 · Date on which the step is due.
    DueOn = DUE_ON,
} }

filter! {
    /// Conditions on milestones. All that are given have to hold.
    MilestoneFilter {
        /// Condition on the date on which the step is due.
        due_on: DateFilter = |day| day.condition("due_on"),
        /// Condition on what is due.
        label: TextFilter = |label| label.condition("label", &["label"]),
        /// True: the measure or problem to which the step belongs is completed. False: it is not.
        is_completed: bool = |wanted| Condition::Holds(completed, *wanted),
        /// True: something is due on the date. False: the step is the beginning of a range.
        is_due: bool = |due| Condition::Compare("label", if *due { "<>" } else { "=" }, BEGINNING.into()),
        /// Condition on the region that issued or answers the measure or problem to which the step belongs.
        region: SubtreeFilter = |region| concerning(region),
        /// Condition on the measure whose deadline has the step.
        measure: RelationFilter<MeasureFilter> = |measure| measure.condition("measure_id", <Measure as Noun>::table()),
        /// Condition on the problem whose own deadline has the step.
        problem: RelationFilter<ProblemFilter> = |problem| problem.condition("problem_id", <Problem as Noun>::table()),
    }
}
