//! Which regions a problem, a measure or a case concerns.
//!
//! A problem or measure concerns the region that issued it, every region that answers it, and all regions above these.
//! A case concerns its own region and those above it. Each pair of region and item is a row, and the numbers of
//! problems and measures of a region are stored as well. The list of any region can thus be read in order, and its
//! length without counting.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use entity::region_tally::TallyNoun;
use entity::{assignment, inspection_case, measure, problem, region, region_tally};
use planner::Member;
use sea_orm::sea_query::{DeleteStatement, Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Value};

use crate::Result;
use crate::record::database::Transaction;

/// The most rows in one INSERT: within SQLite's limit on variables, and few enough for PostgreSQL to parse quickly.
const CHUNK: usize = 5_000;
/// The most problems processed together; each has a handful of measures.
const TOGETHER: usize = 500;

/// Returns the date by which a region's list is ordered: the deadline, or 9999-12-31 without one, so that rows without
/// a deadline come last. The generated columns `due_order` of the database follow the same rule.
pub fn due_order(due_on: Option<NaiveDate>) -> NaiveDate {
    due_on.or_else(|| NaiveDate::from_ymd_opt(9999, 12, 31)).unwrap_or(NaiveDate::MAX)
}

/// Returns the list of the problems that concern a region, for the planner to page through.
pub fn problems_of(region: Value) -> Member {
    const TOTAL: &str = "SELECT amount FROM region_tally WHERE region_id = {} AND noun = 'PROBLEM'";
    list("problem_region", "problem_id", region, TOTAL)
}

/// Returns the list of the measures that concern a region, for the planner to page through.
pub fn measures_of(region: Value) -> Member {
    const TOTAL: &str = "SELECT amount FROM region_tally WHERE region_id = {} AND noun = 'MEASURE'";
    list("measure_region", "measure_id", region, TOTAL)
}

/// Returns the list of the complaint cases (交办案件) that concern a region, for the planner to page through. Its
/// length is counted in the list itself, without reading the cases.
pub fn cases_of(region: Value) -> Member {
    list(CASES.table, CASES.column, region, "SELECT count(*) FROM case_region WHERE region_id = {}")
}

/// Checks whether a list is one of cases. A case is listed only because of its own region, so a reader who sees the
/// case also sees why it is listed.
pub fn is_of_cases(member: &Member) -> bool {
    member.table == CASES.table
}

/// Selects the accountability records (责任追究) on the problems that concern a region, whose key stands at `{}`. The
/// query goes through the region's list, because these records are few among all.
pub const ACCOUNTABILITY: &str = "SELECT a.id FROM problem_region of \
    JOIN accountability a ON a.problem_id = of.problem_id \
    WHERE of.region_id = {}";

fn list(table: &'static str, row: &'static str, region: Value, total: &'static str) -> Member {
    Member { table, list: "region_id", value: region, row, carries: &["due_order"], total }
}

/// A problem, measure or case, and the regions that it concerns.
#[derive(Debug, Clone)]
pub struct Concern {
    /// The key of the problem, measure or case.
    pub id: i64,
    /// The date by which it is ordered in lists; see [`due_order`].
    pub due_order: NaiveDate,
    /// The keys of the regions that it concerns, with all regions above them. Repetitions are permitted.
    pub lineage: Vec<i64>,
}

/// The lists of one kind of item: the table with a row for each region and item, its column for the item, and the name
/// under which the lengths of the lists are stored, if they are.
struct Lists {
    table: &'static str,
    column: &'static str,
    tally: Option<TallyNoun>,
}

const PROBLEMS: Lists = Lists { table: "problem_region", column: "problem_id", tally: Some(TallyNoun::Problem) };
const MEASURES: Lists = Lists { table: "measure_region", column: "measure_id", tally: Some(TallyNoun::Measure) };
const CASES: Lists = Lists { table: "case_region", column: "case_id", tally: None };

/// Adds problems to the lists of the regions that they concern. Entries that exist already stay.
pub async fn problems(db: &Transaction, concerns: &[Concern]) -> Result<()> {
    enter(db, &PROBLEMS, concerns).await
}

/// Adds measures to the lists of the regions that they concern. Entries that exist already stay.
pub async fn measures(db: &Transaction, concerns: &[Concern]) -> Result<()> {
    enter(db, &MEASURES, concerns).await
}

/// Adds cases to the lists of their regions and of all regions above. Entries that exist already stay.
pub async fn cases(db: &Transaction, concerns: &[Concern]) -> Result<()> {
    enter(db, &CASES, concerns).await
}

