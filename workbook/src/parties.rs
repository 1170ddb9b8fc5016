//! Reads printed lists of units, such as 市委组织部、宣传部，市生态环境局、审计局，各县（区）委、政府. Where the rules
//! leave open whether a prefix carries over to the next name, a reading is suggested and a person has to confirm it.

use std::collections::HashMap;
use std::sync::LazyLock;

use entity::responsible_party::Selector;
use entity::unit::Kind;
use regex::Regex;
use sea_orm::Iterable;
use unicode_normalization::UnicodeNormalization;

use super::decided::DecidedFile;
use ledger::Result;
use ledger::fault;
use ledger::unit::{PARTY_ORGANS, kind_of, selector_name};

const FILE: DecidedFile = DecidedFile {
    name: ("别名文件", "the aliases"),
    field: "aliases",
    columns: ("原文,单位（多个单位用分号分隔）", "printed,units (units separated by semicolons)"),
};

/// A dictionary of readings: maps printed text (a whole list or one name) to the units it means.
#[derive(Debug, Clone, Default)]
pub struct Aliases(HashMap<String, Vec<String>>);

impl Aliases {
    /// Parses a file with two columns: the printed text, and the units it means, separated by `;`. The first line
    /// may be the heading `printed,units` or 原文,单位.
    pub fn parse(text: &str) -> Result<Self> {
        let mut known = HashMap::new();
        for (line, printed, units) in FILE.lines(text)? {
            let units = units.split([';', '；']).map(fault::single_name).collect::<Result<Vec<String>, _>>();
            let units = units.map_err(|hidden| {
                let (place, code) = (hidden.place, hidden.code_point());
                FILE.refused(
                    line,
                    &format!("单位名称的第 {place} 个字符（{code}）是不可见的控制字符，请删除"),
                    &format!("character {place} of a unit ({code}) is an invisible control character; remove it"),
                )
            })?;
            let units: Vec<String> = units.into_iter().filter(|unit| !unit.is_empty()).collect();
            if units.is_empty() {
                return Err(FILE.refused(line, "没有写明单位", "no unit is named"));
            }
            known.insert(plain(&printed), units);
        }
        Ok(Self(known))
    }

    /// Adds a reading of a printed list or name.
    pub(crate) fn decide(&mut self, printed: &str, units: Vec<String>) {
        self.0.insert(plain(printed), units);
    }

    /// Adds the readings of another dictionary, which go before those that are there.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.extend(other.0.clone());
    }

    fn of(&self, printed: &str) -> Option<&[String]> {
        self.0.get(printed).map(Vec::as_slice)
    }
}

/// A party of a printed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Party {
    /// A unit, by its full name.
    Unit(String),
    /// The government of a county, by the county's name.
    County(String),
    /// A selector for several units, such as all counties.
    Selector(Selector),
    /// A name to which the prefix of the name before it may or may not carry over.
    Ambiguous {
        /// The name as printed.
        name: String,
        /// The prefix of the name before it.
        after: String,
        /// The suggested reading.
        suggestion: String,
    },
}

static COUNTIES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"各县(?:[(]?(?:市?、?区)[)]?|市区)?(?:党?委)?(?:、|和|及)?(?:人民)?(?:政府)?(?:[(]管委会[)])?")
});
static TOWNSHIPS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"各(?:乡|镇|街道|苏木)(?:[(]?(?:、|和|及)?(?:镇|街道|街|苏木|民族乡)[)]?)*(?:办事处)?",
        r"(?:党?委)?(?:、|和|及)?(?:人民)?(?:政府)?(?:[(]办事处[)])?",
    ))
});
static DEPARTMENTS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?:市|州|区|县|自治区|省)?(?:[(]?中、?区[)]?)?直?",
        r"(?:各|有关|各有关|各相关)?(?:相关|有关)?(?:部门|单位)(?:和单位)?$",
    ))
});

#[expect(clippy::expect_used, reason = "a constant pattern, compiled by every test of this file")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is well formed")
}

