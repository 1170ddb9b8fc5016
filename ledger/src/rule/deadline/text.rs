//! Prepares a printed deadline for reading: one spelling for each character, and the text cut at its separators.

use std::iter;

use unicode_normalization::UnicodeNormalization;

use crate::fault::is_blank;

/// The characters that write numbers in Chinese, with their values. 十 has no value of its own in a year.
const NUMERALS: &[(char, u32)] = &[
    ('〇', 0),
    ('零', 0),
    ('○', 0),
    ('一', 1),
    ('二', 2),
    ('两', 2),
    ('三', 3),
    ('四', 4),
    ('五', 5),
    ('六', 6),
    ('七', 7),
    ('八', 8),
    ('九', 9),
];

/// The quotation marks that may surround a word, such as “十四五”. NFKC has made full-width ones half-width.
pub(super) const QUOTES: &[&str] = &["“", "”", "\"", "‘", "’", "'", "「", "」", "『", "』"];

/// Returns the text as printed, without the characters that show nothing and the whitespace around it.
pub(super) fn shown(printed: &str) -> String {
    let visible: String = printed.chars().filter(|letter| letter.is_whitespace() || !is_blank(*letter)).collect();
    visible.trim().to_owned()
}

/// Returns the text in one spelling: half-width, with one kind of comma, bracket and dash, without whitespace and
/// without characters that show nothing. A line break becomes a comma unless it cuts a date in two.
pub(super) fn plain(printed: &str) -> String {
    let letters: Vec<char> = numbered(printed)
        .nfkc()
        .filter(|letter| letter.is_whitespace() || !is_blank(*letter))
        .map(|letter| match letter {
            '。' => ';',
            '+' | '&' => '、',
            '[' | '【' | '〔' | '〖' | '{' => '(',
            ']' | '】' | '〕' | '〗' | '}' => ')',
            '—' | '–' | '―' | '‐' | '−' | '─' | '~' | '〜' => '-',
            '∶' => ':',
            other => other,
        })
        .collect();
    let mut text = String::new();
    let mut rest = letters.as_slice();
    while let Some(letter) = rest.first() {
        let gap = rest.iter().take_while(|letter| letter.is_whitespace()).count();
        if gap > 0 {
            let breaks = rest[..gap].iter().any(|letter| !matches!(letter, ' ' | '\t'));
            rest = &rest[gap..];
            text.extend(in_gap(text.chars().next_back(), breaks, rest));
        } else {
            if *letter != '-' || !text.ends_with('-') {
                text.push(*letter);
            }
            rest = &rest[1..];
        }
    }
    let separators = [',', ';', '、'];
    without_heading(text.trim_matches(separators)).trim_matches(separators).to_owned()
}

/// Removes the name of the column, if a cell repeats it: 整改时限：2024年底.
pub(super) fn without_heading(text: &str) -> &str {
    const HEADINGS: &[&str] = &["整改完成时限", "整改时限", "完成时限", "办理时限", "完成时间", "整改期限", "时限"];
    HEADINGS.iter().find_map(|word| text.strip_prefix(word)?.strip_prefix([':', ','])).unwrap_or(text)
}

/// Replaces the circled numbers of a list (①, ⑴, ⒈) by a number between commas, because NFKC would join the number to
/// the year that follows.
fn numbered(printed: &str) -> String {
    let mut text = String::new();
    for letter in printed.chars() {
        if ('\u{2460}'..='\u{249b}').contains(&letter) {
            text.push(',');
            text.extend(iter::once(letter).nfkc().filter(char::is_ascii_digit));
            text.push('、');
        } else {
            text.push(letter);
        }
    }
    text
}

/// Returns what stands for the whitespace between `before` and `after`: a comma between two items, `T` between a date
/// and a time, or nothing. Whitespace inside a date is a typing error.
fn in_gap(before: Option<char>, breaks: bool, after: &[char]) -> Option<char> {
    let (before, next) = (before?, *after.first()?);
    if before.is_ascii_digit() && next.is_ascii_digit() {
        return if begins_time(after) { Some('T') } else { (breaks || begins_year(after)).then_some(',') };
    }
    let cuts_date = match next {
        '前' | '底' | '末' | '日' | '号' | '月' | '年' => {
            before.is_ascii_digit() || matches!(before, '年' | '月')
        }
        _ => matches!(before, '年' | '月') && next.is_ascii_digit() && !begins_year(after),
    };
    (breaks && !cuts_date).then_some(',')
}

