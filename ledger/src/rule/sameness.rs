//! The normal form of texts, and the identity of problems and measures, by which an item is recognised whichever file
//! or user it comes from. What looks the same has the same form; what differs for a person has another.

use unicode_normalization::UnicodeNormalization;

/// Returns the identity of a problem within its round and issuing region: its number, or its normalised title without
/// one.
pub fn problem(number: Option<&str>, title: &str) -> String {
    number.map_or_else(|| normalised(title), self::number)
}

/// Returns the identity of a measure within its problem: its number and its normalised content.
pub fn measure(number: Option<&str>, content: &str) -> String {
    format!("{}|{}", number.map(self::number).unwrap_or_default(), normalised(content))
}

/// Returns a number of a problem or measure without what may vary in spelling: widths, kinds of dashes, blanks and the
/// brackets around it. `（１—２）` becomes `1-2`.
pub fn number(printed: &str) -> String {
    let plain = widths(printed).filter(|letter| !letter.is_whitespace() && !is_invisible(*letter)).map(one_dash);
    let plain: String = plain.collect::<String>().to_lowercase();
    plain.trim_matches(['(', ')', '[', ']', '.', '、', '。']).to_owned()
}

/// Returns a text without what may vary in spelling: case, character widths, blanks and punctuation.
///
/// Marks that make another number stay: those between two digits (3.5, 2-1, 10:30), except the comma of thousands; a
/// minus before a digit; percent signs. Raised and lowered digits and fractions are kept apart from plain ones.
pub fn normalised(text: &str) -> String {
    let letters: Vec<char> = widths(text).filter(|letter| !is_invisible(*letter)).collect();
    let mut form = String::with_capacity(text.len());
    let mut before = None;
    let mut marks: Vec<char> = Vec::new();
    for (place, letter) in letters.iter().copied().enumerate() {
        if !is_kept(letter) {
            marks.push(letter);
            continue;
        }
        let after = letters.get(place..).unwrap_or_default();
        form.push_str(&number_marks(before, &marks, after));
        form.extend(letter.to_lowercase());
        before = Some(letter);
        marks.clear();
    }
    form
}

/// Whether a letter stays whatever is around it.
fn is_kept(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '%' | '‰')
}

/// Returns what stays of the marks between two letters: those that make another number of the digits after them.
fn number_marks(before: Option<char>, marks: &[char], after: &[char]) -> String {
    let is_digit = |letter: Option<&char>| letter.is_some_and(char::is_ascii_digit);
    if !is_digit(after.first()) {
        return String::new();
    }
    if !is_digit(before.as_ref()) {
        let is_minus = |mark: &char| matches!(mark, '-' | '\u{2212}');
        let is_dash = |mark: &char| one_dash(*mark) == '-';
        let is_signed = marks.last().is_some_and(is_minus) && !marks.iter().rev().nth(1).is_some_and(is_dash);
        return if is_signed { "-".to_owned() } else { String::new() };
    }
    let shown: String = marks.iter().filter(|mark| !mark.is_whitespace()).map(|mark| one_dash(*mark)).collect();
    let is_thousands = after.iter().take_while(|letter| letter.is_ascii_digit()).count() == 3;
    if shown == "," && is_thousands { String::new() } else { shown }
}

/// Writes letters in one width. Unlike NFKC, leaves raised and lowered digits and fractions alone: 10² is not 102.
fn widths(text: &str) -> impl Iterator<Item = char> {
    text.nfc().flat_map(|letter| {
        let (own, other) = if is_raised(letter) { (Some(letter), None) } else { (None, Some(letter)) };
        own.into_iter().chain(other.into_iter().nfkc())
    })
}

fn is_raised(letter: char) -> bool {
    matches!(letter,
        '²' | '³' | '¹' | '\u{2070}'..='\u{209c}' | '¼'..='¾' | '\u{2150}'..='\u{215f}' | '\u{2189}')
}

/// Writes all kinds of dashes and minus signs as one.
fn one_dash(mark: char) -> char {
    match mark {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2500}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' | '~' | '\u{301c}' => {
            '-'
        }
        mark => mark,
    }
}

fn is_invisible(letter: char) -> bool {
    !letter.is_whitespace() && crate::fault::is_blank(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_looks_the_same_is_the_same() {
        for (one, other) in [
            ("推进 3.5 万亩草原修复。", "推进３．５万亩草原修复"),
            ("投资1,000万元", "投资１，０００万元"),
            ("完成率35%", "完成率 ３５％"),
            ("“十四五”末", "十四五末"),
            ("第1—2标段", "第1-2标段"),
            ("零下-3度", "零下 -3 度"),
            ("市水\u{200b}利局", "市水利局"),
            ("ＡＢＣ公司", "abc公司"),
        ] {
            assert_eq!(normalised(one), normalised(other), "{one} {other}");
        }
        for (one, other) in [("1-1", "１－１"), ("1-1", "1—1"), ("（十九）", "十九"), ("12.", "12"), ("[3]", "3")]
        {
            assert_eq!(number(one), number(other), "{one} {other}");
        }
    }

    #[test]
    fn what_differs_for_a_person_differs() {
        for (one, other) in [
            ("3.5万亩", "35万亩"),
            ("1.5公里", "15公里"),
            ("第1-2项", "第12项"),
            ("10:30", "1030"),
            ("35%", "35"),
            ("10²", "102"),
            ("½", "12"),
            ("气温-3度", "气温3度"),
            ("1、2号井", "12号井"),
            ("2024/5", "20245"),
        ] {
            assert_ne!(normalised(one), normalised(other), "{one} {other}");
        }
        assert_ne!(number("1.1"), number("11"));
        assert_ne!(number("1.1"), number("1.10"));
        assert_ne!(measure(Some("1"), "甲"), measure(Some("2"), "甲"));
    }

    proptest! {
        #[test]
        fn the_form_of_a_form_is_itself(text in "[0-9０-９ ,.，。、a-cＡ-Ｃ一二三—－~%-]{0,24}") {
            let form = normalised(&text);
            prop_assert_eq!(normalised(&form), form);
        }

        #[test]
        fn widths_and_blanks_make_no_difference(words in "[一二三a-z]{1,4}", tens in 0_u32..1000, parts in 0_u32..100) {
            let narrow = format!("{words}{tens}.{parts}万亩");
            let wide: String = narrow.chars().map(|letter| match letter {
                '!'..='~' => char::from_u32(u32::from(letter) + 0xfee0).unwrap(),
                letter => letter,
            }).collect();
            prop_assert_eq!(normalised(&wide), normalised(&narrow));
            let wider = format!("{words}　{tens}.{parts} 万亩。");
            prop_assert_eq!(normalised(&wider), normalised(&narrow));
        }

        #[test]
        fn decimals_differ(one in 0.0_f64..1000.0, other in 0.0_f64..1000.0) {
            let (one, other) = (format!("{one:.2}"), format!("{other:.2}"));
            prop_assert_eq!(normalised(&one) == normalised(&other), one == other);
        }

        #[test]
        fn no_text_is_too_odd(text in any::<String>()) {
            let _ = (normalised(&text), number(&text));
        }
    }
}
