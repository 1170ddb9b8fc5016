//! Hand-written `reportProgress`: the same locks, checks, writes (audit and change included) and roll-ups as Rectify,
//! in two round trips. Of the input only the version and the assignment's state are checked.

use std::net::SocketAddr;

use actix_web::HttpResponse;
use actix_web::error::{ErrorBadRequest, ErrorInternalServerError};
use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use entity::audit_entry;
use serde::Deserialize;
use serde_json::json;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Statement};

use super::handler::{Answer, key, now, respond, variables};
use super::sql::spelt;

const PROBLEM: &str = "SELECT p.id FROM assignment a JOIN measure m ON m.id = a.measure_id \
    JOIN problem p ON p.id = m.problem_id WHERE a.id = $1 FOR UPDATE OF p";
/// Reads the assignment, the end of the problem's audit chain, and a key for the report. Needs no row lock, because the
/// problem is locked.
const ASSIGNMENT: &str = "SELECT a.version, a.status, a.completed_on, a.unit_id, a.accepted_at, a.measure_id, \
    e.position, e.hash, nextval('progress_report_id_seq'), a.declined_at \
    FROM assignment a JOIN measure m ON m.id = a.measure_id LEFT JOIN LATERAL (SELECT position, hash FROM audit_entry \
    WHERE chain = 'problem_' || m.problem_id ORDER BY position DESC LIMIT 1) e ON TRUE WHERE a.id = $1";
/// The states in which a report is accepted.
const OPEN: [&str; 6] =
    ["ASSIGNED", "NOT_APPLICABLE_PROPOSED", "RETURNED", "REOPENED", "IN_PROGRESS", "CLOSED_ONGOING"];

