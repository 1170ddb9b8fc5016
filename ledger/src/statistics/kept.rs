//! Stored figures, which make questions about large regions cheap.
//!
//! Everything that an item adds to the figures, it adds on a certain day: that of its completion, or the day after its
//! deadline. The figures of any date are therefore a sum over days, which is short when it adds up whole years, then
//! months, then days.
//!
//! Figures are stored for the regions with long lists: the nation, the provinces, and the regions directly below a
//! province. Writers append differences to `figure_delta`, so that no two of them contend for a row; [`settle`] later
//! moves the differences into `figure`.

use planner::Sql;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, IsolationLevel, SqliteTransactionMode, Statement,
    TransactionOptions,
};

use super::own;
use super::state::State;
use crate::Result;
use crate::record::database;
use crate::record::database::Transaction;

/// The most problems in one statement.
const CHUNK: usize = 1_000;

/// The columns of counts that are stored for a region and a day.
pub(super) const COUNTS: &[&str] = &["total", "completed", "closed", "not_applicable", "due", "overdue", "unknown"];

/// The SQL condition that figures are stored for the region `{t}`.
const IS_KEPT: &str =
    "({t}.parent_id IS NULL OR (SELECT above.rank FROM region above WHERE above.id = {t}.parent_id) <= 1)";

/// Returns the SQL condition that figures are stored for the region with this alias.
pub(super) fn is_kept(region: &str) -> String {
    Sql::on(IS_KEPT, region)
}

/// Carries out an act that changes what problems add to the figures, and keeps the figures in line: what they add is
/// subtracted before the act and added after it. Problems that the act deletes add nothing any more.
pub async fn around<T>(db: &Transaction, problems: &[i64], act: impl Future<Output = Result<T>>) -> Result<T> {
    append(db, problems, "-").await?;
    let done = act.await?;
    own::renew(db, problems).await?;
    append(db, problems, "").await?;
    Ok(done)
}

/// Adds what a new problem adds to the figures.
pub async fn add(db: &Transaction, problem: i64) -> Result<()> {
    append(db, &[problem], "").await
}

/// Appends the contributions of problems to the differences, with a sign.
async fn append(db: &Transaction, problems: &[i64], sign: &str) -> Result<()> {
    for chunk in problems.chunks(CHUNK) {
        let mut sql = Sql::new(db.get_database_backend(), &[]);
        let ids: Vec<String> = chunk.iter().map(|id| sql.bind(*id)).collect();
        let contributions = contributions(&sql, &format!("IN ({})", ids.join(", ")));
        let signed: Vec<String> = COUNTS.iter().map(|count| format!("{sign}{count}")).collect();
        let text = format!(
            "INSERT INTO figure_delta (region_id, noun, span, start, {}) \
             SELECT region_id, noun, span, start, {} FROM ({contributions}) c",
            COUNTS.join(", "),
            signed.join(", ")
        );
        db.execute_raw(sql.statement(text)).await?;
    }
    Ok(())
}