/// Prefixes that give the level of a unit. The first match counts, so 市委 comes before 市.
const PREFIXES: &[&str] =
    &["自治区党委", "自治区", "区党委", "省委", "省", "市委", "市", "州委", "州", "县委", "县", "区委", "旗委", "地委"];

/// Reads printed lists of units.
pub(crate) struct Reader<'a> {
    /// Readings confirmed by a person.
    pub(crate) aliases: &'a Aliases,
    /// Whether the ledger has a unit with this name or alias.
    pub(crate) known: &'a dyn Fn(&str) -> bool,
    /// Names of regions that a unit's name may begin with.
    pub(crate) places: &'a [String],
}

/// What separates the names of a list, in both widths.
const SEPARATORS: &[char] = &['、', '，', ',', '；', ';', '。', '/'];

/// How lists say that their units act within their duties. It names no unit.
static DUTIES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"等?(?:有关|相关)?(?:单位|部门)?(?:按照?|依据)(?:各自)?职责(?:分工)?(?:负责|落实|推进)?(?:整改)?")
});

/// Whether a name ends as those of units do.
fn ends_like_a_unit(name: &str) -> bool {
    kind_of(name) != Kind::Other
}

/// Normalises the spelling of a printed text: half-width characters and uniform separators, without blanks and
/// invisible characters.
pub(crate) fn plain(text: &str) -> String {
    let listed = text.trim().nfkc().collect::<String>().replace(['\n', '\r', '/'], "、");
    let joined: String = listed.chars().filter(|letter| !fault::is_blank(*letter)).collect();
    let joined = DUTIES.replace_all(&joined, "");
    ["市", "县", "自治区", "省"]
        .iter()
        .fold(joined.replace('，', ",").replace("(牵头)", "").replace("(配合)", ""), |text, level| {
            text.replace(&format!("和{level}"), &format!("、{level}"))
        })
}

/// Returns the alias under which a confirmed reading is stored. It includes the prefix before the name, so that the
/// reading applies only after the same prefix.
pub(crate) fn scoped(prefix: &str, name: &str) -> String {
    format!("{prefix}…{name}")
}

/// Whether a text could be the name of a unit.
pub(crate) fn is_plausible(name: &str) -> bool {
    let letters = name.chars().count();
    (3..=60).contains(&letters)
        && !name.contains(['(', ')', ',', '"', '\'', '|', '-'])
        && !name.starts_with(['各', '级', '等', '相', '有'])
        && !name.chars().any(|letter| letter.is_ascii_digit() || letter.is_control())
}

/// Whether a name without a prefix looks like that of an organ that normally has one.
fn wants_prefix(name: &str) -> bool {
    matches!(kind_of(name), Kind::Department | Kind::PartyCommittee)
}

