//! The errors that reach clients: a stable `extensions.code`, a message in the caller's language, the request's id, and
//! nothing internal.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use actix_web::http::StatusCode;
use async_graphql::{Error, ErrorExtensionValues, Pos, ServerError};
use planner::{Bilingual, Trouble, trouble};

use crate::language::Language;

/// Seconds until the database may be there again.
const AWAY: u64 = 5;

/// Stable codes of errors; `docs/api.md` says what a client does about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The request is no GraphQL request.
    BadRequest,
    /// None of our media types is accepted.
    NotAcceptable,
    /// Neither POST nor GET, or a change by GET.
    MethodNotAllowed,
    /// The body is no JSON.
    UnsupportedMediaType,
    /// The body is too large.
    PayloadTooLarge,
    /// Nobody in particular asks: a token is missing, unknown or over.
    Unauthenticated,
    /// The host, or the origin, is not served; or somebody else may do this.
    Forbidden,
    /// The caller asks too often.
    TooManyRequests,
    /// The body of the request did not arrive in time.
    RequestTimeout,
    /// It took too long.
    Timeout,
    /// The database cannot be reached or written, was left in the middle of a statement, or has no connection to spare.
    Unavailable,
    /// The document cannot be read.
    ParseFailed,
    /// The document does not fit the schema.
    ValidationFailed,
    /// The document, or what it asks for, is beyond a limit.
    TooComplex,
    /// The schema is not shown here.
    IntrospectionDisabled,
    /// Several operations in one body are not taken here.
    BatchNotAllowed,
    /// The hash is of no document that is known: send the text with it.
    PersistedQueryNotFound,
    /// The hash is not that of the text.
    PersistedQueryMismatch,
    /// Only registered documents are run here.
    DocumentNotTrusted,
    /// A watcher fell too far behind.
    Lagged,
    /// An argument is out of range or malformed.
    BadUserInput,
    /// Something failed inside; the log has it.
    Internal,
}

impl Code {
    /// As clients see it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::TooManyRequests => "TOO_MANY_REQUESTS",
            Self::RequestTimeout => "REQUEST_TIMEOUT",
            Self::Timeout => "TIMEOUT",
            Self::Unavailable => "UNAVAILABLE",
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::TooComplex => "TOO_COMPLEX",
            Self::IntrospectionDisabled => "INTROSPECTION_DISABLED",
            Self::BatchNotAllowed => "BATCH_NOT_ALLOWED",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::PersistedQueryMismatch => "PERSISTED_QUERY_MISMATCH",
            Self::DocumentNotTrusted => "DOCUMENT_NOT_TRUSTED",
            Self::Lagged => "LAGGED",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Internal => "INTERNAL_SERVER_ERROR",
        }
    }

    /// The status of a request that is refused with it.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::DocumentNotTrusted => StatusCode::FORBIDDEN,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether a request refused with it was a well-formed one, which the older media type answers with 200.
    pub(crate) fn is_of_graphql(self) -> bool {
        matches!(self, Self::ParseFailed | Self::ValidationFailed | Self::PersistedQueryNotFound | Self::BadUserInput)
    }
}

/// A request that is not carried out, before there is any data.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) message: Bilingual,
    /// Where in the document.
    pub(crate) locations: Vec<Pos>,
    /// Seconds after which to try again, where that helps.
    pub(crate) retry_after: Option<u64>,
}

impl Refused {
    pub(crate) fn new(code: Code, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { code, message: Bilingual::new(zh, en), locations: Vec::new(), retry_after: None }
    }
}

/// A request beside `/graphql` — a file, a sign-in by the provider — that is not carried out.
pub(crate) struct Unserved {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Bilingual,
    /// Seconds after which to try again, where that helps.
    pub(crate) retry_after: Option<u64>,
}

impl Unserved {
    pub(crate) fn new(status: StatusCode, code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { status, code, message: Bilingual::new(zh, en), retry_after: None }
    }

    pub(crate) fn malformed(zh: &str, en: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadRequest.as_str(), zh, en)
    }

    /// Logs what failed and says nothing of it.
    pub(crate) fn masked(source: &(dyn std::error::Error + 'static)) -> Self {
        failed(source).into()
    }
}

impl From<Refused> for Unserved {
    fn from(refused: Refused) -> Self {
        let Refused { code, message, retry_after, .. } = refused;
        Self { status: code.status(), code: code.as_str(), message, retry_after }
    }
}

impl From<async_graphql::parser::Error> for Refused {
    fn from(error: async_graphql::parser::Error) -> Self {
        let message = error.to_string();
        // The library draws the place; its last line says what was expected there.
        let what = message.rsplit("= ").next().unwrap_or(&message).trim();
        let locations = error.positions().collect();
        Self {
            locations,
            ..Self::new(Code::ParseFailed, format!("查询无法解析：{what}"), format!("syntax error: {what}"))
        }
    }
}

/// An error of a field.
pub(crate) fn coded(code: Code, message: Bilingual) -> Error {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.as_str());
    Error { message: message.en.clone(), source: Some(Arc::new(message)), extensions: Some(extensions) }
}

/// Logs what failed and returns an error that says nothing of it.
pub(crate) fn masked(source: &(dyn std::error::Error + 'static)) -> Error {
    let Refused { code, message, .. } = failed(source);
    coded(code, message)
}

/// Logs what failed and returns a refusal that says nothing of it.
pub(crate) fn failed(source: &(dyn std::error::Error + 'static)) -> Refused {
    let causes = || std::iter::successors(Some(source), |cause| cause.source());
    let chain: Vec<String> = causes().map(ToString::to_string).collect();
    let trouble = causes().find_map(passing);
    tracing::error!(trouble = trouble.map(tracing::field::display), error = chain.join(": "), "a request failed");
    if trouble.is_some() {
        return Refused {
            retry_after: Some(AWAY),
            ..Refused::new(Code::Unavailable, "服务繁忙，请稍后重试", "the service is busy: try again in a moment")
        };
    }
    Refused::new(Code::Internal, "服务内部错误，请稍后重试", "internal error, please try again later")
}

/// The trouble behind a failure that may pass by itself: of the database, or of a disk that is full.
fn passing(cause: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
    let is_full = |error: &io::Error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    match cause.downcast_ref::<io::Error>() {
        Some(error) => is_full(error).then_some(Trouble::Full),
        None => trouble(cause.downcast_ref()?),
    }
}

/// Puts an error as it leaves: in the caller's language, with a code and the request's id.
pub(crate) fn finish(error: &mut ServerError, language: Language, request_id: &str) {
    let said = error.source.as_ref().and_then(|source| source.downcast_ref::<Bilingual>());
    if let Some(said) = said {
        error.message = language.of(said).to_owned();
    }
    let of_field = !error.path.is_empty();
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        // What the library says itself is about the document or a variable, and in English.
        extensions.set("code", if of_field { Code::BadUserInput } else { Code::ValidationFailed }.as_str());
        if language == Language::Chinese {
            let what = if of_field { "参数有误" } else { "查询不符合接口定义" };
            error.message = format!("{what}：{}", error.message);
        }
    }
    extensions.set("requestId", request_id);
}
