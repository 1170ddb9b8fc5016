//! Maintenance of units (单位) by the administrator: registering them, editing names and mail addresses, and retiring
//! them.

use entity::language::Language;
use entity::unit::{self, Kind, Model};
use entity::{unit_address, unit_alias};
use planner::Bilingual;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};
use serde_json::{Value, json};

use super::input::optional_line;
use super::region::live;
use super::shared::{count, difference, not_retired, note_own, only_one, permit_anywhere, take_row};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::patch::Patch;
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::name_order::name_order;
use crate::rule::wording::masked_address;
use crate::unit::{add_alias, is_international, kind_of, normal_address, sector_of, set_addresses};
use crate::work::{Acting, Done, Warning, WarningCode, current};

/// The maximum number of aliases of a unit, and also of its addresses.
pub const MAX_NAMES: usize = 50;

/// A unit to register.
#[derive(Debug, Clone, Default)]
pub struct New {
    /// The key of the region to which the unit belongs.
    pub region: Option<i64>,
    /// The name of the unit, unique within the region.
    pub name: String,
    /// The kind of body; `None` derives it from the name.
    pub kind: Option<Kind>,
    /// The sector (领域), such as 水利 or 住建; `None` derives it from the name.
    pub sector: Option<String>,
    /// The language of mails to the unit; `None` means that of the installation.
    pub language: Option<Language>,
    /// Other names of the unit (别名), by which imports recognise it.
    pub aliases: Vec<String>,
    /// The e-mail addresses to which notices and reminders are sent.
    pub addresses: Vec<String>,
}

/// Changes to a unit.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The name of the unit; the previous one stays as an alias, so that imports recognise ledgers that print it.
    pub name: Patch<String>,
    /// The kind of body.
    pub kind: Patch<Kind>,
    /// The sector (领域).
    pub sector: Patch<Option<String>>,
    /// The language of mails to the unit.
    pub language: Patch<Option<Language>>,
    /// Whether digests of deadlines to the unit bring a calendar of them.
    pub attaches_calendar: Patch<bool>,
    /// Other names of the unit; replaces all of them.
    pub aliases: Patch<Vec<String>>,
    /// The e-mail addresses of the unit; replaces all of them.
    pub addresses: Patch<Vec<String>>,
}

fn name(given: &str, field: &str) -> Result<String> {
    Ok(fault::name(given, 2..=60, ("单位名称", "the unit's name"), &["input", field])?)
}

fn sector(given: Option<String>) -> Result<Option<String>> {
    optional_line(given, 20, ("领域", "the sector"), "sector")
}

fn aliases(given: &[String]) -> Result<Vec<String>> {
    let mut read = given.iter().map(|alias| name(alias, "aliases")).collect::<Result<Vec<String>>>()?;
    bounded(&read, "aliases")?;
    read.sort();
    read.dedup();
    Ok(read)
}

fn addresses(given: &[String]) -> Result<Vec<String>> {
    let read = |address: &String| normal_address(address, &["input", "addresses"]);
    let mut read = given.iter().map(read).collect::<Result<Vec<String>, Fault>>()?;
    bounded(&read, "addresses")?;
    read.sort();
    read.dedup();
    Ok(read)
}

fn bounded(given: &[String], field: &str) -> Result<()> {
    if given.len() > MAX_NAMES {
        let (zh, en) = (format!("最多 {MAX_NAMES} 个"), format!("at most {MAX_NAMES} are allowed"));
        return Err(Fault::invalid(zh, en, &["input", field]).into());
    }
    Ok(())
}

/// A unit with its aliases and addresses.
struct Whole {
    row: Model,
    aliases: Vec<String>,
    addresses: Vec<String>,
}

impl Whole {
    async fn read(db: &Transaction, row: Model) -> Result<Self> {
        let aliases = unit_alias::Entity::find()
            .select_only()
            .column(unit_alias::Column::Alias)
            .filter(unit_alias::Column::UnitId.eq(row.id))
            .order_by_asc(unit_alias::Column::Alias)
            .into_tuple()
            .all(db)
            .await?;
        let addresses = unit_address::Entity::find()
            .select_only()
            .column(unit_address::Column::Address)
            .filter(unit_address::Column::UnitId.eq(row.id))
            .order_by_asc(unit_address::Column::Address)
            .into_tuple()
            .all(db)
            .await?;
        Ok(Self { row, aliases, addresses })
    }

    /// Returns the fields of the unit that the audit records, with masked addresses.
    fn state(&self) -> Value {
        json!({
            "name": self.row.name,
            "kind": self.row.kind.to_value(),
            "sector": self.row.sector,
            "language": self.row.language.map(|language| language.to_value()),
            "hasCalendar": self.row.attaches_calendar,
            "aliases": self.aliases,
            "addresses": self.addresses.iter().map(String::as_str).map(masked_address).collect::<Vec<_>>(),
        })
    }
}

