//! Reads a ledger at one moment (`Source`), and writes one into an empty database, all or nothing (`Target`).

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel,
    SqliteTransactionMode, Statement, StreamTrait, TransactionOptions, TransactionTrait,
};

use super::table::{Row, Table};
use super::{Sum, Tally};
use crate::Failure;

/// How many rows are written by one statement.
const TOGETHER: usize = 500;
/// What lets a transaction on PostgreSQL take as long as it needs.
const WITHOUT_LIMIT: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// A ledger as it is at one moment, while others go on writing to it.
pub(crate) struct Source {
    open: DatabaseTransaction,
    tables: Vec<Table>,
}

impl Source {
    /// Begins to read.
    pub(crate) async fn open(db: &DatabaseConnection) -> Result<Self, DbErr> {
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        let options = TransactionOptions {
            isolation_level: is_postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: is_postgres.then_some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        };
        let open = db.begin_with_options(options).await?;
        if is_postgres {
            open.execute_unprepared(WITHOUT_LIMIT).await?;
        }
        // On SQLite, the first statement decides on the moment.
        let tables = Table::all(&open).await?;
        Ok(Self { open, tables })
    }

    /// Returns the names of the tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.name.as_str())
    }

    /// Hands each row of a table to `take` as a line of JSON, and returns what the table has.
    pub(super) async fn read(
        &self,
        table: &str,
        mut take: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<Tally, Failure> {
        let table = find(&self.tables, table)?;
        let sum = each(&self.open, table, async |row| take(&line(&row)?)).await?;
        Ok(sum.tally(last_key(&self.open, table).await?))
    }

    /// Writes all tables into another database, and returns what they have. `tell` is told of each table.
    pub(crate) async fn copy_to(
        &self,
        target: &mut Target,
        mut tell: impl FnMut(&str, u64),
    ) -> Result<BTreeMap<String, Tally>, Failure> {
        let mut tallies = BTreeMap::new();
        for table in &self.tables {
            let mut writing = target.begin_table(&table.name)?;
            let sum = each(&self.open, table, async |row| target.write(&mut writing, row).await).await?;
            target.end_table(writing).await?;
            tell(&table.name, sum.rows);
            tallies.insert(table.name.clone(), sum.tally(last_key(&self.open, table).await?));
        }
        Ok(tallies)
    }

    /// Returns the places of the files of evidence, each with the SHA-256 of its content.
    pub(crate) async fn evidence(&self) -> Result<Vec<(String, String)>, DbErr> {
        let text = "SELECT DISTINCT place, sha256 FROM evidence ORDER BY place";
        let rows = self.open.query_all_raw(Statement::from_string(backend(&self.open), text)).await?;
        rows.iter().map(|row| Ok((row.try_get("", "place")?, row.try_get("", "sha256")?))).collect()
    }
}

/// An empty database that a ledger is written into. Dropped before [`Target::finish`], nothing is written.
pub(crate) struct Target {
    open: DatabaseTransaction,
    tables: Vec<Table>,
    /// The statements that add the constraints which were taken away while rows are written.
    constraints: Vec<String>,
}

/// Rows of a table on their way.
pub(super) struct Writing {
    table: usize,
    rows: Vec<Row>,
}

impl Target {
    /// Begins to write into a database that was migrated and is not in use. What its migrations wrote goes.
    pub(crate) async fn open(db: &DatabaseConnection) -> Result<Self, DbErr> {
        let backend = db.get_database_backend();
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let open = db.begin_with_options(options).await?;
        // Rows refer to each other in every direction, so references are checked when all rows are there.
        let mut constraints = Vec::new();
        if backend == DbBackend::Postgres {
            open.execute_unprepared(WITHOUT_LIMIT).await?;
            let text = "SELECT r.relname AS of_table, c.conname AS name, pg_get_constraintdef(c.oid) AS says \
                        FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid \
                        WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace";
            for row in open.query_all_raw(Statement::from_string(backend, text)).await? {
                let (table, name, says): (String, String, String) =
                    (row.try_get("", "of_table")?, row.try_get("", "name")?, row.try_get("", "says")?);
                open.execute_unprepared(&format!("ALTER TABLE \"{table}\" DROP CONSTRAINT \"{name}\"")).await?;
                constraints.push(format!("ALTER TABLE \"{table}\" ADD CONSTRAINT \"{name}\" {says}"));
            }
        } else {
            open.execute_unprepared("PRAGMA defer_foreign_keys = ON").await?;
        }
        let tables = Table::all(&open).await?;
        for Table { name, .. } in &tables {
            // Triggers refuse to delete from some, which are empty.
            let any = Statement::from_string(backend, format!("SELECT 1 AS one FROM \"{name}\" LIMIT 1"));
            if open.query_one_raw(any).await?.is_some() {
                open.execute_unprepared(&format!("DELETE FROM \"{name}\"")).await?;
            }
        }
        Ok(Self { open, tables, constraints })
    }

    /// Begins to write a table.
    pub(super) fn begin_table(&self, name: &str) -> Result<Writing, Failure> {
        let table = self.tables.iter().position(|table| table.name == name);
        Ok(Writing { table: table.ok_or_else(|| unknown(name))?, rows: Vec::with_capacity(TOGETHER) })
    }

    /// Writes a row, together with others.
    pub(super) async fn write(&self, writing: &mut Writing, row: Row) -> Result<(), Failure> {
        let table = &self.tables[writing.table];
        if !table.fits(&row) {
            let name = &table.name;
            return Err(Failure::Rejected(format!("表 {name} 有一行缺列 / a row of table {name} lacks columns")));
        }
        writing.rows.push(row);
        if writing.rows.len() == TOGETHER { self.flush(writing).await } else { Ok(()) }
    }

