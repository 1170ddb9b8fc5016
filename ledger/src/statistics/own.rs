//! What a region answered itself: of a measure that several counties answer, each county's figures judge it by that
//! county's answers.
//!
//! The state is stored with the region's entry in the list of measures or problems. Nothing is stored where the item is
//! judged as a whole: for the region that issued it and those above it, and where the region's answers are all there
//! are. The rule is that of the roll-up from assignments to measures; see [`roll_up`](crate::rule::workflow::roll_up).

use planner::Sql;
use sea_orm::{ConnectionTrait, Statement};

use super::state::State;
use crate::Result;
use crate::record::database::Transaction;

/// The most problems in one statement.
const CHUNK: usize = 1_000;

/// Items whose states are stored with the entries of a list.
struct Stored {
    /// The name of the items' table.
    item: &'static str,
    /// The columns that are stored, with the prefix `own_`.
    columns: &'static [&'static str],
    /// Returns the query `own` for the states, given a condition on the keys of problems.
    states: fn(&str) -> String,
}

/// Problems come last, because their states follow from what is stored for their measures.
const STORED: [Stored; 2] = [
    Stored { item: "measure", columns: &["status", "completed_on", "is_completed_by", "due_by"], states: of_measures },
    // The deadline of a problem is its own, and does not follow from those of its measures.
    Stored { item: "problem", columns: &["status", "completed_on", "is_completed_by"], states: of_problems },
];

impl Stored {
    /// Returns the statement that stores what regions answered themselves where it differs, given a condition on the
    /// keys of problems.
    fn update(&self, which: &str) -> String {
        let set: Vec<String> = self.columns.iter().map(|column| format!("own_{column} = own.{column}")).collect();
        format!(
            "{} UPDATE {}_region AS entry SET {} FROM own WHERE {}",
            (self.states)(which),
            self.item,
            set.join(", "),
            self.differs()
        )
    }

    /// Returns the condition that a row of `own` belongs to the entry `entry` of a list and differs from it.
    fn differs(&self) -> String {
        let item = self.item;
        let differ = |column: &&str| format!("entry.own_{column} IS DISTINCT FROM own.{column}");
        let columns: Vec<String> = self.columns.iter().map(differ).collect();
        format!("entry.{item}_id = own.{item}_id AND entry.region_id = own.region_id AND ({})", columns.join(" OR "))
    }
}

/// Stores what regions answered themselves of these problems and their measures.
pub async fn renew(db: &Transaction, problems: &[i64]) -> Result<()> {
    for chunk in problems.chunks(CHUNK) {
        for stored in &STORED {
            let mut sql = Sql::new(db.get_database_backend(), &[]);
            let ids: Vec<String> = chunk.iter().map(|id| sql.bind(*id)).collect();
            let text = stored.update(&format!("IN ({})", ids.join(", ")));
            db.execute_raw(sql.statement(text)).await?;
        }
    }
    Ok(())
}

/// Stores what regions answered themselves of all problems and measures.
pub(super) async fn rebuild(db: &Transaction) -> Result<()> {
    for stored in &STORED {
        db.execute_unprepared(&stored.update("IS NOT NULL")).await?;
    }
    Ok(())
}

/// Returns how many of the stored states differ from the answers: none, unless something bypassed the acts.
pub(super) async fn differences<C: ConnectionTrait>(db: &C) -> Result<i64> {
    let mut differences = 0;
    for stored in &STORED {
        let text = format!(
            "{} SELECT count(*) AS differences FROM {}_region entry JOIN own ON {}",
            (stored.states)("IS NOT NULL"),
            stored.item,
            stored.differs()
        );
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), text)).await?;
        differences += row.map(|row| row.try_get::<i64>("", "differences")).transpose()?.unwrap_or_default();
    }
    Ok(differences)
}

/// Returns the query `own` for the states of the measures of the problems whose keys satisfy `which`.
fn of_measures(which: &str) -> String {
    let answers = format!("assignment a JOIN measure m ON m.id = a.measure_id AND m.problem_id {which}");
    let state = State::of("a").rolled_up().columns();
    // The regions above each answering one, by recursion; the tree of regions has five levels.
    format!(
        "WITH RECURSIVE lineage (region_id, above) AS (\
           SELECT DISTINCT a.region_id, a.region_id FROM {answers} \
           UNION ALL SELECT n.region_id, r.parent_id FROM lineage n JOIN region r ON r.id = n.above \
           WHERE r.parent_id IS NOT NULL), \
         wholes AS (SELECT a.measure_id, count(*) AS answers FROM {answers} GROUP BY a.measure_id), \
         parts AS (\
           SELECT a.measure_id, n.above AS region_id, count(*) AS answers, max(a.due_by) AS due_by, {state} \
           FROM {answers} JOIN lineage n ON n.region_id = a.region_id GROUP BY a.measure_id, n.above), \
         own AS (\
           SELECT l.measure_id, l.region_id, p.status, p.completed_on, \
             coalesce(p.is_completed_by, FALSE) AS is_completed_by, \
             CASE WHEN p.due_by IS DISTINCT FROM m.due_by THEN p.due_by END AS due_by \
           FROM measure_region l JOIN measure m ON m.id = l.measure_id AND m.problem_id {which} \
           LEFT JOIN parts p ON p.measure_id = l.measure_id AND p.region_id = l.region_id \
           AND {below_issuer} AND p.answers < (SELECT w.answers FROM wholes w WHERE w.measure_id = l.measure_id))",
        below_issuer = below_issuer("m"),
    )
}

/// Returns the query `own` for the states of the problems whose keys satisfy `which`, from what is stored for their
/// measures.
fn of_problems(which: &str) -> String {
    let state = State::of("m").unless("e", "own_").rolled_up().columns();
    format!(
        "WITH wholes AS (SELECT m.problem_id, count(*) AS measures FROM measure m WHERE m.problem_id {which} \
           GROUP BY m.problem_id), \
         parts AS (\
           SELECT m.problem_id, e.region_id, count(*) AS measures, count(e.own_status) AS own, {state} \
           FROM measure m JOIN measure_region e ON e.measure_id = m.id WHERE m.problem_id {which} \
           GROUP BY m.problem_id, e.region_id), \
         own AS (\
           SELECT l.problem_id, l.region_id, p.status, p.completed_on, \
             coalesce(p.is_completed_by, FALSE) AS is_completed_by \
           FROM problem_region l JOIN problem x ON x.id = l.problem_id AND x.id {which} \
           LEFT JOIN parts p ON p.problem_id = l.problem_id AND p.region_id = l.region_id AND {below_issuer} \
           AND (p.own > 0 OR p.measures < (SELECT w.measures FROM wholes w WHERE w.problem_id = l.problem_id)))",
        below_issuer = below_issuer("x"),
    )
}

/// Returns the condition that the entry `l` is not that of the region that issued the row `item`, nor of one above it.
fn below_issuer(item: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM region issuer JOIN region listed ON listed.id = l.region_id \
         WHERE issuer.id = {item}.region_id AND substr(issuer.path, 1, length(listed.path)) = listed.path)"
    )
}
