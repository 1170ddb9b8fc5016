//! Checks that the servers give the same answers, so that the same work is measured.

use std::process::Stdio;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{Selection, SelectionSet};
use serde_json::{Map, Value};

use crate::Outcome;
use crate::ledger::{Ledger, Picks};
use crate::operations::{Operation, report, reported};
use crate::servers::Server;
use crate::subject::Subject;

/// The number of requests of each operation that are compared.
const COMPARED: usize = 20;

/// Compares the answers of all servers; an error contains the first difference.
pub(crate) fn check(ledger: &Ledger, servers: &[Server], picks: &Picks) -> Outcome<()> {
    for operation in Operation::ALL {
        let asked: Vec<_> = servers.iter().map(|server| (server, operation.variables(server, picks))).collect();
        let questions = asked.first().map_or(0, |(_, variables)| variables.len());
        for question in (0..questions).step_by((questions / COMPARED).max(1)) {
            let mut answers = Vec::new();
            for (server, variables) in &asked {
                let variables = variables.get(question).ok_or("a server has fewer requests than the others")?;
                let request = operation.request(server.peer(), &server.bearer(), variables);
                answers.push((server.subject, ask(server, operation, &request)?));
            }
            compare(operation, &answers)?;
        }
    }
    let together = ledger.assignments_together()?;
    together.into_iter().try_for_each(|(id, version)| reports(ledger, servers, id, version))?;
    let verified = ledger.rectify().args(["audit", "verify"]).stdout(Stdio::null()).status()?;
    if verified.success() { Ok(()) } else { Err("`rectify audit verify` found faults".into()) }
}

/// Sends a request. The members of the answer are in the order in which they are asked for, also those of `pg_graphql`,
/// which answers with `jsonb`.
fn ask(server: &Server, operation: Operation, request: &[u8]) -> Outcome<Value> {
    let mut answer = server.ask(request)?;
    if server.subject == Subject::PgGraphql {
        let document = parse_query(operation.document(server.subject))?;
        for (_, asked) in document.operations.iter() {
            order(&mut answer["data"], &asked.node.selection_set.node);
        }
    }
    Ok(answer)
}

/// Puts the members of objects into the order of a selection.
fn order(value: &mut Value, asked: &SelectionSet) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| order(element, asked)),
        Value::Object(members) => {
            let mut ordered = Map::new();
            for selection in &asked.items {
                let Selection::Field(field) = &selection.node else { continue };
                let name = field.node.response_key().node.as_str();
                if let Some((name, mut member)) = members.remove_entry(name) {
                    order(&mut member, &field.node.selection_set.node);
                    ordered.insert(name, member);
                }
            }
            // The rest was not asked for; it is kept, to show as a difference.
            ordered.append(members);
            *members = ordered;
        }
        _ => {}
    }
}

fn compare(operation: Operation, answers: &[(Subject, Value)]) -> Outcome<()> {
    let Some((first, rest)) = answers.split_first() else { return Ok(()) };
    for other in rest {
        let agree = match other.0 {
            Subject::PostGraphile | Subject::PgGraphql => leaves(&first.1) == leaves(&other.1),
            Subject::Limit | Subject::SignedLimit | Subject::Rectify | Subject::SignedIn => same(&first.1, &other.1),
        };
        if !agree {
            let (ours, theirs) = (first.0.name(), other.0.name());
            let shown = |answer: &Value| answer.to_string().chars().take(2_000).collect::<String>();
            let (first, other) = (shown(&first.1), shown(&other.1));
            return Err(format!("{operation:?}: {ours} and {theirs} differ:\n{first}\n{other}").into());
        }
    }
    Ok(())
}

/// Checks whether two JSON values are equal, comparing numbers by value. Cursors are each server's own.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| {
                    other.get(key).is_some_and(|other| key == "cursor" || key == "endCursor" || same(one, other))
                })
        }
        _ => one == other,
    }
}

