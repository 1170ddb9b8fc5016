//! Escalation: an item that stays overdue is reported upwards, once per level. Its days count from the deadline, but
//! from its entry into the ledger at the earliest. First the rectification office of the
//! city is told, then the measure's lead leader, then the office again, which has to decide on the proposal to list the
//! item (挂牌督办). Where the measure's lead leader has no address, the accounts of leaders of the lead unit are told.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::account::{self, Role};
use entity::leader::{self, Post};
use entity::reminder_rule::ReminderKind;
use entity::supervision_action::{self, SupervisionKind, SupervisionState};
use entity::unit::{self, Kind};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::candidate::{Candidate, Each, Matter, Person, Told};
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
        if row.assignment_id.is_none() || !rule.is_sent_on(today, &rules.days) {
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

/// Returns the mail address of each measure's lead leader (牵头领导), else of the leader in charge of its case
/// (包案领导), by the key of the measure. Measures without either address are left out.
async fn named<C: ConnectionTrait>(db: &C) -> Result<HashMap<i64, String>> {
    let with_address = leader::Entity::find().filter(leader::Column::Email.is_not_null());
    let rows = with_address.filter(leader::Column::Post.is_in([Post::Lead, Post::Case])).all(db).await?;
    let (leads, cases): (Vec<leader::Model>, Vec<leader::Model>) =
        rows.into_iter().partition(|row| row.post == Post::Lead);
    Ok(cases.into_iter().chain(leads).filter_map(|row| Some((row.measure_id, row.email?))).collect())
}

/// The accounts of leaders, each with whether the leader is in charge of the whole region, rather than of a department.
struct Leaders(Vec<(account::Model, bool)>);

impl Leaders {
    async fn read<C: ConnectionTrait>(db: &C, today: NaiveDate) -> Result<Self> {
        let is_valid =
            Condition::any().add(account::Column::ValidUntil.is_null()).add(account::Column::ValidUntil.gte(today));
        let leaders = account::Entity::find()
            .filter(account::Column::Role.eq(Role::Leader))
            .filter(account::Column::IsDisabled.eq(false))
            .filter(is_valid)
            .order_by_asc(account::Column::Id)
            .all(db)
            .await?;
        let units = leaders.iter().filter_map(|leader| leader.unit_id);
        let kinds: HashMap<i64, Kind> = unit::Entity::find()
            .filter(unit::Column::Id.is_in(units))
            .all(db)
            .await?
            .into_iter()
            .map(|unit| (unit.id, unit.kind))
            .collect();
        let leads_all = |leader: &account::Model| {
            let kind = leader.unit_id.and_then(|unit| kinds.get(&unit));
            kind.is_none_or(|kind| matches!(kind, Kind::Government | Kind::PartyCommittee))
        };
        let with = |leader: account::Model| {
            let leads_all = leads_all(&leader);
            (leader, leads_all)
        };
        Ok(Self(leaders.into_iter().map(with).collect()))
    }

    /// Returns the leaders of the lead unit or, if it has none, those in charge of the whole region.
    fn of(&self, lead: Option<i64>, region: Option<i64>) -> Vec<Person> {
        let find = |is: &dyn Fn(&account::Model, bool) -> bool| -> Vec<Person> {
            let found = self.0.iter().filter(|(leader, leads_all)| is(leader, *leads_all));
            let person = |(leader, _): &(account::Model, bool)| {
                Some(Person { address: leader.email.clone(), unit: leader.unit_id.or(lead)? })
            };
            found.filter_map(person).collect()
        };
        let own = find(&|leader, _| lead.is_some() && leader.unit_id == lead);
        if own.is_empty() {
            find(&|leader, leads_all| leads_all && region.is_some() && leader.region_id == region)
        } else {
            own
        }
    }
}