/// Moves the differences into the figures in one transaction, and returns how many there were.
pub async fn settle(db: &DatabaseConnection) -> Result<u64> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let options = TransactionOptions {
        // All statements have to see the same differences while others append more. SQLite has only one writer at a
        // time.
        isolation_level: is_postgres.then_some(IsolationLevel::RepeatableRead),
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let there =
        db.query_one_raw(Statement::from_string(db.get_database_backend(), "SELECT 1 FROM figure_delta LIMIT 1"));
    if there.await?.is_none() {
        return Ok(0);
    }
    let transaction = database::begin_with(db, options).await?;
    if is_postgres {
        transaction.execute_unprepared("LOCK TABLE figure IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    let sql = Sql::new(transaction.get_database_backend(), &[]);
    let sums: Vec<String> = COUNTS.iter().map(|count| sql.sum(count)).collect();
    let added: Vec<String> =
        COUNTS.iter().map(|count| format!("{count} = figure.{count} + excluded.{count}")).collect();
    let columns = COUNTS.join(", ");
    transaction
        .execute_unprepared(&format!(
            "INSERT INTO figure (region_id, noun, span, start, {columns}) \
             SELECT region_id, noun, span, start, {} FROM figure_delta WHERE TRUE GROUP BY region_id, noun, span, \
             start \
             ON CONFLICT (region_id, noun, span, start) DO UPDATE SET {}",
            sums.join(", "),
            added.join(", ")
        ))
        .await?;
    let nothing: Vec<String> = COUNTS.iter().map(|count| format!("{count} = 0")).collect();
    transaction
        .execute_unprepared(&format!(
            "DELETE FROM figure WHERE (region_id, noun, span, start) IN (SELECT region_id, noun, span, start \
             FROM figure_delta) \
             AND {}",
            nothing.join(" AND ")
        ))
        .await?;
    let settled = transaction.execute_unprepared("DELETE FROM figure_delta").await?.rows_affected();
    transaction.commit().await?;
    Ok(settled)
}

/// Counts all figures anew, without a time limit.
pub async fn rebuild(db: &Transaction) -> Result<()> {
    db.without_time_limit().await?;
    let sql = Sql::new(db.get_database_backend(), &[]);
    own::rebuild(db).await?;
    db.execute_unprepared("DELETE FROM figure_delta").await?;
    db.execute_unprepared("DELETE FROM figure").await?;
    db.execute_unprepared(&format!(
        "INSERT INTO figure (region_id, noun, span, start, {}) {}",
        COUNTS.join(", "),
        contributions(&sql, "IS NOT NULL")
    ))
    .await?;
    Ok(())
}

/// Counts all figures if there are problems but no figures yet, as after the upgrade that introduced the stored
/// figures.
pub async fn ensure(db: &DatabaseConnection) -> Result<()> {
    let missing = "SELECT 1 FROM problem WHERE NOT EXISTS (SELECT 1 FROM figure) \
                   AND NOT EXISTS (SELECT 1 FROM figure_delta) LIMIT 1";
    if db.query_one_raw(Statement::from_string(db.get_database_backend(), missing)).await?.is_none() {
        return Ok(());
    }
    let transaction = crate::record::database::begin(db).await?;
    rebuild(&transaction).await?;
    Ok(transaction.commit().await?)
}

/// Returns in how many places the stored figures differ from a full recount: none, unless something bypassed the acts.
/// Takes as long as it needs.
pub async fn differences(db: &Transaction) -> Result<i64> {
    db.without_time_limit().await?;
    let sql = Sql::new(db.get_database_backend(), &[]);
    let columns = COUNTS.join(", ");
    let sums: Vec<String> = COUNTS.iter().map(|count| format!("{} AS {count}", sql.sum(count))).collect();
    let negated: Vec<String> = COUNTS.iter().map(|count| format!("-{count}")).collect();
    let any: Vec<String> = COUNTS.iter().map(|count| format!("sum({count}) <> 0")).collect();
    let text = format!(
        "SELECT count(*) AS differences FROM (SELECT region_id, noun, span, start, {} FROM (\
         SELECT region_id, noun, span, start, {columns} FROM figure \
         UNION ALL SELECT region_id, noun, span, start, {columns} FROM figure_delta \
         UNION ALL SELECT region_id, noun, span, start, {} FROM ({}) c) both_sides \
         GROUP BY region_id, noun, span, start HAVING {}) differing",
        sums.join(", "),
        negated.join(", "),
        contributions(&sql, "IS NOT NULL"),
        any.join(" OR ")
    );
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), text)).await?;
    let of_figures: i64 = row.map(|row| row.try_get("", "differences")).transpose()?.unwrap_or_default();
    Ok(of_figures + own::differences(db).await?)
}

