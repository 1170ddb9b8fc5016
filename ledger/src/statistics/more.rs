//! What is counted of items besides the stored figures, when it is asked for: on time, on schedule, checks, monthly
//! accounts and relapses. See [`super::More`] for what each of them is.

use chrono::{NaiveDate, NaiveTime};
use planner::Sql;
use sea_orm::Value;

use super::figures::{Clock, Counted, Question};
use super::state::State;
use crate::rule::calendar::{Month, Quarter, moment, plus_days};
use crate::rule::pace;
use crate::{monthly_account, owes_monthly_account, reminder};

/// The columns of [`super::More`].
const COLUMNS: [&str; 12] = [
    "on_time",
    "late_unknown",
    "dated",
    "on_schedule",
    "open_on_schedule",
    "expected",
    "reported",
    "checks_due",
    "checks_made",
    "checks_passed",
    "ever_closed",
    "reopened",
];

/// Returns the columns of figures that are not counted.
pub(super) fn none() -> String {
    COLUMNS.map(|column| format!("CAST(0 AS bigint) AS {column}")).join(", ")
}

/// Returns the SQL of [`super::More`], added up over the rows `alias`, which are figures of parts.
pub(super) fn added_up(sql: &Sql<'_>, alias: &str) -> String {
    COLUMNS.map(|column| format!("{} AS {column}", sql.sum(&format!("{alias}.{column}")))).join(", ")
}

/// Returns the facts about the assignment `a` of the measure `m` from which [`counted`] counts, as columns to append to
/// a SELECT; nothing for other items.
pub(super) fn columns(sql: &mut Sql<'_>, question: &Question) -> String {
    let clock = question.clock.filter(|_| question.wants_more);
    let (Some(Clock { today, zone }), Counted::Assignments) = (clock, question.counted) else {
        return String::new();
    };
    let as_of = question.as_of;
    let after = |day: NaiveDate| moment(plus_days(day, 1), NaiveTime::MIN, zone);
    let pace = if as_of == today { pace::sql(sql, "a", "m") } else { "CAST(NULL AS text)".to_owned() };
    let facts = monthly_account::facts(Month::of(as_of), as_of.min(today), zone);
    let expected = with(sql, owes_monthly_account!(), &facts);
    let given = "EXISTS (SELECT 1 FROM progress_report p WHERE p.assignment_id = a.id AND p.period = {fact:month})";
    let reported = with(sql, given, &facts);
    // The last quarter that was over, unless the day is its last.
    let quarter = Quarter::of(plus_days(as_of, 1)).previous();
    let check = reminder::check::self_inspection(sql, quarter, zone);
    let (day, end) = (sql.bind(as_of), sql.bind(after(as_of)));
    let closed = format!("EXISTS (SELECT 1 FROM close_out z WHERE z.assignment_id = a.id AND z.closed_on <= {day})");
    let reopened = format!("EXISTS (SELECT 1 FROM close_out z WHERE z.assignment_id = a.id AND z.reopened_at < {end})");
    let one = |condition: &str, name: &str| format!("CASE WHEN {condition} THEN 1 ELSE 0 END AS {name}");
    [
        String::new(),
        format!("{pace} AS pace"),
        one(&expected, "is_expected"),
        one(&reported, "is_reported"),
        one(&check.due, "is_check_due"),
        one(&check.made, "is_check_made"),
        one(&check.passed, "is_check_passed"),
        one(&closed, "was_closed"),
        one(&reopened, "was_reopened"),
    ]
    .join(", ")
}

/// Returns the SQL of [`super::More`] over the items `i`, judged by `state` and by the deadline `due_by`.
pub(super) fn counted(sql: &Sql<'_>, question: &Question, as_of: &str, state: &State, due_by: &str) -> String {
    if !question.wants_more {
        return none();
    }
    let State { completed_on, is_completed_by, .. } = state;
    let (applicable, past_due, completed) =
        (state.is_applicable(), state.is_past_due(due_by, as_of), state.is_completed(as_of));
    let in_time = format!("coalesce({completed_on} <= {due_by}, {completed_on} IS NULL AND {})", state.is_closed());
    let flags = match question.counted {
        Counted::Assignments => [
            format!("{applicable} AND {due_by} IS NOT NULL"),
            format!("{applicable} AND {due_by} IS NOT NULL AND ({completed} OR i.pace IN ('AHEAD', 'ON_SCHEDULE'))"),
            "i.pace IN ('AHEAD', 'ON_SCHEDULE')".to_owned(),
            "i.is_expected = 1".to_owned(),
            "i.is_expected = 1 AND i.is_reported = 1".to_owned(),
            "i.is_check_due = 1".to_owned(),
            "i.is_check_due = 1 AND i.is_check_made = 1".to_owned(),
            "i.is_check_due = 1 AND i.is_check_passed = 1".to_owned(),
            // What a ledger states as closed has no cycle of its own.
            format!("(i.was_closed = 1 OR {})", state.was_closed(as_of)),
            "i.was_reopened = 1".to_owned(),
        ],
        Counted::Problems | Counted::Measures => std::array::from_fn(|_| "1 = 0".to_owned()),
    };
    let late_unknown = format!("{past_due} AND {is_completed_by} AND {completed_on} > {due_by}");
    let conditions = [format!("{past_due} AND {in_time}"), late_unknown].into_iter().chain(flags);
    let sums = conditions.zip(COLUMNS).map(|(condition, column)| format!("{} AS {column}", sql.count_of(&condition)));
    sums.collect::<Vec<_>>().join(", ")
}

/// Returns a template with each `{fact:name}` replaced by the value of the fact. A statement about several months has
/// different values under the same names.
fn with(sql: &mut Sql<'_>, template: &str, facts: &[(&'static str, Value)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in facts {
        let mark = format!("{{fact:{name}}}");
        if text.contains(&mark) {
            text = text.replace(&mark, &sql.bind(value.clone()));
        }
    }
    text
}
