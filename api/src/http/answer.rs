//! GraphQL over HTTP: POST with a JSON body, or GET for queries only, with the status and the media type that the
//! specification requires for each outcome.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::{self, StreamExt};

use crate::context::Caller;
use crate::error::{Code, Refused};
use crate::gate;
use crate::graphql::engine::{Answer, Engine};
use crate::graphql::params::Params;
use crate::graphql::ready::Manner;
use crate::http::response::{Media, body, refusal, refuse, respond, respond_all};
use crate::http::state::AppState;
use crate::http::{events, export, request};

/// What a request asks.
enum Asked {
    One(Params),
    Batch(Vec<Params>),
}

/// `GET /graphql` and `POST /graphql`: answers a GraphQL request.
pub(crate) async fn graphql(request: HttpRequest, payload: web::Payload, state: web::Data<AppState>) -> HttpResponse {
    let mut caller = state.caller(&request);
    let accepted = Media::accepted(request.headers());
    let answered = if let Some(media) = accepted {
        answer(&request, payload, &state, &mut caller, media).await
    } else {
        Err(Refused::new(
            Code::NotAcceptable,
            "Accept 应允许 application/graphql-response+json、application/json、text/event-stream 或 text/csv",
            "accept application/graphql-response+json, application/json, text/event-stream or text/csv",
        ))
    };
    answered.unwrap_or_else(|refused| refuse(&refused, accepted.unwrap_or(Media::Json), &caller))
}

async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    state: &web::Data<AppState>,
    caller: &mut Caller,
    media: Media,
) -> Result<HttpResponse, Refused> {
    let presumed = state.presume(request, caller).await?;
    let engine = &state.engine;
    let read = read(request, payload, engine).await;
    if let Some(presumed) = presumed {
        if let Ok((Asked::One(asked), manner)) = &read
            && matches!(media, Media::GraphQl | Media::Json)
            && let Some(answer) = engine.answer_presumed(asked, *manner, caller, presumed).await?
        {
            return Ok(respond(answer, media, *manner));
        }
        // Only who is authenticated is told what is wrong with the request.
        state.authenticate(caller, gate::authorization(request.headers())).await?;
    }
    let (asked, manner) = read?;
    let asked = match asked {
        Asked::One(asked) => asked,
        Asked::Batch(batch) => return Ok(respond_all(&answer_all(engine, batch, caller).await?)),
    };
    if media == Media::Csv {
        return Ok(export::of_operation(state, caller, asked).await);
    }
    if media == Media::Events {
        let stream = state.streams.begin(caller)?;
        // Send errors of the document as an event: clients of the protocol do not read the body of an error response.
        let answers = match engine.stream(asked, manner, caller.clone()).await {
            Err(refused) if refused.code.is_of_graphql() => stream::iter([Err(refused)]).boxed(),
            answers => answers?,
        };
        return Ok(events::respond(answers, caller.clone(), stream));
    }
    Ok(respond(engine.answer(asked, manner, caller).await?, media, manner))
}

/// Reads what a request asks, and whether its method permits changes.
async fn read(request: &HttpRequest, payload: web::Payload, engine: &Engine) -> Result<(Asked, Manner), Refused> {
    match *request.method() {
        Method::POST => {
            let limits = engine.limits();
            let json = request::body(request.headers(), payload, limits.body, limits.time).await?;
            let (mut asked, is_batch) = Params::read_all(&json, limits.batch)?;
            if is_batch && !Media::Json.is_accepted(request.headers()) {
                return Err(Refused::new(
                    Code::NotAcceptable,
                    "批量请求的答复是 application/json，Accept 应允许它",
                    "a batch is answered as application/json: accept it",
                ));
            }
            let asked = if is_batch { Asked::Batch(asked) } else { Asked::One(asked.swap_remove(0)) };
            Ok((asked, Manner::Any))
        }
        Method::GET => Ok((Asked::One(Params::of_query_string(request.query_string())?), Manner::Safe)),
        _ => {
            Err(Refused::new(Code::MethodNotAllowed, "请用 POST，查询也可用 GET", "use POST; queries may also use GET"))
        }
    }
}

async fn answer_all(engine: &Arc<Engine>, batch: Vec<Params>, caller: &Caller) -> Result<Vec<String>, Refused> {
    let answers = engine.answer_all(batch, caller).await?.into_iter();
    let text = |answer: Result<Answer, Refused>| match answer {
        Ok(answer) => body(answer).0,
        Err(refused) => refusal(&refused, caller),
    };
    Ok(answers.map(text).collect())
}