/// Returns the query for what problems and everything below them add to the stored figures: one row for each region,
/// noun and day, and for the month and the year of that day.
///
/// `which` is the condition on the keys of the problems, such as `IN (…)`. The rule is that of `Figures::count`.
fn contributions(sql: &Sql<'_>, which: &str) -> String {
    let is_kept = is_kept("r");
    let listed = |table: &str, noun: &str, problem: &str, due_by: &str| {
        format!(
            "SELECT '{noun}' AS noun, l.region_id, {}, {due_by} AS due_by FROM {table} x \
             JOIN {table}_region l ON l.{table}_id = x.id JOIN region r ON r.id = l.region_id AND {is_kept} \
             WHERE x.{problem} {which}",
            State::of("x").unless("l", "own_").columns()
        )
    };
    let problems = listed("problem", "PROBLEM", "id", "x.due_by");
    let measures = listed("measure", "MEASURE", "problem_id", "coalesce(l.own_due_by, x.due_by)");
    // The regions above each answering one, by recursion; the tree of regions has five levels.
    let answering = format!("assignment a JOIN measure m ON m.id = a.measure_id AND m.problem_id {which}");
    let ever = sql.date("0001-01-01");
    let item = State::of("items");
    let (closed, applicable) = (item.is_closed(), item.is_applicable());
    let ends = format!("{applicable} AND due_by IS NOT NULL");
    let past = sql.next_day("due_by");
    // Not completed by the day after its deadline. A closed item without a date of completion counts as always
    // completed; of one that was completed by a date nobody knows whether it was late.
    let late = format!(
        "{ends} AND NOT is_completed_by AND (completed_on > {past} OR (completed_on IS NULL AND NOT {closed}))"
    );
    let one = |condition: &str| format!("CASE WHEN {condition} THEN 1 ELSE 0 END");
    let sums: Vec<String> = COUNTS.iter().map(|count| format!("{} AS {count}", sql.sum(count))).collect();
    let (sums, columns) = (sums.join(", "), COUNTS.join(", "));
    let (month, year) = (sql.month("day"), sql.year("day"));
    format!(
        "WITH RECURSIVE lineage (region_id, above) AS (\
           SELECT DISTINCT a.region_id, a.region_id FROM {answering} \
           UNION ALL SELECT n.region_id, r.parent_id FROM lineage n JOIN region r ON r.id = n.above \
           WHERE r.parent_id IS NOT NULL), \
         items AS ({problems} UNION ALL {measures} \
           UNION ALL SELECT 'ASSIGNMENT', r.id, a.status, a.completed_on, a.is_completed_by, a.due_by FROM {answering} \
           JOIN lineage n ON n.region_id = a.region_id JOIN region r ON r.id = n.above AND {is_kept}), \
         steps AS (\
           SELECT noun, region_id, {ever} AS day, 1 AS total, {always} AS completed, {always} AS closed, \
             {not_applicable} AS not_applicable, 0 AS due, 0 AS overdue, {is_unknown} AS unknown FROM items \
           UNION ALL SELECT noun, region_id, completed_on, 0, 1, {is_closed}, 0, 0, -({is_late}), -({is_unknown}) \
           FROM items WHERE completed_on IS NOT NULL \
           UNION ALL SELECT noun, region_id, {past}, 0, 0, 0, 0, 1, {is_late}, 0 FROM items WHERE {ends}), \
         days AS (SELECT noun, region_id, day, {sums} FROM steps GROUP BY noun, region_id, day), \
         spans AS (\
           SELECT noun, region_id, CASE WHEN day = {ever} THEN 'EVER' ELSE 'DAY' END AS span, day AS start, \
           {columns} FROM days \
           UNION ALL SELECT noun, region_id, 'MONTH', {month}, {columns} FROM days WHERE day > {ever} \
           UNION ALL SELECT noun, region_id, 'YEAR', {year}, {columns} FROM days WHERE day > {ever}) \
         SELECT region_id, noun, span, start, {sums} FROM spans GROUP BY region_id, noun, span, start",
        always = one(&format!("{closed} AND completed_on IS NULL")),
        not_applicable = one(&format!("NOT {applicable}")),
        is_closed = one(&closed),
        is_late = one(&late),
        is_unknown = one("is_completed_by AND completed_on IS NOT NULL"),
    )
}
