//! Maintenance of regions (行政区) by the administrator: adding, renaming, moving (划转) and retiring them.

use entity::region::{self, Model};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Statement,
};
use serde_json::{Value, json};

use super::shared::{count, difference, not_retired, note_own, only_one, permit_anywhere, take_row, tell};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::patch::Patch;
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::concern;
use crate::record::database;
use crate::record::database::Transaction;
use crate::region::{add, level_below, rank};
use crate::rule::name_order::name_order;
use crate::statistics::kept;
use crate::work::{Acting, current};

/// A region to add.
#[derive(Debug, Clone)]
pub struct New {
    /// The key of the parent region.
    pub parent: Option<i64>,
    /// The full name of the region.
    pub name: String,
    /// The code of the region, as in GB/T 2260 (`540329`); `None` if it has none.
    pub code: Option<String>,
}

/// Changes to a region.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The full name of the region.
    pub name: Patch<String>,
    /// The code of the region.
    pub code: Patch<Option<String>>,
    /// The key of the parent region; everything in the region moves with it (划转).
    pub parent: Patch<Option<i64>>,
}

fn name(given: &str) -> Result<String> {
    Ok(fault::name(given, 2..=60, ("行政区名称", "the region's name"), &["input", "name"])?)
}

/// Checks a region's code: 4 to 20 letters, digits or hyphens, such as a code of GB/T 2260; a blank one becomes `None`.
fn code(given: Option<String>) -> Result<Option<String>> {
    let Some(given) = given.filter(|code| !fault::is_empty(code)) else { return Ok(None) };
    let code = fault::line(&given, 1..=20, ("行政区代码", "the code"), &["input", "code"])?;
    let is_plain = code.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if is_plain && (4..=20).contains(&code.len()) {
        return Ok(Some(code));
    }
    let (zh, en) =
        ("行政区代码应为 4 至 20 位字母或数字", "a region's code must have 4 to 20 letters, digits or hyphens");
    Err(Fault::invalid(zh, en, &["input", "code"]).into())
}

fn taken() -> Fault {
    Fault::new(FaultCode::Conflict, "该代码已被使用", "another region has this code", &["input", "code"])
}

fn state(row: &Model) -> Value {
    json!({ "name": row.name, "code": row.code, "parent": row.parent_id.map(|parent| format!("region_{parent}")) })
}

