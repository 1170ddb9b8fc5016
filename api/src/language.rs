//! The language of a response, from the `Accept-Language` header of the request.

use actix_web::HttpRequest;
use actix_web::http::header::{AcceptLanguage, Header, Quality};
use planner::Bilingual;

/// Returns whether `Accept-Language` ranks English above Chinese.
pub fn prefers_english(request: &HttpRequest) -> bool {
    Language::preferred(request) == Language::English
}

/// A language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Chinese,
    English,
}

impl Language {
    /// Returns the supported language that `Accept-Language` ranks highest; Chinese if it names none of them.
    pub(crate) fn preferred(request: &HttpRequest) -> Self {
        let Ok(accepted) = AcceptLanguage::parse(request) else { return Self::Chinese };
        let refused = |tag: &str| {
            let nought = |wish: &&actix_web::http::header::QualityItem<_>| wish.quality == Quality::ZERO;
            accepted.0.iter().filter(nought).any(|wish| wish.item.to_string().eq_ignore_ascii_case(tag))
        };
        let ranked = accepted.ranked();
        let spoken = ranked.iter().find_map(|wish| {
            let tag = wish.item()?.primary_language().to_ascii_lowercase();
            match tag.as_str() {
                _ if refused(&tag) => None,
                "zh" => Some(Self::Chinese),
                "en" => Some(Self::English),
                _ => None,
            }
        });
        spoken.unwrap_or(Self::Chinese)
    }

    /// Returns the text of a message in this language.
    pub(crate) fn of(self, message: &Bilingual) -> &str {
        match self {
            Self::Chinese => &message.zh,
            Self::English => &message.en,
        }
    }
}

/// Writes a code such as `IN_PROGRESS` as words: `In progress`.
pub fn in_words(code: &str) -> String {
    let words = code.to_lowercase().replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}
