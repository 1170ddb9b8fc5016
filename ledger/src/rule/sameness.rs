//! The identity of problems and measures, by which an item is recognised whichever file or user it comes from.

use unicode_normalization::UnicodeNormalization;

use crate::fault;

/// Returns the identity of a problem within its round and issuing region: its number, or its normalised title without
/// one.
pub fn problem(number: Option<&str>, title: &str) -> String {
    kept(&number.map_or_else(|| normalised(title), str::to_owned))
}

/// Returns the identity of a measure within its problem: its number and its normalised content.
pub fn measure(number: Option<&str>, content: &str) -> String {
    kept(&format!("{}|{}", number.unwrap_or_default(), normalised(content)))
}

/// Returns a stored identity as it would be stored today: a number that was stored before numbers were cleaned loses
/// the characters that it does not show.
pub fn kept(identity: &str) -> String {
    fault::single(identity).unwrap_or_else(|_| identity.to_owned())
}

/// Returns a text without what may vary in spelling: case, character widths, whitespace and punctuation.
pub fn normalised(text: &str) -> String {
    text.nfkc().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase()
}