async fn enter(db: &Transaction, lists: &Lists, concerns: &[Concern]) -> Result<()> {
    let rows: Vec<(i64, i64, NaiveDate)> = pairs(concerns).collect();
    let mut added: HashMap<i64, i64> = HashMap::new();
    for chunk in rows.chunks(CHUNK) {
        let mut insert = Query::insert()
            .into_table(lists.table)
            .columns(["region_id", lists.column, "due_order"])
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .returning_col("region_id")
            .to_owned();
        for (region, id, due_order) in chunk {
            insert.values_panic([Expr::val(*region), Expr::val(*id), Expr::val(*due_order)]);
        }
        for row in db.query_all(&insert).await? {
            *added.entry(row.try_get("", "region_id")?).or_default() += 1;
        }
    }
    match lists.tally {
        Some(noun) => add(db, noun, added).await,
        None => Ok(()),
    }
}

fn pairs(concerns: &[Concern]) -> impl Iterator<Item = (i64, i64, NaiveDate)> {
    let mut pairs = BTreeMap::new();
    for concern in concerns {
        for region in &concern.lineage {
            pairs.insert((*region, concern.id), concern.due_order);
        }
    }
    pairs.into_iter().map(|((region, id), due_order)| (region, id, due_order))
}

/// Removes a problem that is about to be deleted from all lists. Returns the keys of the regions whose lists it was in.
pub async fn leave_problem(db: &Transaction, problem: i64) -> Result<Vec<i64>> {
    leave(db, &PROBLEMS, problem).await
}

/// Removes a measure that is about to be deleted from all lists. Returns the keys of the regions whose lists it was in.
pub async fn leave_measure(db: &Transaction, measure: i64) -> Result<Vec<i64>> {
    leave(db, &MEASURES, measure).await
}

async fn leave(db: &Transaction, lists: &Lists, id: i64) -> Result<Vec<i64>> {
    let mut delete = Query::delete();
    delete.from_table(lists.table).and_where(Expr::col(lists.column).eq(id)).returning_col("region_id");
    take_off(db, lists, &delete).await
}

/// Updates the lists that these cases are in, after their regions have changed.
pub async fn renew_cases(db: &Transaction, cases: &[i64]) -> Result<()> {
    for chunk in cases.chunks(CHUNK) {
        let rows = inspection_case::Entity::find().filter(inspection_case::Column::Id.is_in(chunk.iter().copied()));
        let rows = rows.all(db).await?;
        let lineages = lineages(db, rows.iter().map(|case| case.region_id).collect()).await?;
        let concern = |case: &inspection_case::Model| Concern {
            id: case.id,
            due_order: case.due_on,
            lineage: lineages.get(&case.region_id).cloned().unwrap_or_default(),
        };
        let wanted: Vec<Concern> = rows.iter().map(concern).collect();
        keep_only(db, &CASES, &wanted).await?;
        self::cases(db, &wanted).await?;
    }
    Ok(())
}

/// Returns the lineage of each region, by the region's key.
async fn lineages<C: ConnectionTrait>(db: &C, regions: BTreeSet<i64>) -> Result<HashMap<i64, Vec<i64>>> {
    let rows = region::Entity::find().filter(region::Column::Id.is_in(regions)).all(db).await?;
    Ok(rows.into_iter().map(|region| (region.id, crate::region::lineage(&region.path))).collect())
}

/// Updates the lists that these problems and their measures are in, after regions, units or assignments have been moved
/// or removed.
pub async fn renew(db: &Transaction, problems: &[i64]) -> Result<()> {
    for chunk in problems.chunks(TOGETHER) {
        renew_some(db, chunk).await?;
    }
    Ok(())
}