    /// Writes what is left of a table.
    pub(super) async fn end_table(&self, mut writing: Writing) -> Result<(), Failure> {
        if writing.rows.is_empty() { Ok(()) } else { self.flush(&mut writing).await }
    }

    async fn flush(&self, writing: &mut Writing) -> Result<(), Failure> {
        let table = &self.tables[writing.table];
        let rows = std::mem::take(&mut writing.rows);
        let statement = table.insert(backend(&self.open), &rows);
        self.open.execute_raw(statement).await.map_err(|error| {
            let name = &table.name;
            Failure::Rejected(format!("表 {name} 无法写入 / table {name} cannot be written: {error}"))
        })?;
        Ok(())
    }

    /// Parks the mails that wait: whether they went out after the moment of the backup is not known. Returns how many.
    pub(crate) async fn park_mails(&self) -> Result<u64, DbErr> {
        let text = "UPDATE mail SET state = 'FAILED', last_error = '恢复备份时仍在发件箱；确认没有发出后可以重发' \
                    WHERE state IN ('QUEUED', 'SENDING')";
        let statement = Statement::from_string(backend(&self.open), text);
        Ok(self.open.execute_raw(statement).await?.rows_affected())
    }

    /// Compares every table with what it has to have.
    pub(crate) async fn compare(&self, tallies: &BTreeMap<String, Tally>) -> Result<(), Failure> {
        for table in &self.tables {
            let sum = each(&self.open, table, async |_| Ok(())).await?;
            let missing = Tally::default();
            let tally = tallies.get(&table.name).unwrap_or(&missing);
            if !(sum.is(tally) || (sum.rows == 0 && tally.rows == 0)) {
                let (name, rows, wanted) = (&table.name, sum.rows, tally.rows);
                return Err(Failure::Rejected(format!(
                    "表 {name} 写入后不一致：应为 {wanted} 行，实为 {rows} 行或内容不同；没有写入任何内容 / \
                     table {name} differs after it was written: {wanted} rows wanted, {rows} found, or other content; \
                     nothing was written"
                )));
            }
        }
        Ok(())
    }

    /// Sets the keys that are given next, checks all references, and commits.
    pub(crate) async fn finish(self, tallies: &BTreeMap<String, Tally>) -> Result<(), Failure> {
        for table in &self.tables {
            if let Some(last) = tallies.get(&table.name).and_then(|tally| tally.last_key) {
                set_last_key(&self.open, table, last).await?;
            }
        }
        for constraint in &self.constraints {
            self.open.execute_unprepared(constraint).await?;
        }
        Ok(self.open.commit().await?)
    }
}

fn find<'a>(tables: &'a [Table], name: &str) -> Result<&'a Table, Failure> {
    tables.iter().find(|table| table.name == name).ok_or_else(|| unknown(name))
}

fn unknown(table: &str) -> Failure {
    Failure::Rejected(format!("本程序不认识表 {table} / this program does not know the table {table}"))
}

/// Writes a row as a line.
fn line(row: &Row) -> Result<String, Failure> {
    serde_json::to_string(row).map_err(|error| Failure::Rejected(error.to_string()))
}

fn backend(db: &DatabaseTransaction) -> DbBackend {
    ConnectionTrait::get_database_backend(db)
}

/// Hands each row of a table to `take`, one after the other, and adds them up.
async fn each(
    db: &DatabaseTransaction,
    table: &Table,
    mut take: impl AsyncFnMut(Row) -> Result<(), Failure>,
) -> Result<Sum, Failure> {
    let mut sum = Sum::default();
    let mut rows = db.stream_raw(table.select(backend(db))).await?;
    while let Some(found) = rows.try_next().await? {
        let row = table.row(&found)?;
        sum.add(&line(&row)?);
        take(row).await?;
    }
    Ok(sum)
}

/// Returns the key that was given last in a table.
async fn last_key(db: &DatabaseTransaction, table: &Table) -> Result<Option<i64>, DbErr> {
    if !table.has_keys() {
        return Ok(None);
    }
    let backend = backend(db);
    let name = &table.name;
    let text = match backend {
        DbBackend::Postgres => {
            format!("SELECT pg_sequence_last_value(pg_get_serial_sequence('\"{name}\"', 'id')::regclass) AS last")
        }
        _ => format!("SELECT seq AS last FROM sqlite_sequence WHERE name = '{name}'"),
    };
    let row = db.query_one_raw(Statement::from_string(backend, text)).await?;
    let last: Option<i64> = row.map_or(Ok(None), |row| row.try_get("", "last"))?;
    // SQLite notes a 0 where all keys were taken back.
    Ok(last.filter(|last| *last > 0))
}

async fn set_last_key(db: &DatabaseTransaction, table: &Table, last: i64) -> Result<(), DbErr> {
    let name = &table.name;
    let text = match backend(db) {
        DbBackend::Postgres => {
            // A table may number its rows by itself.
            format!(
                "SELECT setval(given.name::regclass, {last}) \
                 FROM (SELECT pg_get_serial_sequence('\"{name}\"', 'id') AS name) given WHERE given.name IS NOT NULL"
            )
        }
        _ => format!(
            "DELETE FROM sqlite_sequence WHERE name = '{name}'; \
             INSERT INTO sqlite_sequence (name, seq) SELECT name, {last} FROM sqlite_master \
             WHERE name = '{name}' AND sql LIKE '%AUTOINCREMENT%'"
        ),
    };
    db.execute_unprepared(&text).await?;
    Ok(())
}
