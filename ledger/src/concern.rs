//! Which regions a problem or a measure concerns: the one that issued it, every one that answers it, and all above them.
//! Kept as rows, beside kept counts, so that the list of any region is read in order and its length without counting.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use entity::region_tally;
use entity::region_tally::TallyNoun;
use planner::Member;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, Value};

use crate::Result;

/// Rows of one INSERT: within SQLite's bound on variables, and small enough for PostgreSQL to parse quickly.
const CHUNK: usize = 5_000;

/// Where rows without a deadline stand in a region's list; the schema's `due_order`.
pub fn due_order(due_on: Option<NaiveDate>) -> NaiveDate {
    due_on.or_else(|| NaiveDate::from_ymd_opt(9999, 12, 31)).unwrap_or(NaiveDate::MAX)
}

/// The list of the problems that concern a region, as lists are walked.
pub fn problems_of(region: Value) -> Member {
    const TOTAL: &str = "SELECT amount FROM region_tally WHERE region_id = {} AND noun = 'PROBLEM'";
    list("problem_region", "problem_id", region, TOTAL)
}

/// The list of the measures that concern a region, as lists are walked.
pub fn measures_of(region: Value) -> Member {
    const TOTAL: &str = "SELECT amount FROM region_tally WHERE region_id = {} AND noun = 'MEASURE'";
    list("measure_region", "measure_id", region, TOTAL)
}

/// The list of the cases (交办案件) of a region, as lists are walked. Their number is counted, which reads no case.
pub fn cases_of(region: Value) -> Member {
    list(CASES, "case_id", region, "SELECT count(*) FROM case_region WHERE region_id = {}")
}

/// Whether a list is one of cases. A case stands there for its own region only, so whoever sees the case sees why.
pub fn is_of_cases(member: &Member) -> bool {
    member.table == CASES
}

const CASES: &str = "case_region";

/// Who was held to account for the problems that concern a region: found by its list, as they are few beside all others.
pub const ACCOUNTABILITY: &str = "SELECT a.id FROM problem_region of JOIN accountability a ON a.problem_id = of.problem_id \
    WHERE of.region_id = {}";

fn list(table: &'static str, row: &'static str, region: Value, total: &'static str) -> Member {
    Member { table, list: "region_id", value: region, row, carries: &["due_order"], total }
}

/// A row that concerns a region, by the lineage of that region.
#[derive(Debug, Clone)]
pub struct Concern {
    /// The problem or measure.
    pub id: i64,
    /// Its deadline's place in the order.
    pub due_order: NaiveDate,
    /// The region and everything above it.
    pub lineage: Vec<i64>,
}

/// Enters problems into the lists of the regions they concern; what is there already stays.
pub async fn problems<C: ConnectionTrait>(db: &C, concerns: &[Concern]) -> Result<()> {
    let added = enter(db, "problem_region", "problem_id", concerns).await?;
    add(db, TallyNoun::Problem, added).await
}

/// Enters measures into the lists of the regions they concern; what is there already stays.
pub async fn measures<C: ConnectionTrait>(db: &C, concerns: &[Concern]) -> Result<()> {
    let added = enter(db, "measure_region", "measure_id", concerns).await?;
    add(db, TallyNoun::Measure, added).await
}

/// Enters cases into the lists of their regions and all above them; what is there already stays.
pub async fn cases<C: ConnectionTrait>(db: &C, concerns: &[Concern]) -> Result<()> {
    enter(db, CASES, "case_id", concerns).await.map(drop)
}

/// How many rows were new in each region.
async fn enter<C: ConnectionTrait>(
    db: &C,
    table: &'static str,
    column: &'static str,
    concerns: &[Concern],
) -> Result<HashMap<i64, i64>> {
    let rows: Vec<(i64, i64, NaiveDate)> = pairs(concerns).collect();
    let mut added: HashMap<i64, i64> = HashMap::new();
    for chunk in rows.chunks(CHUNK) {
        let mut insert = Query::insert()
            .into_table(table)
            .columns(["region_id", column, "due_order"])
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
    Ok(added)
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

/// Adds to the kept counts, always in the order of regions so that two writers cannot wait for each other.
async fn add<C: ConnectionTrait>(db: &C, noun: TallyNoun, added: HashMap<i64, i64>) -> Result<()> {
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
