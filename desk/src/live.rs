//! `GET /live`: the changes of the ledger that the caller may see, as server-sent events, for open pages.

use actix_web::{HttpRequest, HttpResponse};

use crate::page::{State, Visit, stop};

/// Which items change.
const CHANGES: &str = include_str!("../shared/live.graphql");

/// Streams the changes until the browser leaves.
pub(crate) async fn events(request: HttpRequest, desk: State) -> HttpResponse {
    let begun = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        Ok(visit.session.events(CHANGES).await?)
    };
    begun.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}
