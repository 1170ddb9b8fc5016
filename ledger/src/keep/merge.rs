//! Merging what turned out to be one: rounds, problems, units, regions. Everything that named the one names the other from
//! then on, in one transaction with the lists and figures; what cannot be told apart is refused and named.

use entity::{assignment, inspection_round, measure, problem, region, unit, unit_alias};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Statement, Value,
};
use serde_json::json;

use super::region::{cases_of, concerned, move_paths};
use super::{Held, Said, note, note_own, region as regions, round, tell, unit as units};
use crate::fault::{Fault, FaultCode};
use crate::statistics::kept;
use crate::unit::add_alias;
use crate::work::{Desk, current};
use crate::{Result, concern, database, roll_up};

/// The most names that a refusal lists.
const NAMED: u64 = 5;

fn itself(field: &str) -> Fault {
    Fault::invalid("不能与自身合并", "it cannot be merged into itself", &["input", field])
}

/// What stands in the way, by name.
fn clash(what: (&str, &str), names: &[String], field: &str) -> Fault {
    let (zh, en) = what;
    let listed = names.join("、");
    Fault::new(FaultCode::Conflict, format!("{zh}：{listed}"), format!("{en}: {listed}"), &["input", field])
}

/// Runs statements that each take what is merged and what it is merged into.
async fn repoint(db: &DatabaseTransaction, statements: &[&str], from: i64, into: i64) -> Result<()> {
    for statement in statements {
        let values: Vec<Value> = vec![from.into(), into.into()];
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), *statement, values)).await?;
    }
    Ok(())
}

/// The first names that a statement finds, of what is merged and what it is merged into.
async fn names(db: &DatabaseTransaction, statement: &str, from: i64, into: i64) -> Result<Vec<String>> {
    let text = format!("{statement} LIMIT {NAMED}");
    let values: Vec<Value> = vec![from.into(), into.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), text, values)).await?;
    Ok(rows.iter().map(|row| row.try_get("", "name")).collect::<Result<_, _>>()?)
}

/// Merges a round into another, which was opened twice under different names.
pub async fn rounds(desk: &Desk<'_>, from: Option<i64>, into: Option<i64>) -> Result<i64> {
    const TWICE: &str = "SELECT coalesce(a.number, a.title) AS name FROM problem a JOIN problem b \
        ON b.region_id = a.region_id AND b.identity = a.identity AND b.round_id = $2 WHERE a.round_id = $1 ORDER BY a.id";
    const CASE_TWICE: &str = "SELECT a.number AS name FROM inspection_case a JOIN inspection_case b \
        ON b.region_id = a.region_id AND b.number = a.number AND b.round_id = $2 WHERE a.round_id = $1 ORDER BY a.id";
    if from.is_some() && from == into {
        return Err(itself("intoId").into());
    }
    // The one that stays need only be seen: whoever else keeps problems in it is not concerned.
    let (transaction, gone) = round::take(desk, from, None, "roundId").await?;
    let kept = round::seen(desk, &transaction, into, "intoId").await?;
    let twice = names(&transaction, TWICE, gone.id, kept.id).await?;
    if !twice.is_empty() {
        let what = ("两个轮次有相同的问题，请先合并这些问题", "both rounds have these problems, merge them first");
        return Err(clash(what, &twice, "roundId").into());
    }
    let cases = names(&transaction, CASE_TWICE, gone.id, kept.id).await?;
    if !cases.is_empty() {
        let what = ("两个轮次有编号相同的交办案件", "both rounds have cases of these numbers");
        return Err(clash(what, &cases, "roundId").into());
    }
    let problems = round::held(&transaction, gone.id).await?;
    let moves = [
        "UPDATE problem SET round_id = $2, version = version + 1 WHERE round_id = $1",
        "UPDATE measure SET round_id = $2 WHERE round_id = $1",
        "UPDATE inspection_case SET round_id = $2, version = version + 1 WHERE round_id = $1",
        "UPDATE accountability SET round_id = $2 WHERE round_id = $1",
    ];
    repoint(&transaction, &moves, gone.id, kept.id).await?;
    inspection_round::Entity::delete_by_id(gone.id).exec(&transaction).await?;
    let said = Said {
        act: "MERGED",
        object: format!("round_{}", kept.id),
        measure: None,
        before: json!({ "merged": format!("round_{}", gone.id), "name": gone.name }),
        after: json!({ "problems": problems.len() }),
    };
    note_own(&transaction, desk, said).await?;
    round::move_grace(&transaction, desk, kept.id, &problems).await?;
    transaction.commit().await?;
    Ok(kept.id)
}

