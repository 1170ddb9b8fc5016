//! The monthly account (月账). Towards the end of a month, units get the form: everything on which they have not yet
//! reported for the month. When the month is over, leaders and rectification offices get its figures: of a region, or
//! of the measures that someone leads. Days off move both to the next working day.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::region;
use entity::reminder_rule::ReminderKind;
use entity::unit::{self, Kind};
use planner::Sql;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};

use super::candidate::{Candidate, Each, Matter, Person, Told};
use super::leader::{Leaders, named};
use super::rules::{RegionRule, Rules};
use crate::Result;
use crate::monthly_account::facts;
use crate::owes_monthly_account;
use crate::record::database::Transaction;
use crate::region::lineage;
use crate::rule::calendar::{Month, plus_days};

/// The kind of its mails.
pub const KIND: &str = "monthly-account";

/// For how many days the figures of a month are made up for, if the program did not run on their day.
const MADE_UP: i64 = 7;

/// Returns the day since which the form of a month is owed on `today`; `None` if it is not. It is owed until the month
/// ends or, if days off have moved its day beyond, on that day.
fn form_since(rule: RegionRule<'_>, month: Month, today: NaiveDate) -> Option<NaiveDate> {
    let since = rule.account_form_on(month);
    let is_owed = since == today || (since < today && today <= month.last_day());
    (is_owed && rule.is_sent_on(today)).then_some(since)
}

/// Returns the day since which the figures of a month are owed on `today`; `None` if they are not.
fn report_since(rule: RegionRule<'_>, month: Month, today: NaiveDate) -> Option<NaiveDate> {
    let since = rule.account_report_on(month);
    let is_owed = since <= today && today < plus_days(since, MADE_UP);
    // They can have been told at any time after the month: a day that is moved later does not send them again.
    (is_owed && rule.is_sent_on(today)).then(|| since.min(plus_days(month.last_day(), 1)))
}

/// Hands on the forms and figures that are owed on a day.
pub async fn candidates(
    db: &Transaction,
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let this = Month::of(today);
    let is_owed = |since: fn(RegionRule<'_>, Month, NaiveDate) -> Option<NaiveDate>, month: Month| {
        rules.all(ReminderKind::MonthlyAccount).any(|rule| since(rule, month, today).is_some())
    };
    // The figures of a month may come late in the next one, and are made up for until after it.
    for month in [this.previous().previous(), this.previous(), this] {
        if is_owed(form_since, month) {
            forms(db, month, (today, zone), rules, each).await?;
        }
        if is_owed(report_since, month) {
            reports(db, month, (today, zone), rules, each).await?;
        }
    }
    Ok(())
}

/// An assignment on which its unit has not reported for the month.
#[derive(FromQueryResult)]
struct Missing {
    measure: i64,
    assignment: i64,
    unit: i64,
    region: i64,
}

/// Hands on what units have not yet reported on for a month.
async fn forms(
    db: &Transaction,
    month: Month,
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    const MISSING: &str = concat!(
        "SELECT a.measure_id AS measure, a.id AS assignment, a.unit_id AS unit, a.region_id AS region \
         FROM assignment a WHERE ",
        owes_monthly_account!(),
        " AND NOT EXISTS (SELECT 1 FROM progress_report p WHERE p.assignment_id = a.id AND p.period = {fact:month})"
    );
    let facts = facts(month, today, zone);
    let mut sql = Sql::new(db.get_database_backend(), &facts);
    let text = sql.source(MISSING);
    let candidate = |row: Missing| {
        let rule = rules.of(ReminderKind::MonthlyAccount, Some(row.region));
        form_since(rule, month, today).map(|since| Candidate {
            matter: Matter::Measure(row.measure),
            assignment: Some(row.assignment),
            region: Some(row.region),
            due_on: month.last_day(),
            units: vec![Told { unit: row.unit, answers: true }],
            people: Vec::new(),
            since,
            goes_along: true,
        })
    };
    Ok(db.each(sql.statement(text), |row| candidate(row).into_iter().for_each(&mut *each)).await?)
}

/// A measure for which some unit owes the account of the month.
#[derive(FromQueryResult)]
struct Owed {
    measure: i64,
    lead_unit: Option<i64>,
    lead_region: Option<i64>,
    /// A unit that answers for it, and its region.
    unit: i64,
    region: i64,
}

