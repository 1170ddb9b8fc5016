//! Traces for OpenTelemetry: what a request, a job or a mail did, down to its statements. Only if `traces_url` is set.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{KeyValue, trace::Span as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter as SpanExporterTrait};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::clock;
use crate::settings::Settings;

/// The name under which a collector shows this program.
const SERVICE: &str = "rectify";
/// How long the last spans may take to be sent when the program ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// What makes the spans of statements; none if no traces are collected.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// The sender of traces. It sends what is left when it is dropped.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts sending traces to the collector that the settings name; none if they name none.
    pub(crate) fn begin(settings: &Settings) -> Option<Self> {
        if settings.traces_url.is_empty() {
            return None;
        }
        let exporter = match SpanExporter::builder().with_http().with_endpoint(&settings.traces_url).build() {
            Ok(exporter) => exporter,
            Err(error) => {
                eprintln!("traces_url：无法发送追踪 / traces cannot be sent: {error}");
                return None;
            }
        };
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name(SERVICE).with_attribute(version).build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(LoggingExporter::new(exporter))
            .with_resource(resource)
            .build();
        // Tests start it several times in one process; the first stays.
        let _ = TRACER.set(provider.tracer(SERVICE));
        Some(Self(provider))
    }

    /// Returns what makes spans of the program's own.
    pub(crate) fn tracer(&self) -> SdkTracer {
        self.0.tracer(SERVICE)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // What cannot be sent in time is lost, as the log is not.
        let _ = self.0.shutdown_with_timeout(PATIENCE);
    }
}

/// An exporter that says in the log when the collector begins to refuse spans, which are then lost, and when it takes
/// them again.
#[derive(Debug)]
struct LoggingExporter {
    exporter: SpanExporter,
    is_refused: AtomicBool,
}

impl LoggingExporter {
    fn new(exporter: SpanExporter) -> Self {
        Self { exporter, is_refused: AtomicBool::new(false) }
    }
}

impl SpanExporterTrait for LoggingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        match (&exported, self.is_refused.swap(exported.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => tracing::warn!(%error, spans, "the collector takes no traces; they are lost"),
            (Ok(()), true) => tracing::info!("the collector takes traces again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Notes a statement that has just ended as a part of the present work. `text` returns its text without values.
pub(crate) fn statement(elapsed: Duration, text: impl FnOnce() -> String) {
    let Some(tracer) = TRACER.get() else { return };
    let context = tracing::Span::current().context();
    // What belongs to no work, such as the statements of a health check, is not noted.
    if !context.span().span_context().is_sampled() {
        return;
    }
    let text = text();
    let kind = text.split_whitespace().next().unwrap_or_default().to_owned();
    let ended = SystemTime::from(clock::now());
    let mut span = tracer
        .span_builder(kind)
        .with_kind(SpanKind::Client)
        .with_start_time(ended.checked_sub(elapsed).unwrap_or(ended))
        .with_attributes([KeyValue::new("db.query.text", text)])
        .start_with_context(tracer, &context);
    span.end_with_timestamp(ended);
}
