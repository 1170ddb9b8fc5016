//! Compares the ledger's rows with their last audit entries. A row that was changed, added or deleted without the
//! program differs from its entry.

use std::collections::HashMap;

use entity::{account, assignment, audit_entry, inspection_case};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use serde_json::{Value, json};

use super::entry::{MERGED, chain_of};
use super::faults::Faults;
use super::kept;
use crate::Result;
use crate::record::database::Transaction;

/// The most rows compared at once.
const BATCH: u64 = 2_000;

/// How many of the ledger's rows were compared with the audit, and with which result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The number of assignments that match their last entry.
    pub assignments: u64,
    /// The number of assignments whose values no entry records: those of imports and of the demo.
    pub assignments_unnoted: u64,
    /// The number of assignments that have changed since their last entry and whose problem was imported again since,
    /// or that now belong to another problem. An import records no single assignments.
    pub assignments_imported: u64,
    /// The number of complaint cases that match their last entry.
    pub cases: u64,
    /// The number of complaint cases whose values no entry records: those of the demo.
    pub cases_unnoted: u64,
    /// The number of accounts that match their entries.
    pub accounts: u64,
}

/// Compares all assignments, cases and accounts, and adds every difference to the faults.
pub(super) async fn compare(db: &Transaction, faults: &mut Faults) -> Result<Compared> {
    let merges = Merges::read(db).await?;
    let mut done = Compared::default();
    assignments(db, &merges, &mut done, faults).await?;
    missing_assignments(db, &merges, faults).await?;
    cases(db, &merges, &mut done, faults).await?;
    accounts(db, &merges, &mut done, faults).await?;
    Ok(done)
}

/// Merges of units, regions and rounds. They change the rows that refer to these without an entry for each row.
#[derive(Default)]
struct Merges {
    /// By the unit that was merged: the key of the entry, and the unit that remains.
    units: HashMap<i64, (i64, i64)>,
    /// By the region that was merged: the key of the entry, and the region that remains.
    regions: HashMap<i64, (i64, i64)>,
    /// The keys of the entries of merges of regions and rounds, which give their cases a new version.
    of_cases: Vec<i64>,
}

impl Merges {
    async fn read(db: &Transaction) -> Result<Self> {
        let of = |table: &str| audit_entry::Column::Object.starts_with(format!("{table}_"));
        let merges = audit_entry::Entity::find()
            .filter(audit_entry::Column::Act.eq(MERGED))
            .filter(Condition::any().add(of("unit")).add(of("region")).add(of("round")))
            .order_by_asc(audit_entry::Column::Id)
            .all(db)
            .await?;
        let mut read = Self::default();
        for entry in merges {
            let before: Value = serde_json::from_str(&entry.before).unwrap_or_default();
            let Some(gone) = before["merged"].as_str() else { continue };
            let keys = |table: &str| {
                let key = |id: &str| id.strip_prefix(table)?.strip_prefix('_')?.parse::<i64>().ok();
                key(gone).zip(key(&entry.object))
            };
            if let Some((gone, stays)) = keys("unit") {
                read.units.insert(gone, (entry.id, stays));
            } else {
                read.of_cases.push(entry.id);
                if let Some((gone, stays)) = keys("region") {
                    read.regions.insert(gone, (entry.id, stays));
                }
            }
        }
        Ok(read)
    }

    /// Follows the merges after the entry `since`: returns what has replaced `key` by now, and after how many merges.
    fn follow(merged: &HashMap<i64, (i64, i64)>, key: &Value, since: i64) -> (Value, i64) {
        let (mut key, mut steps) = (key.as_i64(), 0);
        while let Some((_, stays)) = key.and_then(|key| merged.get(&key)).filter(|(entry, _)| *entry > since) {
            key = Some(*stays);
            steps += 1;
            // Forged entries could form a circle.
            if steps > 1_000 {
                break;
            }
        }
        (json!(key), steps)
    }

    /// Returns how many of the `grown` new versions of an assignment are explained by merges into its unit after the
    /// entry `since`, if that entry did not record the unit.
    fn unit_after(&self, unit: i64, since: i64, grown: i64) -> i64 {
        let into = self.units.iter().filter(|(gone, (entry, _))| {
            *entry > since && Self::follow(&self.units, &json!(gone), since).0 == json!(unit)
        });
        grown.clamp(0, into.count() as i64)
    }
}