/// Merges a problem into another of the same round and region: its measures go over.
pub async fn problems(desk: &Desk<'_>, from: Option<i64>, version: i32, into: Option<i64>) -> Result<i64> {
    const TWICE: &str = "SELECT coalesce(a.number, a.content) AS name FROM measure a JOIN measure b \
        ON b.problem_id = $2 AND b.identity = a.identity WHERE a.problem_id = $1 ORDER BY a.position";
    if from.is_some() && from == into {
        return Err(itself("intoId").into());
    }
    // Both are held in the order of their keys, so that two who merge crosswise do not wait for each other for ever.
    let Held { transaction, row: gone } = Held::take(desk, from.min(into), None).await?;
    let (gone, stays) = {
        let other = Held::take_also(&transaction, desk, from.max(into)).await?;
        if Some(gone.id) == from { (gone, other) } else { (other, gone) }
    };
    current(Some(version), gone.version, ("问题", "problem"))?;
    if (gone.round_id, gone.region_id) != (stays.round_id, stays.region_id) {
        let (zh, en) = ("只能合并同一轮次、同一地区的问题", "both must be of one round and one region");
        return Err(Fault::invalid(zh, en, &["input", "intoId"]).into());
    }
    let twice = names(&transaction, TWICE, gone.id, stays.id).await?;
    if !twice.is_empty() {
        let what = ("两个问题有相同的措施，请先删除或改写其一", "both have these measures, delete or edit one of each");
        return Err(clash(what, &twice, "problemId").into());
    }
    let both = [gone.id, stays.id];
    kept::withdraw(&transaction, &both).await?;
    let last = measure::Entity::find()
        .filter(measure::Column::ProblemId.eq(stays.id))
        .order_by_desc(measure::Column::Position)
        .one(&transaction)
        .await?
        .map_or(0, |measure| measure.position);
    let moves = [
        "UPDATE change SET problem_id = $2 WHERE problem_id = $1",
        "UPDATE accountability SET problem_id = $2 WHERE problem_id = $1",
        "DELETE FROM ownership WHERE problem_id = $1 AND region_id IN (SELECT region_id FROM ownership WHERE problem_id = $2)",
        "UPDATE ownership SET problem_id = $2 WHERE problem_id = $1",
    ];
    repoint(&transaction, &moves, gone.id, stays.id).await?;
    let sql =
        "UPDATE measure SET problem_id = $2, position = position + $3, version = version + 1 WHERE problem_id = $1";
    let values: Vec<Value> = vec![gone.id.into(), stays.id.into(), last.into()];
    transaction.execute_raw(Statement::from_sql_and_values(transaction.get_database_backend(), sql, values)).await?;
    concern::leave_problem(&transaction, gone.id).await?;
    let end = json!({ "mergedInto": format!("problem_{}", stays.id) });
    let object = format!("problem_{}", gone.id);
    let before = json!({ "number": gone.number, "title": gone.title });
    note(&transaction, desk, gone.id, Said { act: "MERGED", object, measure: None, before, after: end }).await?;
    let object = format!("problem_{}", stays.id);
    let before = json!({ "merged": format!("problem_{}", gone.id), "number": gone.number, "title": gone.title });
    note(&transaction, desk, stays.id, Said { act: "MERGED", object, measure: None, before, after: json!({}) }).await?;
    problem::Entity::delete_by_id(gone.id).exec(&transaction).await?;
    concern::renew(&transaction, &[stays.id]).await?;
    roll_up::problems(&transaction, &[stays.id], desk.now).await?;
    kept::enter(&transaction, &[stays.id]).await?;
    tell(&transaction, desk, &[stays.id], None).await?;
    transaction.commit().await?;
    Ok(stays.id)
}