/// Refuses names or aliases that another unit of the region already has: an import could not tell the units apart.
async fn free(db: &Transaction, row: &Model, names: &[String], field: &str) -> Result<()> {
    let others = unit::Entity::find()
        .filter(unit::Column::RegionId.eq(row.region_id))
        .filter(unit::Column::Id.ne(row.id))
        .filter(unit::Column::RetiredOn.is_null());
    let of_region = others.clone().select_only().column(unit::Column::Id).into_query();
    let by_alias = unit_alias::Entity::find()
        .filter(unit_alias::Column::Alias.is_in(names))
        .filter(unit_alias::Column::UnitId.in_subquery(of_region))
        .one(db)
        .await?;
    let known = match by_alias {
        Some(known) => Some(known.alias),
        None => others.filter(unit::Column::Name.is_in(names)).one(db).await?.map(|unit| unit.name),
    };
    match known {
        Some(known) => Err(taken(&known, field).into()),
        None => Ok(()),
    }
}

fn taken(known: &str, field: &str) -> Fault {
    let zh = format!("本行政区已有名称或别名为“{known}”的单位：如为同一单位请合并");
    let en =
        format!("another unit of the region has the name or alias “{known}”: merge the two if they are the same unit");
    Fault::new(FaultCode::Conflict, zh, en, &["input", field])
}

/// Returns the outcome of an act on a unit, with a warning about each of the addresses entered whose name is not in
/// ASCII: only mail servers with SMTPUTF8 take it.
pub fn done(key: i64, addresses: &[String]) -> Done {
    let warned = addresses.iter().filter(|address| is_international(address)).map(|address| Warning {
        code: WarningCode::InternationalAddress,
        message: Bilingual {
            zh: format!("邮箱“{address}”的名称不是 ASCII 字符，许多邮件服务器不收，请尽量改用字母和数字的邮箱"),
            en: format!(
                "the name of “{address}” is not in ASCII; many mail servers refuse it: use one of letters and digits"
            ),
        },
    });
    Done { key, warnings: warned.collect() }
}

