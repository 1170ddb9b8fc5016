//! The security headers of every answer. One middleware, `headers`, adds them where a handler has not set them itself; pages
//! replace the content security policy by one of their own.

use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::DefaultHeaders;
use url::Url;

/// The policy of what is no page: a browser that shows it loads, runs, sends and embeds nothing.
const CLOSED: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What no page of ours needs from a browser.
const NO_DEVICES: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), \
                          geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), \
                          screen-wake-lock=(), xr-spatial-tracking=()";
/// A year, in seconds. Not for subdomains: those of the public address's host may be somebody else's, and still without TLS.
const TLS_ONLY: &str = "max-age=31536000";

/// Whether an address is https.
pub fn is_https(address: &str) -> bool {
    Url::parse(address).is_ok_and(|address| address.scheme() == "https")
}

/// The middleware that adds the headers: wrap it around everything else, so that refusals of other middlewares have them too.
/// `public_url` is the address that people open: when it is https, browsers are told to use nothing else.
pub fn headers(public_url: &str) -> DefaultHeaders {
    let headers = DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, CLOSED))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((HeaderName::from_static("permissions-policy"), NO_DEVICES))
        .add((HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        // Pages of `origins` ask by CORS, which this does not concern; it keeps others from embedding.
        .add((HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .add((header::CACHE_CONTROL, "no-store"));
    if is_https(public_url) { headers.add((header::STRICT_TRANSPORT_SECURITY, TLS_ONLY)) } else { headers }
}

/// The policy of a download, which is never shown in our origin.
pub(crate) const DOWNLOAD: &str =
    "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The policy of a page that is text and a style sheet.
pub(crate) const TEXT: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The policy of a page with a form that a script of ours sends.
pub(crate) const FORM: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                               base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The policy of the page of GraphiQL: all is ours, fonts and pictures also within style sheets; style elements have to carry
/// the nonce.
pub(crate) fn page(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src data:; \
         connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}
