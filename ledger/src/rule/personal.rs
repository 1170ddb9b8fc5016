//! Finds personal data in texts, so that it is not recorded: complainants have a right to remain anonymous.
//!
//! Telephone and identity card numbers are recognised by their form. A name has no such form, so users are asked to
//! leave names out.

use std::ops::RangeInclusive;

use chrono::NaiveDate;

use crate::fault::{self, Fault};

/// A kind of number that is personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personal {
    /// A mobile phone number, which belongs to a person.
    Mobile,
    /// A landline number, which may belong to an office.
    Landline,
    /// An identity card number.
    IdentityCard,
}

impl Personal {
    fn named(self) -> (&'static str, &'static str) {
        match self {
            Self::Mobile => ("疑似手机号码", "what looks like a mobile phone number"),
            Self::Landline => ("疑似电话号码", "what looks like a telephone number"),
            Self::IdentityCard => ("疑似身份证号码", "what looks like an identity card number"),
        }
    }
}

/// Checks a text of several lines like [`fault::text`], and refuses a number that could identify the complainant.
pub fn text(given: &str, chars: RangeInclusive<usize>, what: (&str, &str), path: &[&str]) -> Result<String, Fault> {
    names_nobody(fault::text(given, chars, what, path)?, what, path)
}

/// Checks a text of one line like [`fault::line`], and refuses a number that could identify the complainant.
pub fn line(given: &str, chars: RangeInclusive<usize>, what: (&str, &str), path: &[&str]) -> Result<String, Fault> {
    names_nobody(fault::line(given, chars, what, path)?, what, path)
}

/// Refuses a text that contains any number found by [`find`].
fn names_nobody(text: String, what: (&str, &str), path: &[&str]) -> Result<String, Fault> {
    let Some((zh, en)) = find(&text).map(Personal::named) else { return Ok(text) };
    Err(Fault::invalid(
        format!("{}中有{zh}：不得记录举报人信息，请删除", what.0),
        format!("{}: contains {en}; remove it: complainants must not be identifiable", what.1),
        path,
    ))
}

/// Checks a text of several lines that many people read, including the public. A landline number is permitted, because
/// it may be an office's; a person's number is refused.
pub(crate) fn public_text(
    given: &str,
    chars: RangeInclusive<usize>,
    what: (&str, &str),
    path: &[&str],
) -> Result<String, Fault> {
    offices_only(fault::text(given, chars, what, path)?, what, path)
}

/// Checks a text of one line that many people read, including the public. A landline number is permitted, because it
/// may be an office's; a person's number is refused.
pub(crate) fn public_line(
    given: &str,
    chars: RangeInclusive<usize>,
    what: (&str, &str),
    path: &[&str],
) -> Result<String, Fault> {
    offices_only(fault::line(given, chars, what, path)?, what, path)
}

/// Refuses a text that contains a number other than a landline number.
fn offices_only(text: String, what: (&str, &str), path: &[&str]) -> Result<String, Fault> {
    let found = all(&text).find(|found| *found != Personal::Landline);
    let Some((zh, en)) = found.map(Personal::named) else { return Ok(text) };
    Err(Fault::invalid(
        format!("{}中有{zh}：不得写入个人信息，请删除，联系方式请写单位的座机", what.0),
        format!("{}: contains {en}; remove it and give the landline number of the office", what.1),
        path,
    ))
}

/// Returns the kind of the first personal number in a text, or `None` if the text has none.
pub fn find(text: &str) -> Option<Personal> {
    all(text).next()
}

/// Returns the kind of every personal number in a text.
fn all(text: &str) -> impl Iterator<Item = Personal> {
    let runs = runs(text);
    (0..runs.len()).filter_map(move |first| {
        // A number is written in one piece, or in pieces with one hyphen, space or similar character between them.
        let mut number = String::new();
        for (place, run) in runs[first..].iter().enumerate() {
            if place > 0 && !run.is_joined {
                break;
            }
            number.push_str(&run.digits);
            let pieces = place + 1;
            if let Some(found) = kind_of(&number, pieces, &runs[first]) {
                return Some(found);
            }
            if pieces == MAX_PIECES {
                break;
            }
        }
        None
    })
}

/// The most pieces in which a number is written: `138 0000 0000` has three, and the country code 86 makes four.
const MAX_PIECES: usize = 4;

/// A run of consecutive digits.
struct Run {
    digits: String,
    /// Whether exactly one hyphen, space or similar character lies between the previous run and this one.
    is_joined: bool,
    /// Whether an ASCII letter precedes it directly, as in the number of a case.
    is_coded: bool,
}

