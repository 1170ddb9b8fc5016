//! Links in mails. Whoever is signed in goes on to the item; everybody else sees no more than the mail said, a button
//! that acknowledges the mail without signing in, and buttons that lead on through the sign-in.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::page::{self, State, Stopped, Visit, see_other, stop};
use crate::session::{self, Banner};

/// The page of a link, which shows the item to callers without a session.
const PAGE: &str = "linked";
const ITEM: &str = include_str!("../pages/linked/page.graphql");
/// Acknowledges the item of a link.
const ACKNOWLEDGE: &str = include_str!("../pages/linked/acknowledge.graphql");

/// `GET /m/{token}`: a link in a mail.
pub(crate) async fn follow(request: HttpRequest, desk: State) -> HttpResponse {
    let followed = async {
        let visit = Visit::begin(&request, &desk, true).await?;
        if !visit.has_viewer() {
            return Ok(page::show(&request, &desk, PAGE).await);
        }
        let token = request.match_info().query("token").to_owned();
        let found = visit.ask(ITEM, Map::from_iter([("token".to_owned(), Value::String(token))])).await?;
        let id = found["mailLink"]["item"]["itemId"].as_str().unwrap_or_default();
        let nouns = if id.starts_with("case_") { "cases" } else { "measures" };
        Ok::<_, Stopped>(see_other(&format!("/{nouns}/{id}")).finish())
    };
    followed.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// `POST /m/{token}`: acknowledges the item of a link (签收). The token is what proves the right to; a page of another
/// site that has learnt it is refused all the same.
pub(crate) async fn acknowledge(request: HttpRequest, token: web::Path<String>, desk: State) -> HttpResponse {
    let done = async {
        if !session::is_from_here(&request) {
            return Err(Stopped::Foreign);
        }
        let visit = Visit::begin(&request, &desk, true).await?;
        let input = json!({ "token": token.as_str() });
        let payload = visit.ask(ACKNOWLEDGE, Map::from_iter([("input".to_owned(), input)])).await?;
        let said = match payload["done"]["errors"][0]["message"].as_str() {
            Some(refusal) => Banner::refused(refusal.to_owned()),
            None => Banner::done(visit.words("已签收", "Acknowledged")),
        };
        Ok(see_other(request.path()).cookie(said.cookie(&desk)).finish())
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}
