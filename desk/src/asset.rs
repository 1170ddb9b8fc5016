//! The assets of pages: style sheet, scripts and pictures. Their addresses contain their hash, so that browsers keep
//! them until they change.

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use crate::files;

/// Returns the address of an asset.
pub(crate) fn address(name: &str) -> String {
    format!("/desk/{}/{name}", version(name).unwrap_or_default())
}

fn version(name: &str) -> Option<String> {
    files::digest(&format!("assets/{name}")).map(|digest| hex::encode(&digest[..8]))
}

/// `GET /desk/{version}/{name}`: an asset, to be kept for a year.
pub(crate) async fn asset(path: web::Path<(String, String)>) -> HttpResponse {
    let (given, name) = path.into_inner();
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => return HttpResponse::NotFound().finish(),
    };
    let Some(bytes) = files::bytes(&format!("assets/{name}")) else { return HttpResponse::NotFound().finish() };
    let keeping = if version(&name) == Some(given) { "public, max-age=31536000, immutable" } else { "no-cache" };
    HttpResponse::Ok().content_type(kind).insert_header((header::CACHE_CONTROL, keeping)).body(bytes.into_owned())
}
