//! What is remembered of imports: how people have decided that columns, deadlines and texts are to be read. Decisions
//! are changed, forgotten, and taken over from a mapping file. The caller gives the function that reads an answer.

use entity::import_decision::{self, Topic};
use entity::region;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};
use serde_json::json;

use super::region::live;
use super::round;
use super::shared::{note_own, permit_anywhere, take_row};
use crate::Result;
use crate::fault::{self, Fault, Thing};
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::{Acting, current, seen};

/// A decision to take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// What it is about.
    pub topic: Topic,
    /// What is printed.
    pub printed: String,
    /// What was decided.
    pub decided: String,
}

/// Changes the answer of a decision. `answer` reads it from what is decided about: the topic and what is printed.
pub async fn change(
    acting: &Acting<'_>,
    decision: Option<i64>,
    version: i32,
    answer: impl FnOnce(Topic, &str) -> Result<String>,
) -> Result<i64> {
    let (transaction, was) = take(acting, decision, version).await?;
    let decided = answer(was.topic, &was.printed)?;
    if decided == was.decided {
        return Ok(was.id);
    }
    let row = import_decision::ActiveModel {
        id: Set(was.id),
        decided: Set(decided.clone()),
        decided_at: Set(acting.now),
        decider_id: Set(acting.by.principal.account),
        version: Set(was.version + 1),
        ..Default::default()
    };
    row.update(&transaction).await?;
    reads_anew(&transaction, &was).await?;
    let after = json!({ "printed": was.printed, "decided": decided });
    let said =
        entry("DECISION_CHANGED", &was).changed(json!({ "printed": was.printed, "decided": was.decided }), after);
    note_own(&transaction, acting, said).await?;
    transaction.commit().await?;
    Ok(was.id)
}

/// Forgets a decision, so that the next import asks again.
pub async fn forget(acting: &Acting<'_>, decision: Option<i64>, version: i32) -> Result<i64> {
    let (transaction, was) = take(acting, decision, version).await?;
    import_decision::Entity::delete_by_id(was.id).exec(&transaction).await?;
    reads_anew(&transaction, &was).await?;
    let said = entry("DECISION_FORGOTTEN", &was);
    note_own(&transaction, acting, said.changed(json!({ "printed": was.printed, "decided": was.decided }), json!({})))
        .await?;
    transaction.commit().await?;
    Ok(was.id)
}

/// Takes over decisions for the files that a region issues, in place of those about the same. Returns how many are new
/// or different.
///
/// What a column means holds for all rows of headings, unless it was decided for one of them. All other decisions hold
/// for one round, which has to be given with them.
pub async fn take_over(
    acting: &Acting<'_>,
    region: Option<i64>,
    round: Option<i64>,
    given: Vec<Taken>,
) -> Result<usize> {
    let transaction = database::begin(acting.db).await?;
    let region = issuer(acting, &transaction, region).await?;
    let round = match round {
        None if given.iter().all(|one| one.topic == Topic::Columns) => String::new(),
        None => {
            let zh = "文件中有时限、牵头单位或不涉及的决定，它们只用于一个轮次，请选择轮次";
            let en =
                "the file decides about deadlines, lead units or texts, which hold for one round: choose the round";
            return Err(Fault::invalid(zh, en, &["input", "roundId"]).into());
        }
        round => round::seen(acting, &transaction, round, "roundId").await?.name,
    };
    // Its row stands for the chain of its imports.
    take_row::<region::Entity>(&transaction, Some(region.id), Thing::RegionInReach, "regionId").await?;
    let there = import_decision::Entity::find().filter(import_decision::Column::RegionId.eq(region.id));
    let there = there.all(&transaction).await?;
    let mut taken = 0;
    for Taken { topic, printed, decided } in given {
        let context = if topic == Topic::Columns { String::new() } else { round.clone() };
        let is_same =
            |row: &&import_decision::Model| (row.topic, &row.context, &row.printed) == (topic, &context, &printed);
        let known = there.iter().find(is_same);
        if known.is_some_and(|row| row.decided == decided) {
            continue;
        }
        let row = import_decision::ActiveModel {
            region_id: Set(region.id),
            topic: Set(topic),
            context: Set(context),
            printed: Set(printed),
            decided: Set(decided),
            decided_at: Set(acting.now),
            decider_id: Set(acting.by.principal.account),
            version: Set(known.map_or(1, |row| row.version + 1)),
            ..Default::default()
        };
        match known {
            Some(known) => import_decision::ActiveModel { id: Set(known.id), ..row }.update(&transaction).await?,
            None => row.insert(&transaction).await?,
        };
        taken += 1;
    }
    if taken > 0 {
        let said = Entry::of("DECISIONS_TAKEN_OVER", format!("region_{}", region.id));
        let said = Entry { chain: chain(region.id), ..said }.changed(json!({}), json!({ "decisions": taken }));
        note_own(&transaction, acting, said).await?;
    }
    transaction.commit().await?;
    Ok(taken)
}

