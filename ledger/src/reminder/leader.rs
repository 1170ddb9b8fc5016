//! The leaders who are told of what others leave undone: those whom a measure names, and accounts of leaders.

use std::collections::HashMap;

use chrono::NaiveDate;
use entity::account::{self, Role};
use entity::leader::{self, Post};
use entity::unit::{self, Kind};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::candidate::Person;
use crate::Result;

/// Returns the mail address of each measure's lead leader (牵头领导), else of the leader in charge of its case
/// (包案领导), by the key of the measure. Measures without either address are left out.
pub(super) async fn named<C: ConnectionTrait>(db: &C) -> Result<HashMap<i64, String>> {
    let with_address = leader::Entity::find().filter(leader::Column::Email.is_not_null());
    let rows = with_address.filter(leader::Column::Post.is_in([Post::Lead, Post::Case])).all(db).await?;
    let (leads, cases): (Vec<leader::Model>, Vec<leader::Model>) =
        rows.into_iter().partition(|row| row.post == Post::Lead);
    Ok(cases.into_iter().chain(leads).filter_map(|row| Some((row.measure_id, row.email?))).collect())
}

/// The accounts of leaders, each with whether the leader is in charge of the whole region, rather than of a department.
pub(super) struct Leaders(Vec<(account::Model, bool)>);

impl Leaders {
    pub(super) async fn read<C: ConnectionTrait>(db: &C, today: NaiveDate) -> Result<Self> {
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
    pub(super) fn of(&self, lead: Option<i64>, region: Option<i64>) -> Vec<Person> {
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

    /// Returns the leaders in charge of a whole region, each with the region.
    pub(super) fn of_regions(&self) -> impl Iterator<Item = (&account::Model, i64)> {
        self.0.iter().filter(|(_, leads_all)| *leads_all).filter_map(|(leader, _)| Some((leader, leader.region_id?)))
    }
}
