//! The units named for a measure: lead unit (牵头单位), supervising unit (督导单位) and responsible parties (责任单位).

use std::collections::BTreeSet;

use entity::responsible_party::{self, Selector};
use entity::{measure, unit};
use planner::Sql;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};

use super::shared::note;
use crate::Result;
use crate::fault::{self, Fault, Thing};
use crate::record::audit::Entry;
use crate::record::database::{self, Transaction};
use crate::unit::selector_name;
use crate::work::Acting;

/// The maximum number of responsible parties of a measure.
const MAX_PARTIES: usize = 500;

/// A unit that the caller names: its key, or `None` if the id that the caller gave is not the id of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named(pub Option<i64>);

/// A responsible party (责任单位) of a measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// The key of a unit; `None` if the id that the caller gave is not the id of a unit.
    Unit(Option<i64>),
    /// The units of the issuing region that an expression such as 各县（区） selects.
    Selector(Selector),
}

/// Returns the wanted units; refuses one that does not exist, is retired, or may not be seen by the caller.
///
/// `name` is the input field to which the error points.
async fn units(
    db: &Transaction,
    acting: &Acting<'_>,
    wanted: &BTreeSet<Option<i64>>,
    name: &str,
) -> Result<Vec<unit::Model>> {
    let keys: Vec<i64> = wanted.iter().copied().flatten().collect();
    let mut sql = Sql::within(db.get_database_backend(), &[], &acting.by.principal);
    let bound: Vec<String> = keys.iter().map(|key| sql.bind(*key)).collect();
    let seen = sql.seen("unit", "u").map(|seen| format!(" AND {seen}")).unwrap_or_default();
    let found = if keys.is_empty() {
        Vec::new()
    } else {
        let text =
            format!("SELECT u.* FROM unit u WHERE u.id IN ({}) AND u.retired_on IS NULL{seen}", bound.join(", "));
        unit::Entity::find().from_raw_sql(sql.statement(text)).all(db).await?
    };
    if found.len() < wanted.len() {
        return Err(fault::unknown(Thing::LiveUnits, &["input", name]).into());
    }
    Ok(found)
}

/// Returns the lead unit, which is required for a measure entered by hand.
pub(super) async fn lead(db: &Transaction, acting: &Acting<'_>, wanted: Option<Named>) -> Result<unit::Model> {
    const FIELD: &str = "leadUnitId";
    let (zh, en) = ("请指明牵头单位，每项措施有且只有一个", "name the lead unit: every measure has exactly one");
    let found = one(db, acting, wanted, FIELD).await?;
    found.ok_or_else(|| Fault::invalid(zh, en, &["input", FIELD]).into())
}

/// Returns the unit that `wanted` names, or `None` if it names none.
pub(super) async fn one(
    db: &Transaction,
    acting: &Acting<'_>,
    wanted: Option<Named>,
    name: &str,
) -> Result<Option<unit::Model>> {
    let Some(Named(wanted)) = wanted else { return Ok(None) };
    Ok(units(db, acting, &BTreeSet::from([wanted]), name).await?.pop())
}

/// Returns the units among the parties; refuses too many parties and repeated ones.
pub(super) async fn named(db: &Transaction, acting: &Acting<'_>, given: &[Party]) -> Result<Vec<unit::Model>> {
    let path = ["input", "parties"];
    if given.len() > MAX_PARTIES {
        let zh = format!("责任单位最多 {MAX_PARTIES} 个");
        let en = format!("a measure has at most {MAX_PARTIES} responsible parties");
        return Err(Fault::invalid(zh, en, &path).into());
    }
    if given.iter().enumerate().any(|(place, party)| given[..place].contains(party)) {
        return Err(Fault::invalid("责任单位有重复", "a responsible party is named twice", &path).into());
    }
    let wanted = given.iter().filter_map(|party| match party {
        Party::Unit(unit) => Some(*unit),
        Party::Selector(_) => None,
    });
    units(db, acting, &wanted.collect(), "parties").await
}

/// Replaces the responsible parties of a measure.
pub(super) async fn write(
    db: &Transaction,
    measure: &measure::Model,
    given: &[Party],
    named: &[unit::Model],
) -> Result<()> {
    responsible_party::Entity::delete_many()
        .filter(responsible_party::Column::MeasureId.eq(measure.id))
        .exec(db)
        .await?;
    if given.is_empty() {
        return Ok(());
    }
    let rows = given.iter().enumerate().map(|(place, party)| {
        let (raw, unit, selector) = match party {
            Party::Unit(id) => {
                let unit = named.iter().find(|unit| Some(unit.id) == *id);
                (unit.map(|unit| unit.name.clone()).unwrap_or_default(), *id, None)
            }
            Party::Selector(selector) => (selector_name(*selector).to_owned(), None, Some(*selector)),
        };
        responsible_party::ActiveModel {
            measure_id: Set(measure.id),
            position: Set(place as i32 + 1),
            raw: Set(raw),
            unit_id: Set(unit),
            selector: Set(selector),
            region_id: Set(selector.map(|_| measure.region_id)),
            ..Default::default()
        }
    });
    Ok(database::insert_all(db, rows).await?)
}

/// Returns the lead unit, supervising unit and parties of a measure as the audit records them.
pub(super) async fn said_of(db: &Transaction, measure: &measure::Model) -> Result<Value> {
    let printed: Vec<String> = responsible_party::Entity::find()
        .select_only()
        .column(responsible_party::Column::Raw)
        .filter(responsible_party::Column::MeasureId.eq(measure.id))
        .order_by_asc(responsible_party::Column::Position)
        .into_tuple()
        .all(db)
        .await?;
    Ok(json!({
        "leadUnit": measure.lead_unit_id,
        "supervisingUnit": measure.supervising_unit_id,
        "parties": printed,
    }))
}

/// Records a change of the lead unit, supervising unit or parties of a measure in the audit.
///
/// Only the offices of the issuing region read the entry, as it would show a county its siblings.
pub(super) async fn note_change(
    db: &Transaction,
    acting: &Acting<'_>,
    measure: &measure::Model,
    (before, after): (Value, Value),
) -> Result<()> {
    if before == after {
        return Ok(());
    }
    let object = format!("measure_{}", measure.id);
    let before = if before.is_null() { json!({}) } else { before };
    note(db, acting, measure.problem_id, Entry::of("PARTIES_SET", object).changed(before, after)).await
}
