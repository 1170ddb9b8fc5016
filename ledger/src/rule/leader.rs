//! Leaders who answer for a measure (牵头领导、包案领导、责任领导、责任人): what may be entered, how a name is masked
//! for readers who may not see it, and how a person is removed from a text.

use entity::leader::Post;

use super::personal;
use crate::fault::{self, Fault};
use crate::unit;

/// The maximum length of an office with a name, in characters.
const MAX_LEADER_CHARS: usize = 100;
/// From this many digits in a row, a number is a telephone or identity card number.
const LONG_NUMBER: usize = 7;
/// What stands for the hidden rest of a name.
const HIDDEN: &str = "**";

/// Signs between several people, or around a remark.
const SIGNS: &[char] = &['、', '，', ',', '；', ';', '/', '（', '）', '(', ')', '\n'];
/// Those of [`SIGNS`] that stand around a remark.
const BRACKETS: &[char] = &['（', '）', '(', ')'];

/// How an office ends that a person has.
const TITLES: &[&str] = &[
    "市长",
    "县长",
    "区长",
    "州长",
    "省长",
    "局长",
    "厅长",
    "部长",
    "处长",
    "科长",
    "镇长",
    "乡长",
    "院长",
    "站长",
    "组长",
    "队长",
    "会长",
    "校长",
    "所长",
    "司长",
    "秘书长",
    "书记",
    "主任",
    "主席",
    "委员",
    "专员",
    "常委",
    "经理",
];
/// How the name of a unit ends.
const UNITS: &[&str] =
    &["局", "厅", "办", "府", "部", "院", "处", "室", "市", "县", "区", "委", "中心", "公司", "集团"];
/// How long offices begin. These are no family names, or very rare ones.
const BEGINNINGS: &[char] =
    &['市', '县', '区', '省', '州', '盟', '旗', '厅', '局', '党', '政', '副', '总', '国', '自', '各'];

/// Returns the name of a post in Chinese, which is also the heading of its column.
pub(crate) fn post_name(post: Post) -> &'static str {
    match post {
        Post::Lead => "牵头领导",
        Post::Case => "包案领导",
        Post::Responsible => "责任领导",
        Post::Person => "责任人",
    }
}

/// Checks the office and name of a leader that a user typed. A masked name, and one with the number of a telephone or
/// an identity card, is refused.
pub fn name(given: &str, path: &[&str]) -> Result<String, Fault> {
    let name = fault::line(given, 2..=MAX_LEADER_CHARS, ("领导职务和姓名", "the leader's office and name"), path)?;
    if is_masked(&name) {
        let zh = "领导姓名中有“**”，是隐去后的姓名，请填写完整姓名";
        let en = "the leader's name contains “**”, so that it is a masked one: enter the full name";
        return Err(Fault::invalid(zh, en, path));
    }
    if has_long_number(&name) || personal::find(&name).is_some() {
        let zh = format!("领导职务和姓名中有 {LONG_NUMBER} 位以上的号码（疑似电话号码或身份证号码），请删除");
        let en = format!(
            "the leader's office and name contain a number of {LONG_NUMBER} or more digits, such as that of a \
             telephone or an identity card; remove it"
        );
        return Err(Fault::invalid(zh, en, path));
    }
    Ok(name)
}

/// Checks the mail address of a leader that a user typed, and returns it in lower case.
pub fn address(given: &str, path: &[&str]) -> Result<String, Fault> {
    let address = unit::normal_address(given, path)?;
    if is_masked(&address) {
        let (zh, en) = ("请填写完整的邮箱地址", "enter the whole mail address");
        return Err(Fault::invalid(zh, en, path));
    }
    Ok(address)
}

/// Checks the name of a person who is to be removed, with or without an office. An office alone is refused, because it
/// names nobody.
pub fn person(given: &str, path: &[&str]) -> Result<String, Fault> {
    let person = fault::line(given, 2..=MAX_LEADER_CHARS, ("姓名", "the name"), path)?;
    if is_masked(&person) || !names_somebody(&person) {
        let zh = "请填写完整姓名，如“李某某”或“副市长 李某某”；只有职务，或有“**”，都不能指明一个人";
        let en =
            "enter the full name, such as 李某某 or 副市长 李某某: an office alone, or a masked name, names nobody";
        return Err(Fault::invalid(zh, en, path));
    }
    Ok(person)
}

