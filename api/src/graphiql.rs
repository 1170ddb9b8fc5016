//! GraphiQL at `/`, served from the program itself: nothing is fetched from elsewhere, so it works in closed networks.

use actix_web::{HttpResponse, http::header, web};

const PAGE: &str = include_str!("../assets/graphiql.html");
const ASSETS: [(&str, &str, &[u8]); 4] = [
    ("react.js", "text/javascript; charset=utf-8", include_bytes!("../assets/react.production.min.js")),
    ("react-dom.js", "text/javascript; charset=utf-8", include_bytes!("../assets/react-dom.production.min.js")),
    ("graphiql.js", "text/javascript; charset=utf-8", include_bytes!("../assets/graphiql.min.js")),
    ("graphiql.css", "text/css; charset=utf-8", include_bytes!("../assets/graphiql.min.css")),
];

/// The page.
pub(crate) async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(PAGE)
}

/// What the page is made of.
pub(crate) async fn asset(name: web::Path<String>) -> HttpResponse {
    match ASSETS.iter().find(|(known, ..)| *known == name.as_str()) {
        Some((_, kind, bytes)) => HttpResponse::Ok()
            .content_type(*kind)
            .insert_header((header::CACHE_CONTROL, "public, max-age=86400"))
            .body(*bytes),
        None => HttpResponse::NotFound().finish(),
    }
}
