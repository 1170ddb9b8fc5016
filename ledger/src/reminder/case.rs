//! Reminders of complaint cases (交办案件). The lead unit is reminded some days before the deadline and regularly after
//! it, then with a copy to the nearest rectification office (整改办) of a city or a level above. A case is open until
//! its lead unit reports it as resolved.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::inspection_case::{self, CaseState};
use entity::reminder_rule::{Copied, ReminderKind};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::candidate::{Candidate, Each, Matter, Told};
use super::office::Offices;
use super::rules::Rules;
use crate::Result;
use crate::record::database::Transaction;
use crate::rule::calendar::plus_days;

/// Hands on the cases that are about to fall due and of which a reminder is owed.
pub async fn due_soon(db: &Transaction, (today, _): (NaiveDate, Tz), rules: &Rules, each: &mut Each<'_>) -> Result<()> {
    let Some(reach) = rules.reach(ReminderKind::CaseDueSoon) else { return Ok(()) };
    let open = open(db, today, plus_days(today, reach)).await?;
    let candidate = |case: &inspection_case::Model| {
        let rule = rules.of(ReminderKind::CaseDueSoon, Some(case.region_id));
        let since = rule.owed_since(case.due_on, today)?;
        rule.is_sent_on(today).then(|| remind(case, &[case.lead_unit_id], since))
    };
    open.iter().filter_map(candidate).for_each(each);
    Ok(())
}

/// Hands on the cases that are open past their deadline at the beginning of a day.
pub async fn overdue(db: &Transaction, (today, _): (NaiveDate, Tz), rules: &Rules, each: &mut Each<'_>) -> Result<()> {
    let open = open(db, NaiveDate::default(), plus_days(today, -1)).await?;
    if open.is_empty() {
        return Ok(());
    }
    let offices = Offices::read(db).await?;
    let candidate = |case: &inspection_case::Model| {
        let rule = rules.of(ReminderKind::CaseOverdue, Some(case.region_id));
        let office = offices.above(case.region_id).map(|(unit, _)| unit);
        let office = office.filter(|_| rule.copied.contains(&Copied::Office));
        let units: Vec<i64> = [Some(case.lead_unit_id), office].into_iter().flatten().collect();
        rule.is_sent_on(today).then(|| remind(case, &units, rule.silent_since(today)))
    };
    open.iter().filter_map(candidate).for_each(each);
    Ok(())
}

/// Returns the reminder of a case to units.
fn remind(case: &inspection_case::Model, units: &[i64], since: NaiveDate) -> Candidate {
    let units = units.iter().map(|unit| Told { unit: *unit, answers: false }).collect();
    let matter = Matter::Case(case.id);
    Candidate {
        matter,
        assignment: None,
        region: Some(case.region_id),
        due_on: case.due_on,
        units,
        people: Vec::new(),
        since,
        goes_along: true,
    }
}

/// Returns the open cases whose deadline lies between two days, both included.
async fn open(db: &Transaction, from: NaiveDate, to: NaiveDate) -> Result<Vec<inspection_case::Model>> {
    Ok(inspection_case::Entity::find()
        .filter(inspection_case::Column::DueOn.between(from, to))
        .filter(inspection_case::Column::State.is_in([
            CaseState::HandedOver,
            CaseState::InProgress,
            CaseState::PartlyResolved,
        ]))
        .order_by_asc(inspection_case::Column::DueOn)
        .order_by_asc(inspection_case::Column::Id)
        .all(db)
        .await?)
}
