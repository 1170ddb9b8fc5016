//! Puts names in the order of a Chinese dictionary: by the syllable and the tone of each character (pinyin).
//!
//! The key of a name is stored with it, because databases order Chinese text by code points, or each by a collation of
//! its own. Each character takes [`WIDTH`] characters of the key, so that the key of the first one is its beginning.

use pinyin::ToPinyin;

/// The characters of a key that stand for one character of the name: its syllable, filled up to six letters, its tone,
/// and the character itself in normal form.
pub const WIDTH: usize = 8;

/// Places whose names are not read as their characters are read alone, with the syllables of the first two characters.
const PLACES: &[(&str, [&str; 2])] = &[
    ("重庆", ["chong2", "qing4"]),
    ("厦门", ["xia4", "men2"]),
    ("六安", ["lu4", "an1"]),
    ("蚌埠", ["beng4", "bu4"]),
    ("长", ["chang2", ""]),
    ("洪洞", ["hong2", "tong2"]),
    ("乐亭", ["lao4", "ting2"]),
    ("乐清", ["yue4", "qing1"]),
];

/// Returns the key by which a name is ordered: other characters before Chinese ones, these by pinyin.
pub fn name_order(name: &str) -> String {
    let place = PLACES.iter().find(|(place, _)| name.starts_with(place));
    let normal = planner::normal(name);
    let key = |(index, letter): (usize, char)| {
        let known = place.and_then(|(_, syllables)| syllables.get(index)).filter(|syllable| !syllable.is_empty());
        let read = || letter.to_pinyin().map(|read| read.with_tone_num_end().replace('ü', "v"));
        match known.map(|syllable| (*syllable).to_owned()).or_else(read) {
            None => format!("{:7}{letter}", ""),
            Some(syllable) => {
                let plain = syllable.trim_end_matches(|end: char| end.is_ascii_digit());
                let tone = syllable.get(plain.len()..).filter(|tone| !tone.is_empty()).unwrap_or("5");
                format!("{plain:<6}{tone}{letter}")
            }
        }
    };
    normal.chars().enumerate().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_a_dictionary() {
        let mut names =
            ["西安市", "重庆市", "Ａ公司", "安徽省", "先行区", "北京市", "长春市", "绿春县", "路南县", "1号"];
        names.sort_by_key(|name| name_order(name));
        let expected =
            ["1号", "Ａ公司", "安徽省", "北京市", "长春市", "重庆市", "路南县", "绿春县", "西安市", "先行区"];
        assert_eq!(names, expected);
    }

    #[test]
    fn each_character_takes_its_width() {
        for name in ["双", "㐀", "嗯", "A", "·", "吗", "𠀀"] {
            assert_eq!(name_order(name).chars().count(), WIDTH, "{name}: {:?}", name_order(name));
        }
        assert_eq!(name_order("状"), "zhuang4状");
    }
}
