//! The security headers of every response. The middleware [`headers()`] adds those that a handler has not set itself.
//! Pages replace the content security policy by one of their own.

use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::DefaultHeaders;
use url::Url;

/// The content security policy of a response that is not a page. A browser that displays it anyway loads, runs, submits
/// and embeds nothing.
const CLOSED: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The permissions policy: browser features that no page of this program needs.
const NO_DEVICES: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), \
                          fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), \
                          payment=(), usb=(), screen-wake-lock=(), xr-spatial-tracking=()";
/// Strict transport security for one year (in seconds). It excludes subdomains, which may belong to others and may not
/// use TLS yet.
const TLS_ONLY: &str = "max-age=31536000";

/// Returns whether the scheme of an address is https.
pub fn is_https(address: &str) -> bool {
    Url::parse(address).is_ok_and(|address| address.scheme() == "https")
}

/// Makes the middleware that adds the headers. Wrap it around everything else, so that refusals by other middleware
/// have them too. `public_url` is the public address of this program: if it is https, browsers are told to use https
/// only.
pub fn headers(public_url: &str) -> DefaultHeaders {
    let headers = DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, CLOSED))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((HeaderName::from_static("permissions-policy"), NO_DEVICES))
        .add((HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        // Prevents other sites from embedding responses. Pages of `origins` use CORS, which this header does not
        // affect.
        .add((HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .add((header::CACHE_CONTROL, "no-store"));
    if is_https(public_url) { headers.add((header::STRICT_TRANSPORT_SECURITY, TLS_ONLY)) } else { headers }
}

/// The content security policy of a download. The sandbox gives it an origin of its own if a browser displays it.
pub(crate) const DOWNLOAD: &str =
    "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The content security policy of a page that consists of text and a style sheet.
pub(crate) const TEXT: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The content security policy of a page with a form that a script of this program submits.
pub(crate) const FORM: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
                               connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the content security policy of the GraphiQL page: everything comes from this program, images and fonts also
/// from `data:` addresses in style sheets, and style elements must have the nonce.
pub(crate) fn page(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; \
         font-src data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
}
