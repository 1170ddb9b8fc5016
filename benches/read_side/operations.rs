//! The five measured operations, in the form that each of the servers understands, with variables that differ
//! from request to request.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::Outcome;
use crate::ledger::Picks;
use crate::load::{Caller, request_with};
use crate::servers::Server;
use crate::subject::Subject;

/// A server, by what it is and where it listens.
pub(crate) type Peer = (Subject, SocketAddr);

/// The first bytes of a compressed answer.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// A measured operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Operation {
    /// The first 20 problems of a region by deadline, with their measures.
    Board,
    /// One measure with its problem, units and assignments.
    Point,
    /// The figures of a province, by prefecture.
    Statistics,
    /// 50 measures by deadline, after 100,000 others.
    Deep,
    /// A progress report on an assignment, with the assignment read back.
    Report,
}

impl Operation {
    pub(crate) const ALL: [Self; 5] = [Self::Board, Self::Point, Self::Statistics, Self::Deep, Self::Report];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Board => "board: 20 problems + measures",
            Self::Point => "point: a measure",
            Self::Statistics => "statistics of a province",
            Self::Deep => "50 rows 100,000 deep",
            Self::Report => "report, read back",
        }
    }

    /// The path of the limit's handler.
    fn path(self) -> &'static str {
        match self {
            Self::Board => "/op/board",
            Self::Point => "/op/point",
            Self::Statistics => "/op/statistics",
            Self::Deep => "/op/deep",
            Self::Report => "/op/report",
        }
    }

    /// Returns the document with which a GraphQL server is asked.
    pub(crate) fn document(self, subject: Subject) -> &'static str {
        match (self, subject) {
            (Self::Board, Subject::PostGraphile) => include_str!("postgraphile/board.graphql"),
            (Self::Board, Subject::PgGraphql) => include_str!("pg_graphql/board.graphql"),
            (Self::Board, _) => include_str!("../../tests/contract/board.graphql"),
            (Self::Point, Subject::PostGraphile) => include_str!("postgraphile/measure.graphql"),
            (Self::Point, Subject::PgGraphql) => include_str!("pg_graphql/measure.graphql"),
            (Self::Point, _) => include_str!("../../tests/contract/measure.graphql"),
            (Self::Statistics, Subject::PostGraphile) => include_str!("postgraphile/statistics.graphql"),
            (Self::Statistics, Subject::PgGraphql) => include_str!("pg_graphql/statistics.graphql"),
            (Self::Statistics, _) => include_str!("../../tests/contract/statistics.graphql"),
            (Self::Deep, Subject::PostGraphile) => include_str!("postgraphile/deep.graphql"),
            (Self::Deep, Subject::PgGraphql) => include_str!("pg_graphql/deep.graphql"),
            (Self::Deep, _) => include_str!("deep.graphql"),
            (Self::Report, Subject::PostGraphile) => include_str!("postgraphile/report-progress.graphql"),
            (Self::Report, Subject::PgGraphql) => include_str!("pg_graphql/report-progress.graphql"),
            (Self::Report, _) => include_str!("../../tests/contract/report-progress.graphql"),
        }
    }

    /// Serialises a request for this operation, with more headers.
    pub(crate) fn request(self, (subject, address): Peer, headers: &str, variables: &Value) -> Vec<u8> {
        match subject {
            Subject::Limit | Subject::SignedLimit => {
                request_with(address, self.path(), &variables.to_string(), headers)
            }
            Subject::Rectify | Subject::SignedIn | Subject::PostGraphile | Subject::PgGraphql => {
                let body = json!({"query": self.document(subject), "variables": variables});
                request_with(address, "/graphql", &body.to_string(), headers)
            }
        }
    }

    /// Returns all sets of variables of a reading operation.
    pub(crate) fn variables(self, server: &Server, picks: &Picks) -> Vec<Value> {
        let subject = server.subject;
        // PostGraphile computes the pace by a function that takes the date; the others use their clock.
        let with_day = |mut variables: Value| {
            if subject == Subject::PostGraphile {
                variables["today"] = json!(picks.today);
            }
            variables
        };
        match self {
            Self::Board => {
                let of = |key: &i64| with_day(json!({"region": id(subject, "region", *key), "first": 20}));
                picks.regions.iter().map(of).collect()
            }
            Self::Point => {
                picks.measures.iter().map(|key| with_day(json!({"id": id(subject, "measure", *key)}))).collect()
            }
            Self::Statistics => {
                let of = |day: &String, key: i64| {
                    let mut variables = json!({"within": id(subject, "region", key), "asOf": day});
                    if !subject.serves_tables() {
                        variables["by"] = json!("REGION");
                    }
                    variables
                };
                picks.days.iter().flat_map(|day| picks.provinces.iter().map(move |key| of(day, *key))).collect()
            }
            Self::Deep => server.cursors.iter().map(|after| json!({"after": after})).collect(),
            Self::Report => Vec::new(),
        }
    }
}

