//! Merge of two inspection rounds.

use entity::inspection_round;
use sea_orm::EntityTrait;
use serde_json::json;

use super::shared::{clash, itself, names, repoint};
use crate::Result;
use crate::keep::shared::note_own;
use crate::keep::{decision, round};
use crate::record::audit::{self, Entry};
use crate::work::Acting;

/// Merges a round into another one, if the same round was opened twice under different names.
///
/// Problems, cases, results, published figures and records of accountability move to the round that stays; the merged
/// round is deleted. Returns the key of the round that stays.
pub async fn rounds(acting: &Acting<'_>, from: Option<i64>, into: Option<i64>) -> Result<i64> {
    const TWICE: &str = "SELECT coalesce(a.number, a.title) AS name FROM problem a JOIN problem b \
        ON b.region_id = a.region_id AND b.identity = a.identity AND b.round_id = $2 WHERE a.round_id = $1 \
        ORDER BY a.id";
    const CASE_TWICE: &str = "SELECT a.number AS name FROM inspection_case a JOIN inspection_case b \
        ON b.region_id = a.region_id AND b.number = a.number AND b.round_id = $2 WHERE a.round_id = $1 ORDER BY a.id";
    // A problem looks back at a problem of another round: of that at which its own round looks back, if there is one.
    const AMISS: &str = "SELECT coalesce(a.number, a.title) AS name FROM problem a JOIN problem b \
        ON b.id = a.looks_back_at_id WHERE (a.round_id = $1 AND b.round_id = $2) \
        OR (a.round_id = $2 AND b.round_id = $1) OR (a.round_id = $1 AND b.round_id <> (SELECT r.looks_back_at_id \
        FROM inspection_round r WHERE r.id = $2)) ORDER BY a.id";
    if from.is_some() && from == into {
        return Err(itself("intoId").into());
    }
    // The caller need only see the round that stays: its problems of other regions do not change.
    let (transaction, gone) = round::take(acting, from, None, "roundId").await?;
    let kept = round::seen(acting, &transaction, into, "intoId").await?;
    let twice = names(&transaction, TWICE, gone.id, kept.id).await?;
    if !twice.is_empty() {
        let what = ("两个轮次有相同的问题，请先合并这些问题", "both rounds have these problems, merge them first");
        return Err(clash(what, &twice, "roundId").into());
    }
    let cases = names(&transaction, CASE_TWICE, gone.id, kept.id).await?;
    if !cases.is_empty() {
        let what = ("两个轮次有编号相同的交办案件", "both rounds have cases with these numbers");
        return Err(clash(what, &cases, "roundId").into());
    }
    let amiss = names(&transaction, AMISS, gone.id, kept.id).await?;
    if !amiss.is_empty() {
        let what = (
            "合并后，这些问题所回头看的问题不再属于应回头看的轮次，请先修改",
            "after the merge these problems would look back at a problem of the wrong round, edit them first",
        );
        return Err(clash(what, &amiss, "roundId").into());
    }
    let problems = round::held(&transaction, gone.id).await?;
    let moves = [
        "UPDATE problem SET round_id = $2, version = version + 1 WHERE round_id = $1",
        "UPDATE measure SET round_id = $2 WHERE round_id = $1",
        "UPDATE inspection_case SET round_id = $2, version = version + 1 WHERE round_id = $1",
        "UPDATE accountability SET round_id = $2 WHERE round_id = $1",
        "UPDATE round_result SET round_id = $2, version = version + 1 WHERE round_id = $1",
        "UPDATE published_figure SET round_id = $2, version = version + 1 WHERE round_id = $1",
        "UPDATE inspection_round SET looks_back_at_id = NULL, version = version + 1 \
        WHERE id = $2 AND looks_back_at_id = $1",
        "UPDATE inspection_round SET looks_back_at_id = $2, version = version + 1 WHERE looks_back_at_id = $1",
    ];
    repoint(&transaction, &moves, gone.id, kept.id).await?;
    decision::move_round(&transaction, &gone.name, &kept.name).await?;
    inspection_round::Entity::delete_by_id(gone.id).exec(&transaction).await?;
    let said = Entry::of(audit::MERGED, format!("round_{}", kept.id)).changed(
        json!({ "merged": format!("round_{}", gone.id), "name": gone.name }),
        json!({ "problems": problems.len() }),
    );
    note_own(&transaction, acting, said).await?;
    round::move_grace(&transaction, acting, kept.id, &problems).await?;
    transaction.commit().await?;
    Ok(kept.id)
}
