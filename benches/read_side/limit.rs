//! The limit: a server that an experienced engineer would write by hand for exactly these operations. Each reading
//! operation is one prepared statement that builds the JSON in the database; the handler copies the bytes. Page sizes
//! are constants of the statements.

mod handler;
mod report;
mod sql;

use std::net::SocketAddr;

use actix_web::error::{ErrorBadRequest, ErrorInternalServerError, ErrorUnauthorized};
use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, web};
use chrono::NaiveDate;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Statement};

use crate::Outcome;
use crate::pool::{self, Connect, Worker};
use handler::{Answer, key, now, respond, variables};
use sql::spelt;

/// Runs the server until the process is killed. `is_signed_in` tells whether those who read have signed in and take
/// compressed answers.
pub(crate) fn serve(address: SocketAddr, database: &str, is_signed_in: bool) -> Outcome<()> {
    pool::serve::<Connection>(address, database, is_signed_in, |app| {
        app.route("/op/board", web::post().to(board))
            .route("/op/point", web::post().to(point))
            .route("/op/statistics", web::post().to(statistics))
            .route("/op/deep", web::post().to(deep))
            .route("/op/report", web::post().to(report));
    })
}

/// A connection and its prepared statements.
struct Connection {
    client: Client,
    session: Statement,
    board: Statement,
    point: Statement,
    statistics: Statement,
    deep: Statement,
    report: report::Statements,
}

impl Connect for Connection {
    async fn open(database: &str) -> Result<Self, tokio_postgres::Error> {
        let mut config: tokio_postgres::Config = database.parse()?;
        // A generic plan, because planning these statements costs more than a custom plan saves.
        config.options("-c plan_cache_mode=force_generic_plan");
        let client = pool::connect(&config).await?;
        let prepare = async |sql: &str, types: &[Type]| client.prepare_typed(&spelt(sql), types).await;
        let key_and_day = [Type::INT8, Type::DATE];
        Ok(Self {
            session: prepare(include_str!("limit/session.sql"), &[Type::TEXT, Type::TIMESTAMPTZ]).await?,
            board: prepare(include_str!("limit/board.sql"), &key_and_day).await?,
            point: prepare(include_str!("limit/point.sql"), &key_and_day).await?,
            statistics: prepare(include_str!("limit/statistics.sql"), &key_and_day).await?,
            deep: prepare(include_str!("limit/deep.sql"), &[Type::DATE, Type::INT8]).await?,
            report: report::Statements::prepare(&client).await?,
            client,
        })
    }
}

impl Connection {
    /// Executes a statement that returns one JSON text and responds with it under the name of the root field. If the
    /// request has the secret of a session, it has to be valid.
    async fn answer(
        &self,
        request: &HttpRequest,
        root: &str,
        statement: &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Answer {
        let read = self.client.query_opt(statement, values);
        let row = match secret(request) {
            None => read.await,
            Some(secret) => {
                let (hash, now) = (hex::encode(Sha256::digest(secret)), now().0);
                let values: [&(dyn ToSql + Sync); 2] = [&hash, &now];
                // Both are sent before the first is answered.
                let (session, row) = tokio::join!(self.client.query_opt(&self.session, &values), read);
                session.map_err(ErrorInternalServerError)?.ok_or_else(|| ErrorUnauthorized("no session"))?;
                row
            }
        };
        let row = row.map_err(ErrorInternalServerError)?;
        let json = row.as_ref().map_or(Ok("null"), |row| row.try_get(0)).map_err(ErrorInternalServerError)?;
        Ok(respond(root, json))
    }
}

#[derive(Deserialize)]
struct Board<'b> {
    region: &'b str,
}

async fn board(worker: web::Data<Worker<Connection>>, request: HttpRequest, body: web::Bytes) -> Answer {
    let region = key(variables::<Board<'_>>(&body)?.region, "region_")?;
    let held = worker.connection().await?;
    let connection = held.get()?;
    connection.answer(&request, "problems", &connection.board, &[&region, &now().1]).await
}

#[derive(Deserialize)]
struct Point<'b> {
    id: &'b str,
}

async fn point(worker: web::Data<Worker<Connection>>, request: HttpRequest, body: web::Bytes) -> Answer {
    let measure = key(variables::<Point<'_>>(&body)?.id, "measure_")?;
    let held = worker.connection().await?;
    let connection = held.get()?;
    connection.answer(&request, "measure", &connection.point, &[&measure, &now().1]).await
}

#[derive(Deserialize)]
struct Statistics<'b> {
    within: &'b str,
    #[serde(rename = "asOf")]
    as_of: Option<NaiveDate>,
}

async fn statistics(worker: web::Data<Worker<Connection>>, request: HttpRequest, body: web::Bytes) -> Answer {
    let asked: Statistics<'_> = variables(&body)?;
    let (within, as_of) = (key(asked.within, "region_")?, asked.as_of.unwrap_or_else(|| now().1));
    let held = worker.connection().await?;
    let connection = held.get()?;
    connection.answer(&request, "statistics", &connection.statistics, &[&within, &as_of]).await
}

#[derive(Deserialize)]
struct Deep<'b> {
    after: &'b str,
}

async fn deep(worker: web::Data<Worker<Connection>>, request: HttpRequest, body: web::Bytes) -> Answer {
    let (due_order, id) = cursor(variables::<Deep<'_>>(&body)?.after).ok_or_else(|| ErrorBadRequest("no cursor"))?;
    let held = worker.connection().await?;
    let connection = held.get()?;
    connection.answer(&request, "measures", &connection.deep, &[&due_order, &id]).await
}

async fn report(worker: web::Data<Worker<Connection>>, request: HttpRequest, body: web::Bytes) -> Answer {
    let (assignment, input) = report::read(&body)?;
    let held = worker.connection().await?;
    let Connection { client, report, .. } = held.get()?;
    report::answer((client, report), assignment, &input, request.peer_addr()).await
}

/// Returns the secret of a session, if the request has one.
fn secret(request: &HttpRequest) -> Option<&str> {
    request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Decodes the sort keys in a cursor.
fn cursor(hex: &str) -> Option<(NaiveDate, i64)> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| u8::try_from(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?).ok();
    let json: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
    serde_json::from_slice(&json?).ok()
}
