//! Escapes in the strings of documents that the library's parser does not read: `\u{6c34}`, and the surrogate pair
//! `\uD83D\uDE00`.

use std::borrow::Cow;
use std::iter::repeat_n;

use crate::graphql::limits::Strings;

/// Replaces the escapes by the characters that they stand for. The tokens after a string keep their line and column. An
/// escape that stands for no character is left for the parser to refuse.
pub(crate) fn resolve(document: &str) -> Cow<'_, str> {
    if !document.contains("\\u") {
        return Cow::Borrowed(document);
    }
    let mut resolved = String::with_capacity(document.len());
    let (mut rest, mut strings) = (document, Strings::default());
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => strings.length(rest),
            _ => letter.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if letter == '"' && !token.starts_with("\"\"\"") {
            let shorter = literal(token);
            let missing = token.chars().count().saturating_sub(shorter.chars().count());
            resolved.push_str(&shorter);
            // Blanks between tokens mean nothing.
            resolved.extend(repeat_n(' ', missing));
        } else {
            resolved.push_str(token);
        }
        rest = after;
    }
    Cow::Owned(resolved)
}

/// Resolves the escapes of one string literal.
fn literal(token: &str) -> String {
    let mut resolved = String::with_capacity(token.len());
    let mut rest = token;
    while let Some(at) = rest.find('\\') {
        resolved.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if let Some((letter, length)) = escaped(rest) {
            push(&mut resolved, letter);
            length
        } else {
            // The character after a backslash is part of the escape.
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            resolved.push_str(&rest[..length]);
            length
        };
        rest = &rest[length..];
    }
    resolved + rest
}

/// Adds a character to a string literal, as an escape if it may not stand there as it is.
fn push(literal: &mut String, letter: char) {
    match letter {
        '"' => literal.push_str("\\\""),
        '\\' => literal.push_str("\\\\"),
        '\n' => literal.push_str("\\n"),
        '\r' => literal.push_str("\\r"),
        other => literal.push(other),
    }
}

/// Reads the escape that a text begins with, and returns its character and its length in bytes. None for escapes that
/// the parser reads itself, and for those that stand for no character.
fn escaped(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix("\\u")?;
    if let Some(braced) = digits.strip_prefix('{') {
        let (digits, _) = braced.split_once('}')?;
        return Some((char::from_u32(hex(digits)?)?, digits.len() + 4));
    }
    let high = hex(digits.get(..4)?)?;
    let low = hex(digits[4..].strip_prefix("\\u")?.get(..4)?)?;
    let is_pair = (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low);
    let code = is_pair.then(|| 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))?;
    Some((char::from_u32(code)?, 12))
}

/// Reads hexadecimal digits; none if there are no digits, or other characters.
fn hex(digits: &str) -> Option<u32> {
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_hex { u32::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn escapes_are_resolved_in_strings_and_nowhere_else() {
        for (document, resolved) in [
            (r#"{ a(b: "\u{6c34}") }"#, r#"{ a(b: "水"       ) }"#),
            (r#"{ a(b: "\ud83d\ude00") }"#, "{ a(b: \"😀\"           ) }"),
            (r#"{ a(b: "\u6c34\n") }"#, r#"{ a(b: "\u6c34\n") }"#),
            (r#"{ a(b: "\u{22}\u{a}") }"#, r#"{ a(b: "\"\n"       ) }"#),
            (r#"{ a(b: "\\u{6c34}") }"#, r#"{ a(b: "\\u{6c34}") }"#),
            (r#"{ a(b: """\u{6c34}""") }"#, r#"{ a(b: """\u{6c34}""") }"#),
            (r#"{ a # "\u{6c34}" "#, r#"{ a # "\u{6c34}" "#),
            (r#"{ a(b: "\ud83d") c(d: "\u{110000}") }"#, r#"{ a(b: "\ud83d") c(d: "\u{110000}") }"#),
            (r#"{ a(b: "\u{"#, r#"{ a(b: "\u{"#),
            (r#"{ a(b: "\u水水") }"#, r#"{ a(b: "\u水水") }"#),
        ] {
            assert_eq!(resolve(document), resolved, "{document}");
        }
    }
}
