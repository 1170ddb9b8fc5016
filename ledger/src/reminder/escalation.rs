//! Escalation: what stays overdue is told further up, once per level: to the city's office, then to the leaders of who
//! leads, then to the office again, which has to decide on the proposal of 挂牌督办.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use entity::account::{self, Role};
use entity::region::{self, Level};
use entity::supervision_action::{self, SupervisionKind, SupervisionState};
use entity::unit::{self, Kind};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Candidate, Open, Person, Timing, Told};
use crate::Result;
use crate::calendar::plus_days;
use crate::region::lineage;

/// What has been overdue long enough for the first level, with whom each level tells.
pub async fn candidates<C: ConnectionTrait>(db: &C, today: NaiveDate, timing: &Timing) -> Result<Vec<Candidate>> {
    let open = Open::due_by(db, plus_days(today, -timing.office_after), today, None).await?;
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let offices = Offices::read(db).await?;
    let leaders = Leaders::read(db, today).await?;
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
    let mut candidates = Vec::new();
    for row in open.into_iter().filter(|row| row.assignment_id.is_some()) {
        let office = row.region_id.and_then(|region| offices.above(region));
        let told = office.map(|(unit, _)| Told { unit, answers: true });
        let mut escalate = |after: i64, units: Vec<Told>, people: Vec<Person>| {
            let since = plus_days(row.due_by, after);
            if since <= today {
                let (measure, assignment) = (row.measure_id, row.assignment_id);
                candidates.push(Candidate { measure, assignment, due_on: row.due_by, units, people, since });
            }
        };
        escalate(timing.office_after, told.into_iter().collect(), Vec::new());
        let people = leaders.of(row.lead_unit_id, row.lead_region_id.or(office.map(|(_, region)| region)));
        // Not every place has entered its leaders: that is no gap in a ledger.
        if !people.is_empty() {
            escalate(timing.leader_after, Vec::new(), people);
        }
        if proposed.contains(&row.assignment_id) {
            escalate(timing.listing_after, told.into_iter().collect(), Vec::new());
        }
    }
    Ok(candidates)
}

/// The offices of cities and of what lies above them.
struct Offices {
    /// By region.
    offices: HashMap<i64, i64>,
    /// The line of ancestors of each region, its own id last.
    lines: HashMap<i64, Vec<i64>>,
}

impl Offices {
    async fn read<C: ConnectionTrait>(db: &C) -> Result<Self> {
        let regions = region::Entity::find().all(db).await?;
        let is_city = |region: &&region::Model| !matches!(region.level, Level::County | Level::Township);
        let cities: HashSet<i64> = regions.iter().filter(is_city).map(|region| region.id).collect();
        let lines = regions.iter().map(|region| (region.id, lineage(&region.path))).collect();
        let units = unit::Entity::find()
            .filter(unit::Column::Kind.eq(Kind::RectificationOffice))
            .filter(unit::Column::RetiredOn.is_null())
            .order_by_desc(unit::Column::Id)
            .all(db)
            .await?;
        let offices = units.into_iter().map(|unit| (unit.region_id, unit.id));
        Ok(Self { offices: offices.filter(|(region, _)| cities.contains(region)).collect(), lines })
    }

    /// The nearest office at or above a region, and the region whose office it is.
    fn above(&self, region: i64) -> Option<(i64, i64)> {
        let line = self.lines.get(&region)?;
        line.iter().rev().find_map(|region| Some((*self.offices.get(region)?, *region)))
    }
}

/// The accounts of leaders, each with whether it leads its whole region, rather than a department of it.
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

    /// The leaders of the unit that leads; where it has none, those who lead its region.
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
