//! Pace (进度): how far an assignment or a measure has come in relation to its allotted time, derived as of a date.
//!
//! The rule exists as a pure function and, for lists, as SQL. `tests/stories/pace.rs` checks that the two agree.

use chrono::{Datelike, NaiveDate, NaiveTime};
use chrono_tz::Tz;
use entity::assignment::{PaceOverride, Status};
use planner::Sql;

use crate::rule::calendar::{Quarter, moment, plus_days};

/// The days without a report after which an open assignment with a deadline is stale.
const STALE_DAYS: i64 = 30;
/// The days without a report after which an assignment without a date, such as an ongoing one, is stale: a quarter.
const STALE_DAYS_ONGOING: i64 = 92;
/// The days before a deadline from which on it is due soon.
const SOON_DAYS: i64 = 30;
/// How far the share of the target that is done may differ from the share of time that has elapsed and still be on
/// schedule: 10 percentage points.
const TOLERANCE: f64 = 0.1;

/// How far something has come in relation to its allotted time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Completed or closed (完成).
    Done,
    /// Past its deadline (逾期).
    Overdue,
    /// Ahead of schedule (超前).
    Ahead,
    /// On schedule (达到序时进度).
    OnSchedule,
    /// Behind schedule (未达序时进度).
    Behind,
}

/// The facts from which the pace is derived. All dates are local.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// The workflow status.
    pub status: Status,
    /// The date of completion, or `None` if it is not completed.
    pub completed_on: Option<NaiveDate>,
    /// The date after which it is overdue, or `None` if it never is.
    pub due_by: Option<NaiveDate>,
    /// The date on which its allotted time begins.
    pub issued_on: NaiveDate,
    /// The date of the last report, or `None` if there is none.
    pub reported_on: Option<NaiveDate>,
    /// The quantity done, in the measure's unit of measurement.
    pub quantity_done: Option<f64>,
    /// The quantity to be done, in the measure's unit of measurement.
    pub quantity_target: Option<f64>,
    /// The pace set by a user, who can override everything but completion and a passed deadline.
    pub pace_override: Option<PaceOverride>,
}

/// Returns the pace at the end of a day, or `None` if the measure is not applicable.
pub fn pace(facts: &Facts, today: NaiveDate) -> Option<Pace> {
    if facts.status == Status::NotApplicable {
        return None;
    }
    let closed = matches!(facts.status, Status::Closed | Status::ClosedOngoing);
    if closed || facts.completed_on.is_some_and(|day| day <= today) {
        return Some(Pace::Done);
    }
    if facts.due_by.is_some_and(|due| due < today) {
        return Some(Pace::Overdue);
    }
    if let Some(set) = facts.pace_override {
        return Some(match set {
            PaceOverride::Ahead => Pace::Ahead,
            PaceOverride::OnSchedule => Pace::OnSchedule,
            PaceOverride::Behind => Pace::Behind,
        });
    }
    if let (Some(done), Some(target), Some(due)) = (facts.quantity_done, facts.quantity_target, facts.due_by)
        && target > 0.0
        && due > facts.issued_on
    {
        let allotted = (due - facts.issued_on).num_days() as f64;
        let elapsed = (today - facts.issued_on).num_days() as f64;
        let lead = done / target - elapsed / allotted;
        return Some(if lead > TOLERANCE {
            Pace::Ahead
        } else if lead < -TOLERANCE {
            Pace::Behind
        } else {
            Pace::OnSchedule
        });
    }
    let patience = if facts.due_by.is_some() { STALE_DAYS } else { STALE_DAYS_ONGOING };
    let heard = facts.reported_on.unwrap_or(facts.issued_on);
    Some(if heard < plus_days(today, -patience) { Pace::Behind } else { Pace::OnSchedule })
}

/// Returns the values that the SQL forms of the rules refer to by name, on a day of a time zone.
pub fn facts(today: NaiveDate, zone: Tz) -> Vec<(&'static str, sea_orm::Value)> {
    let (begins, quarter) = (Quarter::of(today).first_day(), Quarter::of(today).last_day());
    let period = |months: u32| begins.with_month(begins.month0() / months * months + 1).unwrap_or(begins);
    vec![
        ("today", today.into()),
        ("soon", plus_days(today, SOON_DAYS).into()),
        ("quarter_start", begins.into()),
        ("quarter_start_at", moment(begins, NaiveTime::MIN, zone).into()),
        ("quarter_end", quarter.into()),
        ("half_start", period(6).into()),
        ("year_start", period(12).into()),
        ("ends_half", i32::from(quarter.month().is_multiple_of(6)).into()),
        ("ends_year", i32::from(quarter.month() == 12).into()),
        ("stale", plus_days(today, -STALE_DAYS).into()),
        ("stale_ongoing", plus_days(today, -STALE_DAYS_ONGOING).into()),
    ]
}

