//! Escalation: an item that stays overdue is reported upwards, once per level. Its days count from the deadline, but
//! from its entry into the ledger at the earliest. First the rectification office of the
//! city is told, then the measure's lead leader, then the office again, which has to decide on the proposal to list the
//! item (挂牌督办). Where the measure's lead leader has no address, the accounts of leaders of the lead unit are told.

use std::collections::HashSet;

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::reminder_rule::ReminderKind;
use entity::supervision_action::{self, SupervisionKind, SupervisionState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::candidate::{Candidate, Each, Matter, Person, Told};
use super::leader::{Leaders, named};
use super::office::Offices;
use super::open::Open;
use super::rules::Rules;
use crate::Result;
use crate::record::database::Transaction;
use crate::rule::calendar::plus_days;

/// The kind of its mails.
pub const KIND: &str = "escalation";

/// Hands on what has been overdue for long enough, once for each level reached, with the recipients of that level.
pub async fn candidates(
    db: &Transaction,
    (today, zone): (NaiveDate, Tz),
    rules: &Rules,
    each: &mut Each<'_>,
) -> Result<()> {
    let offices = Offices::read(db).await?;
    let leaders = Leaders::read(db, today).await?;
    let named = named(db).await?;
    let proposed: HashSet<Option<i64>> = supervision_action::Entity::find()
        .select_only()
        .column(supervision_action::Column::AssignmentId)
        .filter(supervision_action::Column::Kind.eq(SupervisionKind::List))
        .filter(supervision_action::Column::State.eq(SupervisionState::Proposed))
        .into_tuple::<Option<i64>>()
        .all(db)
        .await?
        .into_iter()
        .collect();
    let late = (NaiveDate::default(), plus_days(today, -rules.soonest_office()));
    Open::each(db, late, today, |row| {
        let rule = rules.of(ReminderKind::Escalation, row.region_id);
        if row.assignment_id.is_none() || !rule.is_sent_on(today) {
            return;
        }
        let office = row.region_id.and_then(|region| offices.above(region));
        let told = office.map(|(unit, _)| Told { unit, answers: true });
        let mut escalate = |after: i64, units: Vec<Told>, people: Vec<Person>| {
            let since = plus_days(row.late_since(zone), after);
            if since <= today {
                let (matter, assignment) = (Matter::Measure(row.measure_id), row.assignment_id);
                let (region, due_on) = (row.region_id, row.due_by);
                each(Candidate { matter, assignment, region, due_on, units, people, since, goes_along: false });
            }
        };
        escalate(rule.office_after, told.into_iter().collect(), Vec::new());
        let lead = named.get(&row.measure_id).zip(row.lead_unit_id.or(row.unit_id));
        let people = match lead {
            Some((address, unit)) => vec![Person { address: address.clone(), unit }],
            None => leaders.of(row.lead_unit_id, row.lead_region_id.or(office.map(|(_, region)| region))),
        };
        // Not every region has entered its leaders, so missing ones are not reported as unreachable.
        if !people.is_empty() {
            escalate(rule.leader_after, Vec::new(), people);
        }
        if proposed.contains(&row.assignment_id) {
            escalate(rule.listing_after, told.into_iter().collect(), Vec::new());
        }
    })
    .await
}
