//! `GET /evidence/{id}/thumbnail`: a small picture of a photograph, for pages. It is drawn when it is first asked for,
//! and kept in memory for a while.

use std::io::Cursor;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::error::Unserved;
use crate::http::evidence::{Signed, find};
use crate::http::files::{answer, not_there, refuse};
use crate::http::state::AppState;

/// The most pixels of a side of a thumbnail.
const SIDE: u32 = 320;
/// The most bytes of a file that is drawn small.
const MAX_DRAWN_BYTES: u64 = 32 << 20;
/// The most bytes of memory for one decoded picture.
const MEMORY: u64 = 192 << 20;
/// The most pixels of a side of a picture.
const MAX_SIDE: u32 = 16_384;
/// How many thumbnails are kept.
const KEPT: usize = 1_000;
/// How many pictures are drawn at the same time.
const AT_ONCE: usize = 2;
/// The quality of a thumbnail, of 100.
const QUALITY: u8 = 75;

/// Thumbnails that were drawn, by the key of their evidence.
pub(crate) struct Thumbnails {
    kept: Cache<i64, Arc<Vec<u8>>>,
    places: Semaphore,
}

impl Thumbnails {
    /// Makes an empty collection.
    pub(crate) fn new() -> Self {
        Self { kept: Cache::new(KEPT), places: Semaphore::new(AT_ONCE) }
    }
}

/// Returns whether files of a media type have thumbnails.
pub(crate) fn is_drawn(media_type: &str) -> bool {
    matches!(media_type, "image/jpeg" | "image/png")
}

/// `GET /evidence/{id}/thumbnail`: the thumbnail of a photograph.
pub(crate) async fn thumbnail(
    request: HttpRequest,
    id: web::Path<String>,
    signed: web::Query<Signed>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut caller = state.caller(&request);
    let drawn = async {
        let row = find(&request, &id, &signed, &state, &mut caller).await?;
        if !is_drawn(&row.media_type) {
            return Err(not_there());
        }
        if let Some(kept) = state.thumbnails.kept.get(&row.id) {
            return Ok(kept);
        }
        let _place = state.thumbnails.places.acquire().await.map_err(|error| Unserved::masked(&error))?;
        let storage = &state.files.services.storage;
        let found = storage.read(&row.place).await.map_err(|error| Unserved::masked(&error))?;
        let (size, mut stream) = found.ok_or_else(not_there)?;
        if size > MAX_DRAWN_BYTES {
            return Err(not_there());
        }
        let mut bytes = Vec::with_capacity(size as usize);
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| Unserved::masked(&error))?);
        }
        let small = web::block(move || draw(bytes)).await.map_err(|error| Unserved::masked(&error))?;
        let small = Arc::new(small.ok_or_else(not_there)?);
        state.thumbnails.kept.insert(row.id, small.clone());
        Ok(small)
    };
    match drawn.await {
        Ok(small) => answer(actix_web::http::StatusCode::OK)
            .content_type("image/jpeg")
            .insert_header((header::CACHE_CONTROL, "private, max-age=3600"))
            .body(small.to_vec()),
        Err(why) => refuse(&why, &caller),
    }
}

/// Draws a picture small, upright as the camera was held. None if it is not a picture, or too large to be decoded.
fn draw(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MEMORY);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let orientation = decoder.orientation().ok()?;
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    if picture.width().max(picture.height()) > SIDE {
        picture = picture.thumbnail(SIDE, SIDE);
    }
    picture.apply_orientation(orientation);
    let mut small = Vec::new();
    picture.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut small, QUALITY)).ok()?;
    Some(small)
}