/// Removes a person from the office and name of a leader as printed. Returns `None` if the text does not name them, and
/// an empty text if it names nobody else.
///
/// A person is named by a word that is their name, alone or joined with an office (副市长李某某), or by the same office
/// and name. 李某 is not named by 李某某.
pub fn without(text: &str, person: &str) -> Option<String> {
    let is_separator = |letter: char| SIGNS.contains(&letter) && !BRACKETS.contains(&letter);
    let parts: Vec<&str> = text.split(is_separator).collect();
    let (named, others): (Vec<&str>, Vec<&str>) = parts.into_iter().partition(|part| names(part, person));
    if named.is_empty() {
        return None;
    }
    if others.iter().any(|part| names_somebody(part)) {
        Some(others.join("、").trim().to_owned())
    } else {
        Some(String::new())
    }
}

/// Returns whether one of several parts of a text names a person.
fn names(part: &str, person: &str) -> bool {
    let joined = |text: &str| text.split_whitespace().collect::<String>();
    let person = joined(person);
    let is_named = |word: &str| {
        let of_office = |rest: Option<&str>| rest.is_some_and(|rest| rest.is_empty() || is_of_office(rest));
        of_office(word.strip_suffix(person.as_str())) || of_office(word.strip_prefix(person.as_str()))
    };
    joined(part) == person || part.split(BRACKETS).any(|piece| words(piece).iter().any(|(word, _)| is_named(word)))
}

/// Returns whether a text names somebody, and not only offices.
fn names_somebody(text: &str) -> bool {
    text.split(SIGNS).any(|part| !part.trim().is_empty() && masked_part(part, false) != part.trim())
}

fn has_long_number(text: &str) -> bool {
    let is_digit = |letter: char| letter.is_ascii_digit() || ('０'..='９').contains(&letter);
    text.split(|letter| !is_digit(letter)).any(|run| run.chars().count() >= LONG_NUMBER)
}

/// Returns whether a name was masked by [`masked`], so that it must not replace the full one.
pub fn is_masked(name: &str) -> bool {
    name.contains(HIDDEN)
}

/// Masks the names in the office and name of a leader as printed.
///
/// - 副市长 李某某 becomes 副市长 李**: what stands after the last blank is the name.
/// - 李某某 becomes 李**: a text of up to four characters without a blank is a name.
/// - 副市长李某某 becomes 副市长李**: a longer one is an office with a name, of which the last two characters are
///   hidden.
///
/// Of several people, each is masked. In case of doubt, a part of an office is hidden rather than a part of a name
/// shown.
pub fn masked(text: &str) -> String {
    let is_alone = text.split(SIGNS).filter(|part| !part.trim().is_empty()).count() < 2;
    let part = |part: &str| {
        let body = part.trim_end_matches(SIGNS);
        masked_part(body, is_alone) + &part[body.len()..]
    };
    text.split_inclusive(SIGNS).map(part).collect()
}

/// Masks the names in a text without signs. `is_alone` says that it is the whole text.
fn masked_part(part: &str, is_alone: bool) -> String {
    let words = words(part);
    let last = words.iter().rposition(|(word, _)| !is_number(word));
    let shown = |(place, (word, blanks)): (usize, &(String, &str))| {
        if is_number(word) {
            return format!("{HIDDEN}{blanks}");
        }
        let is_kept = if Some(place) == last {
            (place > 0 || !is_alone) && is_office(word)
        } else {
            length(word) > 3 || is_of_office(word)
        };
        if is_kept {
            format!("{word}{blanks}")
        } else if place > 0 {
            format!("{}{blanks}", beginning(word))
        } else {
            format!("{}{blanks}", masked_word(word))
        }
    };
    words.iter().enumerate().map(shown).collect()
}

/// Returns the words of a text with the blanks after each. A name whose characters are set apart (张　三) is one word.
fn words(text: &str) -> Vec<(String, &str)> {
    let mut words: Vec<(String, &str)> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (word, behind) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        let (blanks, behind) = behind.split_at(behind.len() - behind.trim_start().len());
        rest = behind;
        match words.last_mut() {
            Some((before, after)) if length(before) == 1 && length(word) <= 2 => {
                before.push_str(word);
                *after = blanks;
            }
            _ => words.push((word.to_owned(), blanks)),
        }
    }
    words
}

fn length(word: &str) -> usize {
    word.chars().count()
}

