//! Assignments (责任分解): assigning a measure to units, and accepting (签收) or declining (退回) an assignment.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use entity::assignment::{self, Status};
use entity::responsible_party::{self, Selector};
use entity::unit::{self, Kind};
use entity::{measure, problem, region};
use planner::Sql;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
};
use serde_json::json;

use super::acting::{Acting, MAX_WORDS, permit};
use super::event::Event;
use super::held::HeldAssignment;
use super::hold::{On, current, hold_measure};
use super::settle::settle_measure;
use super::telling::{self, Announcement, Done, Subject, Warning};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::people::policy::{Act, Standing};
use crate::record::audit::{self, Entry};
use crate::record::change::ChangeKind;
use crate::record::concern::{self, Concern, due_order};
use crate::record::database::Transaction;
use crate::rule::roll_up;
use crate::rule::workflow::{self, Step};
use crate::statistics::kept;

/// The maximum number of units that one act assigns a measure to.
pub const MAX_UNITS: usize = 1_000;

/// Accepts an assignment (签收), and notifies the office that assigns and the lead unit at once.
///
/// A unit that has declined before may still accept.
pub async fn accept(acting: &Acting<'_>, on: On) -> Result<Done> {
    let held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::TakeOn)?;
    if held.row.accepted_at.is_some() {
        let (zh, en) = ("这项任务已签收", "this assignment has already been accepted");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "assignmentId"]).into());
    }
    let mut moved = held.moved(held.row.status);
    moved.accepted_at = Set(Some(acting.now));
    moved.declined_at = Set(None);
    moved.decline_reason = Set(None);
    let warnings = held.tell(acting, Announcement::of(Event::Accepted, "")).await?;
    Ok(Done { key: held.settle(acting, ChangeKind::Accepted, moved, json!({})).await?, warnings })
}

/// Declines an assignment (退回) because another unit should answer it; the office that assigns then decides. It
/// and the lead unit are notified at once.
///
/// Only an assignment on which work has not begun can be declined.
pub async fn decline(acting: &Acting<'_>, on: On, reason: &str) -> Result<Done> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("退回理由", "the reason"), &["input", "reason"])?;
    let held = HeldAssignment::take(acting, on).await?;
    held.permit(acting, Act::TakeOn)?;
    if held.row.status != Status::Assigned {
        return Err(Fault::new(
            FaultCode::WrongState,
            "已开始整改的任务不能退回；如不涉及，请申请“不涉及”",
            "work on this assignment has begun, so it cannot be declined; if the measure is not applicable to you, \
             propose that instead",
            &["input", "assignmentId"],
        )
        .into());
    }
    let mut moved = held.moved(Status::Assigned);
    moved.accepted_at = Set(None);
    moved.declined_at = Set(Some(acting.now));
    moved.decline_reason = Set(Some(reason.clone()));
    moved.proposer_id = Set(acting.by.principal.account);
    moved.proposer_actor_id = Set(acting.by.principal.delegate);
    let warnings = held.tell(acting, Announcement::of(Event::Declined, &reason)).await?;
    let said = json!({ "reason": reason });
    Ok(Done { key: held.settle(acting, ChangeKind::Declined, moved, said).await?, warnings })
}

