//! What the ledger counts today for the numbers that published reports state (公布数), as SQL expressions of a row of
//! `published_figure`.

use entity::accountability::{Consequence, Rank};
use planner::Sql;
use sea_orm::{ActiveEnum, Iterable};

use super::state::State;

/// Returns the SQL expression of the number that the ledger counts for the row `figure`: of the same round, for the
/// same region with those below it, on the same topic.
///
/// It is null for a topic that the ledger does not count, for a rank or a consequence of another name, and for a caller
/// who may not see everything that would be counted: a part is not to be compared with the whole.
pub fn computed(sql: &mut Sql<'_>, figure: &str) -> String {
    let (problems, measures) = (items(sql, figure, "problem"), items(sql, figure, "measure"));
    let (cases, people) = (cases(sql, figure), people(sql, figure));
    format!(
        "CASE {figure}.counted WHEN 'PROBLEMS' THEN {problems} WHEN 'MEASURES' THEN {measures} \
         WHEN 'CASES' THEN {cases} WHEN 'PEOPLE' THEN {people} END"
    )
}

/// Returns the SQL condition that the number that the ledger counts is known and another than the published one.
pub fn differs(sql: &mut Sql<'_>, figure: &str) -> String {
    let computed = computed(sql, figure);
    format!("coalesce(({computed}) <> {figure}.amount, FALSE)")
}

/// Counts problems or measures, by the rule of [`super::Figures::count`] and by the pace that ledgers state.
fn items(sql: &mut Sql<'_>, figure: &str, table: &str) -> String {
    let (list, item, today) = (sql.alias(), sql.alias(), sql.fact("today"));
    // A region below the issuing one judges an item by its own answers.
    let state = State::of(&item).unless(&list, "own_");
    let (completed, closed) = (state.is_completed(&today), state.was_closed(&today));
    let is_meant = format!(
        "CASE {figure}.topic WHEN 'TOTAL' THEN TRUE WHEN 'COMPLETED' THEN {completed} \
         WHEN 'CLOSED' THEN {closed} \
         WHEN 'BEHIND' THEN {item}.stated_pace IN ('BEHIND', 'BEHIND_AND_REPORTED') \
         ELSE {item}.stated_pace = {figure}.topic END"
    );
    let whole = whole(sql, table, &item);
    format!(
        "CASE WHEN {figure}.topic IN ('TOTAL', 'COMPLETED', 'CLOSED', 'ON_SCHEDULE', 'BEHIND') THEN \
         (SELECT CASE WHEN {whole} THEN count(CASE WHEN {is_meant} THEN 1 END) END FROM {table}_region {list} \
         JOIN {table} {item} ON {item}.id = {list}.{table}_id \
         WHERE {list}.region_id = {figure}.region_id AND {item}.round_id = {figure}.round_id) END"
    )
}

/// Counts complaint cases.
fn cases(sql: &mut Sql<'_>, figure: &str) -> String {
    let (list, case) = (sql.alias(), sql.alias());
    let whole = whole(sql, "inspection_case", &case);
    format!(
        "CASE WHEN {figure}.topic IN ('TOTAL', 'CLOSED') THEN (SELECT CASE WHEN {whole} THEN \
         count(CASE WHEN {figure}.topic = 'TOTAL' OR {case}.state = 'CLOSED' THEN 1 END) END FROM case_region {list} \
         JOIN inspection_case {case} ON {case}.id = {list}.case_id \
         WHERE {list}.region_id = {figure}.region_id AND {case}.round_id = {figure}.round_id) END"
    )
}

/// Adds up the people who were held to account for problems.
fn people(sql: &mut Sql<'_>, figure: &str) -> String {
    let (list, held) = (sql.alias(), sql.alias());
    let (rank, consequence) = (named(figure, rank_name), named(figure, consequence_name));
    let is_meant = format!(
        "CASE {figure}.topic WHEN 'TOTAL' THEN TRUE WHEN 'RANK' THEN {held}.rank = {rank} \
         ELSE {held}.consequence = {consequence} END"
    );
    let sum = sql.sum(&format!("CASE WHEN {is_meant} THEN {held}.people END"));
    let whole = whole(sql, "accountability", &held);
    format!(
        "CASE WHEN {figure}.topic = 'TOTAL' OR ({figure}.topic = 'RANK' AND {rank} IS NOT NULL) \
         OR ({figure}.topic = 'CONSEQUENCE' AND {consequence} IS NOT NULL) THEN \
         (SELECT CASE WHEN {whole} THEN {sum} END FROM problem_region {list} \
         JOIN accountability {held} ON {held}.problem_id = {list}.problem_id \
         WHERE {list}.region_id = {figure}.region_id AND {held}.round_id = {figure}.round_id \
         AND {held}.withdrawn_at IS NULL) END"
    )
}

/// Returns the SQL condition that the caller may see all rows of a query.
fn whole(sql: &mut Sql<'_>, table: &str, alias: &str) -> String {
    let seen = sql.seen(table, alias);
    seen.map_or_else(|| "TRUE".to_owned(), |seen| format!("count(*) = count(CASE WHEN {seen} THEN 1 END)"))
}

/// Returns the SQL expression of the code whose Chinese name is the label of a figure; null if there is none.
fn named<E: ActiveEnum<Value = String> + Iterable + Copy>(figure: &str, name: fn(E) -> &'static str) -> String {
    let cases: Vec<String> = E::iter().map(|one| format!(" WHEN '{}' THEN '{}'", name(one), one.to_value())).collect();
    format!("CASE {figure}.label{} END", cases.concat())
}

fn rank_name(rank: Rank) -> &'static str {
    match rank {
        Rank::DepartmentBureau => "厅局级",
        Rank::CountyDivision => "县处级",
        Rank::TownshipSection => "乡科级",
        Rank::Below => "科级以下",
        Rank::Other => "其他",
        Rank::Unknown => "未说明",
    }
}

fn consequence_name(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::PartyDiscipline => "党纪处分",
        Consequence::Administrative => "政务处分",
        Consequence::Organisational => "组织处理",
        Consequence::Judicial => "移送司法",
        Consequence::Other => "其他",
        Consequence::Unknown => "未说明",
    }
}