/// Hands on the figures of a month, for each region with an office or a leader in charge of it, and for each measure
/// whose leader has an address.
async fn reports(
    db: &Transaction,
    month: Month,
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let owed = owed(db, month, (today, zone)).await?;
    let regions: HashMap<i64, Vec<i64>> =
        region::Entity::find().all(db).await?.into_iter().map(|region| (region.id, lineage(&region.path))).collect();
    let owing: HashSet<i64> = owed.regions.iter().filter_map(|region| regions.get(region)).flatten().copied().collect();
    let leaders = Leaders::read(db, today).await?;
    let offices = unit::Entity::find()
        .filter(unit::Column::Kind.eq(Kind::RectificationOffice))
        .filter(unit::Column::RetiredOn.is_null())
        .order_by_asc(unit::Column::Id)
        .all(db)
        .await?;
    let mut told: HashMap<i64, (Vec<Told>, Vec<Person>)> = HashMap::new();
    for office in &offices {
        told.entry(office.region_id).or_default().0.push(Told { unit: office.id, answers: false });
    }
    for (leader, region) in leaders.of_regions() {
        let (units, people) = told.entry(region).or_default();
        let Some(unit) = leader.unit_id.or(units.first().map(|office| office.unit)) else { continue };
        people.push(Person { address: leader.email.clone(), unit });
    }
    let mut report = |matter: Matter, region: Option<i64>, (units, people): (Vec<Told>, Vec<Person>)| {
        let rule = rules.of(ReminderKind::MonthlyAccount, region);
        if let Some(since) = report_since(rule, month, today) {
            let due_on = month.last_day();
            let assignment = None;
            // Other months and regions with days of their own are told in their own time.
            each(Candidate { matter, assignment, region, due_on, units, people, since, goes_along: false });
        }
    };
    let mut told: Vec<_> = told.into_iter().filter(|(region, _)| owing.contains(region)).collect();
    told.sort_by_key(|(region, _)| *region);
    for (region, told) in told {
        report(Matter::Region(region), Some(region), told);
    }
    let named = named(db).await?;
    for row in owed.measures {
        let people = match named.get(&row.measure) {
            Some(address) => {
                vec![Person { address: address.clone(), unit: row.lead_unit.unwrap_or(row.unit) }]
            }
            None => leaders.of(row.lead_unit, None),
        };
        if !people.is_empty() {
            let region = row.lead_region.unwrap_or(row.region);
            report(Matter::Measure(row.measure), Some(region), (Vec::new(), people));
        }
    }
    Ok(())
}

/// Where the account of a month is owed.
struct Owing {
    /// The keys of the regions of the units that owe it.
    regions: Vec<i64>,
    /// The measures that are led by someone who may have an address of their own.
    measures: Vec<Owed>,
}

#[derive(FromQueryResult)]
struct OfRegion {
    region_id: i64,
}

async fn owed<C: ConnectionTrait>(db: &C, month: Month, (today, zone): (NaiveDate, Tz)) -> Result<Owing> {
    const REGIONS: &str = concat!("SELECT DISTINCT a.region_id FROM assignment a WHERE ", owes_monthly_account!());
    const MEASURES: &str = concat!(
        "SELECT a.measure_id AS measure, m.lead_unit_id AS lead_unit, l.region_id AS lead_region, \
            min(a.unit_id) AS unit, min(a.region_id) AS region \
         FROM assignment a JOIN measure m ON m.id = a.measure_id LEFT JOIN unit l ON l.id = m.lead_unit_id WHERE ",
        owes_monthly_account!(),
        " AND (EXISTS (SELECT 1 FROM leader d WHERE d.measure_id = a.measure_id AND d.email IS NOT NULL) \
            OR EXISTS (SELECT 1 FROM account c WHERE c.role = 'LEADER' AND c.unit_id = m.lead_unit_id)) \
         GROUP BY a.measure_id, m.lead_unit_id, l.region_id"
    );
    let facts = facts(month, today, zone);
    let mut sql = Sql::new(db.get_database_backend(), &facts);
    let text = sql.source(REGIONS);
    let regions = OfRegion::find_by_statement(sql.statement(text)).all(db).await?;
    let mut sql = Sql::new(db.get_database_backend(), &facts);
    let text = sql.source(MEASURES);
    let measures = Owed::find_by_statement(sql.statement(text)).all(db).await?;
    Ok(Owing { regions: regions.into_iter().map(|row| row.region_id).collect(), measures })
}
