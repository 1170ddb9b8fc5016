//! Running a planned statement: one round trip, then whatever only the program can compute. On PostgreSQL the reader keeps
//! connections of its own: handing one back to the pool costs a round trip each time, as much as a small read itself.

use std::collections::HashMap;
use std::sync::Mutex;

use async_graphql::{Name, Value as Argument};
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor, Postgres, Row};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Value};
use serde_json::Value as Json;
use tokio::sync::Semaphore;

use crate::plan::{Segment, Statement};

/// Functions of the program that turn what the database gave into a field's value, by name.
pub type Finishers = HashMap<&'static str, Box<dyn Fn(&Json, &[(Name, Argument)]) -> Json + Send + Sync>>;

/// How often a read is tried on a new connection after the old one turned out to be dead.
const TRIES: usize = 2;

/// Runs planned statements.
pub struct Reader {
    db: DatabaseConnection,
    finishers: Finishers,
    kept: Option<Kept>,
}

/// Connections that stay with the reader. One that is dropped in the middle of a read is closed, so that the server gives
/// the read up as well.
struct Kept {
    idle: Mutex<Vec<PoolConnection<Postgres>>>,
    places: Semaphore,
    sent: fn(),
}

impl Reader {
    /// A reader that keeps up to `most` of the pool's connections; the others are for whoever writes. `sent` is told of
    /// every statement that goes past the pool.
    pub fn new(db: DatabaseConnection, finishers: Finishers, most: usize, sent: fn()) -> Self {
        let keeps = db.get_database_backend() == DbBackend::Postgres && most > 0;
        let kept =
            keeps.then(|| Kept { idle: Mutex::new(Vec::with_capacity(most)), places: Semaphore::new(most), sent });
        Self { db, finishers, kept }
    }

    /// The database's kind.
    pub fn backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    /// The answer as JSON text; `null` when the root row does not exist.
    pub async fn read(&self, statement: Statement) -> Result<String, DbErr> {
        let Statement { asked, finishes } = statement;
        let data: Option<String> = if let Some(kept) = &self.kept {
            kept.read(&self.db, &asked).await?
        } else {
            let row = self.db.query_one_raw(asked).await?;
            row.map(|row| row.try_get("", "data")).transpose()?.flatten()
        };
        let data = data.unwrap_or_else(|| "null".to_owned());
        if finishes.is_empty() {
            return Ok(data);
        }
        let mut answer: Json = serde_json::from_str(&data).map_err(|error| DbErr::Custom(error.to_string()))?;
        for finish in &finishes {
            if let Some(finisher) = self.finishers.get(finish.finisher) {
                apply(&mut answer, &finish.path, &|value| *value = finisher(value, &finish.arguments));
            }
        }
        Ok(answer.to_string())
    }
}

impl Kept {
    async fn read(&self, db: &DatabaseConnection, asked: &sea_orm::Statement) -> Result<Option<String>, DbErr> {
        let place = self.places.acquire().await;
        let _place = place.map_err(|error| DbErr::Custom(error.to_string()))?;
        let mut tries = 0;
        loop {
            let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
            let mut connection = match idle {
                Some(connection) => connection,
                None => fresh(db).await?,
            };
            (self.sent)();
            match query(asked)?.fetch_optional(&mut *connection).await {
                Ok(row) => {
                    if let Ok(mut idle) = self.idle.lock() {
                        idle.push(connection);
                    }
                    return row.map(|row: PgRow| row.try_get(0)).transpose().map(Option::flatten).map_err(failed);
                }
                // The server was restarted, or the network broke: reading again does no harm.
                Err(error) if tries < TRIES && is_over(&error) => {
                    tries += 1;
                    if let Ok(mut idle) = self.idle.lock() {
                        idle.clear();
                    }
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

async fn fresh(db: &DatabaseConnection) -> Result<PoolConnection<Postgres>, DbErr> {
    let pool = db.get_postgres_connection_pool();
    let mut connection = pool.acquire().await.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
    connection.close_on_drop();
    // Servers before 14, or on systems that cannot tell that nobody listens, read on to the end.
    let _ = connection.execute("SET client_connection_check_interval = '1s'").await;
    Ok(connection)
}

/// Whether a statement failed because the database was not there, or left in the middle, rather than by the statement.
pub fn is_away(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Exec(RuntimeErr::SqlxError(error)) => is_over(error),
        _ => false,
    }
}

/// Whether it is the connection that is no more, rather than the statement that is wrong: broken off, or ended by an
/// administrator's command, a crash or a shutdown of the server.
fn is_over(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(said) => said.code().is_some_and(|code| ["57P01", "57P02", "57P03"].contains(&&*code)),
        _ => false,
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// The statement with its values; planned statements have only these kinds.
fn query(asked: &sea_orm::Statement) -> Result<sqlx::query::Query<'_, Postgres, sqlx::postgres::PgArguments>, DbErr> {
    let values = asked.values.iter().flat_map(|values| &values.0);
    values.into_iter().try_fold(sqlx::query(AssertSqlSafe(asked.sql.as_str())), |query, value| {
        Ok(match value {
            Value::Bool(value) => query.bind(*value),
            Value::Int(value) => query.bind(*value),
            Value::BigInt(value) => query.bind(*value),
            Value::Double(value) => query.bind(*value),
            Value::String(value) => query.bind(value.as_deref()),
            Value::ChronoDate(value) => query.bind(*value),
            Value::ChronoDateTimeUtc(value) => query.bind(*value),
            other => return Err(DbErr::Type(format!("no statement has a value of this kind: {other:?}"))),
        })
    })
}

fn apply(value: &mut Json, path: &[Segment], finish: &dyn Fn(&mut Json)) {
    match (path.split_first(), value) {
        (None, value) => finish(value),
        (Some((Segment::Key(key), rest)), Json::Object(members)) => {
            if let Some(member) = members.get_mut(key) {
                apply(member, rest, finish);
            }
        }
        (Some((Segment::Each, rest)), Json::Array(elements)) => {
            for element in elements {
                apply(element, rest, finish);
            }
        }
        _ => {}
    }
}
