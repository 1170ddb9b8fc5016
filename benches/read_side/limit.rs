//! The limit: what a good engineer would write by hand for these operations and no others. Each is one prepared statement
//! that builds the JSON in the database; the handler copies the bytes. The sizes of pages are part of the statements.

mod report;

use std::cell::RefCell;
use std::net::SocketAddr;

use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use actix_web::{App, HttpResponse, HttpServer, web};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Deserialize;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Statement};

use crate::Outcome;
use crate::load::CONNECTIONS;

/// How far something is against its time, over a measure `m`, at the day `$2`.
const PACE: &str = include_str!("limit/pace.sql");
/// The figures of a group.
const FIGURES: &str = "'all', \"all\", 'completed', completed, 'closed', closed, 'notApplicable', not_applicable, \
    'overdue', overdue, 'completionRate', completion_rate, 'closeOutRate', close_out_rate, 'overdueRate', overdue_rate";
/// States from the least advanced; what is not applicable counts last.
const STATES: &str = "ARRAY['REOPENED', 'ASSIGNED', 'NOT_APPLICABLE_PROPOSED', 'RETURNED', 'IN_PROGRESS', 'SUBMITTED', \
    'VERIFIED', 'PUBLICISED', 'CLOSED_ONGOING', 'CLOSED', 'NOT_APPLICABLE']";
/// States in which nothing is left to be done.
const SETTLED: &str = "'CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE'";

/// A statement's text with its abbreviations written out.
fn spelt(sql: &str) -> String {
    let deadline = |of: &str| {
        format!(
            "json_build_object('raw', {of}.due_raw, 'dueOn', {of}.due_on, 'ongoing', {of}.due_ongoing, \
             'immediate', {of}.due_immediate)"
        )
    };
    let cursor =
        |of: &str| format!("encode(convert_to(json_build_array({of}.due_order, {of}.id)::text, 'UTF8'), 'hex')");
    sql.replace("{pace}", PACE)
        .replace("{figures}", FIGURES)
        .replace("{states}", STATES)
        .replace("{settled}", SETTLED)
        .replace("{deadline p}", &deadline("p"))
        .replace("{deadline m}", &deadline("m"))
        .replace("{cursor p}", &cursor("p"))
        .replace("{cursor m}", &cursor("m"))
}

/// Serves until the process ends.
pub(crate) fn serve(address: SocketAddr, database: &str) -> Outcome<()> {
    let database = database.to_owned();
    let cores = std::thread::available_parallelism()?.get();
    // Connections are a worker's own, so that an answer never crosses threads; together as many as there are callers.
    let share = CONNECTIONS.div_ceil(cores);
    let server = HttpServer::new(move || {
        let worker = Worker { database: database.clone(), share, pool: OnceCell::new() };
        App::new()
            .app_data(web::Data::new(worker))
            .route("/op/board", web::post().to(board))
            .route("/op/point", web::post().to(point))
            .route("/op/statistics", web::post().to(statistics))
            .route("/op/deep", web::post().to(deep))
            .route("/op/report", web::post().to(report::handle))
    });
    Ok(actix_web::rt::System::new().block_on(server.bind(address)?.run())?)
}

type Answer = actix_web::Result<HttpResponse>;

/// What a worker's thread keeps.
struct Worker {
    database: String,
    share: usize,
    pool: OnceCell<Pool>,
}

impl Worker {
    /// A connection of one's own for as long as it is held.
    async fn connection(&self) -> actix_web::Result<Held<'_>> {
        let pool = self.pool.get_or_try_init(|| Pool::open(&self.database, self.share)).await;
        let pool = pool.map_err(ErrorInternalServerError)?;
        let permit = pool.permits.acquire().await.map_err(ErrorInternalServerError)?;
        let connection = pool.free.borrow_mut().pop();
        let connection = connection.ok_or_else(|| ErrorInternalServerError("no connection is free"))?;
        Ok(Held { connection: Some(connection), pool, _permit: permit })
    }
}

struct Pool {
    free: RefCell<Vec<Connection>>,
    permits: Semaphore,
}

impl Pool {
    async fn open(database: &str, size: usize) -> Result<Self, tokio_postgres::Error> {
        let mut free = Vec::new();
        for _ in 0..size {
            free.push(Connection::open(database).await?);
        }
        Ok(Self { free: RefCell::new(free), permits: Semaphore::new(size) })
    }
}

/// A connection on loan.
struct Held<'p> {
    connection: Option<Connection>,
    pool: &'p Pool,
    _permit: SemaphorePermit<'p>,
}

impl Held<'_> {
    fn get(&self) -> actix_web::Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| ErrorInternalServerError("no connection is held"))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.pool.free.borrow_mut().extend(self.connection.take());
    }
}