/// The prepared statements of a connection.
pub(super) struct Statements {
    problem: Statement,
    assignment: Statement,
    write: Statement,
    roll_up_measure: Statement,
    roll_up_problem: Statement,
    read_back: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let prepare = async |sql: &str, types: &[Type]| client.prepare_typed(&spelt(sql), types).await;
        let quantities = [Type::TEXT_ARRAY, Type::FLOAT8_ARRAY, Type::FLOAT8_ARRAY, Type::TEXT_ARRAY];
        let report = [Type::INT8, Type::TEXT, Type::TEXT, Type::TIMESTAMPTZ, Type::DATE];
        let noted = [Type::INT8, Type::INT8, Type::INT8, Type::INT4];
        let entry = [(); 10].map(|()| Type::TEXT);
        let key_and_moment = [Type::INT8, Type::TIMESTAMPTZ];
        Ok(Self {
            problem: prepare(PROBLEM, &[Type::INT8]).await?,
            assignment: prepare(ASSIGNMENT, &[Type::INT8]).await?,
            write: prepare(
                include_str!("report_write.sql"),
                &[report.as_slice(), &quantities, &noted, &entry].concat(),
            )
            .await?,
            roll_up_measure: prepare(include_str!("report_measure.sql"), &key_and_moment).await?,
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
pub(super) struct Input<'b> {
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

/// Reads the body of `POST /op/report`: the key of the assignment, and the report.
pub(super) fn read(body: &[u8]) -> actix_web::Result<(i64, Input<'_>)> {
    let input = variables::<Variables<'_>>(body)?.input;
    let assignment = key(input.assignment_id, "assignment_")?;
    if input.text.trim().is_empty() {
        return Err(ErrorBadRequest("an empty report"));
    }
    Ok((assignment, input))
}

/// Submits a report over a connection with its prepared statements, and answers.
pub(super) async fn answer(
    (client, report): (&Client, &Statements),
    assignment: i64,
    input: &Input<'_>,
    from: Option<SocketAddr>,
) -> Answer {
    match submit((client, report), assignment, input, from).await {
        Ok(Ok(json)) => Ok(respond("reportProgress", &format!("{{\"assignment\":{json},\"errors\":[]}}"))),
        Ok(Err(objection)) => Ok(refuse(objection)),
        Err(failure) => {
            client.batch_execute("ROLLBACK").await.map_err(ErrorInternalServerError)?;
            Err(ErrorInternalServerError(failure))
        }
    }
}

/// A bound parameter.
type Value<'v> = &'v (dyn ToSql + Sync);

/// Why a report is refused: an error code, and the member of the input.
type Objection = (&'static str, &'static str);

fn refuse((code, field): Objection) -> HttpResponse {
    let error = json!({"code": code, "message": "refused", "path": ["input", field]});
    respond("reportProgress", &json!({"assignment": null, "errors": [error]}).to_string())
}

/// Submits a report. Joined statements are pipelined: sent together and executed in order.
async fn submit(
    (client, report): (&Client, &Statements),
    assignment: i64,
    input: &Input<'_>,
    from: Option<SocketAddr>,
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
                let (problem, there) = (problem.try_get(0)?, There::of(there)?);
                return write(client, report, (problem, assignment), &there, (input, from)).await.map(Ok);
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
    (problem, assignment): (i64, i64),
    there: &There,
    (input, from): (&Input<'_>, Option<SocketAddr>),
) -> Result<String, tokio_postgres::Error> {
    let (now, today) = now();
    let now = now.trunc_subsecs(6);
    let entry = entry(problem, assignment, there, input, from, now);
    let labels: Vec<&str> = input.quantities.iter().map(|one| one.label.trim()).collect();
    let done: Vec<Option<f64>> = input.quantities.iter().map(|one| one.done).collect();
    let targets: Vec<Option<f64>> = input.quantities.iter().map(|one| one.target).collect();
    let units: Vec<Option<&str>> = input.quantities.iter().map(|one| one.unit).collect();
    let text = input.text.trim();
    let report_of: [Value<'_>; 5] = [&assignment, &input.period, &text, &now, &today];
    let quantities: [Value<'_>; 4] = [&labels, &done, &targets, &units];
    let noted: [Value<'_>; 4] = [&there.key, &problem, &there.measure, &entry.position];
    let (previous, hash) = (&entry.previous, &entry.hash);
    let (address, id) = (&entry.address, &entry.request_id);
    let (digest, salt) = (&entry.address_digest, &entry.address_salt);
    let audited: [Value<'_>; 10] =
        [&entry.chain, &entry.object, address, id, &entry.before, &entry.after, previous, hash, digest, salt];
    let all = [report_of.as_slice(), &quantities, &noted, &audited].concat();
    let (of_measure, of_problem): ([Value<'_>; 2], [Value<'_>; 2]) = ([&there.measure, &now], [&problem, &now]);
    let of_assignment: [Value<'_>; 1] = [&assignment];
    let (written, measure, problem, committed, read) = tokio::join!(
        biased;
        client.execute(&report.write, &all),
        client.execute(&report.roll_up_measure, &of_measure),
        client.execute(&report.roll_up_problem, &of_problem),
        client.batch_execute("COMMIT"),
        client.query_one(&report.read_back, &of_assignment),
    );
    let _rows = (written?, measure?, problem?);
    committed?;
    read?.try_get(0)
}

/// The assignment before the report, and what else the write needs.
struct There {
    version: i32,
    status: String,
    completed_on: Option<NaiveDate>,
    unit: i64,
    accepted_at: Option<DateTime<Utc>>,
    declined_at: Option<DateTime<Utc>>,
    measure: i64,
    /// Position and hash of the last entry of the audit chain.
    end: (i32, String),
    /// The key of the new report.
    key: i64,
}

impl There {
    fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let (position, hash): (Option<i32>, Option<String>) = (row.try_get(6)?, row.try_get(7)?);
        Ok(Self {
            version: row.try_get(0)?,
            status: row.try_get(1)?,
            completed_on: row.try_get(2)?,
            unit: row.try_get(3)?,
            accepted_at: row.try_get(4)?,
            measure: row.try_get(5)?,
            end: position.zip(hash).unwrap_or_default(),
            key: row.try_get(8)?,
            declined_at: row.try_get(9)?,
        })
    }

    /// Returns the state as audit entries contain it.
    fn state(&self) -> serde_json::Value {
        json!({
            "status": self.status,
            "completedOn": self.completed_on,
            "unit": self.unit,
            "version": self.version,
            "acceptedAt": self.accepted_at,
            "declinedAt": self.declined_at,
        })
    }
}

/// Builds the audit entry, with a hash that `rectify audit verify` accepts.
fn entry(
    problem: i64,
    assignment: i64,
    there: &There,
    input: &Input<'_>,
    from: Option<SocketAddr>,
    now: DateTime<Utc>,
) -> audit_entry::Model {
    let before = there.state();
    let mut after = before.clone();
    if there.status != "CLOSED_ONGOING" {
        after["status"] = json!("IN_PROGRESS");
    }
    after["version"] = json!(there.version + 1);
    after["report"] = json!(there.key);
    after["period"] = json!(input.period);
    let salted = from.map(|from| (from.ip().to_string(), format!("{:032x}", fastrand::u128(..))));
    let mut entry = audit_entry::Model {
        id: 0,
        chain: format!("problem_{problem}"),
        position: there.end.0 + 1,
        act: "PROGRESS_REPORTED".to_owned(),
        object: format!("assignment_{assignment}"),
        measure_id: Some(there.measure),
        assignment_id: Some(assignment),
        at: now,
        actor_id: None,
        on_behalf_of_id: None,
        address_digest: salted.as_ref().map(|(address, salt)| ledger::record::audit::address_digest(salt, address)),
        address_salt: salted.as_ref().map(|(_, salt)| salt.clone()),
        address: salted.map(|(address, _)| address),
        request_id: Some(format!("{:032x}", fastrand::u128(..))),
        before: before.to_string(),
        after: after.to_string(),
        previous: there.end.1.clone(),
        hash: String::new(),
    };
    entry.hash = ledger::record::audit::hash(&entry);
    entry
}
