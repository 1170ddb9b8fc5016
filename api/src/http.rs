//! GraphQL over HTTP: POST with JSON, GET for queries only, the right status and media type for each outcome; plus the
//! probes that keep a deployment honest.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderMap};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Request as Operation, Response, Variables};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;

use crate::context::{Door, Request};
use crate::graphiql;
use crate::schedule::next_occurrences;
use crate::schema::{Ledger, schema, sdl};

/// The largest body of a request.
const MAX_BODY: usize = 1 << 20;
/// How long an operation may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many fields a document may select with its fragments spread, how many at its root, and how deep it may nest.
const MAX_FIELDS: usize = 5_000;
const MAX_ROOTS: usize = 50;
const MAX_NESTING: usize = 64;
const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

/// Says whether the program is fit to serve, and why not.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What the handlers share.
struct Served {
    schema: Ledger,
    door: Door,
    finishers: Arc<planner::Finishers>,
    sdl: String,
    ready: Probe,
    hosts: Option<Vec<String>>,
}

/// Adds the routes to an actix application. With `hosts`, requests for any other host are refused: a page elsewhere
/// must not reach a program that trusts whoever is on this machine.
pub fn routes(door: Door, ready: Probe, hosts: Option<Vec<String>>) -> impl FnOnce(&mut web::ServiceConfig) + Clone {
    let mut finishers: planner::Finishers = HashMap::new();
    finishers.insert("nextOccurrences", Box::new(next_occurrences(door.clock.clone(), door.occurrences.clone())));
    let served =
        web::Data::new(Served { schema: schema(), door, finishers: Arc::new(finishers), sdl: sdl(), ready, hosts });
    move |config| {
        config
            .app_data(served)
            .service(web::resource("/graphql").route(web::route().to(graphql)))
            .route("/schema.graphql", web::get().to(schema_document))
            .route("/healthz", web::get().to(alive))
            .route("/readyz", web::get().to(ready_to_serve))
            .service(
                web::scope("")
                    .guard(guard::Get())
                    .route("/", web::get().to(graphiql::page))
                    .route("/assets/{name}", web::get().to(graphiql::asset)),
            );
    }
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().body("ok")
}

async fn ready_to_serve(served: web::Data<Served>) -> HttpResponse {
    match (served.ready)().await {
        Ok(()) => HttpResponse::Ok().body("ready"),
        Err(why) => HttpResponse::ServiceUnavailable().body(why),
    }
}

async fn schema_document(served: web::Data<Served>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(served.sdl.clone())
}

/// A request that cannot be carried out, before there is anything of GraphQL in it.
struct Refused(StatusCode, &'static str, &'static str);

async fn graphql(request: HttpRequest, payload: web::Payload, served: web::Data<Served>) -> HttpResponse {
    let Some(media) = accepted(request.headers()) else {
        let refused = Refused(
            StatusCode::NOT_ACCEPTABLE,
            "NOT_ACCEPTABLE",
            "Accept 应允许 application/graphql-response+json 或 application/json / accept one of these",
        );
        return refuse(&refused, JSON);
    };
    match answer(&request, payload, &served).await {
        Ok(response) => respond(response, media),
        Err(refused) => refuse(&refused, media),
    }
}

async fn answer(request: &HttpRequest, payload: web::Payload, served: &Served) -> Result<Response, Refused> {
    if let Some(hosts) = &served.hosts {
        // Only what the connection itself says: forwarding headers are the caller's to write.
        let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = header.or_else(|| request.uri().authority().map(Authority::as_str)).unwrap_or_default();
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => name,
            _ => host,
        };
        if !hosts.iter().any(|known| known == name) {
            return Err(Refused(
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "本程序只接受发往本机的请求 / requests for this host are not served here",
            ));
        }
    }
    let operation = match *request.method() {
        Method::POST => of_body(request.headers(), payload).await?,
        Method::GET => of_query(request.query_string())?,
        _ => {
            return Err(Refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                "请用 POST，查询也可用 GET / use POST, or GET for queries",
            ));
        }
    };
    let mut operation = operation;
    let writes = prepare(&mut operation)?;
    if request.method() == Method::GET && writes {
        return Err(Refused(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            "GET 只能查询，变更请用 POST / GET is for queries only: use POST",
        ));
    }
    let door = &served.door;
    let data =
        Request { db: door.db.clone(), zone: door.zone, now: (door.clock)(), finishers: served.finishers.clone() };
    let execution = served.schema.execute(operation.data(data));
    tokio::time::timeout(PATIENCE, execution).await.map_err(|_| {
        let message = "查询超过 30 秒，请缩小范围或减少字段 / the operation took too long: ask for less at once";
        Refused(StatusCode::SERVICE_UNAVAILABLE, "TIMEOUT", message)
    })
}