/// What an entry records of a row.
#[derive(FromQueryResult)]
struct Noted {
    key: i64,
    id: i64,
    chain: String,
    after: String,
}

/// Describes the first member in which a row differs from its entry, leaving out the members in `but`. Returns `None`
/// if all that the entry records are equal.
fn difference(noted: &Value, is: &Value, but: &[&str]) -> Option<String> {
    let mut members = is.as_object()?.iter().filter(|(name, _)| !but.contains(&name.as_str()));
    let (name, is) = members.find(|(name, is)| noted.get(name.as_str()).is_some_and(|noted| noted != *is))?;
    Some(format!("{name} 台账为 {is}，记录为 {}", noted[name.as_str()]))
}

/// Returns by how many versions a row is ahead of its entry.
fn grown(noted: &Value, version: i32) -> i64 {
    i64::from(version) - noted["version"].as_i64().unwrap_or_default()
}

fn differs(object: &str, how: &str) -> String {
    format!("{object}：台账内容与最后一条审计记录不符（{how}），在程序之外被改动")
}

/// Runs the query `text` for the last entries of the rows with keys from `first` to `last`, and returns them by the
/// rows' keys.
async fn last_of(db: &Transaction, text: String, (first, last): (i64, i64)) -> Result<HashMap<i64, Noted>> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), text, [first.into(), last.into()]);
    let noted = Noted::find_by_statement(statement).all(db).await?;
    Ok(noted.into_iter().map(|noted| (noted.key, noted)).collect())
}

/// Returns the query for the last entry of each row that records its values: one whose `after` starts with `begins`.
fn last_state(column: &str, object: &str, begins: &str) -> String {
    format!(
        "SELECT e.{column} AS key, e.id, e.chain, e.after FROM audit_entry e JOIN (SELECT {column}, max(id) AS id \
         FROM audit_entry WHERE {column} >= $1 AND {column} <= $2 AND object = '{object}_' || {column} \
         AND after LIKE '{begins}%' GROUP BY {column}) last ON last.id = e.id"
    )
}

/// What may have changed an assignment without an entry of its own.
#[derive(FromQueryResult)]
struct Around {
    key: i64,
    problem: i64,
    /// The key of the entry of the last import of its problem.
    imported: Option<i64>,
    /// The number of measures that were merged into its own.
    merges: i64,
    /// The key of the entry of the last such merge.
    merged: Option<i64>,
}

impl Around {
    async fn read(db: &Transaction, keys: &[i64]) -> Result<HashMap<i64, Self>> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let among = keys.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let merged =
            "FROM audit_entry e WHERE e.measure_id = m.id AND e.act = 'MERGED' AND e.object = 'measure_' || m.id";
        let text = format!(
            "SELECT a.id AS key, m.problem_id AS problem, (SELECT max(e.id) FROM audit_entry e \
             WHERE e.chain = 'problem_' || m.problem_id AND e.act = 'IMPORTED') AS imported, \
             (SELECT count(*) {merged}) AS merges, (SELECT max(e.id) {merged}) AS merged \
             FROM assignment a JOIN measure m ON m.id = a.measure_id WHERE a.id IN ({among})"
        );
        let found = Self::find_by_statement(Statement::from_string(db.get_database_backend(), text)).all(db).await?;
        Ok(found.into_iter().map(|around| (around.key, around)).collect())
    }
}

