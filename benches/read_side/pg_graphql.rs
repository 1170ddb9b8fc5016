//! The server in front of `pg_graphql`: its handler passes each request to the function of the extension, by one
//! prepared statement, and copies the bytes of the answer.

use std::borrow::Cow;
use std::net::SocketAddr;

use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement};

use crate::Outcome;
use crate::pool::{self, Connect, Worker};

/// Runs the server until the process is killed.
pub(crate) fn serve(address: SocketAddr, database: &str) -> Outcome<()> {
    pool::serve::<Connection>(address, database, false, |app| {
        app.route("/graphql", web::post().to(resolve));
    })
}

/// A connection and its prepared statement.
struct Connection {
    client: Client,
    resolve: Statement,
}

impl Connect for Connection {
    async fn open(database: &str) -> Result<Self, tokio_postgres::Error> {
        let mut config: tokio_postgres::Config = database.parse()?;
        // The schemas of which the extension makes its own.
        config.options("-c search_path=public,bench,bench_pg_graphql");
        let client = pool::connect(&config).await?;
        let resolve = "SELECT graphql.resolve($1, $2::jsonb)::text";
        Ok(Self { resolve: client.prepare_typed(resolve, &[Type::TEXT, Type::TEXT]).await?, client })
    }
}

#[derive(Deserialize)]
struct Request<'b> {
    #[serde(borrow)]
    query: Cow<'b, str>,
    #[serde(borrow)]
    variables: &'b RawValue,
}

async fn resolve(worker: web::Data<Worker<Connection>>, body: web::Bytes) -> actix_web::Result<HttpResponse> {
    let request: Request<'_> = serde_json::from_slice(&body).map_err(ErrorBadRequest)?;
    let held = worker.connection().await?;
    let Connection { client, resolve } = held.get()?;
    let row = client.query_one(resolve, &[&request.query.as_ref(), &request.variables.get()]).await;
    let row = row.map_err(ErrorInternalServerError)?;
    let json: &str = row.try_get(0).map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(json.to_owned()))
}
