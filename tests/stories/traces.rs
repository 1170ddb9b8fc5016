//! Traces: a request, its statements and the mail that it caused belong together, without what users wrote.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::receiver::Receiver;
use crate::support::{Smtp, World, eventually, free_port, read, stories};

stories!(an_act_its_statements_and_its_mail_are_one_trace, a_collector_that_is_away_is_told_in_the_log);

/// The trace that the client begins, as in <https://www.w3.org/TR/trace-context/>.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PATIENCE: Duration = Duration::from_secs(30);

fn an_act_its_statements_and_its_mail_are_one_trace(world: &World) {
    let (collector, smtp) = (Receiver::start("{}"), Smtp::start());
    world.done(&["demo"]);
    let office = ["account", "create", "office@city.example", "--role", "city-office", "--region", "990100"];
    world.done(&[&office[..], &["--no-password"]].concat());
    let token = world.done(&["token", "create", "office@city.example"]).trim().to_owned();
    let server = world.serve_with_scheduler(&[
        ("RECTIFY_TRACES_URL", &collector.url),
        ("RECTIFY_MAIL_URL", &smtp.url),
        // Only a trusted proxy may name a trace.
        ("RECTIFY_PROXIES", "127.0.0.1"),
        // How often the exporter sends, in milliseconds.
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ]);
    let open = "{ assignments(first: 1, filter: {status: [IN_PROGRESS]}) { nodes { id } } }";
    let id = server.data_as(&token, open, &json!({}))["assignments"]["nodes"][0]["id"].clone();
    let urge = "mutation ($id: ID!) { issueSupervision(input: {assignmentId: $id, kind: URGE, reason: \"保密的话\"}) \
                { errors { message } } }";
    let (trace, bearer) = (format!("00-{TRACE}-00f067aa0ba902b7-01"), format!("Bearer {token}"));
    let headers = [("traceparent", trace.as_str()), ("authorization", &bearer)];
    let answer = server.ask(&json!({"query": urge, "variables": {"id": id}}), &headers);
    assert_eq!(answer.json()["data"]["issueSupervision"]["errors"], json!([]), "{}", answer.body);

    let mut spans: Vec<Value> = Vec::new();
    while !spans.iter().any(|span| span["name"] == "mail") {
        let posted = collector.next(PATIENCE);
        assert_eq!(posted.headers["content-type"], "application/json");
        assert!(!posted.body.contains("保密的话"), "a trace must not have what users wrote: {}", posted.body);
        let sent = posted.json();
        let service = &sent["resourceSpans"][0]["resource"]["attributes"];
        assert!(service.to_string().contains("\"rectify\""), "{service}");
        for scope in sent["resourceSpans"][0]["scopeSpans"].as_array().unwrap() {
            let of_act = scope["spans"].as_array().unwrap().iter().filter(|span| span["traceId"] == TRACE);
            spans.extend(of_act.cloned());
        }
    }
    let by_id: HashMap<&str, &Value> = spans.iter().map(|span| (span["spanId"].as_str().unwrap(), span)).collect();
    let request = spans.iter().find(|span| span["name"] == "POST /graphql").unwrap();
    assert_eq!((&request["parentSpanId"], &request["kind"]), (&json!("00f067aa0ba902b7"), &json!(2)));
    // Each statement of the act lies below the request.
    let statements: Vec<&Value> = spans.iter().filter(|span| span["kind"] == 3).collect();
    let of_request = statements.iter().filter(|span| {
        let mut above = Some(**span);
        while let Some(span) = above.filter(|span| span["spanId"] != request["spanId"]) {
            above = span["parentSpanId"].as_str().and_then(|id| by_id.get(id)).copied();
        }
        above.is_some()
    });
    assert!(of_request.count() > 2, "{statements:?}");
    assert!(statements.iter().any(|span| span["name"] == "INSERT"), "{statements:?}");
}

fn a_collector_that_is_away_is_told_in_the_log(world: &World) {
    world.done(&["demo"]);
    let away = format!("http://127.0.0.1:{}/v1/traces", free_port());
    let server = world.serve_with(&[("RECTIFY_TRACES_URL", &away), ("OTEL_BSP_SCHEDULE_DELAY", "100")]);
    server.data("{ installation { isOpen } }", &json!({}));
    eventually("the log says that traces are lost", || read(world.log()).contains("the collector takes no traces"));
}