/// Assigns a measure to units and, if `resolves_selectors` is set, to those that its selectors (各县（区） …) select.
///
/// Existing assignments stay. A unit that has declined is asked again; a unit to which the measure is not applicable is
/// asked again only if `units` names it. Units that are asked, for the first time or again, are notified at once.
pub async fn assign(
    acting: &Acting<'_>,
    measure: Option<i64>,
    version: Option<i32>,
    units: &[i64],
    resolves_selectors: bool,
) -> Result<Done> {
    if units.len() > MAX_UNITS {
        let zh = format!("一次最多分解到 {MAX_UNITS} 个单位");
        let en = format!("a measure is assigned to at most {MAX_UNITS} units at once");
        return Err(Fault::invalid(zh, en, &["input", "unitIds"]).into());
    }
    let (transaction, found, level) = hold_measure(acting, measure).await?;
    let problem = found.problem_id;
    permit(acting, Act::Assign, Standing::of_measure(level, &found))?;
    current(version, found.version, ("措施", "measure"))?;
    let mut wanted: BTreeSet<i64> = units.iter().copied().collect();
    if resolves_selectors {
        wanted.extend(meant(&transaction, found.id).await?);
    }
    let wanted = visible(acting, &transaction, &wanted.into_iter().collect::<Vec<_>>()).await?;
    if units.iter().any(|unit| !wanted.iter().any(|row| row.id == *unit)) {
        return Err(fault::unknown(Thing::UnitsInReach, &["input", "unitIds"]).into());
    }
    let there = assignment::Entity::find().filter(assignment::Column::MeasureId.eq(found.id)).all(&transaction).await?;
    let new: Vec<unit::Model> =
        wanted.iter().filter(|unit| there.iter().all(|answer| answer.unit_id != unit.id)).cloned().collect();
    let again: Vec<&assignment::Model> = there
        .iter()
        .filter(|answer| {
            let is_declined = answer.declined_at.is_some() && wanted.iter().any(|unit| unit.id == answer.unit_id);
            // The selectors of a measure must not undo a confirmed 不涉及: only naming the unit does.
            is_declined || (answer.status == Status::NotApplicable && units.contains(&answer.unit_id))
        })
        .collect();
    if new.is_empty() && again.is_empty() {
        let (zh, en) = ("所选单位均已分解，无新增", "the measure is already assigned to all of these units");
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input", "unitIds"]).into());
    }
    let (made, asked_again) = kept::around(&transaction, &[problem], async {
        let made = answer(&transaction, &found, &new, acting.now).await?;
        let mut asked_again = Vec::new();
        for answer in &again {
            let asked = assignment::ActiveModel {
                id: Set(answer.id),
                status: Set(workflow::next(answer.status, Step::AssignAgain).unwrap_or(answer.status)),
                declined_at: Set(None),
                decline_reason: Set(None),
                version: Set(answer.version + 1),
                updated_at: Set(acting.now),
                ..Default::default()
            };
            let mut after = audit::kept::assignment(&asked.update(&transaction).await?);
            after["askedAgain"] = json!(true);
            asked_again.push((answer.id, after));
        }
        roll_up::problems(&transaction, &[problem], acting.now).await?;
        Ok((made, asked_again))
    })
    .await?;
    // One audit entry per assignment: an entry about the measure would show every county who else answers.
    for (id, after) in made
        .iter()
        .zip(&new)
        .map(|(id, unit)| (*id, json!({ "status": Status::Assigned.to_value(), "unit": unit.id })))
        .chain(asked_again)
    {
        let noted = Entry::of(ChangeKind::Assigned.to_value(), format!("assignment_{id}"))
            .in_problem(problem)
            .measure(Some(found.id))
            .assignment(Some(id))
            .changed(json!({}), after);
        audit::note(&transaction, acting.by, noted, acting.now).await?;
    }
    let asked = made.into_iter().zip(&new).map(|(id, unit)| (unit.id, id));
    let asked = asked.chain(again.iter().map(|answer| (answer.unit_id, answer.id)));
    let warnings = tell_assigned(&transaction, acting, &found, asked).await?;
    settle_measure(acting, transaction, (problem, found.id), ChangeKind::Assigned, (json!({}), json!({}))).await?;
    Ok(Done { key: found.id, warnings })
}

/// Queues the notices to units, each with the key of its assignment, that a measure was assigned to them: one mail per
/// address. Returns warnings about units that have no address.
pub(crate) async fn tell_assigned(
    db: &Transaction,
    acting: &Acting<'_>,
    measure: &measure::Model,
    asked: impl Iterator<Item = (i64, i64)>,
) -> Result<Vec<Warning>> {
    let subject = Subject {
        id: format!("measure_{}", measure.id),
        act: acting.now.timestamp_micros(),
        answers: asked.map(|(unit, assignment)| (unit, Some(assignment))).collect(),
        measure: Some(measure.id),
        ..Subject::default()
    };
    telling::tell(db, acting, subject, Announcement::of(Event::Assigned, "")).await
}

