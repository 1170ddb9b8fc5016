//! Merge of two units.

use entity::{assignment, measure, problem, unit, unit_alias};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use serde_json::json;

use super::shared::{clash, itself, names, repoint};
use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::keep::shared::{note_own, tell};
use crate::keep::unit as units;
use crate::record::audit::{self, Entry};
use crate::record::concern;
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::roll_up;
use crate::statistics::kept;
use crate::unit::add_alias;
use crate::work::Acting;

/// Moves every reference to a unit, except its assignments.
const OF_UNIT: &[&str] = &[
    "UPDATE measure SET lead_unit_id = $2, version = version + 1 WHERE lead_unit_id = $1",
    "UPDATE measure SET supervising_unit_id = $2, version = version + 1 WHERE supervising_unit_id = $1",
    "UPDATE measure SET accepting_unit_id = $2, version = version + 1 WHERE accepting_unit_id = $1",
    "DELETE FROM responsible_party WHERE unit_id = $1 \
        AND measure_id IN (SELECT measure_id FROM responsible_party WHERE unit_id = $2)",
    "UPDATE responsible_party SET unit_id = $2 WHERE unit_id = $1",
    "UPDATE \"check\" SET checker_id = $2 WHERE checker_id = $1",
    "UPDATE supervision_action SET recipient_id = $2 WHERE recipient_id = $1",
    "UPDATE inspection_case SET lead_unit_id = $2, version = version + 1 WHERE lead_unit_id = $1",
    "DELETE FROM case_unit WHERE unit_id = $1 AND case_id IN (SELECT case_id FROM case_unit WHERE unit_id = $2)",
    "UPDATE case_unit SET unit_id = $2 WHERE unit_id = $1",
    "DELETE FROM case_unit WHERE unit_id = $2 AND case_id IN (SELECT id FROM inspection_case \
        WHERE lead_unit_id = $2 AND lead_unit_id <> $1)",
    "UPDATE account SET unit_id = $2 WHERE unit_id = $1",
    "UPDATE mail SET unit_id = $2 WHERE unit_id = $1",
    "INSERT INTO unit_alias (unit_id, alias) SELECT $2, alias FROM unit_alias WHERE unit_id = $1 \
        AND alias NOT IN (SELECT alias FROM unit_alias WHERE unit_id = $2)",
    "INSERT INTO unit_address (unit_id, address) SELECT $2, address FROM unit_address WHERE unit_id = $1 \
        AND address NOT IN (SELECT address FROM unit_address WHERE unit_id = $2)",
];

/// Finds measures that are assigned to both units and on which the unit that goes has begun work.
const BOTH_ANSWER: &str = "SELECT coalesce(m.number, substr(m.content, 1, 20)) AS name FROM assignment a \
    JOIN assignment b ON b.measure_id = a.measure_id AND b.unit_id = $2 JOIN measure m ON m.id = a.measure_id \
    WHERE a.unit_id = $1 AND (a.status <> 'ASSIGNED' OR a.accepted_at IS NOT NULL \
        OR EXISTS (SELECT 1 FROM progress_report x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM \"check\" x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM evidence x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM close_out x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM deadline_change x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM supervision_action x WHERE x.assignment_id = a.id)) ORDER BY a.id";

/// Merges a unit into another one and returns the key of the unit that stays.
///
/// What the unit leads, supervises and answers, its cases, accounts, aliases and addresses move to the unit that stays,
/// and its name becomes an alias. If a measure is assigned to both, the assignment of the unit that goes is deleted,
/// provided that nothing was done on it. The merged unit is retired.
pub async fn units(acting: &Acting<'_>, from: Option<i64>, version: i32, into: Option<i64>) -> Result<i64> {
    if from.is_some() && from == into {
        return Err(itself("intoId").into());
    }
    let transaction = database::begin(acting.db).await?;
    // Lock the problems before the units, in the same order as acts on assignments, so that no deadlock arises.
    let problems = answered(&transaction, from).await?;
    let gone = units::take(&transaction, acting, from, Some(version), "unitId").await?;
    let stays = units::take(&transaction, acting, into, None, "intoId").await?;
    if answered(&transaction, Some(gone.id)).await? != problems {
        let (zh, en) = ("台账正在变动，请稍后重试", "the ledger is being changed by others: try again later");
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input"]).into());
    }
    let both = names(&transaction, BOTH_ANSWER, gone.id, stays.id).await?;
    if !both.is_empty() {
        let what =
            ("两个单位都已办理这些措施，无法合并", "the units cannot be merged, as both have worked on these measures");
        return Err(clash(what, &both, "unitId").into());
    }
    kept::around(&transaction, &problems, async {
        let answers = [
            // Acts on assignments that do not lock a problem before they read notice its new version.
            "UPDATE problem SET version = version + 1 WHERE id IN (SELECT m.problem_id FROM measure m \
            JOIN assignment a ON a.measure_id = m.id WHERE a.unit_id = $1 AND a.unit_id <> $2)",
            "DELETE FROM assignment WHERE unit_id = $1 AND measure_id IN (SELECT measure_id FROM assignment \
            WHERE unit_id = $2)",
            "UPDATE assignment SET unit_id = $2, version = version + 1, \
            region_id = (SELECT region_id FROM unit WHERE id = $2) WHERE unit_id = $1",
        ];
        repoint(&transaction, &answers, gone.id, stays.id).await?;
        repoint(&transaction, OF_UNIT, gone.id, stays.id).await?;
        unit_alias::Entity::delete_many().filter(unit_alias::Column::UnitId.eq(gone.id)).exec(&transaction).await?;
        if gone.name != stays.name {
            add_alias(&transaction, stays.id, &gone.name).await?;
        }
        units::retire_row(&transaction, acting, &gone, Some(stays.id)).await?;
        let grown = unit::ActiveModel { id: Set(stays.id), version: Set(stays.version + 1), ..Default::default() };
        grown.update(&transaction).await?;
        concern::renew(&transaction, &problems).await?;
        roll_up::problems(&transaction, &problems, acting.now).await?;
        Ok(())
    })
    .await?;
    let merged = json!({ "merged": format!("unit_{}", gone.id), "name": gone.name });
    let said = |object: String, before, after| Entry::of(audit::MERGED, object).changed(before, after);
    note_own(&transaction, acting, said(format!("unit_{}", stays.id), merged, json!({}))).await?;
    let after = json!({ "mergedInto": format!("unit_{}", stays.id) });
    note_own(&transaction, acting, said(format!("unit_{}", gone.id), json!({}), after)).await?;
    tell(&transaction, acting, &problems, None).await?;
    transaction.commit().await?;
    Ok(stays.id)
}

/// Locks the problems whose measures are assigned to a unit, in the order of their keys, and returns the keys.
async fn answered(db: &Transaction, unit: Option<i64>) -> Result<Vec<i64>> {
    let Some(unit) = unit else { return Ok(Vec::new()) };
    let measures = assignment::Entity::find()
        .select_only()
        .column(assignment::Column::MeasureId)
        .filter(assignment::Column::UnitId.eq(unit))
        .into_query();
    let of = measure::Entity::find()
        .select_only()
        .column(measure::Column::ProblemId)
        .filter(measure::Column::Id.in_subquery(measures))
        .into_query();
    let held = problem::Entity::find()
        .select_only()
        .column(problem::Column::Id)
        .filter(problem::Column::Id.in_subquery(of))
        .order_by_asc(problem::Column::Id)
        .lock_exclusive();
    Ok(held.into_tuple().all(db).await?)
}