/// Returns a region that issues files which the caller may import.
///
/// Refuses a region that the caller may not import for, and one that is retired.
pub async fn issuer(acting: &Acting<'_>, db: &Transaction, region: Option<i64>) -> Result<region::Model> {
    permit_anywhere(acting, Act::KeepLedger)?;
    let found = live(db, region).await?;
    if acting.by.principal.may_import_of(&found.path) {
        Ok(found)
    } else {
        Err(fault::unknown(Thing::RegionInReach, &["input", "regionId"]).into())
    }
}

/// Moves the decisions about a round to its new name. Those that there are already under that name stay.
pub(super) async fn move_round(db: &Transaction, from: &str, to: &str) -> Result<()> {
    let statements = [
        "DELETE FROM import_decision WHERE topic <> 'COLUMNS' AND context = $1 AND EXISTS (SELECT 1 \
         FROM import_decision d WHERE d.region_id = import_decision.region_id AND d.topic = import_decision.topic \
         AND d.printed = import_decision.printed AND d.context = $2)",
        "UPDATE import_decision SET context = $2, version = version + 1 WHERE topic <> 'COLUMNS' AND context = $1",
    ];
    for text in statements {
        let values = [from.into(), to.into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), text, values)).await?;
    }
    Ok(())
}

/// Makes the next import of a region below the issuer of a decision about a column read the columns anew, rather than
/// as in the last file.
async fn reads_anew(db: &Transaction, of: &import_decision::Model) -> Result<()> {
    const BELOW: &str = "UPDATE imported_sheet SET is_read_again = FALSE WHERE region_id IN (SELECT r.id FROM region r \
        JOIN region issuer ON issuer.id = $1 WHERE substr(r.path, 1, length(issuer.path)) = issuer.path)";
    if of.topic == Topic::Columns {
        let values = [of.region_id.into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), BELOW, values)).await?;
    }
    Ok(())
}

/// Begins a transaction, locks the region of a decision and reads the decision, if the caller may see it.
async fn take(
    acting: &Acting<'_>,
    decision: Option<i64>,
    version: i32,
) -> Result<(Transaction, import_decision::Model)> {
    permit_anywhere(acting, Act::KeepLedger)?;
    let unknown = || fault::unknown(Thing::ImportDecision, &["input", "decisionId"]);
    let id = decision.ok_or_else(unknown)?;
    let transaction = database::begin(acting.db).await?;
    let (by, table) = (&acting.by.principal, ("import_decision", id));
    let found = seen::<import_decision::Entity, _>(&transaction, by, table, |_| String::new()).await?;
    let region = found.ok_or_else(unknown)?.region_id;
    // Its region's row stands for the chain of the region's imports.
    take_row::<region::Entity>(&transaction, Some(region), Thing::ImportDecision, "decisionId").await?;
    // Read again: it may have changed before the region was locked.
    let found = import_decision::Entity::find_by_id(id).one(&transaction).await?.ok_or_else(unknown)?;
    current(Some(version), found.version, ("导入读法", "decision"))?;
    Ok((transaction, found))
}

/// Returns an audit entry about a decision, in the chain of its region's imports.
fn entry(act: &str, of: &import_decision::Model) -> Entry {
    Entry { chain: chain(of.region_id), ..Entry::of(act, format!("importdecision_{}", of.id)) }
}

fn chain(region: i64) -> String {
    format!("imports_{region}")
}