impl Reader<'_> {
    /// Returns the parties of a printed list, each with the text it was read from.
    pub(crate) fn read(&self, printed: &str) -> Vec<(String, Party)> {
        // A list that a person has decided is looked up as it is printed.
        let whole = plain(printed);
        let text = if self.aliases.of(&whole).is_some() { whole } else { plain(&self.unwrapped(printed)) };
        if let Some(units) = self.aliases.of(&text) {
            return units.iter().map(|unit| (text.clone(), party_named(unit))).collect();
        }
        let mut parties = Vec::new();
        // Selectors contain separators themselves, so they are taken out first.
        let mut selectors = Vec::new();
        let text = COUNTIES.replace_all(&text, |found: &regex::Captures<'_>| {
            selectors.push((found[0].to_owned(), Party::Selector(Selector::AllCounties)));
            ","
        });
        let text = TOWNSHIPS.replace_all(&text, |found: &regex::Captures<'_>| {
            selectors.push((found[0].to_owned(), Party::Selector(Selector::AllTownships)));
            ","
        });
        let mut carried = None;
        for group in
            text.split([',', ';', '。']).map(|group| group.trim_matches('、')).filter(|group| !group.is_empty())
        {
            if DEPARTMENTS.is_match(group) && group.contains(['各', '有', '相']) {
                selectors.push((group.to_owned(), Party::Selector(Selector::AllDepartments)));
            } else if let Some(units) = self.aliases.of(group) {
                parties.extend(units.iter().map(|unit| (group.to_owned(), party_named(unit))));
            } else if let Some(counties) = counties(group) {
                parties.extend(counties.into_iter().map(|county| (group.to_owned(), Party::County(county))));
            } else {
                self.read_group(group, &mut carried, &mut parties);
            }
        }
        parties.extend(selectors);
        let mut seen = Vec::new();
        parties.retain(|(_, party)| {
            let new = !seen.contains(party);
            seen.push(party.clone());
            new
        });
        parties
    }

    fn read_group(&self, group: &str, carried: &mut Option<String>, into: &mut Vec<(String, Party)>) {
        for name in group.split('、').map(str::trim).filter(|name| !name.is_empty()) {
            if let Some(units) = self.aliases.of(name) {
                into.extend(units.iter().map(|unit| (name.to_owned(), party_named(unit))));
                continue;
            }
            let party = match (self.prefix(name), carried.as_deref()) {
                (Some(own), _) => {
                    *carried = Some(own);
                    Party::Unit(name.to_owned())
                }
                (None, Some(prefix)) if wants_prefix(name) && !(self.known)(name) => {
                    let accepted = scoped(prefix, name);
                    if (self.known)(&accepted) {
                        Party::Unit(accepted)
                    } else {
                        Party::Ambiguous {
                            name: name.to_owned(),
                            after: prefix.to_owned(),
                            suggestion: suggestion(prefix, name),
                        }
                    }
                }
                (None, _) => Party::Unit(name.to_owned()),
            };
            into.push((name.to_owned(), party));
        }
    }

    /// Puts together names that a line break or a blank divides, and separates those that it separates: a break within
    /// a name stands where the name before it does not end as those of units do, and both together do.
    fn unwrapped(&self, printed: &str) -> String {
        let mut text = String::new();
        for (place, line) in printed.lines().enumerate() {
            for (nth, word) in line.split_whitespace().enumerate() {
                let left = text.rsplit(SEPARATORS).next().unwrap_or_default();
                let right = word.split(SEPARATORS).next().unwrap_or_default();
                let is_break = place > 0 && nth == 0;
                if !left.is_empty() && !right.is_empty() && self.are_two(left, right, is_break) {
                    text.push('、');
                }
                text.push_str(word);
            }
        }
        text
    }

    /// Whether two words with a line break or a blank between them are two names.
    fn are_two(&self, left: &str, right: &str, is_break: bool) -> bool {
        let joined = format!("{left}{right}");
        if (self.known)(&plain(&joined)) || self.aliases.of(&plain(&joined)).is_some() {
            return false;
        }
        let begins_anew = self.prefix(&plain(right)).is_some();
        if ends_like_a_unit(left) {
            return begins_anew || ends_like_a_unit(right) || is_break;
        }
        // A blank may stand anywhere in a name, as in “市 水利局”.
        is_break && (begins_anew || !ends_like_a_unit(&joined))
    }

    /// Returns the prefix of a name: the name of a region, or a level.
    fn prefix(&self, name: &str) -> Option<String> {
        let place = self.places.iter().filter(|place| name.starts_with(place.as_str()) && name.len() > place.len());
        if let Some(place) = place.max_by_key(|place| place.len()) {
            let committee = format!("{place}委");
            let longer = name.starts_with(&committee) && name.len() > committee.len();
            return Some(if longer { committee } else { place.clone() });
        }
        let level = PREFIXES.iter().copied().find(|prefix| name.starts_with(prefix) && name.len() > prefix.len());
        level.map(str::to_owned)
    }
}

