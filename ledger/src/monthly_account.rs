//! The monthly account (月账, 按月交账): for each month, a unit reports on everything that it has in hand.
//!
//! An assignment owes the account of a month if it was assigned by the end of the month, applies to the unit, was not
//! completed before the month, and was in the unit's hands until the end of the month: neither closed by then nor
//! waiting for an office, unless the unit reported on it all the same. The account is given by a progress report whose
//! period is the month, however late.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use planner::Sql;
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use crate::Result;
use crate::rule::calendar::{Month, moment};

/// The SQL condition that the assignment `a` owes the account of the month. The argument is the condition that it has a
/// report for the month; without one, this is looked up.
#[macro_export]
macro_rules! owes_monthly_account {
    () => {
        $crate::owes_monthly_account!(
            "EXISTS (SELECT 1 FROM progress_report p WHERE p.assignment_id = a.id AND p.period = {fact:month})"
        )
    };
    ($is_given:literal) => {
        concat!(
            "(a.created_at < {fact:month_end_at} AND a.status NOT IN ('NOT_APPLICABLE', 'NOT_APPLICABLE_PROPOSED') \
              AND a.declined_at IS NULL \
              AND NOT EXISTS (SELECT 1 FROM close_out z WHERE z.assignment_id = a.id \
                AND z.closed_on <= {fact:month_end} \
                AND (z.reopened_at IS NULL OR z.reopened_at >= {fact:month_end_at})) \
              AND (a.completed_on IS NULL OR a.completed_on >= {fact:month_start}) \
              AND (a.status IN ('ASSIGNED', 'IN_PROGRESS', 'RETURNED', 'REOPENED') \
                OR EXISTS (SELECT 1 FROM close_out o WHERE o.assignment_id = a.id \
                  AND (o.closed_on IS NULL OR o.closed_on > {fact:month_end}) \
                  AND (o.applied_at >= {fact:month_end_at} OR ",
            $is_given,
            "))))"
        )
    };
}

/// The SQL query for the accounts of the units, over the assignments `a` for which a condition holds. `such` may limit
/// the assignments, of which it knows whether they owe the account, were completed in the month and are overdue, and
/// `having` the units.
///
/// What is known of an assignment is found once, and then added up. In one step, a database would find it anew for each
/// number to which it adds. A report is looked up only for who can owe the account.
macro_rules! accounts {
    ($among:literal, $such:literal, $having:literal) => {
        concat!(
            "(WITH a AS MATERIALIZED (SELECT a.id, a.unit_id, a.region_id, a.created_at, a.status, a.declined_at, \
                a.completed_on, a.due_by, \
                CASE WHEN a.declined_at IS NULL AND (a.completed_on IS NULL OR a.completed_on >= {fact:month_start}) \
                    THEN (SELECT max(p.submitted_at) FROM progress_report p WHERE p.assignment_id = a.id \
                        AND p.period = {fact:month}) END AS given_at \
                FROM assignment a WHERE a.created_at < {fact:month_end_at} AND a.status <> 'NOT_APPLICABLE' AND ",
            $among,
            "), o AS MATERIALIZED (SELECT a.unit_id, a.region_id, a.given_at, CASE WHEN ",
            owes_monthly_account!("a.given_at IS NOT NULL"),
            " THEN 1 ELSE 0 END AS owes, \
                CASE WHEN a.completed_on >= {fact:month_start} AND a.completed_on <= {fact:month_end} \
                    THEN 1 ELSE 0 END AS is_completed, \
                CASE WHEN a.due_by < {fact:month_as_of} \
                    AND NOT (a.completed_on IS NULL AND a.status IN ('CLOSED', 'CLOSED_ONGOING')) \
                    AND (a.completed_on IS NULL OR a.completed_on > {fact:month_as_of}) \
                    THEN 1 ELSE 0 END AS is_overdue FROM a), \
             owed AS (SELECT o.unit_id, o.region_id, o.owes, o.is_completed, o.is_overdue, \
                CASE WHEN o.owes = 1 THEN o.given_at END AS reported_at FROM o ",
            $such,
            ") SELECT o.unit_id AS id, o.unit_id, max(o.region_id) AS region_id, sum(o.owes) AS owed, \
                count(o.reported_at) AS accounted, sum(o.owes) - count(o.reported_at) AS missing, \
                max(o.reported_at) AS reported_at, sum(o.is_completed) AS completed, sum(o.is_overdue) AS overdue, \
                CASE WHEN count(o.reported_at) = 0 THEN 'MISSING' \
                    WHEN count(o.reported_at) < sum(o.owes) THEN 'PARTIAL' ELSE 'GIVEN' END AS state \
             FROM owed o GROUP BY o.unit_id ",
            $having,
            ")"
        )
    };
}

