//! What a caller asks for, as it arrives: the GraphQL request in a body or a query string, and what the headers say of the
//! caller.

use std::collections::HashMap;
use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{self, AcceptLanguage, Header, HeaderMap, Quality};
use actix_web::http::uri::Authority;
use async_graphql::Variables;
use futures_util::StreamExt;
use planner::Bilingual;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Code, Refused};

/// The language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Chinese,
    English,
}

impl Language {
    /// What `Accept-Language` prefers; Chinese where it says nothing that we speak.
    pub(crate) fn preferred(request: &HttpRequest) -> Self {
        let Ok(accepted) = AcceptLanguage::parse(request) else { return Self::Chinese };
        let refused = |tag: &str| {
            let nought = |wish: &&actix_web::http::header::QualityItem<_>| wish.quality == Quality::ZERO;
            accepted.0.iter().filter(nought).any(|wish| wish.item.to_string().eq_ignore_ascii_case(tag))
        };
        let ranked = accepted.ranked();
        let spoken = ranked.iter().find_map(|wish| {
            let tag = wish.item()?.primary_language().to_ascii_lowercase();
            match tag.as_str() {
                _ if refused(&tag) => None,
                "zh" => Some(Self::Chinese),
                "en" => Some(Self::English),
                _ => None,
            }
        });
        spoken.unwrap_or(Self::Chinese)
    }

    /// A message in it.
    pub(crate) fn of(self, message: &Bilingual) -> &str {
        match self {
            Self::Chinese => &message.zh,
            Self::English => &message.en,
        }
    }
}

/// A GraphQL request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// The document's text.
    pub(crate) query: Option<String>,
    /// Which of its operations.
    pub(crate) operation_name: Option<String>,
    pub(crate) variables: Variables,
    /// The SHA-256 of the document, in hexadecimal, where the caller names it so.
    pub(crate) hash: Option<String>,
}

/// The members of a request, as GraphQL over HTTP and the persisted documents of its appendix have them.
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

impl From<Members> for Asked {
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

/// The same, with where the reader of JSON stumbled, and over what where that is about the JSON and not about our types.
fn unread(error: &serde_json::Error) -> Refused {
    let Refused { code, message, .. } = malformed();
    let why =
        if error.is_data() { format!("line {} column {}", error.line(), error.column()) } else { error.to_string() };
    Refused::new(code, format!("{}（{why}）", message.zh), format!("{} ({why})", message.en))
}

impl Asked {
    /// Reads one request from the text of a JSON object.
    pub(crate) fn read(json: &[u8]) -> Result<Self, Refused> {
        no_nul(json)?;
        // A list would be taken for the members in their order.
        if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(malformed());
        }
        let asked: Self = serde_json::from_slice::<Members>(json).map_err(|error| unread(&error))?.into();
        asked.complete()
    }

    /// Reads a batch, or one request as a batch of one; says whether it was a batch.
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
                "batches are not taken here: send the operations one by one",
            ));
        }
        if batch.is_empty() || batch.len() > most {
            return Err(Refused::new(
                Code::BatchNotAllowed,
                format!("一批应有 1 至 {most} 个操作"),
                format!("a batch has 1 to {most} operations"),
            ));
        }
        let batch: Result<Vec<Self>, Refused> = batch.into_iter().map(|one| Self::from(one).complete()).collect();
        Ok((batch?, true))
    }

    /// Reads the parameters of a GET.
    pub(crate) fn of_query_string(text: &str) -> Result<Self, Refused> {
        let malformed = || {
            Refused::new(
                Code::BadRequest,
                "GET 的参数应为 query、operationName、variables（JSON 对象）",
                "the parameters are query, operationName, variables (a JSON object)",
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

/// PostgreSQL has no such letter, and nobody types it.
fn no_nul(json: &[u8]) -> Result<(), Refused> {
    if json.windows(6).any(|letters| letters == b"\\u0000") {
        return Err(Refused::new(
            Code::BadRequest,
            "文本不能含有 NUL 字符（\\u0000）",
            "texts must not have the character \\u0000",
        ));
    }
    Ok(())
}

/// Reads a body of JSON, at most so many bytes.
pub(crate) async fn body(
    headers: &HeaderMap,
    mut payload: actix_web::web::Payload,
    most: usize,
) -> Result<Vec<u8>, Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let charset = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    if !is_json || charset.is_some_and(|charset| charset.trim_matches('"') != "utf-8") {
        return Err(Refused::new(
            Code::UnsupportedMediaType,
            "Content-Type 应为 application/json，编码为 UTF-8",
            "send JSON in UTF-8 as application/json",
        ));
    }
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refused::new(Code::BadRequest, "请求体没有传完", "the body ended early"))?;
        if body.len() + chunk.len() > most {
            return Err(Refused::new(
                Code::PayloadTooLarge,
                format!("请求体超过 {most} 字节"),
                format!("the body is larger than {most} bytes"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The caller's own id of the request where it is a plain one, else a new one.
pub(crate) fn id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given.filter(plain).map_or_else(|| uuid::Uuid::now_v7().simple().to_string(), str::to_owned)
}

/// Refuses requests for any other host. A page elsewhere must not reach a program that trusts whoever is on this machine;
/// only what the connection itself says counts, as forwarding headers are the caller's to write.
pub(crate) fn of_known_host(request: &HttpRequest, hosts: Option<&[String]>) -> Result<(), Refused> {
    let Some(hosts) = hosts else { return Ok(()) };
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = header.or_else(|| request.uri().authority().map(Authority::as_str)).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    if hosts.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(Refused::new(Code::Forbidden, "本程序只接受发往本机的请求", "requests for this host are not served here"))
}

/// Refuses a request that a page of another origin makes, unless that origin may.
pub(crate) fn of_known_origin(request: &HttpRequest, origins: &[String]) -> Result<(), Refused> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
    if own || origins.iter().any(|known| known == origin) {
        return Ok(());
    }
    Err(Refused::new(Code::Forbidden, "不接受其他网站的页面发起的连接", "pages of this origin may not connect"))
}

/// Where a request comes from: the peer, or, where the peer is a proxy of ours, the last address in `X-Forwarded-For`
/// that is none.
pub(crate) fn address(request: &HttpRequest, proxies: &[IpAddr]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    if !proxies.contains(&peer) {
        return Some(peer);
    }
    let forwarded = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let hops: Vec<IpAddr> =
        forwarded.flat_map(|line| line.split(',')).map_while(|hop| hop.trim().parse().ok()).collect();
    Some(hops.into_iter().rev().find(|hop| !proxies.contains(hop)).unwrap_or(peer))
}