/// Returns the SQL expression of the pace of the row `alias`, whose columns are named like the fields of [`Facts`]. The
/// date on which the allotted time begins, `issued_on`, is that of the row `owner`.
pub fn sql(sql: &mut Sql<'_>, alias: &str, owner: &str) -> String {
    let (today, stale, stale_ongoing) = (sql.fact("today"), sql.fact("stale"), sql.fact("stale_ongoing"));
    let elapsed = sql.days_between(&format!("{owner}.issued_on"), &today);
    let allotted = sql.days_between(&format!("{owner}.issued_on"), &format!("{alias}.due_by"));
    let lead = format!("{alias}.quantity_done / {alias}.quantity_target - {elapsed} / {allotted}");
    let heard = format!("coalesce({alias}.reported_on, {owner}.issued_on)");
    format!(
        "CASE WHEN {alias}.status = 'NOT_APPLICABLE' THEN NULL \
         WHEN {alias}.status IN ('CLOSED', 'CLOSED_ONGOING') OR {alias}.completed_on <= {today} THEN 'DONE' \
         WHEN {alias}.due_by < {today} THEN 'OVERDUE' \
         WHEN {alias}.pace_override IS NOT NULL THEN {alias}.pace_override \
         WHEN {alias}.quantity_done IS NOT NULL AND {alias}.quantity_target > 0 \
         AND {alias}.due_by > {owner}.issued_on THEN \
           CASE WHEN {lead} > {TOLERANCE} THEN 'AHEAD' WHEN {lead} < -{TOLERANCE} THEN 'BEHIND' ELSE 'ON_SCHEDULE' END \
         WHEN {heard} < CASE WHEN {alias}.due_by IS NOT NULL THEN {stale} ELSE {stale_ongoing} END THEN 'BEHIND' \
         ELSE 'ON_SCHEDULE' END"
    )
}

/// Returns the SQL condition that the row `alias` is open past its deadline, as the pace and the statistics define it.
pub fn overdue(sql: &mut Sql<'_>, alias: &str) -> String {
    let today = sql.fact("today");
    format!(
        "coalesce({alias}.status NOT IN ('NOT_APPLICABLE', 'CLOSED', 'CLOSED_ONGOING') AND {alias}.due_by < {today} \
         AND ({alias}.completed_on IS NULL OR {alias}.completed_on > {today}), FALSE)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn facts() -> Facts {
        Facts {
            status: Status::InProgress,
            completed_on: None,
            due_by: Some(day("2022-12-31")),
            issued_on: day("2022-01-01"),
            reported_on: Some(day("2022-06-20")),
            quantity_done: None,
            quantity_target: None,
            pace_override: None,
        }
    }

    #[test]
    fn a_deadline_ends_at_the_end_of_its_day() {
        assert_eq!(pace(&facts(), day("2022-12-31")), Some(Pace::Behind));
        assert_eq!(pace(&facts(), day("2023-01-01")), Some(Pace::Overdue));
    }

    #[test]
    fn completed_is_done_from_its_day_on_and_closed_always() {
        let completed = Facts { completed_on: Some(day("2022-11-01")), ..facts() };
        assert_eq!(pace(&completed, day("2023-01-01")), Some(Pace::Done));
        assert_eq!(pace(&completed, day("2022-07-01")), Some(Pace::OnSchedule));
        let closed = Facts { status: Status::Closed, ..facts() };
        assert_eq!(pace(&closed, day("2023-01-01")), Some(Pace::Done));
        assert_eq!(pace(&Facts { status: Status::NotApplicable, ..facts() }, day("2023-01-01")), None);
    }

    #[test]
    fn quantities_are_held_against_elapsed_time_within_ten_points() {
        let half_time = day("2022-07-02");
        let at = |done| pace(&Facts { quantity_done: Some(done), quantity_target: Some(100.0), ..facts() }, half_time);
        assert_eq!(at(30.0), Some(Pace::Behind));
        assert_eq!(at(45.0), Some(Pace::OnSchedule));
        assert_eq!(at(59.0), Some(Pace::OnSchedule));
        assert_eq!(at(70.0), Some(Pace::Ahead));
    }

    #[test]
    fn without_quantities_silence_is_being_behind() {
        assert_eq!(pace(&facts(), day("2022-07-20")), Some(Pace::OnSchedule));
        assert_eq!(pace(&facts(), day("2022-07-21")), Some(Pace::Behind));
        let ongoing = Facts { due_by: None, ..facts() };
        assert_eq!(pace(&ongoing, day("2022-09-20")), Some(Pace::OnSchedule));
        assert_eq!(pace(&ongoing, day("2022-09-21")), Some(Pace::Behind));
    }

    #[test]
    fn a_person_may_set_the_pace_but_not_undo_a_deadline() {
        let set = Facts { pace_override: Some(PaceOverride::Ahead), ..facts() };
        assert_eq!(pace(&set, day("2022-12-31")), Some(Pace::Ahead));
        assert_eq!(pace(&set, day("2023-01-01")), Some(Pace::Overdue));
    }
}