async fn assignments(db: &Transaction, merges: &Merges, done: &mut Compared, faults: &mut Faults) -> Result<()> {
    let mut last = 0;
    loop {
        let rows = assignment::Entity::find()
            .filter(assignment::Column::Id.gt(last))
            .order_by_asc(assignment::Column::Id)
            .limit(BATCH)
            .all(db)
            .await?;
        let (Some(first), Some(end)) = (rows.first(), rows.last()) else { return Ok(()) };
        let text = last_state("assignment_id", "assignment", "{\"status\":");
        let noted = last_of(db, text, (first.id, end.id)).await?;
        last = end.id;
        let mut unlike = Vec::new();
        for row in &rows {
            let Some(noted) = noted.get(&row.id) else {
                done.assignments_unnoted += 1;
                continue;
            };
            let (was, is) = (assigned(noted), kept::assignment(row));
            let (unit, steps) = match was.get("unit") {
                Some(unit) => Merges::follow(&merges.units, unit, noted.id),
                None => (Value::Null, merges.unit_after(row.unit_id, noted.id, grown(&was, row.version))),
            };
            let moved = (was.get("unit").is_some() && unit != is["unit"])
                .then(|| format!("unit 台账为 {}，记录为 {unit}", is["unit"]));
            let how = difference(&was, &is, &["unit", "version"]).or(moved);
            let grown = grown(&was, row.version);
            if how.is_none() && grown == steps {
                done.assignments += 1;
            } else {
                unlike.push((row.id, noted, how, grown, grown - steps));
            }
        }
        let keys: Vec<i64> = unlike.iter().map(|(key, ..)| *key).collect();
        let around = Around::read(db, &keys).await?;
        for (key, noted, how, grown, beyond) in unlike {
            let Some(around) = around.get(&key) else { continue };
            let is_after = |entry: Option<i64>| entry.is_some_and(|entry| entry > noted.id);
            let is_moved = noted.chain != chain_of(around.problem);
            if how.is_none() && is_after(around.merged) && (0..=around.merges).contains(&beyond) {
                done.assignments += 1;
            } else if grown > 0 && (is_after(around.imported) || is_moved) {
                done.assignments_imported += 1;
            } else {
                let how = how.unwrap_or_else(|| format!("version 相差 {beyond}"));
                faults.push(differs(&format!("assignment_{key}"), &how));
            }
        }
    }
}

/// Returns the values that an entry records of an assignment. The entry of a new one records only its status and unit,
/// so the initial values are added.
fn assigned(noted: &Noted) -> Value {
    let mut after: Value = serde_json::from_str(&noted.after).unwrap_or_default();
    if let Some(members) = after.as_object_mut().filter(|members| !members.contains_key("version")) {
        members.insert("version".to_owned(), json!(1));
        for empty in ["completedOn", "acceptedAt", "declinedAt"] {
            members.insert(empty.to_owned(), Value::Null);
        }
    }
    after
}

/// Reports assignments that the audit knows and the ledger no longer has, although no entry records that they were
/// merged or deleted.
async fn missing_assignments(db: &Transaction, merges: &Merges, faults: &mut Faults) -> Result<()> {
    const MISSING: &str = "SELECT e.assignment_id AS key, max(e.id) AS id, max(e.chain) AS chain, \
        max(e.after) AS after \
        FROM audit_entry e WHERE e.assignment_id > $1 AND e.after LIKE '{\"status\":%' \
        AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.id = e.assignment_id) \
        AND NOT EXISTS (SELECT 1 FROM audit_entry m WHERE m.chain = e.chain AND m.act = 'MERGED' \
            AND m.before LIKE '{\"merged\":\"assignment_' || e.assignment_id || '\"%') \
        AND NOT EXISTS (SELECT 1 FROM audit_entry d WHERE d.chain = e.chain AND d.act = 'DELETED' \
            AND (d.object = e.chain OR d.object = 'measure_' || e.measure_id)) \
        GROUP BY e.assignment_id ORDER BY e.assignment_id LIMIT 1000";
    let mut last = 0_i64;
    loop {
        let statement = Statement::from_sql_and_values(db.get_database_backend(), MISSING, [last.into()]);
        let gone = Noted::find_by_statement(statement).all(db).await?;
        let Some(end) = gone.last() else { return Ok(()) };
        last = end.key;
        for noted in &gone {
            // An assignment without any work is dropped if its unit is merged into one that answers the measure as
            // well.
            let is_untouched = assigned(noted)["status"] == "ASSIGNED";
            if !is_untouched || !merges.units.values().any(|(entry, _)| *entry > noted.id) {
                faults.push(format!("assignment_{}：审计中有记录，台账中却不存在，在程序之外被删除", noted.key));
            }
        }
    }
}

