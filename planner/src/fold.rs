//! The normal form in which texts are searched: half width, lower case, simplified characters. A text is not stored in
//! it: the words that are looked for are brought into it, and each statement replaces in the texts the other forms of
//! the characters that these words have.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The full-width forms of the visible ASCII characters, in their order from `!`.
const FULL_WIDTH: std::ops::RangeInclusive<char> = '\u{FF01}'..='\u{FF5E}';
/// The Chinese characters that may have a simplified form.
const CHINESE: std::ops::RangeInclusive<char> = '\u{3400}'..='\u{9FFF}';

/// The other forms of each character of the normal form, but for upper case in ASCII, which the database folds.
static FORMS: LazyLock<HashMap<char, Vec<char>>> = LazyLock::new(|| {
    let mut forms: HashMap<char, Vec<char>> = HashMap::new();
    for form in FULL_WIDTH.chain(CHINESE) {
        let normal = worked_out(form);
        if normal != form {
            forms.entry(normal).or_default().push(form);
        }
    }
    forms
});

/// The normal form of each character in the ranges above that has another one.
static NORMAL: LazyLock<HashMap<char, char>> =
    LazyLock::new(|| FORMS.iter().flat_map(|(normal, forms)| forms.iter().map(|form| (*form, *normal))).collect());

/// Returns the normal form of a text.
pub fn normal(text: &str) -> String {
    text.chars().map(normal_of).collect()
}

/// Returns each other form of the characters of a word in normal form, and the character that it stands for.
pub(crate) fn forms(word: &str) -> Vec<(char, char)> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let of = |letter: &char| {
        let upper = letter.to_uppercase().next().filter(|upper| upper != letter && !letter.is_ascii());
        let others = FORMS.get(letter).into_iter().flatten().copied().chain(upper);
        others.map(|form| (form, *letter)).collect::<Vec<_>>()
    };
    letters.iter().flat_map(of).collect()
}

/// Returns whether a word, in its normal form, has characters that have an upper case.
pub(crate) fn has_case(word: &str) -> bool {
    let normal = normal(word);
    normal.to_uppercase() != normal
}

fn normal_of(letter: char) -> char {
    if FULL_WIDTH.contains(&letter) || CHINESE.contains(&letter) {
        return NORMAL.get(&letter).copied().unwrap_or(letter);
    }
    worked_out(letter)
}

/// Works the normal form of a character out, which takes too long for each one of a text.
fn worked_out(letter: char) -> char {
    let half = match letter {
        '\u{3000}' => ' ',
        form if FULL_WIDTH.contains(&form) => char::from_u32(form as u32 - 0xFEE0).unwrap_or(form),
        other => other,
    };
    let simplified = if CHINESE.contains(&half) {
        hanconv::t2s(half.encode_utf8(&mut [0; 4])).chars().next().unwrap_or(half)
    } else {
        half
    };
    let mut lower = simplified.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => lower,
        _ => simplified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_case_and_traditional_characters_are_folded() {
        assert_eq!(normal("治理ＰＭ２．５點位"), "治理pm2.5点位");
        assert_eq!(normal("生態環境"), "生态环境");
        let forms = forms("pm环");
        for form in [('ｐ', 'p'), ('Ｐ', 'p'), ('Ｍ', 'm'), ('環', '环')] {
            assert!(forms.contains(&form), "{form:?}");
        }
    }
}
