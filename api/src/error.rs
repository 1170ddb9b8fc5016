//! The errors that clients receive: a stable `extensions.code`, a message in the caller's language, and the id of the
//! request. Internal details go to the log only.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use actix_web::http::StatusCode;
use async_graphql::parser::Error as Syntax;
use async_graphql::{Error, ErrorExtensionValues, Name, Pos, ServerError};
use planner::{Bilingual, Trouble, trouble};

use crate::language::Language;

/// The most different errors of a document, and the most positions of each, in a response.
const MAX_ERRORS: usize = 20;

/// The seconds after which a client may try again when the database is unavailable.
pub(crate) const AWAY: u64 = 5;

/// The stable codes of errors. `docs/api.md` explains how a client should react to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The request is not a valid GraphQL request.
    BadRequest,
    /// The client accepts no media type in which the operation can be answered.
    NotAcceptable,
    /// The method is neither POST nor GET, or a mutation was sent by GET.
    MethodNotAllowed,
    /// The body is not JSON in UTF-8.
    UnsupportedMediaType,
    /// The body is too large.
    PayloadTooLarge,
    /// The request is not authenticated: the token is missing, unknown or expired.
    Unauthenticated,
    /// The host or the origin is not served, or the caller is not allowed to do this.
    Forbidden,
    /// The caller sends requests too often.
    TooManyRequests,
    /// The body of the request did not arrive in time.
    RequestTimeout,
    /// The operation, or the transfer of a file, took too long.
    Timeout,
    /// The database cannot be reached or written, aborted the statement, or has no free connection; or the server has
    /// no free place for the request.
    Unavailable,
    /// The document cannot be parsed.
    ParseFailed,
    /// The document does not conform to the schema.
    ValidationFailed,
    /// The document, or the amount of data that it requests, exceeds a limit.
    TooComplex,
    /// Introspection is disabled in this installation.
    IntrospectionDisabled,
    /// Batches are disabled in this installation, or the batch has too many operations.
    BatchNotAllowed,
    /// The hash belongs to no known document; the client should send the text with it.
    PersistedQueryNotFound,
    /// The hash is not the hash of the text.
    PersistedQueryMismatch,
    /// This installation runs registered documents only.
    DocumentNotTrusted,
    /// A subscriber fell too far behind the events.
    Lagged,
    /// An argument is out of range or malformed.
    BadUserInput,
    /// An internal error; the log has the details.
    Internal,
}

impl Code {
    /// Returns the code as clients receive it.
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

    /// Returns the HTTP status of a request that is refused with this code.
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

    /// Returns whether a request that is refused with this code was well-formed, so that a response of the media type
    /// `application/json` has status 200.
    pub(crate) fn is_of_graphql(self) -> bool {
        matches!(self, Self::ParseFailed | Self::ValidationFailed | Self::PersistedQueryNotFound | Self::BadUserInput)
    }
}

/// The refusal of a GraphQL request, before any data was read.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) message: Bilingual,
    /// The positions in the document that the error is about.
    pub(crate) locations: Vec<Pos>,
    /// The seconds after which the client may try again; none if trying again does not help.
    pub(crate) retry_after: Option<u64>,
}

impl Refused {
    /// Makes a refusal without positions, for which trying again does not help.
    pub(crate) fn new(code: Code, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { code, message: Bilingual::new(zh, en), locations: Vec::new(), retry_after: None }
    }
}

/// The refusal of a request outside of `/graphql`, such as a file transfer or a sign-in with the provider.
pub(crate) struct Unserved {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Bilingual,
    /// The seconds after which the client may try again; none if trying again does not help.
    pub(crate) retry_after: Option<u64>,
}

impl Unserved {
    /// Makes a refusal for which trying again does not help.
    pub(crate) fn new(status: StatusCode, code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { status, code, message: Bilingual::new(zh, en), retry_after: None }
    }

    /// Makes the refusal of a malformed request, with status 400.
    pub(crate) fn malformed(zh: &str, en: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadRequest.as_str(), zh, en)
    }

    /// Logs an internal failure and returns a refusal that does not disclose it.
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