/// What names a unit, apart from its answers.
const OF_UNIT: [&str; 14] = [
    "UPDATE measure SET lead_unit_id = $2, version = version + 1 WHERE lead_unit_id = $1",
    "UPDATE measure SET supervising_unit_id = $2, version = version + 1 WHERE supervising_unit_id = $1",
    "DELETE FROM responsible_party WHERE unit_id = $1 \
        AND measure_id IN (SELECT measure_id FROM responsible_party WHERE unit_id = $2)",
    "UPDATE responsible_party SET unit_id = $2 WHERE unit_id = $1",
    "UPDATE \"check\" SET checker_id = $2 WHERE checker_id = $1",
    "UPDATE supervision_action SET recipient_id = $2 WHERE recipient_id = $1",
    "UPDATE inspection_case SET lead_unit_id = $2, version = version + 1 WHERE lead_unit_id = $1",
    "DELETE FROM case_unit WHERE unit_id = $1 AND case_id IN (SELECT case_id FROM case_unit WHERE unit_id = $2)",
    "UPDATE case_unit SET unit_id = $2 WHERE unit_id = $1",
    "DELETE FROM case_unit WHERE unit_id = $2 AND case_id IN (SELECT id FROM inspection_case WHERE lead_unit_id = $2 AND lead_unit_id <> $1)",
    "UPDATE account SET unit_id = $2 WHERE unit_id = $1",
    "UPDATE mail SET unit_id = $2 WHERE unit_id = $1",
    "INSERT INTO unit_alias (unit_id, alias) SELECT $2, alias FROM unit_alias WHERE unit_id = $1 \
        AND alias NOT IN (SELECT alias FROM unit_alias WHERE unit_id = $2)",
    "INSERT INTO unit_address (unit_id, address) SELECT $2, address FROM unit_address WHERE unit_id = $1 \
        AND address NOT IN (SELECT address FROM unit_address WHERE unit_id = $2)",
];

/// Measures that both units answer, and of which the one has done something.
const BOTH_ANSWER: &str = "SELECT coalesce(m.number, substr(m.content, 1, 20)) AS name FROM assignment a \
    JOIN assignment b ON b.measure_id = a.measure_id AND b.unit_id = $2 JOIN measure m ON m.id = a.measure_id \
    WHERE a.unit_id = $1 AND (a.status <> 'ASSIGNED' OR a.accepted_at IS NOT NULL \
        OR EXISTS (SELECT 1 FROM progress_report x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM \"check\" x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM evidence x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM close_out x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM deadline_change x WHERE x.assignment_id = a.id) \
        OR EXISTS (SELECT 1 FROM supervision_action x WHERE x.assignment_id = a.id)) ORDER BY a.id";