/// Puts the defaults of variables in, and says whether the operation asked for is anything but a query. The library
/// decides `@skip` and `@include` by the variables that were given, before it looks at their defaults. A document that
/// cannot be read is left as it is: the library says what is wrong with it.
fn prepare(operation: &mut Operation) -> Result<bool, Refused> {
    let name = operation.operation_name.clone();
    let Ok(document) = operation.parsed_query() else { return Ok(false) };
    bound(document)?;
    let mut operations = document.operations.iter();
    let asked = operations.find(|(known, _)| name.is_none() || known.map(Name::as_str) == name.as_deref());
    let Some((_, asked)) = asked else { return Ok(false) };
    let writes = asked.node.ty != OperationType::Query;
    let defaults: Vec<_> = asked
        .node
        .variable_definitions
        .iter()
        .filter_map(|given| {
            let default = given.node.default_value.as_ref()?;
            Some((given.node.name.node.clone(), default.node.clone()))
        })
        .collect();
    for (name, default) in defaults {
        operation.variables.entry(name).or_insert(default);
    }
    Ok(writes)
}

/// Refuses a document whose fragments multiply beyond reason, or that asks for too much at its root, before the library
/// walks it: its validation spreads every fragment wherever it is named.
fn bound(document: &ExecutableDocument) -> Result<(), Refused> {
    let mut sizes = HashMap::new();
    for operation in document.operations.iter().map(|(_, operation)| &operation.node) {
        let fields = size(&operation.selection_set.node, document, &mut sizes, 0);
        if fields > MAX_FIELDS || operation.selection_set.node.items.len() > MAX_ROOTS {
            let message = "查询选取的字段过多，请拆分 / the document selects too many fields: split it";
            return Err(Refused(StatusCode::BAD_REQUEST, "TOO_COMPLEX", message));
        }
    }
    Ok(())
}

/// How many fields a selection has with its fragments spread; each fragment is measured once.
fn size<'d>(
    set: &'d SelectionSet,
    document: &'d ExecutableDocument,
    sizes: &mut HashMap<&'d str, usize>,
    depth: usize,
) -> usize {
    // Circles and abysses are the library's to explain; here they only must not be walked.
    if depth > MAX_NESTING {
        return MAX_FIELDS + 1;
    }
    let mut total = 0_usize;
    for item in &set.items {
        let part = match &item.node {
            Selection::Field(field) => 1 + size(&field.node.selection_set.node, document, sizes, depth + 1),
            Selection::InlineFragment(inline) => size(&inline.node.selection_set.node, document, sizes, depth + 1),
            Selection::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                match (sizes.get(name), document.fragments.get(name)) {
                    (Some(known), _) => *known,
                    (None, Some(fragment)) => {
                        let part = size(&fragment.node.selection_set.node, document, sizes, depth + 1);
                        sizes.insert(name, part);
                        part
                    }
                    (None, None) => 0,
                }
            }
        };
        total = total.saturating_add(part);
    }
    total
}

async fn of_body(headers: &HeaderMap, mut payload: web::Payload) -> Result<Operation, Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut parts = kind.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(JSON));
    let charset = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned));
    if !is_json || charset.is_some_and(|charset| charset.trim_matches('"') != "utf-8") {
        return Err(Refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            "Content-Type 应为 application/json，编码为 UTF-8 / send JSON in UTF-8 as application/json",
        ));
    }
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|_| Refused(StatusCode::BAD_REQUEST, "BAD_REQUEST", "请求体没有传完 / the body ended early"))?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "PAYLOAD_TOO_LARGE",
                "请求体超过 1 MB / the body is larger than 1 MB",
            ));
        }
        body.extend_from_slice(&chunk);
    }
    let malformed = || {
        Refused(
            StatusCode::BAD_REQUEST,
            "BAD_REQUEST",
            "请求体应为 JSON 对象 / the body should be a JSON object: {\"query\": …, \"variables\": {…}, \"operationName\": …}",
        )
    };
    // PostgreSQL has no such letter, and nobody types it.
    if body.windows(6).any(|letters| letters == b"\\u0000") {
        return Err(malformed());
    }
    let body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&body).map_err(|_| malformed())?;
    operation(
        body.get("query").cloned(),
        body.get("operationName").cloned(),
        body.get("variables").cloned(),
        body.get("extensions"),
    )
    .ok_or_else(malformed)
}