impl From<Syntax> for Refused {
    fn from(error: Syntax) -> Self {
        let twice = |what_zh, what_en, name: &Name, places: [Pos; 2]| Self {
            locations: places.to_vec(),
            ..Self::new(
                Code::ValidationFailed,
                format!("{what_zh} {name} 定义了两次，请改名或删去其一"),
                format!("the {what_en} {name} is defined twice: rename or remove one of them"),
            )
        };
        match &error {
            Syntax::OperationDuplicated { operation, first, second } => {
                return twice("操作", "operation", operation, [*first, *second]);
            }
            Syntax::FragmentDuplicated { fragment, first, second } => {
                return twice("片段", "fragment", fragment, [*first, *second]);
            }
            Syntax::MultipleOperations { anonymous, operation } => {
                let (zh, en) = (
                    "未命名的操作须是文档中唯一的操作，请为各操作命名",
                    "an operation without a name must be the only one of its document: name each of them",
                );
                let locations = vec![*anonymous, *operation];
                return Self { locations, ..Self::new(Code::ValidationFailed, zh, en) };
            }
            _ => {}
        }
        let message = error.to_string();
        // The parser's message draws the position in the text; only its last line says what was expected there.
        let what = message.rsplit("= ").next().unwrap_or(&message).trim();
        let locations = error.positions().collect();
        Self {
            locations,
            ..Self::new(Code::ParseFailed, format!("查询无法解析：{what}"), format!("syntax error: {what}"))
        }
    }
}

/// Makes the error of a field from a code and a message in both languages.
pub(crate) fn coded(code: Code, message: Bilingual) -> Error {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.as_str());
    Error { message: message.en.clone(), source: Some(Arc::new(message)), extensions: Some(extensions) }
}

/// Returns the message of an error of a field in both languages.
pub(crate) fn said(error: &Error) -> Bilingual {
    let said = error.source.as_ref().and_then(|source| source.downcast_ref::<Bilingual>());
    said.cloned().unwrap_or_else(|| Bilingual::new(error.message.clone(), error.message.clone()))
}

/// Logs an internal failure and returns the error of a field that does not disclose it.
pub(crate) fn masked(source: &(dyn std::error::Error + 'static)) -> Error {
    let Refused { code, message, .. } = failed(source);
    coded(code, message)
}

/// Logs an internal failure with its causes and returns a refusal that does not disclose it: `UNAVAILABLE` if the
/// failure may be temporary, else `INTERNAL_SERVER_ERROR`.
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
    Refused::new(Code::Internal, "服务内部错误，请稍后重试", "internal error: try again later")
}

/// Returns the trouble behind a failure that may be temporary: trouble of the database, or a full disk.
fn passing(cause: &(dyn std::error::Error + 'static)) -> Option<Trouble> {
    let is_full = |error: &io::Error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    match cause.downcast_ref::<io::Error>() {
        Some(error) => is_full(error).then_some(Trouble::Full),
        None => trouble(cause.downcast_ref()?),
    }
}

/// Joins the errors of a document that say the same into one with all their positions, and bounds their number: the
/// last one says how many are left out. Errors of fields stay as they are, because each explains a null.
pub(crate) fn bounded(errors: Vec<ServerError>) -> Vec<ServerError> {
    let mut bounded: Vec<ServerError> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut left_out = 0_usize;
    for error in errors {
        if !error.path.is_empty() {
            bounded.push(error);
            continue;
        }
        match known.get(&error.message) {
            Some(place) => {
                let places = &mut bounded[*place].locations;
                places.extend(error.locations);
                places.truncate(MAX_ERRORS);
            }
            None if known.len() < MAX_ERRORS => {
                known.insert(error.message.clone(), bounded.len());
                bounded.push(error);
            }
            None => left_out += 1,
        }
    }
    if left_out > 0 {
        let message = Bilingual::new(
            format!("另有 {left_out} 处错误未列出，请先改正以上各处"),
            format!("and {left_out} more errors: mend these first"),
        );
        bounded.push(coded(Code::ValidationFailed, message).into_server_error(Pos::default()));
    }
    bounded
}

/// Completes an error for the response: the message in the caller's language, a code, and the id of the request.
pub(crate) fn finish(error: &mut ServerError, language: Language, request_id: &str) {
    let said = error.source.as_ref().and_then(|source| source.downcast_ref::<Bilingual>());
    if let Some(said) = said {
        error.message = language.of(said).to_owned();
    }
    let of_field = !error.path.is_empty();
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        // The library's own errors concern the document or a variable, and are in English only.
        extensions.set("code", if of_field { Code::BadUserInput } else { Code::ValidationFailed }.as_str());
        if language == Language::Chinese {
            let what = if of_field { "参数有误" } else { "查询不符合接口定义" };
            error.message = format!("{what}：{}", error.message);
        }
    }
    extensions.set("requestId", request_id);
}