/// Merges a unit into another: what it leads, supervises and answers, its people, names and addresses go over. An answer
/// on which it has done nothing yields to one that the other has.
pub async fn units(desk: &Desk<'_>, from: Option<i64>, version: i32, into: Option<i64>) -> Result<i64> {
    if from.is_some() && from == into {
        return Err(itself("intoId").into());
    }
    let transaction = database::begin(desk.db).await?;
    // Problems first, as whoever changes an answer takes them.
    let problems = answered(&transaction, from).await?;
    let gone = units::take(&transaction, desk, from, Some(version), "unitId").await?;
    let stays = units::take(&transaction, desk, into, None, "intoId").await?;
    if answered(&transaction, Some(gone.id)).await? != problems {
        let (zh, en) = ("台账正在变动，请稍后重试", "the ledger is being changed, try again");
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input"]).into());
    }
    let both = names(&transaction, BOTH_ANSWER, gone.id, stays.id).await?;
    if !both.is_empty() {
        let what = ("两个单位都已办理这些措施，无法合并", "both have worked on these measures");
        return Err(clash(what, &both, "unitId").into());
    }
    kept::withdraw(&transaction, &problems).await?;
    let answers = [
        "DELETE FROM assignment WHERE unit_id = $1 AND measure_id IN (SELECT measure_id FROM assignment WHERE unit_id = $2)",
        "UPDATE assignment SET unit_id = $2, version = version + 1, \
            region_id = (SELECT region_id FROM unit WHERE id = $2) WHERE unit_id = $1",
    ];
    repoint(&transaction, &answers, gone.id, stays.id).await?;
    repoint(&transaction, &OF_UNIT, gone.id, stays.id).await?;
    unit_alias::Entity::delete_many().filter(unit_alias::Column::UnitId.eq(gone.id)).exec(&transaction).await?;
    if gone.name != stays.name {
        add_alias(&transaction, stays.id, &gone.name).await?;
    }
    units::retire_row(&transaction, desk, &gone, Some(stays.id)).await?;
    let grown = unit::ActiveModel { id: Set(stays.id), version: Set(stays.version + 1), ..Default::default() };
    grown.update(&transaction).await?;
    concern::renew(&transaction, &problems).await?;
    roll_up::problems(&transaction, &problems, desk.now).await?;
    kept::enter(&transaction, &problems).await?;
    let merged = json!({ "merged": format!("unit_{}", gone.id), "name": gone.name });
    let said = |object: String, before, after| Said { act: "MERGED", object, measure: None, before, after };
    note_own(&transaction, desk, said(format!("unit_{}", stays.id), merged, json!({}))).await?;
    let after = json!({ "mergedInto": format!("unit_{}", stays.id) });
    note_own(&transaction, desk, said(format!("unit_{}", gone.id), json!({}), after)).await?;
    tell(&transaction, desk, &problems, None).await?;
    transaction.commit().await?;
    Ok(stays.id)
}

