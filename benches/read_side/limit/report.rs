//! Reporting progress by hand: the locks, checks, writes and roll-ups of Rectify, in two round trips. What the caller sends
//! is trusted but for the version and the state.

use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Statement};

use super::{Answer, Connection, Worker, key, now, respond, spelt, variables};

const PROBLEM: &str = "SELECT p.id FROM assignment a JOIN measure m ON m.id = a.measure_id \
    JOIN problem p ON p.id = m.problem_id WHERE a.id = $1 FOR UPDATE OF p";
const ASSIGNMENT: &str = "SELECT version, status FROM assignment WHERE id = $1 FOR UPDATE";
/// From where a report leads on.
const OPEN: [&str; 6] =
    ["ASSIGNED", "NOT_APPLICABLE_PROPOSED", "RETURNED", "REOPENED", "IN_PROGRESS", "CLOSED_ONGOING"];

/// What is prepared on a connection.
pub(super) struct Statements {
    problem: Statement,
    assignment: Statement,
    write: Statement,
    roll_up_measures: Statement,
    roll_up_problem: Statement,
    read_back: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let prepare = async |sql: &str, types: &[Type]| client.prepare_typed(&spelt(sql), types).await;
        let quantities = [Type::TEXT_ARRAY, Type::FLOAT8_ARRAY, Type::FLOAT8_ARRAY, Type::TEXT_ARRAY];
        let report = [Type::INT8, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ, Type::DATE];
        let key_and_moment = [Type::INT8, Type::TIMESTAMPTZ];
        Ok(Self {
            problem: prepare(PROBLEM, &[Type::INT8]).await?,
            assignment: prepare(ASSIGNMENT, &[Type::INT8]).await?,
            write: prepare(include_str!("report_write.sql"), &[report.as_slice(), &quantities].concat()).await?,
            roll_up_measures: prepare(include_str!("report_measures.sql"), &key_and_moment).await?,
            roll_up_problem: prepare(include_str!("report_problem.sql"), &key_and_moment).await?,
            read_back: prepare(include_str!("report_read_back.sql"), &[Type::INT8]).await?,
        })
    }
}

#[derive(Deserialize)]
struct Variables<'b> {
    #[serde(borrow)]
    input: Input<'b>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input<'b> {
    assignment_id: &'b str,
    version: i32,
    period: &'b str,
    text: &'b str,
    #[serde(borrow, default)]
    quantities: Vec<Quantity<'b>>,
}

#[derive(Deserialize)]
struct Quantity<'b> {
    label: &'b str,
    done: Option<f64>,
    target: Option<f64>,
    unit: Option<&'b str>,
}

/// Answers `POST /op/report`.
pub(super) async fn handle(worker: web::Data<Worker>, body: web::Bytes) -> Answer {
    let input = variables::<Variables<'_>>(&body)?.input;
    let assignment = key(input.assignment_id, "assignment_")?;
    if input.text.trim().is_empty() {
        return Err(ErrorBadRequest("an empty report"));
    }
    let held = worker.connection().await?;
    let connection = held.get()?;
    match submit(connection, assignment, &input).await {
        Ok(Ok(json)) => Ok(respond("reportProgress", &format!("{{\"assignment\":{json},\"errors\":[]}}"))),
        Ok(Err(objection)) => Ok(refuse(objection)),
        Err(failure) => {
            connection.client.batch_execute("ROLLBACK").await.map_err(ErrorInternalServerError)?;
            Err(ErrorInternalServerError(failure))
        }
    }
}

/// A bound value.
type Value<'v> = &'v (dyn ToSql + Sync);

/// Why a report is not taken: a code, and where in the input.
type Objection = (&'static str, &'static str);

fn refuse((code, field): Objection) -> HttpResponse {
    let error = json!({"code": code, "message": "refused", "path": ["input", field]});
    respond("reportProgress", &json!({"assignment": null, "errors": [error]}).to_string())
}

/// Statements that are joined go to the database together and run there one after the other.
async fn submit(
    Connection { client, report, .. }: &Connection,
    assignment: i64,
    input: &Input<'_>,
) -> Result<Result<String, Objection>, tokio_postgres::Error> {
    let key: [Value<'_>; 1] = [&assignment];
    let (begun, problem, there) = tokio::join!(
        biased;
        client.batch_execute("BEGIN"),
        client.query_opt(&report.problem, &key),
        client.query_opt(&report.assignment, &key),
    );
    begun?;
    let objection = match (&problem?, &there?) {
        (Some(problem), Some(there)) => {
            if there.try_get::<_, i32>(0)? != input.version {
                ("STALE_VERSION", "version")
            } else if OPEN.contains(&there.try_get(1)?) {
                return write(client, report, problem.try_get(0)?, assignment, input).await.map(Ok);
            } else {
                ("WRONG_STATE", "assignmentId")
            }
        }
        _ => ("NOT_FOUND", "assignmentId"),
    };
    client.batch_execute("ROLLBACK").await?;
    Ok(Err(objection))
}

async fn write(
    client: &Client,
    report: &Statements,
    problem: i64,
    assignment: i64,
    input: &Input<'_>,
) -> Result<String, tokio_postgres::Error> {
    let (now, today) = now();
    let labels: Vec<&str> = input.quantities.iter().map(|one| one.label.trim()).collect();
    let done: Vec<Option<f64>> = input.quantities.iter().map(|one| one.done).collect();
    let targets: Vec<Option<f64>> = input.quantities.iter().map(|one| one.target).collect();
    let units: Vec<Option<&str>> = input.quantities.iter().map(|one| one.unit).collect();
    let text = input.text.trim();
    let all: [Value<'_>; 9] = [&assignment, &input.period, &text, &now, &today, &labels, &done, &targets, &units];
    let (of_problem, of_assignment): ([Value<'_>; 2], [Value<'_>; 1]) = ([&problem, &now], [&assignment]);
    let (written, measures, problem, committed, read) = tokio::join!(
        biased;
        client.execute(&report.write, &all),
        client.execute(&report.roll_up_measures, &of_problem),
        client.execute(&report.roll_up_problem, &of_problem),
        client.batch_execute("COMMIT"),
        client.query_one(&report.read_back, &of_assignment),
    );
    let _rows = (written?, measures?, problem?);
    committed?;
    read?.try_get(0)
}