fn of_query(text: &str) -> Result<Operation, Refused> {
    let malformed = || {
        Refused(
            StatusCode::BAD_REQUEST,
            "BAD_REQUEST",
            "GET 的参数应为 query、operationName、variables（JSON 对象）/ the parameters are query, operationName, variables (a JSON object)",
        )
    };
    let mut parameters: HashMap<String, String> =
        web::Query::<HashMap<String, String>>::from_query(text).map_err(|_| malformed())?.into_inner();
    let json = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => serde_json::from_str(&text).map(Some),
    };
    let variables = json(parameters.remove("variables")).map_err(|_| malformed())?;
    let extensions = json(parameters.remove("extensions")).map_err(|_| malformed())?;
    let name = parameters.remove("operationName").filter(|name| !name.is_empty());
    operation(parameters.remove("query").map(Into::into), name.map(Into::into), variables, extensions.as_ref())
        .ok_or_else(malformed)
}

/// The request that the parameters make, unless one has a wrong type.
fn operation(
    query: Option<serde_json::Value>,
    name: Option<serde_json::Value>,
    variables: Option<serde_json::Value>,
    extensions: Option<&serde_json::Value>,
) -> Option<Operation> {
    use serde_json::Value;
    let Some(Value::String(query)) = query else { return None };
    let mut operation = Operation::new(query);
    match name {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) => operation = operation.operation_name(name),
        Some(_) => return None,
    }
    match variables {
        None | Some(Value::Null) => {}
        Some(variables @ Value::Object(_)) => operation = operation.variables(Variables::from_json(variables)),
        Some(_) => return None,
    }
    matches!(extensions, None | Some(Value::Null | Value::Object(_))).then_some(operation)
}

/// The media type to answer in: the newer one where it is accepted, else the older.
fn accepted(headers: &HeaderMap) -> Option<&'static str> {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()) else { return Some(JSON) };
    let kinds: Vec<&str> = accept.split(',').filter_map(|kind| kind.split(';').next()).map(str::trim).collect();
    if kinds.is_empty() || accept.trim().is_empty() {
        return Some(JSON);
    }
    let wanted = |kind: &str| kinds.iter().any(|known| known.eq_ignore_ascii_case(kind));
    if wanted(GRAPHQL) {
        Some(GRAPHQL)
    } else if wanted(JSON) || wanted("application/*") || wanted("*/*") {
        Some(JSON)
    } else {
        None
    }
}

/// The response: errors of the request itself have no `data`, and in the newer media type a status that says so.
fn respond(mut response: Response, media: &'static str) -> HttpResponse {
    for error in &mut response.errors {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", if error.path.is_empty() { "GRAPHQL_VALIDATION_FAILED" } else { "BAD_USER_INPUT" });
        }
    }
    let of_request = response.data == async_graphql::Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty());
    let body = if of_request {
        serde_json::to_string(&serde_json::json!({ "errors": response.errors }))
    } else {
        serde_json::to_string(&response)
    };
    let status = if of_request && media == GRAPHQL { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    match body {
        Ok(body) => HttpResponse::build(status).content_type(format!("{media}; charset=utf-8")).body(body),
        Err(error) => {
            tracing::error!(%error, "a response could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

fn refuse(refused: &Refused, media: &'static str) -> HttpResponse {
    let Refused(status, code, message) = refused;
    let body = serde_json::json!({ "errors": [{ "message": message, "extensions": { "code": code } }] });
    let mut response = HttpResponse::build(*status);
    if *status == StatusCode::METHOD_NOT_ALLOWED {
        response.insert_header((header::ALLOW, "GET, POST"));
    }
    response.content_type(format!("{media}; charset=utf-8")).body(body.to_string())
}
