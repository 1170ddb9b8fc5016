//! Forms with files (`multipart/form-data`) whose headers are in GB18030: some programs and old browsers write file
//! names as the system stores them, and the library reads UTF-8 only.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_multipart::Multipart;
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, BytesMut};
use encoding_rs::GB18030;
use futures_util::Stream;

/// The most bytes of the headers of a part; longer ones are left as they are, and the library refuses them.
const MAX_HEADER_BYTES: usize = 8 << 10;

/// Reads a form with files, given the headers of its request. File names may be in UTF-8 or GB18030.
pub fn form<S>(headers: &HeaderMap, body: S) -> Multipart
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = kind.split_once("boundary=").map(|(_, rest)| rest.split(';').next().unwrap_or_default());
    let delimiter = format!("--{}", boundary.unwrap_or_default().trim().trim_matches('"')).into_bytes();
    Multipart::new(headers, Decoded { body, delimiter, held: BytesMut::new(), in_headers: false })
}

/// The bytes of a form, with the headers of its parts in UTF-8.
struct Decoded<S> {
    body: S,
    /// What begins a part.
    delimiter: Vec<u8>,
    /// Bytes that may be part of a delimiter, or of headers whose end has not arrived.
    held: BytesMut,
    /// Whether the headers of a part have begun.
    in_headers: bool,
}

impl<S> Decoded<S> {
    /// Takes more bytes, and returns what can be passed on.
    fn take(&mut self, more: &[u8]) -> BytesMut {
        self.held.extend_from_slice(more);
        let mut out = BytesMut::with_capacity(self.held.len());
        loop {
            if self.in_headers {
                let Some(end) = position(&self.held, b"\r\n\r\n").map(|at| at + 4) else {
                    if self.held.len() > MAX_HEADER_BYTES {
                        self.in_headers = false;
                        continue;
                    }
                    return out;
                };
                let headers = self.held.split_to(end);
                out.extend_from_slice(&utf8(&headers));
                self.in_headers = false;
            } else if let Some(at) = position(&self.held, &self.delimiter) {
                out.extend_from_slice(&self.held.split_to(at + self.delimiter.len()));
                self.in_headers = true;
            } else {
                // A delimiter may have begun at the end.
                let sure = self.held.len().saturating_sub(self.delimiter.len());
                out.extend_from_slice(&self.held.split_to(sure));
                return out;
            }
        }
    }
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for Decoded<S> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match Pin::new(&mut self.body).poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => {
                    let out = self.take(&bytes);
                    if !out.is_empty() {
                        return Poll::Ready(Some(Ok(out.freeze())));
                    }
                }
                Poll::Ready(None) if !self.held.is_empty() => {
                    let rest = std::mem::take(&mut self.held);
                    return Poll::Ready(Some(Ok(rest.freeze())));
                }
                other => return other,
            }
        }
    }
}

/// Returns headers in UTF-8.
fn utf8(headers: &[u8]) -> Cow<'_, [u8]> {
    if std::str::from_utf8(headers).is_ok() {
        return Cow::Borrowed(headers);
    }
    match GB18030.decode_without_bom_handling_and_without_replacement(headers) {
        Some(text) => Cow::Owned(text.into_owned().into_bytes()),
        None => Cow::Borrowed(headers),
    }
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_decoded_and_contents_stay_however_the_bytes_arrive() {
        let name = GB18030.encode("台账.csv").0.into_owned();
        let content = [0xB5, 0xDA, b'\r', b'\n', b'\r', b'\n', 0xFF];
        let form = |name: &[u8]| {
            [b"--B\r\nContent-Disposition: form-data; filename=\"", name, b"\"\r\n\r\n", &content, b"\r\n--B--\r\n"]
                .concat()
        };
        for size in [1, 2, 3, 7, 1000] {
            let mut decoded =
                Decoded { body: (), delimiter: b"--B".to_vec(), held: BytesMut::new(), in_headers: false };
            let mut out = Vec::new();
            for chunk in form(&name).chunks(size) {
                out.extend_from_slice(&decoded.take(chunk));
            }
            out.extend_from_slice(&decoded.held);
            assert_eq!(out, form("台账.csv".as_bytes()), "{size}");
        }
    }
}