async fn renew_some(db: &Transaction, ids: &[i64]) -> Result<()> {
    let rows = problem::Entity::find().filter(problem::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    let parts = measure::Entity::find().filter(measure::Column::ProblemId.is_in(ids.iter().copied())).all(db).await?;
    let of: Vec<i64> = parts.iter().map(|measure| measure.id).collect();
    let mut answering: HashMap<i64, Vec<i64>> = HashMap::new();
    for chunk in of.chunks(CHUNK) {
        let answers: Vec<(i64, i64)> = assignment::Entity::find()
            .select_only()
            .columns([assignment::Column::MeasureId, assignment::Column::RegionId])
            .distinct()
            .filter(assignment::Column::MeasureId.is_in(chunk.iter().copied()))
            .into_tuple()
            .all(db)
            .await?;
        for (measure, region) in answers {
            answering.entry(measure).or_default().push(region);
        }
    }
    let regions: BTreeSet<i64> =
        answering.values().flatten().copied().chain(rows.iter().map(|problem| problem.region_id)).collect();
    let lineages = lineages(db, regions).await?;
    let line = |region: &i64| lineages.get(region).cloned().unwrap_or_default();
    let mut of_problem: HashMap<i64, Vec<i64>> =
        rows.iter().map(|problem| (problem.id, line(&problem.region_id))).collect();
    let mut wanted = Vec::new();
    for part in &parts {
        let mut lineage = line(&part.region_id);
        lineage.extend(answering.get(&part.id).into_iter().flatten().flat_map(line));
        of_problem.entry(part.problem_id).or_default().extend(&lineage);
        wanted.push(Concern { id: part.id, due_order: due_order(part.due_on), lineage });
    }
    let whole: Vec<Concern> = rows
        .iter()
        .map(|problem| Concern {
            id: problem.id,
            due_order: due_order(problem.due_on),
            lineage: of_problem.remove(&problem.id).unwrap_or_default(),
        })
        .collect();
    keep_only(db, &PROBLEMS, &whole).await?;
    keep_only(db, &MEASURES, &wanted).await?;
    self::problems(db, &whole).await?;
    measures(db, &wanted).await
}

/// Removes these items from the lists of the regions that they no longer concern.
async fn keep_only(db: &Transaction, lists: &Lists, concerns: &[Concern]) -> Result<()> {
    let column = lists.column;
    for chunk in concerns.chunks(CHUNK) {
        let wanted: HashSet<(i64, i64)> = pairs(chunk).map(|(region, id, _)| (region, id)).collect();
        let there = Query::select()
            .columns(["region_id", column])
            .from(lists.table)
            .and_where(Expr::col(column).is_in(chunk.iter().map(|concern| concern.id)))
            .to_owned();
        let mut gone: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for row in db.query_all(&there).await? {
            let (region, id): (i64, i64) = (row.try_get("", "region_id")?, row.try_get("", column)?);
            if !wanted.contains(&(region, id)) {
                gone.entry(region).or_default().push(id);
            }
        }
        for (region, ids) in gone {
            let delete = Query::delete()
                .from_table(lists.table)
                .and_where(Expr::col("region_id").eq(region))
                .and_where(Expr::col(column).is_in(ids))
                .returning_col("region_id")
                .to_owned();
            take_off(db, lists, &delete).await?;
        }
    }
    Ok(())
}

/// Deletes rows of lists and subtracts them from the stored lengths. Returns the keys of the regions whose lists they
/// were in.
async fn take_off(db: &Transaction, lists: &Lists, delete: &DeleteStatement) -> Result<Vec<i64>> {
    let mut taken: BTreeMap<i64, i64> = BTreeMap::new();
    for row in db.query_all(delete).await? {
        *taken.entry(row.try_get("", "region_id")?).or_default() += 1;
    }
    let regions = taken.keys().copied().collect();
    let Some(noun) = lists.tally else { return Ok(regions) };
    for (region, amount) in taken {
        region_tally::Entity::update_many()
            .col_expr(region_tally::Column::Amount, Expr::col(region_tally::Column::Amount).sub(amount))
            .filter(region_tally::Column::RegionId.eq(region))
            .filter(region_tally::Column::Noun.eq(noun))
            .exec(db)
            .await?;
    }
    Ok(regions)
}

/// Adds to the stored lengths, always in the order of the regions' keys, so that two writers cannot deadlock.
async fn add(db: &Transaction, noun: TallyNoun, added: HashMap<i64, i64>) -> Result<()> {
    let mut rows: Vec<(i64, i64)> = added.into_iter().collect();
    rows.sort_unstable();
    for chunk in rows.chunks(CHUNK) {
        let rows = chunk.iter().map(|(region_id, amount)| region_tally::ActiveModel {
            region_id: Set(*region_id),
            noun: Set(noun),
            amount: Set(*amount),
        });
        let more = Expr::col((region_tally::Entity, region_tally::Column::Amount)).add(Expr::cust("excluded.amount"));
        region_tally::Entity::insert_many(rows)
            .on_conflict(
                OnConflict::columns([region_tally::Column::RegionId, region_tally::Column::Noun])
                    .value(region_tally::Column::Amount, more)
                    .to_owned(),
            )
            .exec_without_returning(db)
            .await?;
    }
    Ok(())
}