/// The SQL query for the accounts of the units that owe one, as far as the caller may see them.
pub const OWED: &str =
    accounts!("{sees:assignment:a}", "WHERE o.owes + o.is_completed + o.is_overdue > 0", "HAVING sum(o.owes) > 0");

/// The SQL query for the keys of the assignments of a unit that owe the account of the month, and have not given it.
/// The unit is that of the row `{t}`.
pub const MISSING: &str = concat!(
    "SELECT a.id FROM assignment a WHERE a.unit_id = {t}.unit_id AND ",
    owes_monthly_account!(),
    " AND NOT EXISTS (SELECT 1 FROM progress_report p WHERE p.assignment_id = a.id AND p.period = {fact:month}) \
      AND {sees:assignment:a}"
);

/// Returns the values to which the SQL of a month's accounts refers by name.
pub fn facts(month: Month, today: NaiveDate, zone: Tz) -> Vec<(&'static str, Value)> {
    vec![
        ("month", month.name().into()),
        ("month_start", month.first_day().into()),
        ("month_end", month.last_day().into()),
        ("month_end_at", moment(month.next().first_day(), NaiveTime::MIN, zone).into()),
        ("month_as_of", month.last_day().min(today).into()),
    ]
}

/// The account of a unit for a month.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Account {
    /// The key of the unit.
    pub unit_id: i64,
    /// The key of the unit's region.
    pub region_id: i64,
    /// How many assignments owe the account.
    pub owed: i64,
    /// How many of them have given it.
    pub accounted: i64,
    /// How many of the unit's assignments were completed in the month.
    pub completed: i64,
    /// How many of the unit's assignments were overdue at the end of the month or, before it, are by today.
    pub overdue: i64,
    /// When the last report for the month came.
    pub reported_at: Option<DateTime<Utc>>,
}

/// Whose accounts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// Those of the units of a region and of those below it, by the key of the region.
    Region(i64),
    /// Those for the measures that a mail lists as a whole, by the key of the mail.
    Mail(i64),
}

/// Returns the accounts of all units with assignments that apply, in the order of their keys. Units that owe nothing
/// are among them, for what they have completed.
pub async fn accounts<C: ConnectionTrait>(
    db: &C,
    month: Month,
    (today, zone): (NaiveDate, Tz),
    among: Among,
) -> Result<Vec<Account>> {
    let mut facts = facts(month, today, zone);
    let (name, key, source) = match among {
        Among::Region(key) => (
            "region",
            key,
            accounts!(
                "a.region_id IN (SELECT r.id FROM region r JOIN region top ON top.id = {fact:region} \
                 WHERE substr(r.path, 1, length(top.path)) = top.path)",
                "",
                ""
            ),
        ),
        Among::Mail(key) => (
            "mail",
            key,
            accounts!(
                "a.measure_id IN (SELECT i.measure_id FROM mail_item i WHERE i.mail_id = {fact:mail} \
                 AND i.assignment_id IS NULL)",
                "",
                ""
            ),
        ),
    };
    facts.push((name, key.into()));
    let mut sql = Sql::new(db.get_database_backend(), &facts);
    let text = format!("SELECT x.* FROM {} x ORDER BY x.unit_id", sql.source(source));
    Ok(Account::find_by_statement(sql.statement(text)).all(db).await?)
}