/// Returns the party that a dictionary names: a unit, or a selector by its usual wording or another spelling of it.
fn party_named(name: &str) -> Party {
    match name {
        "各县(区)" => Party::Selector(Selector::AllCounties),
        "各部门" => Party::Selector(Selector::AllDepartments),
        "各乡（镇）" | "各乡(镇)" => Party::Selector(Selector::AllTownships),
        name => match Selector::iter().find(|selector| selector_name(*selector) == name) {
            Some(selector) => Party::Selector(selector),
            None => Party::Unit(name.to_owned()),
        },
    }
}

/// Reads a list of counties, each with its party committee and government, such as 东岭区、白河县委、政府,
/// 白河县委、县政府 or 东岭区、白河县人民政府. Returns `None` if the text is not such a list.
fn counties(group: &str) -> Option<Vec<String>> {
    let mut names: Vec<&str> = group.split('、').collect();
    let last = names.pop()?;
    if matches!(last, "政府" | "人民政府" | "县政府" | "县人民政府" | "区政府" | "区人民政府") {
        let committee = names.pop()?;
        names.push(committee.strip_suffix("党委").or_else(|| committee.strip_suffix('委'))?);
    } else {
        names.push(last.strip_suffix("人民政府").or_else(|| last.strip_suffix("政府"))?);
    }
    let is_county = |name: &&str| {
        name.chars().count() >= 3 && name.ends_with(['县', '区', '市', '旗']) && !name.starts_with(['各', '市', '省'])
    };
    names.iter().all(is_county).then(|| names.into_iter().map(str::to_owned).collect())
}

