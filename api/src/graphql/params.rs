//! The parameters of a GraphQL request, read from a JSON body, a batch or a query string.

use std::collections::HashMap;

use async_graphql::Variables;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Code, Refused};

/// The parameters of a GraphQL request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    /// The text of the document; none if the client gives only its hash or id.
    pub(crate) query: Option<String>,
    /// The name of the requested operation.
    pub(crate) operation_name: Option<String>,
    pub(crate) variables: Variables,
    /// The SHA-256 of the text, in hexadecimal, or the id of a trusted document, in lower case; none if the client
    /// gives neither.
    pub(crate) hash: Option<String>,
}

/// The members of a request, as defined by the GraphQL over HTTP specification and its appendix on persisted documents.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<Map<String, Value>>,
    extensions: Option<Extensions>,
    document_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    persisted_query: Option<PersistedQuery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersistedQuery {
    sha256_hash: String,
}

impl From<Members> for Params {
    fn from(members: Members) -> Self {
        let hash = members.extensions.unwrap_or_default().persisted_query.map(|persisted| persisted.sha256_hash);
        let hash = hash.or_else(|| members.document_id.map(|id| id.trim_start_matches("sha256:").to_owned()));
        Self {
            query: members.query,
            operation_name: members.operation_name.filter(|name| !name.is_empty()),
            variables: members.variables.map(|map| Variables::from_json(Value::Object(map))).unwrap_or_default(),
            hash: hash.map(|hash| hash.to_ascii_lowercase()),
        }
    }
}

fn malformed() -> Refused {
    Refused::new(
        Code::BadRequest,
        "请求应为 JSON 对象：{\"query\": …, \"variables\": {…}, \"operationName\": …}",
        "the request should be a JSON object: {\"query\": …, \"variables\": {…}, \"operationName\": …}",
    )
}

/// Makes the refusal of a body that cannot be read, with the position. The parser's message is included if it is about
/// the JSON syntax, but not if it is about internal types.
fn unread(error: &serde_json::Error) -> Refused {
    let Refused { code, message, .. } = malformed();
    let why =
        if error.is_data() { format!("line {} column {}", error.line(), error.column()) } else { error.to_string() };
    Refused::new(code, format!("{}（{why}）", message.zh), format!("{} ({why})", message.en))
}

impl Params {
    /// Reads one request from the text of a JSON object.
    pub(crate) fn read(json: &[u8]) -> Result<Self, Refused> {
        no_nul(json)?;
        // The deserializer would accept an array of the members in their order.
        if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(malformed());
        }
        let asked: Self = serde_json::from_slice::<Members>(json).map_err(|error| unread(&error))?.into();
        asked.complete()
    }

    /// Reads a batch of at most `most` requests, or one request as a batch of one. Returns whether the body was a
    /// batch.
    pub(crate) fn read_all(json: &[u8], most: usize) -> Result<(Vec<Self>, bool), Refused> {
        if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
            return Ok((vec![Self::read(json)?], false));
        }
        no_nul(json)?;
        let batch: Vec<Members> = serde_json::from_slice(json).map_err(|error| unread(&error))?;
        if most < 2 {
            return Err(Refused::new(
                Code::BatchNotAllowed,
                "不接受批量请求，请逐个发送",
                "batches are disabled: send the operations one by one",
            ));
        }
        if batch.is_empty() || batch.len() > most {
            return Err(Refused::new(
                Code::BatchNotAllowed,
                format!("一批应有 1 至 {most} 个操作"),
                format!("a batch must have 1 to {most} operations"),
            ));
        }
        let batch: Result<Vec<Self>, Refused> = batch.into_iter().map(|one| Self::from(one).complete()).collect();
        Ok((batch?, true))
    }

    /// Reads the query string of a GET request.
    pub(crate) fn of_query_string(text: &str) -> Result<Self, Refused> {
        let malformed = || {
            Refused::new(
                Code::BadRequest,
                "GET 的参数应为 query、operationName、variables（JSON 对象）",
                "expected parameters: query, operationName, variables (a JSON object)",
            )
        };
        let parameters = actix_web::web::Query::<HashMap<String, String>>::from_query(text).map_err(|_| malformed())?;
        let mut parameters = parameters.into_inner();
        let variables = parameters.remove("variables");
        let extensions = parameters.remove("extensions");
        let members = Members {
            query: parameters.remove("query"),
            operation_name: parameters.remove("operationName"),
            variables: variables.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| malformed())?,
            extensions: extensions.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| malformed())?,
            document_id: parameters.remove("documentId"),
        };
        Self::from(members).complete().map_err(|_| malformed())
    }

    fn complete(self) -> Result<Self, Refused> {
        if self.query.is_none() && self.hash.is_none() { Err(malformed()) } else { Ok(self) }
    }
}

/// Refuses JSON with an escaped NUL character, which PostgreSQL cannot store in texts.
fn no_nul(json: &[u8]) -> Result<(), Refused> {
    if json.windows(6).any(|letters| letters == b"\\u0000") {
        return Err(Refused::new(
            Code::BadRequest,
            "文本不能含有 NUL 字符（\\u0000）",
            "texts must not contain the NUL character (\\u0000)",
        ));
    }
    Ok(())
}