/// A connection and what is prepared on it.
struct Connection {
    client: Client,
    board: Statement,
    point: Statement,
    statistics: Statement,
    deep: Statement,
    report: report::Statements,
}

impl Connection {
    async fn open(database: &str) -> Result<Self, tokio_postgres::Error> {
        let mut config: tokio_postgres::Config = database.parse()?;
        // Planned once: for these statements planning costs more than a better plan saves.
        config.options("-c plan_cache_mode=force_generic_plan");
        let (client, connection) = config.connect(NoTls).await?;
        actix_web::rt::spawn(connection);
        let prepare = async |sql: &str, types: &[Type]| client.prepare_typed(&spelt(sql), types).await;
        let key_and_day = [Type::INT8, Type::DATE];
        Ok(Self {
            board: prepare(include_str!("limit/board.sql"), &key_and_day).await?,
            point: prepare(include_str!("limit/point.sql"), &key_and_day).await?,
            statistics: prepare(include_str!("limit/statistics.sql"), &key_and_day).await?,
            deep: prepare(include_str!("limit/deep.sql"), &[Type::DATE, Type::INT8]).await?,
            report: report::Statements::prepare(&client).await?,
            client,
        })
    }

    /// The one answer of a statement under the name of its root field.
    async fn answer(&self, root: &str, statement: &Statement, values: &[&(dyn ToSql + Sync)]) -> Answer {
        let row = self.client.query_opt(statement, values).await.map_err(ErrorInternalServerError)?;
        let json = row.as_ref().map_or(Ok("null"), |row| row.try_get(0)).map_err(ErrorInternalServerError)?;
        Ok(respond(root, json))
    }
}

fn respond(root: &str, json: &str) -> HttpResponse {
    let mut body = String::with_capacity(json.len() + root.len() + 16);
    for part in ["{\"data\":{\"", root, "\":", json, "}}"] {
        body.push_str(part);
    }
    HttpResponse::Ok().content_type("application/json").body(body)
}

/// The moment, and the local day in the ledger's zone.
fn now() -> (DateTime<Utc>, NaiveDate) {
    #[expect(clippy::disallowed_methods, reason = "the limit is a program of its own, with a clock of its own")]
    let now = Utc::now();
    (now, (now + TimeDelta::hours(8)).date_naive())
}

/// The key in a global id.
fn key(id: &str, prefix: &str) -> actix_web::Result<i64> {
    let key = id.strip_prefix(prefix).and_then(|key| key.parse().ok());
    key.ok_or_else(|| ErrorBadRequest("no such id"))
}

fn variables<'b, T: Deserialize<'b>>(body: &'b [u8]) -> actix_web::Result<T> {
    serde_json::from_slice(body).map_err(ErrorBadRequest)
}

#[derive(Deserialize)]
struct Board<'b> {
    region: &'b str,
}

async fn board(worker: web::Data<Worker>, body: web::Bytes) -> Answer {
    let region = key(variables::<Board<'_>>(&body)?.region, "region_")?;
    let held = worker.connection().await?;
    let connection = held.get()?;
    connection.answer("problems", &connection.board, &[&region, &now().1]).await
}

#[derive(Deserialize)]
struct Point<'b> {
    id: &'b str,
}

async fn point(worker: web::Data<Worker>, body: web::Bytes) -> Answer {
    let measure = key(variables::<Point<'_>>(&body)?.id, "measure_")?;
    let held = worker.connection().await?;
    let connection = held.get()?;
    connection.answer("measure", &connection.point, &[&measure, &now().1]).await
}

#[derive(Deserialize)]
struct Statistics<'b> {
    within: &'b str,
    #[serde(rename = "asOf")]
    as_of: Option<NaiveDate>,
}

async fn statistics(worker: web::Data<Worker>, body: web::Bytes) -> Answer {
    let asked: Statistics<'_> = variables(&body)?;
    let (within, as_of) = (key(asked.within, "region_")?, asked.as_of.unwrap_or_else(|| now().1));
    let held = worker.connection().await?;
    let connection = held.get()?;
    connection.answer("statistics", &connection.statistics, &[&within, &as_of]).await
}

#[derive(Deserialize)]
struct Deep<'b> {
    after: &'b str,
}

async fn deep(worker: web::Data<Worker>, body: web::Bytes) -> Answer {
    let (due_order, id) = cursor(variables::<Deep<'_>>(&body)?.after).ok_or_else(|| ErrorBadRequest("no cursor"))?;
    let held = worker.connection().await?;
    let connection = held.get()?;
    connection.answer("measures", &connection.deep, &[&due_order, &id]).await
}

/// The sort keys in a cursor.
fn cursor(hex: &str) -> Option<(NaiveDate, i64)> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| u8::try_from(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?).ok();
    let json: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
    serde_json::from_slice(&json?).ok()
}
