//! What makes two rows the same problem or the same measure, in whatever file or by whatever hand they come.

use unicode_normalization::UnicodeNormalization;

use crate::fault;

/// What makes a problem the same, within a round and an issuing region: its number, else its normalised title.
pub fn problem(number: Option<&str>, title: &str) -> String {
    kept(&number.map_or_else(|| normalised(title), str::to_owned))
}

/// What makes a measure the same, within a problem: its number and normalised content.
pub fn measure(number: Option<&str>, content: &str) -> String {
    kept(&format!("{}|{}", number.unwrap_or_default(), normalised(content)))
}

/// What makes a row the same, as it is kept: a number that was kept before numbers were cleaned is what it shows.
pub fn kept(identity: &str) -> String {
    fault::single(identity).unwrap_or_else(|_| identity.to_owned())
}

/// Text without what spelling may change: widths, spaces, punctuation.
pub fn normalised(text: &str) -> String {
    text.nfkc().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase()
}