/// Creates assignments of a measure to units and enters the measure into the lists of their regions.
///
/// The caller holds the lock on the problem and updates the statistics and the rolled-up status. Returns the keys of
/// the assignments, in the order of `units`.
pub(crate) async fn answer(
    db: &Transaction,
    measure: &measure::Model,
    units: &[unit::Model],
    now: DateTime<Utc>,
) -> Result<Vec<i64>> {
    let mut made = Vec::new();
    for unit in units {
        let row = assignment::ActiveModel {
            measure_id: Set(measure.id),
            unit_id: Set(unit.id),
            region_id: Set(unit.region_id),
            due_on: Set(measure.plan_due_on),
            due_by: Set(measure.plan_due_by),
            status: Set(Status::Assigned),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        made.push(row.insert(db).await?.id);
    }
    enter_lists(db, measure, units).await?;
    Ok(made)
}

/// Returns the keys of the units that the selectors of a measure select: the government of every county in the region,
/// or every department of the region.
async fn meant<C: ConnectionTrait>(db: &C, measure: i64) -> Result<Vec<i64>> {
    let mut units = Vec::new();
    let parties = responsible_party::Entity::find()
        .filter(responsible_party::Column::MeasureId.eq(measure))
        .filter(responsible_party::Column::Selector.is_not_null())
        .all(db)
        .await?;
    for party in parties {
        let (Some(selector), Some(region)) = (party.selector, party.region_id) else { continue };
        let found = region::Entity::find().select_only().column(region::Column::Id);
        let (regions, kind): (Vec<i64>, Kind) = match selector {
            Selector::AllCounties => {
                let counties = found
                    .filter(region::Column::ParentId.eq(region))
                    .filter(region::Column::Level.eq(region::Level::County));
                (counties.into_tuple().all(db).await?, Kind::Government)
            }
            Selector::AllTownships => {
                // Those of a county are its children; those of a city are the children of its counties.
                let counties = region::Entity::find()
                    .select_only()
                    .column(region::Column::Id)
                    .filter(region::Column::ParentId.eq(region))
                    .into_query();
                let above = region::Column::ParentId.eq(region).or(region::Column::ParentId.in_subquery(counties));
                let townships = found.filter(above).filter(region::Column::Level.eq(region::Level::Township));
                (townships.into_tuple().all(db).await?, Kind::Government)
            }
            Selector::AllDepartments => (vec![region], Kind::Department),
        };
        let found = unit::Entity::find()
            .select_only()
            .column(unit::Column::Id)
            .filter(unit::Column::RegionId.is_in(regions))
            .filter(unit::Column::Kind.eq(kind))
            .filter(unit::Column::RetiredOn.is_null());
        units.extend(found.into_tuple::<i64>().all(db).await?);
    }
    Ok(units)
}

/// Returns a region in use that is the caller's own or lies below it.
pub(super) async fn place(acting: &Acting<'_>, db: &Transaction, region: Option<i64>) -> Result<region::Model> {
    let found = match region {
        Some(id) => region::Entity::find_by_id(id).one(db).await?,
        None => None,
    };
    let own = acting.by.principal.region();
    let is_open = |place: &region::Model| {
        place.retired_on.is_none() && own.is_none_or(|own| place.path.starts_with(own.path.as_str()))
    };
    found.filter(is_open).ok_or_else(|| fault::unknown(Thing::RegionInReach, &["input", "regionId"]).into())
}

/// Returns those of the units that are in use and lie in the caller's own region or below it, ordered by key.
pub(super) async fn visible(acting: &Acting<'_>, db: &Transaction, units: &[i64]) -> Result<Vec<unit::Model>> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::within(db.get_database_backend(), &[], &acting.by.principal);
    let keys: Vec<String> = units.iter().map(|unit| sql.bind(*unit)).collect();
    let below = acting.by.principal.region().map(|place| {
        let path = sql.bind(place.path.clone());
        format!(
            " AND EXISTS (SELECT 1 FROM region r WHERE r.id = u.region_id \
            AND substr(r.path, 1, length({path})) = {path})"
        )
    });
    let text = format!(
        "SELECT u.id FROM unit u WHERE u.id IN ({}) AND u.retired_on IS NULL{}",
        keys.join(", "),
        below.unwrap_or_default()
    );
    let rows = db.query_all_raw(sql.statement(text)).await?;
    let ids = rows.iter().map(|row| row.try_get("", "id")).collect::<Result<Vec<i64>, _>>()?;
    Ok(unit::Entity::find().filter(unit::Column::Id.is_in(ids)).order_by_asc(unit::Column::Id).all(db).await?)
}

/// Enters a measure and its problem into the lists of the regions of `units` and of all regions above them.
async fn enter_lists(db: &Transaction, measure: &measure::Model, units: &[unit::Model]) -> Result<()> {
    let regions: BTreeSet<i64> = units.iter().map(|unit| unit.region_id).collect();
    let rows = region::Entity::find().filter(region::Column::Id.is_in(regions)).all(db).await?;
    let lineage: Vec<i64> = rows.iter().flat_map(|region| crate::region::lineage(&region.path)).collect();
    let Some(problem) = problem::Entity::find_by_id(measure.problem_id).one(db).await? else { return Ok(()) };
    let concern = |id, due_on| Concern { id, due_order: due_order(due_on), lineage: lineage.clone() };
    concern::problems(db, &[concern(problem.id, problem.due_on)]).await?;
    concern::measures(db, &[concern(measure.id, measure.due_on)]).await
}
