//! Figures for monitoring that the API counts, in the registry of the process. The program serves them (`/metrics`).

#![expect(clippy::expect_used, reason = "constant names, each registered once; a story reads all families")]

use std::sync::LazyLock;
use std::time::Instant;

use async_graphql::parser::types::OperationType;
use planner::Lane;
use prometheus::{
    HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, register_histogram_vec, register_int_counter,
    register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};

use crate::error::Code;

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "HTTP requests by method, pattern of the path, and class of the status.";
    register_int_counter_vec!("rectify_http_requests_total", help, &["method", "route", "status"]).expect("valid")
});
static REQUEST_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Time from the head of an HTTP request to the end of its response.";
    let labels = &["method", "route"];
    register_histogram_vec!("rectify_http_request_duration_seconds", help, labels, SECONDS.to_vec()).expect("valid")
});
static OPERATIONS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "GraphQL operations that were begun, by kind and registered name (empty: not registered).";
    register_int_counter_vec!("rectify_graphql_operations_total", help, &["kind", "operation"]).expect("valid")
});
static OPERATION_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Time of GraphQL queries and mutations, including the wait for a place.";
    register_histogram_vec!("rectify_graphql_operation_duration_seconds", help, &["kind"], SECONDS.to_vec())
        .expect("valid")
});
static DOCUMENTS: LazyLock<IntCounter> = LazyLock::new(|| {
    let help = "GraphQL documents that were parsed because none like them was known.";
    register_int_counter!("rectify_graphql_documents_parsed_total", help).expect("valid")
});
static ERRORS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Errors in GraphQL responses by code, also beside data.";
    register_int_counter_vec!("rectify_graphql_errors_total", help, &["code"]).expect("valid")
});
static RUNNING: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "GraphQL operations that run, by lane.";
    register_int_gauge_vec!("rectify_operations_running", help, &["lane"]).expect("valid")
});
static WAITING: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "GraphQL operations that wait for a place in their lane.";
    register_int_gauge_vec!("rectify_operations_waiting", help, &["lane"]).expect("valid")
});
static SHED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "GraphQL operations that were refused because their lane was full.";
    register_int_counter_vec!("rectify_operations_shed_total", help, &["lane"]).expect("valid")
});
static CONNECTIONS: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("rectify_http_connections", "Connections of clients that are open.").expect("valid")
});
static STREAMS: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("rectify_streams", "WebSockets and event streams that are open.").expect("valid")
});
static SUBSCRIPTIONS: LazyLock<IntGauge> =
    LazyLock::new(|| register_int_gauge!("rectify_subscriptions", "GraphQL subscriptions under way.").expect("valid"));
static FEED_READS: LazyLock<IntCounter> = LazyLock::new(|| {
    let help = "Reads of changes for subscriptions; those that ask the same share one.";
    register_int_counter!("rectify_subscription_reads_total", help).expect("valid")
});

/// Adds one to a gauge until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(IntGauge);

impl Counted {
    fn of(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts a connection of a client.
pub(crate) fn connection() -> Counted {
    Counted::of(&CONNECTIONS)
}

/// Counts a WebSocket or an event stream.
pub(crate) fn stream() -> Counted {
    Counted::of(&STREAMS)
}

/// Counts a subscription.
pub(crate) fn subscription() -> Counted {
    Counted::of(&SUBSCRIPTIONS)
}

/// Counts a read of changes for subscriptions.
pub(crate) fn feed_read() {
    FEED_READS.inc();
}

/// Counts a document that is parsed.
pub(crate) fn document_parsed() {
    DOCUMENTS.inc();
}

/// Counts an operation that runs in a lane.
pub(crate) fn running(lane: Lane) -> Counted {
    Counted::of(&RUNNING.with_label_values(&[name_of(lane)]))
}

/// Counts an operation that waits for a place in a lane.
pub(crate) fn waiting(lane: Lane) -> Counted {
    Counted::of(&WAITING.with_label_values(&[name_of(lane)]))
}

/// Counts an operation that is refused because its lane is full.
pub(crate) fn shed(lane: Lane) {
    SHED.with_label_values(&[name_of(lane)]).inc();
}

/// Makes all figures appear, with zero, before anything was counted: a rise from nothing is not seen as one.
pub(crate) fn begin() {
    for lane in [Lane::Cheap, Lane::Dear] {
        let lane = &[name_of(lane)];
        RUNNING.with_label_values(lane);
        WAITING.with_label_values(lane);
        SHED.with_label_values(lane);
    }
    for code in [Code::Internal, Code::Unavailable, Code::Timeout] {
        ERRORS.with_label_values(&[code.as_str()]);
    }
    for kind in [OperationType::Query, OperationType::Mutation, OperationType::Subscription] {
        OPERATIONS.with_label_values(&[kind_of(kind), ""]);
    }
    for gauge in [&CONNECTIONS, &STREAMS, &SUBSCRIPTIONS] {
        LazyLock::force(gauge);
    }
    LazyLock::force(&FEED_READS);
    LazyLock::force(&DOCUMENTS);
}

/// Counts an error of a response by its code.
pub(crate) fn error(code: &str) {
    ERRORS.with_label_values(&[code]).inc();
}

/// Counts an HTTP request when its response has ended.
pub(crate) fn request(method: &str, route: &str, status: u16, begun: Instant) {
    let class = format!("{}xx", status / 100);
    REQUESTS.with_label_values(&[method, route, &class]).inc();
    REQUEST_SECONDS.with_label_values(&[method, route]).observe(begun.elapsed().as_secs_f64());
}

/// Counts an operation that begins; `name` is its registered name.
pub(crate) fn operation(kind: OperationType, name: Option<&str>) {
    OPERATIONS.with_label_values(&[kind_of(kind), name.unwrap_or_default()]).inc();
}

/// Counts the time of an operation, which may also have failed.
pub(crate) fn operation_time(kind: OperationType, begun: Instant) {
    OPERATION_SECONDS.with_label_values(&[kind_of(kind)]).observe(begun.elapsed().as_secs_f64());
}

fn name_of(lane: Lane) -> &'static str {
    match lane {
        Lane::Cheap => "cheap",
        Lane::Dear => "dear",
    }
}

fn kind_of(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}