/// The problems of which a unit answers something, held in the order of their keys.
async fn answered(db: &DatabaseTransaction, unit: Option<i64>) -> Result<Vec<i64>> {
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

/// What names a region, apart from lists and figures.
const OF_REGION: [&str; 11] = [
    "UPDATE region SET parent_id = $2 WHERE parent_id = $1",
    "UPDATE unit SET region_id = $2, version = version + 1 WHERE region_id = $1 AND retired_on IS NULL",
    "UPDATE problem SET region_id = $2, version = version + 1 WHERE region_id = $1",
    "UPDATE measure SET region_id = $2 WHERE region_id = $1",
    "UPDATE responsible_party SET region_id = $2 WHERE region_id = $1",
    "UPDATE assignment SET region_id = $2 WHERE region_id = $1",
    "UPDATE account SET region_id = $2 WHERE region_id = $1",
    "UPDATE inspection_case SET region_id = $2, version = version + 1 WHERE region_id = $1",
    "UPDATE accountability SET region_id = $2 WHERE region_id = $1",
    "DELETE FROM ownership WHERE region_id = $1 AND problem_id IN (SELECT problem_id FROM ownership WHERE region_id = $2)",
    "UPDATE ownership SET region_id = $2 WHERE region_id = $1",
];

/// Names by which both regions know a unit.
const BOTH_KNOW: &str = "SELECT n.name FROM (\
        SELECT name FROM unit WHERE region_id = $1 AND retired_on IS NULL \
        UNION SELECT a.alias FROM unit_alias a JOIN unit u ON u.id = a.unit_id WHERE u.region_id = $1 AND u.retired_on IS NULL) n \
    JOIN (SELECT name FROM unit WHERE region_id = $2 \
        UNION SELECT a.alias FROM unit_alias a JOIN unit u ON u.id = a.unit_id WHERE u.region_id = $2) m ON m.name = n.name \
    ORDER BY n.name";

/// Problems that both regions have issued.
const BOTH_ISSUED: &str = "SELECT coalesce(a.number, a.title) AS name FROM problem a JOIN problem b \
    ON b.round_id = a.round_id AND b.identity = a.identity AND b.region_id = $2 WHERE a.region_id = $1 ORDER BY a.id";

/// Cases that were handed over to both regions.
const BOTH_MEND: &str = "SELECT a.number AS name FROM inspection_case a JOIN inspection_case b \
    ON b.round_id = a.round_id AND b.number = a.number AND b.region_id = $2 WHERE a.region_id = $1 ORDER BY a.id";

/// Merges a region into another of its level (撤并): what lies in it, its units, its problems and its people go over.
pub async fn regions(desk: &Desk<'_>, from: Option<i64>, version: i32, into: Option<i64>) -> Result<i64> {
    if from.is_some() && from == into {
        return Err(itself("intoId").into());
    }
    let transaction = database::begin(desk.db).await?;
    let problems = match from {
        Some(from) => concerned(&transaction, from).await?,
        None => Vec::new(),
    };
    let gone = regions::take(&transaction, desk, from, Some(version), "regionId").await?;
    let stays = regions::take(&transaction, desk, into, None, "intoId").await?;
    if gone.level != stays.level {
        let (zh, en) = ("只能与同级行政区合并", "both must be of one level");
        return Err(Fault::invalid(zh, en, &["input", "intoId"]).into());
    }
    let known = names(&transaction, BOTH_KNOW, gone.id, stays.id).await?;
    if !known.is_empty() {
        let what = ("两地有同名的单位，请先改名或合并", "both have units of these names, rename or merge them first");
        return Err(clash(what, &known, "regionId").into());
    }
    let issued = names(&transaction, BOTH_ISSUED, gone.id, stays.id).await?;
    if !issued.is_empty() {
        let what =
            ("两地有编号相同的问题，请先改号", "both have issued problems of these numbers, renumber them first");
        return Err(clash(what, &issued, "regionId").into());
    }
    let mended = names(&transaction, BOTH_MEND, gone.id, stays.id).await?;
    if !mended.is_empty() {
        let what = ("两地有编号相同的交办案件", "both have cases of these numbers");
        return Err(clash(what, &mended, "regionId").into());
    }
    let cases = cases_of(&transaction, gone.id).await?;
    kept::withdraw(&transaction, &problems).await?;
    repoint(&transaction, &OF_REGION, gone.id, stays.id).await?;
    move_paths(&transaction, &gone.path, &stays.path).await?;
    regions::retire_row(&transaction, desk, &gone, Some(stays.id)).await?;
    let grown = region::ActiveModel { id: Set(stays.id), version: Set(stays.version + 1), ..Default::default() };
    grown.update(&transaction).await?;
    concern::renew(&transaction, &problems).await?;
    concern::renew_cases(&transaction, &cases).await?;
    kept::enter(&transaction, &problems).await?;
    let merged = json!({ "merged": format!("region_{}", gone.id), "name": gone.name, "code": gone.code });
    let said = |object: String, before, after| Said { act: "MERGED", object, measure: None, before, after };
    note_own(&transaction, desk, said(format!("region_{}", stays.id), merged, json!({}))).await?;
    let after = json!({ "mergedInto": format!("region_{}", stays.id) });
    note_own(&transaction, desk, said(format!("region_{}", gone.id), json!({}), after)).await?;
    tell(&transaction, desk, &problems, None).await?;
    transaction.commit().await?;
    Ok(stays.id)
}
