//! Merge of two problems.

use entity::{measure, problem};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Statement, Value};
use serde_json::json;

use super::shared::{clash, itself, names, repoint};
use crate::Result;
use crate::fault::Fault;
use crate::keep::shared::{HeldProblem, note, tell};
use crate::record::audit::{self, Entry};
use crate::record::change;
use crate::record::concern;
use crate::rule::roll_up;
use crate::statistics::kept;
use crate::work::{Acting, current};

/// Merges a problem into another one of the same round and region, and returns the key of the problem that stays.
///
/// The measures move to the end of the problem that stays, with records of accountability and ownership; the merged
/// problem is deleted.
pub async fn problems(acting: &Acting<'_>, from: Option<i64>, version: i32, into: Option<i64>) -> Result<i64> {
    const TWICE: &str = "SELECT coalesce(a.number, a.content) AS name FROM measure a JOIN measure b \
        ON b.problem_id = $2 AND b.identity = a.identity WHERE a.problem_id = $1 ORDER BY a.position";
    if from.is_some() && from == into {
        return Err(itself("intoId").into());
    }
    // Lock both in the order of their keys, so that two callers who merge them in opposite directions do not deadlock.
    let HeldProblem { transaction, row: gone } = HeldProblem::take(acting, from.min(into), None).await?;
    let (gone, stays) = {
        let other = HeldProblem::take_also(&transaction, acting, from.max(into)).await?;
        if Some(gone.id) == from { (gone, other) } else { (other, gone) }
    };
    current(Some(version), gone.version, ("问题", "problem"))?;
    if (gone.round_id, gone.region_id) != (stays.round_id, stays.region_id) {
        let (zh, en) = ("只能合并同一轮次、同一地区的问题", "both problems must be of the same round and region");
        return Err(Fault::invalid(zh, en, &["input", "intoId"]).into());
    }
    let twice = names(&transaction, TWICE, gone.id, stays.id).await?;
    if !twice.is_empty() {
        let what = (
            "两个问题有相同的措施，请先删除或改写其一",
            "both problems have these measures, delete or edit one of each first",
        );
        return Err(clash(what, &twice, "problemId").into());
    }
    let both = [gone.id, stays.id];
    kept::around(&transaction, &both, async {
        let last = measure::Entity::find()
            .filter(measure::Column::ProblemId.eq(stays.id))
            .order_by_desc(measure::Column::Position)
            .one(&transaction)
            .await?
            .map_or(0, |measure| measure.position);
        let moves = [
            "UPDATE change SET problem_id = $2 WHERE problem_id = $1",
            "UPDATE accountability SET problem_id = $2 WHERE problem_id = $1",
            "DELETE FROM ownership WHERE problem_id = $1 AND region_id IN (SELECT region_id FROM ownership \
            WHERE problem_id = $2)",
            "UPDATE ownership SET problem_id = $2 WHERE problem_id = $1",
            "UPDATE measure SET task_id = (SELECT s.id FROM task s JOIN task g ON g.identity = s.identity \
            WHERE s.problem_id = $2 AND g.id = measure.task_id) WHERE task_id IN (SELECT g.id FROM task g \
            JOIN task s ON s.identity = g.identity AND s.problem_id = $2 WHERE g.problem_id = $1)",
            "DELETE FROM task WHERE problem_id = $1 AND identity IN (SELECT s.identity FROM task s \
            WHERE s.problem_id = $2)",
            "UPDATE task SET problem_id = $2 WHERE problem_id = $1",
            "UPDATE problem SET looks_back_at_id = (SELECT g.looks_back_at_id FROM problem g WHERE g.id = $1) \
            WHERE id = $2 AND looks_back_at_id IS NULL",
            "UPDATE problem SET looks_back_at_id = $2, version = version + 1 WHERE looks_back_at_id = $1",
        ];
        repoint(&transaction, &moves, gone.id, stays.id).await?;
        let sql =
            "UPDATE measure SET problem_id = $2, position = position + $3, version = version + 1 WHERE problem_id = $1";
        let values: Vec<Value> = vec![gone.id.into(), stays.id.into(), last.into()];
        transaction
            .execute_raw(Statement::from_sql_and_values(transaction.get_database_backend(), sql, values))
            .await?;
        let regions = concern::leave_problem(&transaction, gone.id).await?;
        change::note_removed(&transaction, &format!("problem_{}", gone.id), &regions, acting.now).await?;
        let end = json!({ "mergedInto": format!("problem_{}", stays.id) });
        let object = format!("problem_{}", gone.id);
        let before = json!({ "number": gone.number, "title": gone.title });
        note(&transaction, acting, gone.id, Entry::of(audit::MERGED, object).changed(before, end)).await?;
        let object = format!("problem_{}", stays.id);
        let before = json!({ "merged": format!("problem_{}", gone.id), "number": gone.number, "title": gone.title });
        note(&transaction, acting, stays.id, Entry::of(audit::MERGED, object).changed(before, json!({}))).await?;
        problem::Entity::delete_by_id(gone.id).exec(&transaction).await?;
        concern::renew(&transaction, &[stays.id]).await?;
        roll_up::problems(&transaction, &[stays.id], acting.now).await?;
        Ok(())
    })
    .await?;
    tell(&transaction, acting, &[stays.id], None).await?;
    transaction.commit().await?;
    Ok(stays.id)
}
