//! Reminders of the checks of open and ongoing measures: the self-inspection (自查), due each quarter, to the answering
//! unit and the rectification office (整改办) of its region; the verification (核查), due each half-year, to the
//! nearest office of a city or a level above; and the spot check (抽查), due each year, to the office of the province.
//!
//! The plan of a measure may say that a check is due less often, or never. Everyone is reminded some days before a
//! period ends, then regularly until the check is done, each period for itself. The first period that is owed is the
//! first whole one after the measure was issued and the assignment entered into the ledger.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use entity::assignment;
use entity::check::CheckKind;
use entity::check_plan::Every;
use entity::reminder_rule::{Copied, ReminderKind};
use planner::Sql;
use sea_orm::{ActiveEnum, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QuerySelect, Statement};

use super::candidate::{Candidate, Each, Matter, Told};
use super::office::Offices;
use super::rules::Rules;
use crate::Result;
use crate::record::database::Transaction;
use crate::rule::calendar::{Quarter, local_day, moment, plus_days};
use crate::work::check::period;

/// A kind of check that is reminded of.
#[derive(Debug, Clone, Copy)]
struct Checked {
    /// The kind of reminder.
    reminder: ReminderKind,
    /// The kind of check.
    check: CheckKind,
    /// How often it is due unless the plan of the measure says less often.
    every: Every,
    /// The number of quarters of a period.
    quarters: u32,
}

const SELF_INSPECTION: Checked = Checked {
    reminder: ReminderKind::QuarterlySelfInspection,
    check: CheckKind::SelfInspection,
    every: Every::Quarter,
    quarters: 1,
};
const VERIFICATION: Checked = Checked {
    reminder: ReminderKind::HalfYearVerification,
    check: CheckKind::Verification,
    every: Every::HalfYear,
    quarters: 2,
};
const SPOT_CHECK: Checked =
    Checked { reminder: ReminderKind::YearlySpotCheck, check: CheckKind::SpotCheck, every: Every::Year, quarters: 4 };

/// An assignment without the check that is due, by keys.
#[derive(FromQueryResult)]
struct Unchecked {
    measure: i64,
    assignment: i64,
    unit: i64,
    region: i64,
    office: Option<i64>,
}

/// Hands on the self-inspections that are owed: those for the quarter that ends soon, and those for the quarters that
/// have ended.
pub async fn self_inspections(
    db: &Transaction,
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let told = |row: &Unchecked| {
        let rule = rules.of(ReminderKind::QuarterlySelfInspection, Some(row.region));
        let office = row.office.filter(|_| rule.copied.contains(&Copied::Office));
        [Some(row.unit), office].into_iter().flatten().collect()
    };
    candidates(db, SELF_INSPECTION, (today, zone), (rules, each), told).await
}

/// Hands on the verifications that are owed, by half-years.
pub async fn verifications(
    db: &Transaction,
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let offices = Offices::read(db).await?;
    let told = |row: &Unchecked| offices.above(row.region).map(|(office, _)| office).into_iter().collect();
    candidates(db, VERIFICATION, (today, zone), (rules, each), told).await
}

/// Hands on the spot checks that are owed, by years.
pub async fn spot_checks(
    db: &Transaction,
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let offices = Offices::read(db).await?;
    let told = |row: &Unchecked| offices.of_province(row.region).into_iter().collect();
    candidates(db, SPOT_CHECK, (today, zone), (rules, each), told).await
}