/// Returns the likelier reading: an organ of the party committee keeps the 委 of the prefix, a department of the
/// government does not.
fn suggestion(carried: &str, name: &str) -> String {
    let level = carried.trim_end_matches("党委").trim_end_matches('委');
    if !PARTY_ORGANS.iter().any(|organ| name.ends_with(organ)) {
        return format!("{level}{name}");
    }
    match level {
        "自治区" | "区" => format!("{level}党委{name}"),
        level => format!("{level}委{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> Party {
        Party::Unit(name.to_owned())
    }

    fn ambiguous(after: &str, name: &str, suggestion: &str) -> Party {
        Party::Ambiguous { name: name.to_owned(), after: after.to_owned(), suggestion: suggestion.to_owned() }
    }

    fn parties(printed: &str) -> Vec<Party> {
        let places = ["云溪市".to_owned(), "白河县".to_owned()];
        let reader = Reader { aliases: &Aliases::default(), known: &|_| false, places: &places };
        reader.read(printed).into_iter().map(|(_, party)| party).collect()
    }

    #[test]
    fn every_township_is_a_selector() {
        for printed in
            ["各乡镇", "各乡（镇）", "各乡镇人民政府", "各乡（镇、街道）", "各镇街", "各乡镇党委、政府", "各街道办事处"]
        {
            assert_eq!(parties(printed), [Party::Selector(Selector::AllTownships)], "{printed}");
        }
        let read = parties("市水利局、各乡镇人民政府");
        assert_eq!(read, [unit("市水利局"), Party::Selector(Selector::AllTownships)]);
    }

    #[test]
    fn a_prefix_is_suggested_and_never_carried_over_silently() {
        let read = parties("市委组织部、宣传部，市生态环境局、审计局，市纪委监委，各县（区）委、政府，市直各相关部门");
        let expected = [
            unit("市委组织部"),
            ambiguous("市委", "宣传部", "市委宣传部"),
            unit("市生态环境局"),
            ambiguous("市", "审计局", "市审计局"),
            unit("市纪委监委"),
            Party::Selector(Selector::AllCounties),
            Party::Selector(Selector::AllDepartments),
        ];
        assert_eq!(read, expected);
        assert_eq!(parties("市委组织部、生态环境局")[1], ambiguous("市委", "生态环境局", "市生态环境局"));
        assert_eq!(parties("市水利局，生态环境局")[1], ambiguous("市", "生态环境局", "市生态环境局"));
        assert_eq!(parties("云溪市水利局、审计局")[1], ambiguous("云溪市", "审计局", "云溪市审计局"));
        assert_eq!(parties("市水利局\n市审计局"), [unit("市水利局"), unit("市审计局")]);
        assert_eq!(parties("市水利局 市审计局"), [unit("市水利局"), unit("市审计局")]);
        assert_eq!(parties("市 水利局、\n市审计局"), [unit("市水利局"), unit("市审计局")]);
        assert_eq!(parties("市住房和城乡\n建设局"), [unit("市住房和城乡建设局")]);
        assert_eq!(parties("市发展和改革\n委员会，市水利局"), [unit("市发展和改革委员会"), unit("市水利局")]);
        assert_eq!(
            parties("市水利局、市审计局等按职责分工负责"),
            [unit("市水利局"), unit("市审计局")],
            "that they act within their duties names no unit"
        );
        assert_eq!(parties("\u{feff}市水\u{200b}利局 、市审\u{ad}计局"), [unit("市水利局"), unit("市审计局")]);
        assert_eq!(parties("市水利局和市审计局"), [unit("市水利局"), unit("市审计局")]);
        assert_eq!(parties("市林业和草原局、发展改革委")[1], ambiguous("市", "发展改革委", "市发展改革委"));
    }

    #[test]
    fn named_counties_answer_through_their_governments() {
        let read = parties("东岭区、云溪县、白河县委、政府，国网云川电力有限公司");
        let county = |name: &str| Party::County(name.to_owned());
        assert_eq!(read, [county("东岭区"), county("云溪县"), county("白河县"), unit("国网云川电力有限公司")]);
        assert_eq!(parties("白河县委、县政府"), [county("白河县")]);
        assert_eq!(parties("东岭区、白河县人民政府"), [county("东岭区"), county("白河县")]);
        assert_eq!(parties("白河县人民政府"), [county("白河县")]);
    }

    #[test]
    fn an_accepted_reading_decides_after_the_same_prefix_only() {
        let reader = Reader { aliases: &Aliases::default(), known: &|name| name == "市委…宣传部", places: &[] };
        let read = |printed: &str| reader.read(printed).pop().unwrap().1;
        assert_eq!(read("市委组织部、宣传部"), unit("市委…宣传部"));
        assert_eq!(read("县委组织部、宣传部"), ambiguous("县委", "宣传部", "县委宣传部"));
    }

    #[test]
    fn stand_ins_are_known_in_their_spellings() {
        for printed in [
            "各县（区）委、政府",
            "各县(区)人民政府",
            "各县（区）",
            "各县区政府",
            "各县（市、区）委、政府",
            "各县 （区） 党委、政府",
        ] {
            assert_eq!(parties(printed), [Party::Selector(Selector::AllCounties)], "{printed}");
        }
        for printed in ["市直各相关部门", "市直有关部门", "各相关部门", "市直各部门", "各有关单位", "自治区有关部门"]
        {
            assert_eq!(parties(printed), [Party::Selector(Selector::AllDepartments)], "{printed}");
        }
    }

    #[test]
    fn a_dictionary_names_selectors_by_their_wordings() {
        for selector in Selector::iter() {
            assert_eq!(party_named(selector_name(selector)), Party::Selector(selector));
        }
        assert_eq!(party_named("各部门"), Party::Selector(Selector::AllDepartments));
    }

    #[test]
    fn a_dictionary_decides() {
        let aliases = Aliases::parse("原文,单位\n市委组织部、宣传部,市委组织部;市委宣传部\n审计局,市审计局\n").unwrap();
        let reader = Reader { aliases: &aliases, known: &|_| false, places: &[] };
        let read: Vec<Party> =
            reader.read("市委组织部、宣传部，市生态环境局、审计局").into_iter().map(|(_, party)| party).collect();
        assert_eq!(read, [unit("市委组织部"), unit("市委宣传部"), unit("市生态环境局"), unit("市审计局")]);
        assert!(Aliases::parse("只有一列\n").is_err());
    }
}
