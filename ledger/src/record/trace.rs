//! The trace that the present work belongs to, as W3C Trace Context writes it, so that work which is done later, such
//! as sending a mail, belongs to the trace of the act that caused it. There are none unless traces are collected.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header of requests that holds a trace (<https://www.w3.org/TR/trace-context/>).
pub const HEADER: &str = "traceparent";

/// Returns the trace and the span of the present work; none if it is not traced.
pub fn current() -> Option<String> {
    let mut fields = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut fields);
    fields.remove(HEADER)
}

/// Makes a span that has not begun a part of the work that a trace names. Does nothing if the text names none.
pub fn continue_in(span: &Span, trace: &str) {
    let fields = HashMap::from([(HEADER.to_owned(), trace.to_owned())]);
    // Fails only where no traces are collected.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&fields));
}
