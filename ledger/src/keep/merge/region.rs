//! Merge of two regions (撤并).

use entity::region;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::json;

use super::shared::{clash, itself, names, repoint};
use crate::Result;
use crate::fault::Fault;
use crate::keep::region::{self as regions, cases_of, concerned, move_paths};
use crate::keep::shared::{note_own, tell};
use crate::record::audit::{self, Entry};
use crate::record::concern;
use crate::record::database;
use crate::statistics::kept;
use crate::work::Acting;

/// Moves every reference to a region, except those of lists and statistics, which are rebuilt.
const OF_REGION: &[&str] = &[
    "UPDATE region SET parent_id = $2 WHERE parent_id = $1",
    "UPDATE unit SET region_id = $2, version = version + 1 WHERE region_id = $1 AND retired_on IS NULL",
    // Acts on assignments that do not lock a problem before they read notice its new version.
    "UPDATE problem SET version = version + 1 WHERE region_id <> $1 AND id IN (\
        SELECT problem_id FROM measure WHERE region_id = $1 AND region_id <> $2 \
        UNION SELECT m.problem_id FROM measure m JOIN assignment a ON a.measure_id = m.id WHERE a.region_id = $1)",
    "UPDATE problem SET region_id = $2, version = version + 1 WHERE region_id = $1",
    "UPDATE measure SET region_id = $2 WHERE region_id = $1",
    "UPDATE responsible_party SET region_id = $2 WHERE region_id = $1",
    "UPDATE assignment SET region_id = $2 WHERE region_id = $1",
    "UPDATE account SET region_id = $2 WHERE region_id = $1",
    "UPDATE mail_item SET region_id = $2 WHERE region_id = $1",
    "UPDATE inspection_case SET region_id = $2, version = version + 1 WHERE region_id = $1",
    "UPDATE accountability SET region_id = $2 WHERE region_id = $1",
    "UPDATE round_result SET region_id = $2, version = version + 1 WHERE region_id = $1",
    "UPDATE published_figure SET region_id = $2, version = version + 1 WHERE region_id = $1",
    "DELETE FROM import_decision WHERE region_id = $1 AND EXISTS (SELECT 1 FROM import_decision d \
        WHERE d.region_id = $2 AND d.topic = import_decision.topic AND d.context = import_decision.context \
        AND d.printed = import_decision.printed)",
    "UPDATE import_decision SET region_id = $2, version = version + 1 WHERE region_id = $1",
    "DELETE FROM ownership WHERE region_id = $1 AND problem_id IN (SELECT problem_id FROM ownership \
        WHERE region_id = $2)",
    "UPDATE ownership SET region_id = $2 WHERE region_id = $1",
    "UPDATE webhook SET region_id = $2 WHERE region_id = $1",
];

/// Finds names and aliases of units that exist in both regions.
const BOTH_KNOW: &str = "SELECT n.name FROM (\
        SELECT name FROM unit WHERE region_id = $1 AND retired_on IS NULL \
        UNION SELECT a.alias FROM unit_alias a JOIN unit u ON u.id = a.unit_id WHERE u.region_id = $1 \
        AND u.retired_on IS NULL) n \
    JOIN (SELECT name FROM unit WHERE region_id = $2 \
        UNION SELECT a.alias FROM unit_alias a JOIN unit u ON u.id = a.unit_id WHERE u.region_id = $2) \
        m ON m.name = n.name \
    ORDER BY n.name";

/// Finds problems with the same identity that both regions have issued in the same round.
const BOTH_ISSUED: &str = "SELECT coalesce(a.number, a.title) AS name FROM problem a JOIN problem b \
    ON b.round_id = a.round_id AND b.identity = a.identity AND b.region_id = $2 WHERE a.region_id = $1 ORDER BY a.id";

/// Finds cases with the same number that both regions have in the same round.
const BOTH_MEND: &str = "SELECT a.number AS name FROM inspection_case a JOIN inspection_case b \
    ON b.round_id = a.round_id AND b.number = a.number AND b.region_id = $2 WHERE a.region_id = $1 ORDER BY a.id";

/// Merges a region into another one of the same level (撤并) and returns the key of the region that stays.
///
/// The regions below it, its units, problems, cases and accounts move to the region that stays; the merged region is
/// retired.
pub async fn regions(acting: &Acting<'_>, from: Option<i64>, version: i32, into: Option<i64>) -> Result<i64> {
    if from.is_some() && from == into {
        return Err(itself("intoId").into());
    }
    let transaction = database::begin(acting.db).await?;
    let problems = match from {
        Some(from) => concerned(&transaction, from).await?,
        None => Vec::new(),
    };
    let gone = regions::take(&transaction, acting, from, Some(version), "regionId").await?;
    let stays = regions::take(&transaction, acting, into, None, "intoId").await?;
    if gone.level != stays.level {
        let (zh, en) = ("只能与同级行政区合并", "only regions of the same level can be merged");
        return Err(Fault::invalid(zh, en, &["input", "intoId"]).into());
    }
    let known = names(&transaction, BOTH_KNOW, gone.id, stays.id).await?;
    if !known.is_empty() {
        let what = (
            "两地有同名的单位，请先改名或合并",
            "both regions have units with these names, rename or merge them first",
        );
        return Err(clash(what, &known, "regionId").into());
    }
    let issued = names(&transaction, BOTH_ISSUED, gone.id, stays.id).await?;
    if !issued.is_empty() {
        let what = (
            "两地有编号相同的问题，请先改号",
            "both regions have issued problems with these numbers, renumber them first",
        );
        return Err(clash(what, &issued, "regionId").into());
    }
    let mended = names(&transaction, BOTH_MEND, gone.id, stays.id).await?;
    if !mended.is_empty() {
        let what = ("两地有编号相同的交办案件", "both regions have cases with these numbers");
        return Err(clash(what, &mended, "regionId").into());
    }
    let cases = cases_of(&transaction, gone.id).await?;
    kept::around(&transaction, &problems, async {
        repoint(&transaction, OF_REGION, gone.id, stays.id).await?;
        move_paths(&transaction, &gone.path, &stays.path).await?;
        regions::retire_row(&transaction, acting, &gone, Some(stays.id)).await?;
        let grown = region::ActiveModel { id: Set(stays.id), version: Set(stays.version + 1), ..Default::default() };
        grown.update(&transaction).await?;
        concern::renew(&transaction, &problems).await?;
        concern::renew_cases(&transaction, &cases).await?;
        Ok(())
    })
    .await?;
    let merged = json!({ "merged": format!("region_{}", gone.id), "name": gone.name, "code": gone.code });
    let said = |object: String, before, after| Entry::of(audit::MERGED, object).changed(before, after);
    note_own(&transaction, acting, said(format!("region_{}", stays.id), merged, json!({}))).await?;
    let after = json!({ "mergedInto": format!("region_{}", stays.id) });
    note_own(&transaction, acting, said(format!("region_{}", gone.id), json!({}), after)).await?;
    tell(&transaction, acting, &problems, None).await?;
    transaction.commit().await?;
    Ok(stays.id)
}
