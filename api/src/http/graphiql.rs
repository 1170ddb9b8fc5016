//! The pages of the API: GraphiQL at `/graphiql`, and `/set-password`, where a user sets a password with a link from a
//! mail. All assets are part of the program and nothing is loaded from elsewhere, so the pages work in closed networks.

use std::io::Read as _;
use std::sync::LazyLock;

use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding, Header as _};
use actix_web::{HttpRequest, HttpResponse, web};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::http::headers;

const GRAPHIQL: &str = include_str!("../../assets/graphiql.html");
const SET_PASSWORD: &str = include_str!("../../assets/set-password.html");
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Returns an asset as the build has compressed it.
macro_rules! compressed {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz"))
    };
}

/// The assets: name, media type, and contents, compressed with gzip.
const ASSETS: &[(&str, &str, &[u8])] = &[
    ("react.js", SCRIPT, compressed!("react.production.min.js")),
    ("react-dom.js", SCRIPT, compressed!("react-dom.production.min.js")),
    ("graphiql.js", SCRIPT, compressed!("graphiql.min.js")),
    ("graphiql.css", STYLE, compressed!("graphiql.min.css")),
    ("explorer.js", SCRIPT, compressed!("explorer.min.js")),
    ("explorer.css", STYLE, compressed!("explorer.min.css")),
    ("styles.js", SCRIPT, compressed!("styles.js")),
    ("page.js", SCRIPT, compressed!("page.js")),
    ("page.css", STYLE, compressed!("page.css")),
    ("sign-in.css", STYLE, compressed!("sign-in.css")),
    ("set-password.js", SCRIPT, compressed!("set-password.js")),
    ("set-password.css", STYLE, compressed!("set-password.css")),
];

/// The version of each asset, in the order of `ASSETS`: the first 8 bytes of the SHA-256 of its compressed contents, in
/// hexadecimal.
static VERSIONS: LazyLock<Vec<String>> =
    LazyLock::new(|| ASSETS.iter().map(|(.., bytes)| hex::encode(&Sha256::digest(bytes)[..8])).collect());

static VERSIONED_GRAPHIQL: LazyLock<String> = LazyLock::new(|| versioned(GRAPHIQL));
static VERSIONED_SET_PASSWORD: LazyLock<String> = LazyLock::new(|| versioned(SET_PASSWORD));

/// Adds the version of each asset to its address in a page, so that browsers can cache assets until they change.
fn versioned(page: &str) -> String {
    ASSETS.iter().zip(VERSIONS.iter()).fold(page.to_owned(), |page, ((name, ..), version)| {
        page.replace(&format!("\"/assets/{name}\""), &format!("\"/assets/{name}?v={version}\""))
    })
}

/// `GET /set-password`: the page on which the holder of a link sets a password.
pub(crate) async fn set_password() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, headers::FORM))
        .body(VERSIONED_SET_PASSWORD.as_str())
}

/// `GET /graphiql`: the GraphiQL page.
pub(crate) async fn graphiql() -> HttpResponse {
    let mut nonce = [0_u8; 16];
    if let Err(error) = getrandom::fill(&mut nonce) {
        tracing::error!(%error, "the operating system returned no random bytes");
        return HttpResponse::InternalServerError().finish();
    }
    let nonce = hex::encode(nonce);
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, headers::page(&nonce)))
        .body(VERSIONED_GRAPHIQL.replace("{nonce}", &nonce))
}

/// Returns the contents of an asset; none if it was compressed wrongly.
fn plain(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(compressed).read_to_end(&mut plain).ok()?;
    Some(plain)
}

/// `GET /assets/{name}`: an asset of a page. If the address contains its version, caches may keep it for a year;
/// otherwise they have to revalidate it each time.
pub(crate) async fn asset(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let found = ASSETS.iter().zip(VERSIONS.iter()).find(|((known, ..), _)| *known == name.as_str());
    let Some(((_, kind, bytes), version)) = found else { return HttpResponse::NotFound().finish() };
    let is_versioned = request.query_string().strip_prefix("v=") == Some(version);
    let keeping = if is_versioned { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = HttpResponse::Ok();
    response.content_type(*kind).insert_header((header::CACHE_CONTROL, keeping));
    response.insert_header((header::VARY, "accept-encoding"));
    let accepted = AcceptEncoding::parse(&request).ok();
    if accepted.is_some_and(|accepted| accepted.negotiate([Encoding::gzip()].iter()) == Some(Encoding::gzip())) {
        return response.insert_header(ContentEncoding::Gzip).body(*bytes);
    }
    plain(bytes).map_or_else(|| HttpResponse::InternalServerError().finish(), |plain| response.body(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_as_they_published_it() {
        let sums = include_str!("../../assets/SHA256SUMS");
        let mut hashes: Vec<&str> = sums.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let is_ours = |name: &&str| {
            ["styles.js", "page.js", "page.css", "sign-in.css", "set-password.js", "set-password.css"].contains(name)
        };
        for (name, _, bytes) in ASSETS.iter().filter(|(name, ..)| !is_ours(name)) {
            let hash = hex::encode(Sha256::digest(plain(bytes).unwrap()));
            let at = hashes.iter().position(|known| *known == hash);
            hashes.remove(at.unwrap_or_else(|| panic!("{name} is not in SHA256SUMS: {hash}")));
        }
        assert!(hashes.is_empty(), "SHA256SUMS lists files that are not served: {hashes:?}");
    }
}