/// Registers a unit and returns its key.
pub async fn create(acting: &Acting<'_>, new: New) -> Result<i64> {
    let transaction = database::begin(acting.db).await?;
    let row = create_within(&transaction, acting, new).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Registers a unit within the caller's transaction.
pub async fn create_within(db: &Transaction, acting: &Acting<'_>, new: New) -> Result<Model> {
    permit_anywhere(acting, Act::KeepDictionaries)?;
    let (called, others, mail, sector, region) = fault::all((
        name(&new.name, "name"),
        aliases(&new.aliases),
        addresses(&new.addresses),
        sector(new.sector),
        live(db, new.region).await,
    ))?;
    let sector = sector.or_else(|| sector_of(&called).map(str::to_owned));
    let fresh = unit::ActiveModel {
        region_id: Set(region.id),
        kind: Set(new.kind.unwrap_or_else(|| kind_of(&called))),
        sector: Set(sector),
        language: Set(new.language),
        name: Set(called.clone()),
        name_order: Set(name_order(&called)),
        version: Set(1),
        ..Default::default()
    };
    let row = only_one(fresh.insert(db).await, || taken(&called, "name"))?;
    free(db, &row, &[called], "name").await?;
    free(db, &row, &others, "aliases").await?;
    for alias in &others {
        add_alias(db, row.id, alias).await?;
    }
    set_addresses(db, row.id, &mail).await?;
    let mut after = Whole { row: row.clone(), aliases: others, addresses: mail }.state();
    after["region"] = json!(format!("region_{}", region.id));
    let said = Entry::of("CREATED", format!("unit_{}", row.id)).changed(json!({}), after);
    note_own(db, acting, said).await?;
    Ok(row)
}

/// Locks a unit and reads it, for an act that changes it; refuses one that is retired.
///
/// `field` is the input field to which an error points.
pub(super) async fn take(
    db: &Transaction,
    acting: &Acting<'_>,
    unit: Option<i64>,
    version: Option<i32>,
    field: &str,
) -> Result<Model> {
    permit_anywhere(acting, Act::KeepDictionaries)?;
    let row = take_row::<unit::Entity>(db, unit, Thing::Unit, field).await?;
    current(version, row.version, ("单位", "unit"))?;
    not_retired(&row.name, row.retired_on, "unit", field)?;
    Ok(row)
}

/// Edits a unit and returns its key.
pub async fn edit(acting: &Acting<'_>, unit: Option<i64>, version: i32, changes: Changes) -> Result<i64> {
    let transaction = database::begin(acting.db).await?;
    let id = edit_within(&transaction, acting, unit, Some(version), changes).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Edits a unit within the caller's transaction and returns its key.
pub async fn edit_within(
    db: &Transaction,
    acting: &Acting<'_>,
    unit: Option<i64>,
    version: Option<i32>,
    changes: Changes,
) -> Result<i64> {
    let row = take(db, acting, unit, version, "unitId").await?;
    let there = Whole::read(db, row).await?;
    let (name, sector, mut others, mail) = fault::all((
        changes.name.read(there.row.name.clone(), |given| name(&given, "name")),
        changes.sector.read(there.row.sector.clone(), sector),
        changes.aliases.read(there.aliases.clone(), |given| aliases(&given)),
        changes.addresses.read(there.addresses.clone(), |given| addresses(&given)),
    ))?;
    let mut row = Model {
        name,
        kind: changes.kind.or(there.row.kind),
        sector,
        language: changes.language.or(there.row.language),
        attaches_calendar: changes.attaches_calendar.or(there.row.attaches_calendar),
        ..there.row.clone()
    };
    if row.name != there.row.name && !others.contains(&there.row.name) {
        others.push(there.row.name.clone());
    }
    others.retain(|alias| *alias != row.name);
    others.sort();
    let now = Whole { row: row.clone(), aliases: others, addresses: mail };
    let is_same = there.addresses == now.addresses;
    let told = difference(there.state(), now.state());
    // Different addresses may be equal once masked, so a change of addresses is recorded even if none is visible.
    let Some((before, after)) = told.or((!is_same).then(|| (json!({}), json!({ "addresses": "SET" })))) else {
        return Ok(row.id);
    };
    free(db, &row, std::slice::from_ref(&row.name), "name").await?;
    free(db, &row, &now.aliases, "aliases").await?;
    row.version += 1;
    row.name_order = name_order(&row.name);
    let called = row.name.clone();
    let row = only_one(unit::ActiveModel::from(row).reset_all().update(db).await, || taken(&called, "name"))?;
    unit_alias::Entity::delete_many()
        .filter(unit_alias::Column::UnitId.eq(row.id).and(unit_alias::Column::Alias.is_not_in(&now.aliases)))
        .exec(db)
        .await?;
    for alias in now.aliases.iter().filter(|alias| !there.aliases.contains(alias)) {
        add_alias(db, row.id, alias).await?;
    }
    if !is_same {
        set_addresses(db, row.id, &now.addresses).await?;
    }
    let said = Entry::of("EDITED", format!("unit_{}", row.id)).changed(before, after);
    note_own(db, acting, said).await?;
    Ok(row.id)
}

/// Counts the open assignments, cases, and led or supervised measures of a unit.
const OPEN: &str = "SELECT \
    (SELECT count(*) FROM assignment WHERE unit_id = $1 AND status NOT IN ('CLOSED', 'NOT_APPLICABLE')) \
    + (SELECT count(*) FROM measure WHERE $1 IN (lead_unit_id, supervising_unit_id, accepting_unit_id) \
        AND status NOT IN ('CLOSED', 'NOT_APPLICABLE')) \
    + (SELECT count(*) FROM inspection_case WHERE lead_unit_id = $1 AND state <> 'CLOSED') AS amount";

/// Retires a unit (撤销) without open items, so that nothing is assigned to it any more. Its history stays.
pub async fn retire(acting: &Acting<'_>, unit: Option<i64>, version: i32) -> Result<i64> {
    let transaction = database::begin(acting.db).await?;
    let row = take(&transaction, acting, unit, Some(version), "unitId").await?;
    let open = count(&transaction, OPEN, vec![row.id.into()]).await?;
    if open > 0 {
        let zh = format!("{}还有 {open} 项未办结的任务、案件或牵头、督导的措施：请合并到接手的单位", row.name);
        let en = format!(
            "{} still answers, leads or supervises {open} open items: merge it into the unit that takes them over",
            row.name
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "unitId"]).into());
    }
    retire_row(&transaction, acting, &row, None).await?;
    let object = format!("unit_{}", row.id);
    let after = json!({ "retiredOn": acting.today() });
    note_own(&transaction, acting, Entry::of("RETIRED", object).changed(json!({}), after)).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Marks a unit as retired today, merged into `into` if there is a successor, and removes its addresses.
pub(super) async fn retire_row(db: &Transaction, acting: &Acting<'_>, row: &Model, into: Option<i64>) -> Result<()> {
    set_addresses(db, row.id, &[]).await?;
    let gone = unit::ActiveModel {
        id: Set(row.id),
        retired_on: Set(Some(acting.today())),
        merged_into_id: Set(into),
        version: Set(row.version + 1),
        ..Default::default()
    };
    gone.update(db).await?;
    Ok(())
}
