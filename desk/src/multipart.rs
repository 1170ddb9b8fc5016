//! Forms with files (`multipart/form-data`), as browsers send them: text fields, which come first, and files.

use actix_multipart::{Field, Multipart};
use futures_util::StreamExt;

use crate::page::{Stopped, Visit};
use crate::variables::Given;

/// The most bytes of the text fields of a form together.
const MAX_TEXT_BYTES: usize = 512 << 10;

/// Reads a form up to its next file, adding the text fields to `given`. Returns the name of the file, which is empty if
/// none was chosen, and its field; `None` at the end of the form.
pub(crate) async fn next_file(form: &mut Multipart, given: &mut Given) -> Result<Option<(String, Field)>, Stopped> {
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|_| Stopped::Foreign)?;
        let said = field.content_disposition();
        let name = said.and_then(|said| said.get_name()).unwrap_or_default().to_owned();
        if name == "file" {
            let file = said.and_then(|said| said.get_filename()).unwrap_or_default().to_owned();
            return Ok(Some((file, field)));
        }
        let before: usize = given.iter().map(|(_, text)| text.len()).sum();
        let text = bytes_of(&mut field, MAX_TEXT_BYTES.saturating_sub(before)).await?;
        given.push((name, String::from_utf8_lossy(&text).into_owned()));
    }
    Ok(None)
}

/// Reads a form with one file, and checks that a page of this desk has sent it. Returns its text fields, and the file
/// with its name; no file if none was chosen.
pub(crate) async fn only_file(
    visit: &Visit<'_>,
    form: &mut Multipart,
) -> Result<(Given, Option<(String, Field)>), Stopped> {
    let mut given = Given::new();
    let file = next_file(form, &mut given).await?;
    visit.check_form(&given)?;
    Ok((given, file.filter(|(name, _)| !name.is_empty())))
}

/// Reads a field, which has at most so many bytes.
pub(crate) async fn bytes_of(field: &mut Field, most: usize) -> Result<Vec<u8>, Stopped> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| Stopped::Foreign)?);
        if bytes.len() > most {
            return Err(Stopped::Foreign);
        }
    }
    Ok(bytes)
}