/// Splits a text into its runs of digits.
fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut gap = String::new();
    let mut is_open = false;
    // Characters that show nothing must not hide a number, so they are skipped.
    for letter in text.chars().filter(|letter| letter.is_whitespace() || !fault::is_blank(*letter)) {
        // Full-width digits count as digits.
        let digit = match letter {
            '０'..='９' => char::from_digit(letter as u32 - '０' as u32, 10),
            '0'..='9' => Some(letter),
            // The check digit of an identity card number may be an X.
            'x' | 'X' | 'ｘ' | 'Ｘ' if is_open => Some('X'),
            _ => None,
        };
        match digit {
            Some(digit) if is_open => {
                if let Some(run) = runs.last_mut() {
                    run.digits.push(digit);
                }
                is_open = digit != 'X';
            }
            Some(digit) => {
                let is_joined = matches!(
                    gap.as_str(),
                    "-" | " " | "－" | "—" | "\u{3000}" | "\n" | "/" | "_" | "·" | "．" | ")" | "）"
                );
                let is_coded = gap.ends_with(|letter: char| letter.is_ascii_alphabetic());
                runs.push(Run { digits: digit.to_string(), is_joined, is_coded });
                gap.clear();
                is_open = true;
            }
            None => {
                is_open = false;
                gap.push(letter);
            }
        }
    }
    runs
}

/// Returns what kind of personal number this is, if it is one. `pieces` is the number of runs it was written in,
/// `first` the first of them.
fn kind_of(number: &str, pieces: usize, first: &Run) -> Option<Personal> {
    let length = first.digits.len();
    let mobile = |number: &str| {
        let bytes = number.as_bytes();
        bytes.len() == 11 && bytes[0] == b'1' && (b'3'..=b'9').contains(&bytes[1])
    };
    if number.len() == 18 && has_birthday(number) && !number[..17].contains('X') {
        return Some(Personal::IdentityCard);
    }
    if number.contains('X') {
        return None;
    }
    // In pieces: 138-0000-0000 or 1380000 0000; with the country code: 86 13800000000.
    let is_mobile = mobile(number) && (pieces == 1 || length == 3 || length == 7);
    let is_abroad = number.strip_prefix("86").is_some_and(mobile);
    // An area code begins with a zero and has three or four digits; the number after it has seven or eight.
    let is_fixed = number.starts_with('0')
        && !first.is_coded
        && (10..=12).contains(&number.len())
        && (pieces == 1 || (pieces == 2 && (3..=4).contains(&length)));
    if is_mobile || is_abroad { Some(Personal::Mobile) } else { is_fixed.then_some(Personal::Landline) }
}

/// Checks whether digits 7 to 14 of an identity card number are a date of birth (`YYYYMMDD`).
fn has_birthday(number: &str) -> bool {
    let day = number.get(6..14).and_then(|day| NaiveDate::parse_from_str(day, "%Y%m%d").ok());
    day.is_some_and(|day| day.format("%Y").to_string().starts_with(['1', '2']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_people_are_found_however_they_are_written() {
        for text in [
            "联系电话13900001234。",
            "电话：139 0000 1234",
            "139-0000-1234",
            "+86 13900001234",
            "8613900001234",
            "１３９００００１２３４",
            "139\u{200b}00001234",
            "1390000 1234",
            "139．0000．1234",
            "(139)00001234",
            "2x13900001234",
        ] {
            assert_eq!(find(text), Some(Personal::Mobile), "{text}");
        }
        for text in ["0895-1234567", "010 12345678", "08951234567"] {
            assert_eq!(find(text), Some(Personal::Landline), "{text}");
        }
        for text in [
            "身份证540321199001010019",
            "证号 54032119900101001X，反映",
            "54032119900101001x",
            "540321 19900101 001X",
            "５４０３２１１９９００１０１００１Ｘ",
        ] {
            assert_eq!(find(text), Some(Personal::IdentityCard), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_let_be() {
        for text in [
            "D3SX202505280018",
            "XZ0202505281",
            "2025年5月28日，夜间噪声65分贝",
            "2025-05-28 13:00至2025-05-29 06:00",
            "2025-05-28",
            "占地13900平方米，投资1390.00001234亿元",
            "库容 13900001 立方米",
            "统一社会信用代码91540000783500001X",
            "第12-02项，涉及1200户",
            "",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn an_office_may_say_how_it_is_reached() {
        let read = |given: &str| public_text(given, 2..=50, ("受理单位", "the contact"), &["input", "contact"]).is_ok();
        assert!(read("云溪市整改办 0895-1234567"));
        assert!(!read("云溪市整改办 0895-1234567，张三 13900001234"));
        assert!(!read("13900001234"));
    }

    #[test]
    fn what_is_refused_says_what_to_remove() {
        let read = |given: &str| text(given, 2..=50, ("案情摘要", "the summary"), &["input", "summary"]);
        assert_eq!(read(" 夜间噪声扰民 ").as_deref(), Ok("夜间噪声扰民"));
        let refused = read("举报人电话13900001234").unwrap_err();
        assert!(refused.message.zh.contains("疑似手机号码") && refused.path == ["input", "summary"], "{refused:?}");
    }
}