async fn cases(db: &Transaction, merges: &Merges, done: &mut Compared, faults: &mut Faults) -> Result<()> {
    const MISSING: &str = "SELECT DISTINCT e.object FROM audit_entry e WHERE e.act = 'HANDED_OVER' \
        AND e.case_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM inspection_case c WHERE c.id = e.case_id)";
    let mut last = 0;
    loop {
        let rows = inspection_case::Entity::find()
            .filter(inspection_case::Column::Id.gt(last))
            .order_by_asc(inspection_case::Column::Id)
            .limit(BATCH)
            .all(db)
            .await?;
        let (Some(first), Some(end)) = (rows.first(), rows.last()) else { break };
        let noted = last_of(db, last_state("case_id", "case", "{\"state\":"), (first.id, end.id)).await?;
        last = end.id;
        for row in &rows {
            let Some(noted) = noted.get(&row.id) else {
                done.cases_unnoted += 1;
                continue;
            };
            let was: Value = serde_json::from_str(&noted.after).unwrap_or_default();
            let is = kept::case(row);
            let (unit, steps) = Merges::follow(&merges.units, &was["leadUnit"], noted.id);
            let moved = (unit != is["leadUnit"]).then(|| format!("leadUnit 台账为 {}，记录为 {unit}", is["leadUnit"]));
            let others = merges.of_cases.iter().filter(|entry| **entry > noted.id).count() as i64;
            let grown = grown(&was, row.version);
            let stale = (!(steps..=steps + others).contains(&grown)).then(|| format!("version 相差 {grown}"));
            match difference(&was, &is, &["leadUnit", "version"]).or(moved).or(stale) {
                Some(how) => faults.push(differs(&format!("case_{}", row.id), &how)),
                None => done.cases += 1,
            }
        }
    }
    missing(db, MISSING, faults).await
}

/// Reports rows that the audit knows and the ledger no longer has.
async fn missing(db: &Transaction, text: &str, faults: &mut Faults) -> Result<()> {
    let statement = Statement::from_string(db.get_database_backend(), format!("{text} ORDER BY e.object LIMIT 1000"));
    for row in db.query_all_raw(statement).await? {
        let object: String = row.try_get("", "object")?;
        faults.push(format!("{object}：审计中有记录，台账中却不存在，在程序之外被删除"));
    }
    Ok(())
}

async fn accounts(db: &Transaction, merges: &Merges, done: &mut Compared, faults: &mut Faults) -> Result<()> {
    const MISSING: &str = "SELECT DISTINCT e.object FROM audit_entry e WHERE e.act = 'ACCOUNT_CREATED' \
        AND NOT EXISTS (SELECT 1 FROM account a WHERE e.object = 'account_' || a.id)";
    let all = account::Entity::find().order_by_asc(account::Column::Id);
    let mut pages = all.paginate(db, BATCH / 4);
    while let Some(rows) = pages.fetch_and_next().await? {
        let chains = rows.iter().map(|row| format!("account_{}", row.id));
        let entries: Vec<(i64, String, String)> = audit_entry::Entity::find()
            .select_only()
            .columns([audit_entry::Column::Id, audit_entry::Column::Chain, audit_entry::Column::After])
            .filter(audit_entry::Column::Chain.is_in(chains))
            .filter(audit_entry::Column::Act.starts_with("ACCOUNT_"))
            .order_by_asc(audit_entry::Column::Id)
            .into_tuple()
            .all(db)
            .await?;
        // The recorded members of each account, with the key of the entry that recorded them last.
        let mut noted: HashMap<&str, HashMap<String, (i64, Value)>> = HashMap::new();
        for (id, chain, after) in &entries {
            let Ok(Value::Object(after)) = serde_json::from_str(after) else { continue };
            let of = noted.entry(chain.as_str()).or_default();
            of.extend(after.into_iter().map(|(name, value)| (name, (*id, value))));
        }
        for row in &rows {
            let object = format!("account_{}", row.id);
            let Some(noted) = noted.get(object.as_str()) else {
                faults.push(format!("{object}：没有创建账户的审计记录，在程序之外被添加"));
                continue;
            };
            let mut is = kept::account(row);
            is["isDisabled"] = row.is_disabled.into();
            let was = |name: &str| match (name, noted.get(name)) {
                ("isDisabled", None) => Some(json!(false)),
                ("unit", Some((id, unit))) => Some(Merges::follow(&merges.units, unit, *id).0),
                ("region", Some((id, region))) => Some(Merges::follow(&merges.regions, region, *id).0),
                (_, value) => value.map(|(_, value)| value.clone()),
            };
            let names = ["role", "unit", "region", "validUntil", "isDisabled"];
            let was: Value = names
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), was(name)?)))
                .collect::<serde_json::Map<_, _>>()
                .into();
            match difference(&was, &is, &[]) {
                Some(how) => faults.push(differs(&object, &how)),
                None => done.accounts += 1,
            }
        }
    }
    missing(db, MISSING, faults).await
}