/// Returns the id of an object as a server takes it.
fn id(subject: Subject, noun: &str, key: i64) -> String {
    if subject.serves_tables() { key.to_string() } else { format!("{noun}_{key}") }
}

/// Returns the variables of a report on an assignment of a version, with the amount that has been done.
pub(crate) fn report(subject: Subject, (assignment, version): (i64, i32), done: i32) -> Value {
    let quantities = json!([{"label": "退化草原修复", "done": f64::from(done), "target": 1000.0, "unit": "万亩"}]);
    let mut input = json!({
        "assignmentId": id(subject, "assignment", assignment), "version": version, "period": "2025-10",
        "text": "本月完成退化草原修复，组织联合执法检查三次，发现问题七个，已整改五个。", "quantities": quantities,
    });
    if subject == Subject::PgGraphql {
        // It calls a function: with arguments instead of an input object, and with JSON as text.
        input["quantities"] = json!(quantities.to_string());
        return input;
    }
    json!({"input": input})
}

/// Returns the assignment in the answer to a report; null if the report was refused.
pub(crate) fn reported(subject: Subject, answer: &Value) -> &Value {
    let payload = &answer["data"]["reportProgress"];
    if subject == Subject::PgGraphql { payload } else { &payload["assignment"] }
}

/// A caller that sends prepared requests in turn.
pub(crate) struct Reader<'r> {
    requests: &'r [Vec<u8>],
    at: usize,
}

impl<'r> Reader<'r> {
    /// Creates a caller that begins at its share of the requests: `part` of `parts`.
    pub(crate) fn new(requests: &'r [Vec<u8>], part: usize, parts: usize) -> Self {
        Self { requests, at: requests.len() * part / parts }
    }
}

impl Caller for Reader<'_> {
    fn next(&mut self) -> Vec<u8> {
        self.at = (self.at + 1) % self.requests.len();
        self.requests[self.at].clone()
    }

    fn answered(&mut self, body: &[u8]) -> Outcome<()> {
        // That compressed answers are right was checked without compression.
        if body.starts_with(GZIP) {
            return Ok(());
        }
        // PostgreSQL writes a space after a colon.
        let begun = body.starts_with(b"{\"data\":{") || body.starts_with(b"{\"data\": {");
        let sound = begun && !body.windows(8).any(|window| window == b"\"errors\"");
        if sound { Ok(()) } else { Err(String::from_utf8_lossy(body).into()) }
    }
}

/// A caller that reports on its own assignments and tracks their versions.
pub(crate) struct Reporter<'r> {
    peer: Peer,
    assignments: &'r mut [(i64, i32)],
    at: usize,
}

impl<'r> Reporter<'r> {
    pub(crate) fn new(peer: Peer, assignments: &'r mut [(i64, i32)]) -> Self {
        Self { peer, assignments, at: 0 }
    }
}

impl Caller for Reporter<'_> {
    fn next(&mut self) -> Vec<u8> {
        self.at = (self.at + 1) % self.assignments.len();
        let assignment = self.assignments[self.at];
        // The amount depends on the version, so that each report changes its measure as well.
        Operation::Report.request(self.peer, "", &report(self.peer.0, assignment, assignment.1 % 1000))
    }

    fn answered(&mut self, body: &[u8]) -> Outcome<()> {
        let version = &mut self.assignments[self.at].1;
        let answer: Value = serde_json::from_slice(body)?;
        let now = reported(self.peer.0, &answer)["version"].as_i64();
        *version += 1;
        if now == Some(i64::from(*version)) { Ok(()) } else { Err(String::from_utf8_lossy(body).into()) }
    }
}