fn begins_year(letters: &[char]) -> bool {
    let digits = letters.iter().take_while(|letter| letter.is_ascii_digit()).count();
    digits == 4 && letters.get(4).is_some_and(|letter| matches!(letter, '年' | '-' | '/' | '.'))
}

fn begins_time(letters: &[char]) -> bool {
    let digits = letters.iter().take_while(|letter| letter.is_ascii_digit()).count();
    (1..=2).contains(&digits) && letters.get(digits) == Some(&':')
}

/// A part of a text between two separators.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// The separators before it.
    pub(super) before: &'a str,
    /// The part itself.
    pub(super) text: &'a str,
    /// The separators after it.
    pub(super) after: &'a str,
}

impl Piece<'_> {
    /// Checks whether it is an aside in brackets that belongs to what precedes it: 2024年底前（阶段性目标）.
    pub(super) fn is_aside(&self) -> bool {
        self.before == "(" && self.after.starts_with(')')
    }
}

/// Cuts a text at commas, semicolons, brackets, and at slashes that are not inside a date. Removes the dashes that
/// begin the items of a list, and stray colons.
pub(super) fn pieces(plain: &str) -> Vec<Piece<'_>> {
    let letters: Vec<(usize, char)> = plain.char_indices().collect();
    let is_digit = |place: Option<usize>| {
        place.and_then(|place| letters.get(place)).is_some_and(|(_, letter)| letter.is_ascii_digit())
    };
    let separates = |place: usize| match letters.get(place) {
        Some((_, ',' | ';' | '、' | '(' | ')')) => true,
        Some((_, '/')) => !(is_digit(place.checked_sub(1)) && is_digit(place.checked_add(1))),
        _ => false,
    };
    let mut runs: Vec<(bool, &str)> = Vec::new();
    let mut start = 0;
    for place in 1..=letters.len() {
        if place == letters.len() || separates(place) != separates(place - 1) {
            let end = letters.get(place).map_or(plain.len(), |(at, _)| *at);
            runs.push((separates(place - 1), &plain[start..end]));
            start = end;
        }
    }
    let marks = |place: Option<usize>| place.and_then(|place| runs.get(place)).map_or("", |(_, text)| *text);
    let items = runs.iter().enumerate().filter(|(_, (separates, _))| !separates);
    items
        .map(|(place, (_, text))| {
            let (before, after) = (marks(place.checked_sub(1)), marks(place.checked_add(1)));
            // A colon after brackets belongs to the words before them: 方案（一期）：2024年底.
            let text = if before.ends_with(')') { text } else { text.trim_start_matches([':', '-']) };
            Piece { before, text: unquoted(text), after }
        })
        .filter(|piece| !piece.text.is_empty())
        .collect()
}

/// Removes the quotation marks around a whole part.
fn unquoted(text: &str) -> &str {
    let within = || {
        let first = QUOTES.iter().find_map(|quote| text.strip_prefix(quote))?;
        QUOTES.iter().find_map(|quote| first.strip_suffix(quote))
    };
    within().filter(|inner| !QUOTES.iter().any(|quote| inner.contains(quote))).unwrap_or(text)
}

/// Removes separators around words, brackets around all of them, and a bracket without its other half.
pub(super) fn trimmed(given: &str) -> &str {
    let words = given.trim_matches([',', ';', '、', ':', '-', '/']).trim_start_matches(')').trim_end_matches('(');
    let (opening, closing) = (words.strip_prefix('('), words.strip_suffix(')'));
    let inner = match (opening, closing) {
        (Some(rest), Some(_)) => rest.strip_suffix(')').filter(|inner| !inner.contains(['(', ')'])),
        (Some(rest), None) => Some(rest).filter(|rest| !rest.contains(')')),
        (None, Some(rest)) => Some(rest).filter(|rest| !rest.contains('(')),
        (None, None) => Some(words).filter(|words| words.len() < given.len()),
    };
    inner.map_or(words, trimmed)
}

/// Checks whether a character is part of a number, in digits or in Chinese.
pub(super) fn is_numeral(letter: char) -> bool {
    letter.is_ascii_digit() || letter == '十' || NUMERALS.iter().any(|(numeral, _)| *numeral == letter)
}

fn value(letter: char) -> Option<u32> {
    NUMERALS.iter().find(|(numeral, _)| *numeral == letter).map(|(_, value)| *value)
}