/// Hands on what is owed of a kind of check. `told` returns the units to be told of an assignment.
async fn candidates(
    db: &Transaction,
    checked: Checked,
    (today, zone): (NaiveDate, Tz),
    (rules, each): (&Rules, &mut Each<'_>),
    told: impl Fn(&Unchecked) -> Vec<i64> + Sync,
) -> Result<()> {
    let first: Option<DateTime<Utc>> = assignment::Entity::find()
        .select_only()
        .column_as(sea_orm::ColumnTrait::min(&assignment::Column::CreatedAt), "first")
        .into_tuple::<Option<DateTime<Utc>>>()
        .one(db)
        .await?
        .flatten();
    let Some(first) = first.map(|at| Quarter::after(local_day(at, zone))) else { return Ok(()) };
    let nearest = rules.reach(checked.reminder).map(|reach| plus_days(today, reach));
    let last_of = |quarter: Quarter| (quarter.last_day().month() / 3).is_multiple_of(checked.quarters);
    // From the period that ends soon back to the first one.
    let back = std::iter::successors(Some(Quarter::of(today)), |later| Some(later.previous()));
    let ahead = std::iter::successors(Some(Quarter::of(today).next()), |earlier| Some(earlier.next())).take(3);
    let ahead: Vec<Quarter> = ahead.collect();
    for quarter in ahead.into_iter().rev().chain(back).take_while(|quarter| *quarter >= first) {
        let ends = quarter.last_day();
        if !last_of(quarter) || (ends >= today && nearest.is_none_or(|day| day < ends)) {
            continue;
        }
        let candidate = |row: Unchecked| {
            let rule = rules.of(checked.reminder, Some(row.region));
            let since = if ends < today { Some(rule.silent_since(today)) } else { rule.owed_since(ends, today) };
            let since = since.filter(|_| rule.is_sent_on(today))?;
            // An office, too, is told about the assignment: about its own part, not its siblings'.
            let units = told(&row).into_iter().map(|unit| Told { unit, answers: true }).collect();
            Some(Candidate {
                matter: Matter::Measure(row.measure),
                assignment: Some(row.assignment),
                region: Some(row.region),
                due_on: ends,
                units,
                people: Vec::new(),
                since,
                goes_along: true,
            })
        };
        let statement = unchecked(db.get_database_backend(), checked, quarter, zone);
        db.each(statement, |row| candidate(row).into_iter().for_each(&mut *each)).await?;
    }
    Ok(())
}

/// Returns the statement of the assignments whose unit owes a self-inspection for a quarter, with the column `unit`.
pub(super) fn self_inspections_owed(backend: DbBackend, quarter: Quarter, zone: Tz) -> Statement {
    unchecked(backend, SELF_INSPECTION, quarter, zone)
}

/// What is known of the self-inspection of an assignment `a` of a measure `m` for a quarter: SQL conditions.
pub(crate) struct SelfInspection {
    /// It is due, because the assignment applied and was open, or ongoing, in the whole quarter.
    pub(crate) due: String,
    /// It was made.
    pub(crate) made: String,
    /// It was passed.
    pub(crate) passed: String,
}

/// Returns the conditions on the self-inspection that is due at the end of a quarter.
pub(crate) fn self_inspection(sql: &mut Sql<'_>, quarter: Quarter, zone: Tz) -> SelfInspection {
    let (begins, ends) = (quarter.first_day(), quarter.last_day());
    let (issued, entered) = (sql.bind(begins), sql.bind(moment(begins, NaiveTime::MIN, zone)));
    let (closed, kind) = (sql.bind(ends), sql.bind(CheckKind::SelfInspection.to_value()));
    let every = format!("(SELECT p.every FROM check_plan p WHERE p.measure_id = a.measure_id AND p.kind = {kind})");
    let turns = turns(sql, SELF_INSPECTION, quarter);
    let any = |of: &dyn Fn(&Turn) -> String| {
        let each: Vec<String> = turns.iter().map(of).collect();
        format!("({})", each.join(" OR "))
    };
    let by_default = sql.bind(SELF_INSPECTION.every.to_value());
    let is_turn = |turn: &Turn| format!("coalesce({every}, {by_default}) = '{}'", turn.every.to_value());
    let due = format!(
        "(a.status <> 'NOT_APPLICABLE' AND m.issued_on < {issued} AND a.created_at < {entered} \
         AND (a.status <> 'CLOSED' OR EXISTS (SELECT 1 FROM close_out z WHERE z.assignment_id = a.id \
           AND z.closed_on > {closed})) AND {})",
        any(&is_turn)
    );
    let made = any(&|turn| format!("({} AND EXISTS ({}))", is_turn(turn), turn.checks));
    let passed = any(&|turn| format!("({} AND EXISTS ({} AND c.result = 'PASSED'))", is_turn(turn), turn.checks));
    SelfInspection { due, made, passed }
}

/// A frequency of checks whose turn it is at the end of a quarter.
struct Turn {
    every: Every,
    /// The query for the checks `c` of the assignment `a` that settle it.
    checks: String,
}

/// Returns the frequencies at which a kind of check falls due at the end of a quarter.
fn turns(sql: &mut Sql<'_>, checked: Checked, quarter: Quarter) -> Vec<Turn> {
    let kind = sql.bind(checked.check.to_value());
    let mut turns = Vec::new();
    for (every, quarters) in [(Every::Quarter, 1), (Every::HalfYear, 2), (Every::Year, 4)] {
        // A check is never due more often than its periods end.
        let quarters = checked.quarters.max(quarters);
        if !(quarter.last_day().month() / 3).is_multiple_of(quarters) {
            continue;
        }
        let names = back(quarter, quarters).map(|quarter| period(checked.check, quarter.last_day()).0);
        let mut names: Vec<String> = names.collect();
        names.dedup();
        let names: Vec<String> = names.into_iter().map(|name| sql.bind(name)).collect();
        let checks = format!(
            "SELECT 1 FROM \"check\" c WHERE c.assignment_id = a.id AND c.kind = {kind} AND c.period IN ({})",
            names.join(", ")
        );
        turns.push(Turn { every, checks });
    }
    turns
}

/// Returns this number of quarters, the given one first and then those before it.
fn back(quarter: Quarter, quarters: u32) -> impl Iterator<Item = Quarter> {
    std::iter::successors(Some(quarter), |later| Some(later.previous())).take(quarters as usize)
}

/// Returns the statement of the assignments that were entered before the period began and have no check for the period
/// that ends with the quarter or, by the plan of their measure, for the half-year or the year.
fn unchecked(backend: DbBackend, checked: Checked, quarter: Quarter, zone: Tz) -> Statement {
    let begins = back(quarter, checked.quarters).last().unwrap_or(quarter).first_day();
    let mut sql = Sql::new(backend, &[]);
    let (issued, entered) = (sql.bind(begins), sql.bind(moment(begins, NaiveTime::MIN, zone)));
    let (kind, by_default) = (sql.bind(checked.check.to_value()), sql.bind(checked.every.to_value()));
    let owed: Vec<String> = turns(&mut sql, checked, quarter)
        .into_iter()
        .map(|Turn { every, checks }| {
            format!("(coalesce(p.every, {by_default}) = '{}' AND NOT EXISTS ({checks}))", every.to_value())
        })
        .collect();
    let text = format!(
        "SELECT a.measure_id AS measure, a.id AS assignment, a.unit_id AS unit, a.region_id AS region, \
         o.id AS office FROM assignment a JOIN measure m ON m.id = a.measure_id \
         LEFT JOIN unit o ON o.region_id = a.region_id AND o.kind = 'RECTIFICATION_OFFICE' AND o.retired_on IS NULL \
         LEFT JOIN check_plan p ON p.measure_id = a.measure_id AND p.kind = {kind} \
         WHERE a.status NOT IN ('CLOSED', 'NOT_APPLICABLE') AND m.issued_on < {issued} AND a.created_at < {entered} \
         AND ({})",
        owed.join(" OR ")
    );
    sql.statement(text)
}
