//! Links in mails. Whoever is signed in goes on to the item; everybody else sees no more than the mail said, and a
//! button that leads there through the sign-in.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

use crate::page::{self, State, Stopped, Visit, see_other, stop};

/// The page of a link, which shows the item to callers without a session.
const PAGE: &str = "linked";
const ITEM: &str = include_str!("../pages/linked/page.graphql");

/// `GET /m/{token}`: a link in a mail.
pub(crate) async fn follow(request: HttpRequest, desk: State) -> HttpResponse {
    let followed = async {
        let visit = Visit::begin(&request, &desk, true).await?;
        if !visit.has_viewer() {
            return Ok(page::show(&request, &desk, PAGE).await);
        }
        let token = request.match_info().query("token").to_owned();
        let found = visit.ask(ITEM, Map::from_iter([("token".to_owned(), Value::String(token))])).await?;
        let id = found["linkedItem"]["itemId"].as_str().unwrap_or_default();
        let nouns = if id.starts_with("case_") { "cases" } else { "measures" };
        Ok::<_, Stopped>(see_other(&format!("/{nouns}/{id}")).finish())
    };
    followed.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}