/// Adds a region below its parent and returns its key.
pub async fn create(acting: &Acting<'_>, new: New) -> Result<i64> {
    permit_anywhere(acting, Act::KeepDictionaries)?;
    let transaction = database::begin(acting.db).await?;
    let (name, code, parent) = fault::all((name(&new.name), code(new.code), live(&transaction, new.parent).await))?;
    level_below(&parent)?;
    if let Some(code) = &code
        && crate::region::find(&transaction, code).await?.is_some()
    {
        return Err(taken().into());
    }
    let beside = region::Entity::find()
        .filter(region::Column::ParentId.eq(parent.id))
        .filter(region::Column::Name.eq(name.as_str()))
        .filter(region::Column::RetiredOn.is_null());
    if beside.count(&transaction).await? > 0 {
        let zh = format!("{}下已有{name}", parent.name);
        let en = format!("{} already has a region named {name}", parent.name);
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input", "name"]).into());
    }
    let row = add(&transaction, code.as_deref(), &name, &parent).await?;
    let object = format!("region_{}", row.id);
    let said = Entry::of("CREATED", object).changed(json!({}), state(&row));
    note_own(&transaction, acting, said).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Returns a region that is in use; refuses one that is retired (撤销).
pub(super) async fn live(db: &Transaction, region: Option<i64>) -> Result<Model> {
    let path = ["input", "regionId"];
    let found = match region {
        Some(id) => region::Entity::find_by_id(id).one(db).await?,
        None => None,
    };
    let Some(found) = found else {
        return Err(fault::unknown(Thing::Region, &path).into());
    };
    if found.retired_on.is_some() {
        let zh = format!("{}已撤销，不能再用", found.name);
        return Err(Fault::new(FaultCode::WrongState, zh, "the region is retired", &path).into());
    }
    Ok(found)
}

/// Locks a region and reads it, for an act that changes it; refuses one that is retired, and the root.
///
/// `field` is the input field to which an error points.
pub(super) async fn take(
    db: &Transaction,
    acting: &Acting<'_>,
    region: Option<i64>,
    version: Option<i32>,
    field: &str,
) -> Result<Model> {
    permit_anywhere(acting, Act::KeepDictionaries)?;
    let row = take_row::<region::Entity>(db, region, Thing::Region, field).await?;
    current(version, row.version, ("行政区", "region"))?;
    not_retired(&row.name, row.retired_on, "region", field)?;
    if row.parent_id.is_none() {
        let zh = format!("{}是根节点，不能改动", row.name);
        let en = "the root region cannot be changed";
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", field]).into());
    }
    Ok(row)
}

/// Edits a region. Moving it to another parent moves everything below it, and updates lists and statistics.
pub async fn edit(acting: &Acting<'_>, region: Option<i64>, version: i32, changes: Changes) -> Result<i64> {
    let transaction = database::begin(acting.db).await?;
    let row = take(&transaction, acting, region, Some(version), "regionId").await?;
    let (name, code) = fault::all((
        changes.name.read(row.name.clone(), |given| name(&given)),
        changes.code.read(row.code.clone(), code),
    ))?;
    let mut now = Model { name_order: name_order(&name), name, code, ..row.clone() };
    let parent = match changes.parent {
        Patch::Set(parent) => {
            let parent = live(&transaction, parent).await?;
            may_lie_below(&row, &parent)?;
            now.parent_id = Some(parent.id);
            Some(parent).filter(|parent| row.parent_id != Some(parent.id))
        }
        Patch::Keep => None,
    };
    let Some((before, after)) = difference(state(&row), state(&now)) else { return Ok(row.id) };
    now.version += 1;
    let write =
        |now: Model| async { only_one(region::ActiveModel::from(now).reset_all().update(&transaction).await, taken) };
    let now = match parent {
        None => write(now).await?,
        Some(parent) => {
            let problems = concerned(&transaction, row.id).await?;
            let now = kept::around(&transaction, &problems, async {
                now.path = format!("{}{}/", parent.path, row.id);
                let now = write(now).await?;
                move_paths(&transaction, &row.path, &now.path).await?;
                concern::renew(&transaction, &problems).await?;
                concern::renew_cases(&transaction, &cases_of(&transaction, now.id).await?).await?;
                Ok(now)
            })
            .await?;
            tell(&transaction, acting, &problems, None).await?;
            now
        }
    };
    let object = format!("region_{}", now.id);
    note_own(&transaction, acting, Entry::of("EDITED", object).changed(before, after)).await?;
    transaction.commit().await?;
    Ok(now.id)
}

fn may_lie_below(row: &Model, parent: &Model) -> Result<()> {
    let why = if parent.path.starts_with(&row.path) {
        ("不能划转到自己之下", "a region cannot be moved below itself")
    } else if rank(parent.level) >= row.rank {
        ("上级行政区的级别应高于它", "the parent must be of a higher level than the region")
    } else {
        return Ok(());
    };
    Err(Fault::invalid(why.0, why.1, &["input", "parentId"]).into())
}

/// Locks the problems that concern a region or anything below it, in the order of their keys, and returns the keys.
pub(super) async fn concerned(db: &Transaction, region: i64) -> Result<Vec<i64>> {
    use entity::{problem, problem_region};
    let listed = problem_region::Entity::find()
        .select_only()
        .column(problem_region::Column::ProblemId)
        .filter(problem_region::Column::RegionId.eq(region))
        .into_query();
    let held = problem::Entity::find()
        .select_only()
        .column(problem::Column::Id)
        .filter(problem::Column::Id.in_subquery(listed))
        .order_by_asc(problem::Column::Id)
        .lock_exclusive();
    Ok(held.into_tuple().all(db).await?)
}

/// Returns the keys of the cases of a region and of the regions below it.
pub(super) async fn cases_of(db: &Transaction, region: i64) -> Result<Vec<i64>> {
    let listed = entity::case_region::Entity::find()
        .select_only()
        .column(entity::case_region::Column::CaseId)
        .filter(entity::case_region::Column::RegionId.eq(region));
    Ok(listed.into_tuple().all(db).await?)
}

/// Replaces the prefix `from` by `to` in the paths of all regions below a moved region.
pub(super) async fn move_paths(db: &Transaction, from: &str, to: &str) -> Result<()> {
    const MOVE: &str = "UPDATE region SET path = $1 || substr(path, $2) WHERE path LIKE $3";
    let rest = i32::try_from(from.len()).unwrap_or_default() + 1;
    let values = vec![to.into(), rest.into(), format!("{from}_%").into()];
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), MOVE, values)).await?;
    Ok(())
}

/// Retires a region (撤销) in which no region, unit, open problem or open case is left.
pub async fn retire(acting: &Acting<'_>, region: Option<i64>, version: i32) -> Result<i64> {
    const LEFT: &str = "SELECT (SELECT count(*) FROM region WHERE parent_id = $1 AND retired_on IS NULL) \
        + (SELECT count(*) FROM unit WHERE region_id = $1 AND retired_on IS NULL) \
        + (SELECT count(*) FROM problem WHERE region_id = $1 AND status NOT IN ('CLOSED', 'NOT_APPLICABLE')) \
        + (SELECT count(*) FROM inspection_case WHERE region_id = $1 AND state <> 'CLOSED') AS amount";
    let transaction = database::begin(acting.db).await?;
    let row = take(&transaction, acting, region, Some(version), "regionId").await?;
    let left = count(&transaction, LEFT, vec![row.id.into()]).await?;
    if left > 0 {
        let zh = format!("{}下还有 {left} 个未撤销的行政区、单位或未办结的问题、案件：请合并到接续的行政区", row.name);
        let en = format!(
            "{} still has {left} regions, units, open problems or open cases: merge it into its successor",
            row.name
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "regionId"]).into());
    }
    retire_row(&transaction, acting, &row, None).await?;
    let after = json!({ "retiredOn": acting.today() });
    let object = format!("region_{}", row.id);
    note_own(&transaction, acting, Entry::of("RETIRED", object).changed(json!({}), after)).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Marks a region as retired today, merged into `into` if there is a successor.
pub(super) async fn retire_row(db: &Transaction, acting: &Acting<'_>, row: &Model, into: Option<i64>) -> Result<()> {
    let gone = region::ActiveModel {
        id: Set(row.id),
        retired_on: Set(Some(acting.today())),
        merged_into_id: Set(into),
        version: Set(row.version + 1),
        ..Default::default()
    };
    gone.update(db).await?;
    Ok(())
}