/// A place in a text, from which words and numbers are read one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Begins at the start of a text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// Returns what is not yet read.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Reads one word, if it comes next.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let after = self.rest.strip_prefix(word);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// Reads the first of several words that comes next. Longer words must stand before their beginnings.
    pub(super) fn any(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().find(|word| self.take(word)).copied()
    }

    /// Reads all digits that come next, if there are as many as `lengths` permits.
    pub(super) fn digits(&mut self, lengths: std::ops::RangeInclusive<usize>) -> Option<&'a str> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if !lengths.contains(&length) {
            return None;
        }
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(digits)
    }

    /// Reads a number of at most `length` digits, or a number below 100 in Chinese: 12, 十二.
    pub(super) fn number(&mut self, length: usize) -> Option<u32> {
        let digits = self.digits(1..=length).and_then(|digits| digits.parse().ok());
        digits.or_else(|| self.chinese_number())
    }

    /// Reads a number below 100 in Chinese: 三, 十, 十二, 三十一.
    pub(super) fn chinese_number(&mut self) -> Option<u32> {
        let numerals = self.numerals();
        let number = match numerals.split_once('十') {
            Some((tens, ones)) => 10 * one_or(tens, 1)? + one_or(ones, 0)?,
            None => one_or(&numerals, 0).filter(|_| !numerals.is_empty())?,
        };
        self.rest = &self.rest[numerals.len()..];
        Some(number)
    }

    /// Reads a year of four digits, also in Chinese: 2024, 二〇二四.
    pub(super) fn year(&mut self) -> Option<i32> {
        if let Some(digits) = self.digits(4..=4) {
            return digits.parse().ok();
        }
        let numerals = self.numerals();
        let values: Vec<u32> = numerals.chars().map_while(value).collect();
        if values.len() != 4 || numerals.chars().count() != 4 {
            return None;
        }
        self.rest = &self.rest[numerals.len()..];
        i32::try_from(values.iter().fold(0, |year, digit| year * 10 + digit)).ok()
    }

    /// Reads what `read` reads, or nothing at all if it fails.
    pub(super) fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let mut ahead = *self;
        let found = read(&mut ahead)?;
        *self = ahead;
        Some(found)
    }

    /// Returns the Chinese numerals that come next, at most four.
    fn numerals(&self) -> String {
        let numerals = self.rest.chars().take_while(|letter| is_numeral(*letter) && !letter.is_ascii_digit());
        numerals.take(5).collect()
    }
}

/// Returns the value of a single numeral, or `missing` if there is none. Returns `None` for several numerals.
fn one_or(numerals: &str, missing: u32) -> Option<u32> {
    let mut letters = numerals.chars();
    match (letters.next(), letters.next()) {
        (None, _) => Some(missing),
        (Some(letter), None) => value(letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_one() {
        for (printed, expected) in [
            (" 2022 年 12 月 31 日 ,长期坚持", "2022年12月31日,长期坚持"),
            ("２０２２－１２－３１", "2022-12-31"),
            ("2026年12月31日\u{200b}", "2026年12月31日"),
            ("2024年1月——12月", "2024年1月-12月"),
            ("2024年12\n月31日\n长期坚持", "2024年12月31日,长期坚持"),
            ("2024-06-30 2024-12-31", "2024-06-30,2024-12-31"),
            ("2024-06-30 00:00:00", "2024-06-30T00:00:00"),
            ("①2024年底②2025年底", "1、2024年底,2、2025年底"),
            ("2024年6月30日。", "2024年6月30日"),
        ] {
            assert_eq!(plain(printed), expected, "{printed}");
        }
    }

    #[test]
    fn numbers_are_read_in_digits_and_in_chinese() {
        for (text, number) in [("12月", 12), ("十二月", 12), ("三十一日", 31), ("十日", 10), ("二十日", 20), ("六", 6)]
        {
            assert_eq!(Cursor::new(text).number(2), Some(number), "{text}");
        }
        for text in ["", "月", "123", "一二", "十四五", "三十一二"] {
            assert_eq!(Cursor::new(text).number(2), None, "{text}");
        }
        assert_eq!(Cursor::new("二〇二四年").year(), Some(2024));
        assert_eq!(Cursor::new("20222年").year(), None);
    }

    #[test]
    fn slashes_separate_words_but_not_dates() {
        let texts: Vec<&str> = pieces("立行立改/2024/6/30(长期坚持)").iter().map(|piece| piece.text).collect();
        assert_eq!(texts, ["立行立改", "2024/6/30", "长期坚持"]);
        assert!(pieces("2024年底(目标)")[1].is_aside());
        assert!(!pieces("2024年底;(一)2025年底")[1].is_aside());
    }
}