/// Returns the scalars of an answer in order, whatever its shape: ids reduced to their key, numbers normalised, without
/// nulls and without values that legitimately differ between servers.
fn leaves(answer: &Value) -> Vec<String> {
    const WORDED: [&str; 4] = ["cursor", "endCursor", "submittedAt", "asOf"];
    let mut found = Vec::new();
    let mut ahead = vec![answer];
    while let Some(value) = ahead.pop() {
        match value {
            Value::Null => {}
            Value::Array(elements) => ahead.extend(elements.iter().rev()),
            Value::Object(members) => {
                let members: Vec<_> = members.iter().filter(|(key, _)| !WORDED.contains(&key.as_str())).collect();
                ahead.extend(members.into_iter().rev().map(|(_, value)| value));
            }
            Value::String(text) => {
                let key = text.rsplit_once('_').map(|(_, key)| key).filter(|key| key.parse::<i64>().is_ok());
                let text = key.unwrap_or(text);
                found.push(text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| number.to_string()));
            }
            Value::Number(number) => found.push(number.as_f64().map(|number| number.to_string()).unwrap_or_default()),
            Value::Bool(value) => found.push(value.to_string()),
        }
    }
    found
}

/// The tables in which a report writes exactly one row.
const WRITTEN: [&str; 4] = [
    "progress_report WHERE assignment_id",
    "quantity q JOIN progress_report r ON r.id = q.progress_report_id WHERE r.assignment_id",
    "change WHERE assignment_id",
    "audit_entry WHERE assignment_id",
];

fn written(ledger: &Ledger, assignment: i64) -> Outcome<Vec<i64>> {
    WRITTEN.iter().map(|rows| ledger.value(&format!("SELECT count(*) FROM {rows} = {assignment}"))).collect()
}

/// Lets each server report on the same assignment, and compares what they write. The first one rolls measure and
/// problem up; if the others change nothing more there, all roll up alike. A report with an outdated version must be
/// refused.
fn reports(ledger: &Ledger, servers: &[Server], id: i64, before: i32) -> Outcome<()> {
    let mut version = before;
    let mut said: Vec<(Subject, Vec<String>)> = Vec::new();
    for server in servers.iter().filter(|server| server.subject.can(Operation::Report)) {
        let subject = server.subject;
        let request = Operation::Report.request(server.peer(), "", &report(subject, (id, version), before % 1000));
        let rows = written(ledger, id)?;
        let answer = ask(server, Operation::Report, &request)?;
        let refused = server.ask(&request)?;
        let taken = reported(subject, &answer);
        version += 1;
        if taken["version"] != version || !reported(subject, &refused).is_null() {
            return Err(format!("{}: the version is not respected: {answer} {refused}", subject.name()).into());
        }
        let more: Vec<i64> = written(ledger, id)?.iter().zip(rows).map(|(after, before)| after - before).collect();
        if more != [1; WRITTEN.len()] {
            return Err(format!("{}: wrote {more:?} rows of {WRITTEN:?}", subject.name()).into());
        }
        let measure = &taken["measure"];
        let mut words = leaves(&Value::from(vec![taken["id"].clone(), taken["status"].clone(), measure.clone()]));
        let mut read_back = leaves(&taken["latestReport"]).into_iter();
        let newest: i64 = ledger.value(&format!("SELECT max(id) FROM progress_report WHERE assignment_id = {id}"))?;
        if read_back.next() != Some(newest.to_string()) {
            return Err(format!("{}: did not read report {newest} back: {answer}", subject.name()).into());
        }
        words.extend(read_back);
        words.push(ledger.value(&format!(
            "SELECT format('versions %s, %s', m.version, p.version) FROM assignment a \
             JOIN measure m ON m.id = a.measure_id JOIN problem p ON p.id = m.problem_id WHERE a.id = {id}"
        ))?);
        said.push((subject, words));
    }
    let differ = said.windows(2).find(|pair| pair[0].1 != pair[1].1);
    differ.map_or(Ok(()), |pair| Err(format!("reports differ: {:?} {:?}", pair[0], pair[1]).into()))
}
