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
    /// The SHA-256 of the text, in hexadecimal and perhaps after `sha256:`, or the id of a trusted document, in lower
    /// case; none if the client gives neither.
    pub(crate) hash: Option<String>,
}

/// The members of a request, as defined by the GraphQL over HTTP specification and its appendix on persisted documents.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    query: Option<Value>,
    operation_name: Option<Value>,
    variables: Option<Value>,
    extensions: Option<Value>,
    document_id: Option<Value>,
}

impl Members {
    fn read(self) -> Result<Params, Refused> {
        let persisted = object("extensions", self.extensions)?.and_then(|mut members| members.remove("persistedQuery"));
        let persisted = object("extensions.persistedQuery", persisted)?.map(|mut members| members.remove("sha256Hash"));
        let hash = text("extensions.persistedQuery.sha256Hash", persisted.flatten())?;
        let id = text("documentId", self.document_id)?;
        let params = Params {
            query: text("query", self.query)?,
            operation_name: text("operationName", self.operation_name)?.filter(|name| !name.is_empty()),
            variables: object("variables", self.variables)?
                .map(|map| Variables::from_json(Value::Object(map)))
                .unwrap_or_default(),
            hash: hash.or(id).map(|hash| hash.to_ascii_lowercase()),
        };
        if params.query.is_none() && params.hash.is_none() { Err(malformed()) } else { Ok(params) }
    }
}

/// Reads a member that is a string; none if it is null or left out.
fn text(name: &str, given: Option<Value>) -> Result<Option<String>, Refused> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(unlike(name, "字符串", "a string")),
    }
}

/// Reads a member that is an object; none if it is null or left out.
fn object(name: &str, given: Option<Value>) -> Result<Option<Map<String, Value>>, Refused> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(unlike(name, "JSON 对象", "a JSON object")),
    }
}

/// Makes the refusal of a member that is something else than it should be.
fn unlike(name: &str, zh: &str, en: &str) -> Refused {
    Refused::new(Code::BadRequest, format!("{name} 应为{zh}"), format!("`{name}` should be {en}"))
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
        serde_json::from_slice::<Members>(json).map_err(|error| unread(&error))?.read()
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
        let batch: Result<Vec<Self>, Refused> = batch.into_iter().map(Members::read).collect();
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
        let given = actix_web::web::Query::<Vec<(String, String)>>::from_query(text).map_err(|_| malformed())?;
        let mut parameters = HashMap::new();
        for (name, value) in given.into_inner() {
            if parameters.insert(name.clone(), value).is_some() {
                let (zh, en) = (format!("参数 {name} 只能给出一次"), format!("the parameter `{name}` is given twice"));
                return Err(Refused::new(Code::BadRequest, zh, en));
            }
        }
        let mut json = |name: &str| match parameters.remove(name) {
            Some(text) => serde_json::from_str(&text).map(Some).map_err(|_| unlike(name, "JSON 对象", "a JSON object")),
            None => Ok(None),
        };
        let (variables, extensions) = (json("variables")?, json("extensions")?);
        let mut text = |name: &str| parameters.remove(name).map(Value::String);
        let members = Members {
            query: text("query"),
            operation_name: text("operationName"),
            variables,
            extensions,
            document_id: text("documentId"),
        };
        if members.query.is_none() && members.document_id.is_none() && members.extensions.is_none() {
            return Err(malformed());
        }
        members.read()
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
