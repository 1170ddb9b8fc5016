//! The tables of a ledger as its database describes them, and their rows in a form that is the same in all databases.

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, SubsecRound, Utc};
use planner::Sql;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, TryGetable};
use serde_json::{Value, json};

/// Tables that belong to a database rather than to the ledger in it. Triggers note for the index of searches what is
/// restored.
const OF_DATABASE: &[&str] =
    &["seaql_migrations", "heartbeat", "index_count", "backup", "search_gram", "search_pending"];

/// A table.
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    kind: Kind,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Double,
    Boolean,
    Date,
    Time,
    Moment,
    Bytes,
}

impl Kind {
    /// Returns the kind that a database calls so.
    fn of(called: &str) -> Option<Self> {
        let called = called.to_ascii_lowercase();
        let called = called.split('(').next().unwrap_or_default();
        Some(match called {
            "text" | "varchar" | "character varying" => Self::Text,
            "integer" | "bigint" => Self::Integer,
            "double" | "real" | "double precision" => Self::Double,
            "boolean" => Self::Boolean,
            "date" | "date_text" => Self::Date,
            "time_text" | "time without time zone" => Self::Time,
            "timestamp_with_timezone_text" | "timestamp with time zone" => Self::Moment,
            "blob" | "bytea" => Self::Bytes,
            _ => return None,
        })
    }

    /// The type that PostgreSQL reads from a text of the value.
    fn on_postgres(self) -> &'static str {
        match self {
            Self::Text | Self::Bytes => "text",
            Self::Integer => "bigint",
            Self::Double => "double precision",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Time => "time",
            Self::Moment => "timestamptz",
        }
    }
}

/// A row, in the order of the columns: dates, times and moments as RFC 3339 writes them, bytes in hexadecimal.
pub(super) type Row = Vec<Value>;

impl Table {
    /// Returns the tables of the ledger in a database, by name.
    pub(super) async fn all<C: ConnectionTrait>(db: &C) -> Result<Vec<Self>, DbErr> {
        let backend = db.get_database_backend();
        let text = match backend {
            DbBackend::Postgres => {
                "SELECT t.table_name AS of_table, c.column_name AS name, c.data_type AS called \
                 FROM information_schema.tables t JOIN information_schema.columns c USING (table_schema, table_name) \
                 WHERE t.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER' \
                 ORDER BY t.table_name, c.ordinal_position"
            }
            // A hidden column is computed.
            _ => {
                "SELECT t.name AS of_table, c.name AS name, c.type AS called \
                 FROM sqlite_master t JOIN pragma_table_xinfo(t.name) c \
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND c.hidden = 0 ORDER BY t.name, c.cid"
            }
        };
        let mut tables: Vec<Self> = Vec::new();
        for row in db.query_all_raw(Statement::from_string(backend, text)).await? {
            let (table, name, called): (String, String, String) =
                (row.try_get("", "of_table")?, row.try_get("", "name")?, row.try_get("", "called")?);
            if OF_DATABASE.contains(&table.as_str()) {
                continue;
            }
            let kind = Kind::of(&called)
                .ok_or_else(|| DbErr::Type(format!("column {name} of table {table} has the unknown type {called}")))?;
            if tables.last().is_none_or(|last| last.name != table) {
                tables.push(Self { name: table, columns: Vec::new() });
            }
            if let Some(table) = tables.last_mut() {
                table.columns.push(Column { name, kind });
            }
        }
        // Both databases have to name the columns in one order: migrations may have added them in another.
        for table in &mut tables {
            table.columns.sort_by(|one, other| one.name.cmp(&other.name));
        }
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(tables)
    }

    /// Whether the database gives keys to its rows.
    pub(super) fn has_keys(&self) -> bool {
        self.columns.iter().any(|column| column.name == "id" && column.kind == Kind::Integer)
    }

    /// Whether a row has as many values as the table has columns.
    pub(super) fn fits(&self, row: &Row) -> bool {
        row.len() == self.columns.len()
    }

    /// Returns the statement that reads all rows.
    pub(super) fn select(&self, backend: DbBackend) -> Statement {
        let column = |column: &Column| match column.kind {
            Kind::Integer => format!("CAST(\"{}\" AS bigint)", column.name),
            _ => format!("\"{}\"", column.name),
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        Statement::from_string(backend, format!("SELECT {} FROM \"{}\"", columns.join(", "), self.name))
    }

    /// Returns the row of a result.
    pub(super) fn row(&self, found: &QueryResult) -> Result<Row, DbErr> {
        fn get<T: TryGetable>(
            found: &QueryResult,
            place: usize,
            written: impl FnOnce(T) -> Value,
        ) -> Result<Value, DbErr> {
            Ok(found.try_get_by_index::<Option<T>>(place)?.map_or(Value::Null, written))
        }
        let value = |(place, column): (usize, &Column)| match column.kind {
            Kind::Text => get(found, place, |text: String| json!(text)),
            Kind::Integer => get(found, place, |number: i64| json!(number)),
            Kind::Double => get(found, place, |number: f64| json!(number)),
            Kind::Boolean => get(found, place, |is: bool| json!(is)),
            Kind::Date => get(found, place, |date: NaiveDate| json!(date)),
            Kind::Time => get(found, place, |time: NaiveTime| json!(time)),
            // PostgreSQL keeps microseconds; SQLite keeps the text, by which it compares moments.
            Kind::Moment => get(found, place, |at: DateTime<Utc>| {
                json!(at.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::AutoSi, false))
            }),
            Kind::Bytes => get(found, place, |bytes: Vec<u8>| json!(hex::encode(bytes))),
        };
        self.columns.iter().enumerate().map(value).collect()
    }

    /// Returns the statement that inserts rows.
    pub(super) fn insert(&self, backend: DbBackend, rows: &[Row]) -> Statement {
        let types: Vec<(&str, &str)> =
            self.columns.iter().map(|column| (column.name.as_str(), column.kind.on_postgres())).collect();
        let value = |column: &Column| match (column.kind, backend) {
            (Kind::Bytes, DbBackend::Postgres) => format!("decode(\"{}\", 'hex')", column.name),
            (Kind::Bytes, _) => format!("unhex(\"{}\")", column.name),
            _ => format!("\"{}\"", column.name),
        };
        let names: Vec<String> = self.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let values: Vec<String> = self.columns.iter().map(value).collect();
        let mut sql = Sql::new(backend, &[]);
        let rows = sql.rows(&json!(rows), &types);
        let (names, values) = (names.join(", "), values.join(", "));
        sql.statement(format!("INSERT INTO \"{}\" ({names}) SELECT {values} FROM {rows} AS written", self.name))
    }
}