/// Returns whether a word is a number, such as that of a telephone, or stands for one.
fn is_number(word: &str) -> bool {
    word == HIDDEN || word.chars().filter(|letter| letter.is_numeric()).count() > 4
}

/// Returns whether a word ends like an office or a unit.
fn is_of_office(word: &str) -> bool {
    TITLES.iter().chain(UNITS).any(|ending| word.ends_with(ending))
}

/// Returns whether a word is an office without a full name: 李某某副市长 is none, 副市长 and 李县长 are.
fn is_office(word: &str) -> bool {
    is_of_office(word) && (length(word) <= 3 || word.starts_with(BEGINNINGS))
}

fn beginning(word: &str) -> String {
    word.chars().take(1).collect::<String>() + HIDDEN
}

/// Masks a name, or an office with a name.
fn masked_word(word: &str) -> String {
    let all = length(word);
    if all <= 4 {
        return beginning(word);
    }
    // 李某某副市长: the name stands first.
    if let Some(title) = TITLES.iter().find(|title| word.ends_with(**title)) {
        return beginning(word) + title;
    }
    word.chars().take(all - 2).collect::<String>() + HIDDEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_office_stays_and_a_name_is_masked() {
        for (printed, shown) in [
            ("副市长 李某某", "副市长 李**"),
            ("白河县县长　王某", "白河县县长　王**"),
            ("云溪市 副市长 欧阳某某", "云溪市 副市长 欧**"),
            ("李某某", "李**"),
            ("欧阳某某", "欧**"),
            ("副市长李某某", "副市长李**"),
            ("张　三", "张**"),
            ("副市长 张 三", "副市长 张**"),
            ("县委常委、副县长 李某某", "县委常委、副县长 李**"),
            ("李某某、王某某", "李**、王**"),
            ("副市长 李某某；局长 王某某", "副市长 李**；局长 王**"),
            ("副市长 李某某\n局长 王某某", "副市长 李**\n局长 王**"),
            ("李某某 王某某", "李** 王**"),
            ("李某某（副市长）", "李**（副市长）"),
            ("副市长（李某某）", "副市长（李**）"),
            ("李某某 副市长", "李** 副市长"),
            ("李某某副市长", "李**市长"),
            ("李某某 13900001234", "李** **"),
            ("李", "李**"),
            ("", ""),
        ] {
            assert_eq!(masked(printed), shown, "{printed}");
            assert_eq!(masked(shown), shown, "masked twice: {printed}");
            assert_eq!(is_masked(shown), !printed.is_empty());
        }
    }

    #[test]
    fn a_name_has_no_number_and_is_no_masked_one() {
        let read = |given: &str| name(given, &["input", "leaders", "0", "name"]);
        assert_eq!(read(" 副市长 李某某 ").as_deref(), Ok("副市长 李某某"));
        assert!(read("第二督察组组长 李某某").is_ok());
        for wrong in ["李", "李某某 1234567", "李某某１２３４５６７", "李某某 139 0000 1234", "副市长 李**"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read(&"长".repeat(MAX_LEADER_CHARS + 1)).is_err());
        let refused = read("李某某 8888888").map_err(|fault| fault.message);
        assert!(refused.is_err_and(|said| said.zh.contains("7 位以上") && said.en.contains("7 or more digits")));
    }

    #[test]
    fn a_person_is_removed_and_others_stay() {
        for (text, person, left) in [
            ("副市长 李某某", "李某某", Some("")),
            ("副市长李某某", "李某某", Some("")),
            ("李某某副市长", "李某某", Some("")),
            ("李某某（副市长）", "李某某", Some("")),
            ("副市长 李某某", "副市长 李某某", Some("")),
            ("张　三", "张三", Some("")),
            ("县委常委、副县长 李某某", "李某某", Some("")),
            ("副市长 李某某、局长 王某某", "李某某", Some("局长 王某某")),
            ("李某某\n王某某", "王某某", Some("李某某")),
            ("副市长 李某某", "李某", None),
            ("副市长 李某", "李某某", None),
            ("局长 王某某", "副市长 王某某", None),
            ("副市长 王李某", "李某", None),
        ] {
            assert_eq!(without(text, person).as_deref(), left, "{text} without {person}");
        }
        let read = |given: &str| person(given, &["input", "name"]).is_ok();
        assert!(read("李某某") && read("副市长 李某某"));
        assert!(!read("副市长") && !read("县委常委、副县长") && !read("副市长 李**") && !read("李"));
    }
}
