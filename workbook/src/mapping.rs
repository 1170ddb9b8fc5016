//! How a person has decided that a file is to be read: a TOML file with a table for each topic. An import without
//! decisions writes it with its proposals, a person edits it, and the next import applies it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use chrono::NaiveDate;
use serde::Deserialize;

use super::field::{self, UNUSED};
use super::layout::{Kind, Meanings, Sureness};
use super::parties::{Aliases, plain};
use super::question::{Question, Topic};
use super::reading::SheetReading;
use ledger::fault::{self, Fault};
use ledger::rule::deadline::Decisions;
use ledger::{Error, Result};
use planner::Bilingual;

/// The decisions of a person about a file.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// What the file contains; `None`: found by its headings.
    pub kind: Option<Kind>,
    /// Local date on which the statuses were true; `None`: the date in the title.
    pub as_of: Option<NaiveDate>,
    /// Readings of lists of units.
    pub units: Aliases,
    /// Readings of deadlines.
    pub deadlines: Decisions,
    pub(crate) columns: Meanings,
    leads: HashMap<String, String>,
    new_units: HashMap<String, Option<String>>,
    not_applicable: HashMap<String, bool>,
    /// Every decision as it was given, so that it can be written again and remembered.
    given: BTreeMap<(Topic, String), String>,
}

/// The mapping file.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Stored {
    kind: Option<String>,
    as_of: Option<String>,
    #[serde(default)]
    columns: BTreeMap<String, Answer>,
    #[serde(default)]
    deadlines: BTreeMap<String, Answer>,
    #[serde(default)]
    units: BTreeMap<String, Answer>,
    #[serde(default)]
    leads: BTreeMap<String, Answer>,
    #[serde(default)]
    new_units: BTreeMap<String, Answer>,
    #[serde(default)]
    not_applicable: BTreeMap<String, Answer>,
}

/// An answer: a text, several, or yes and no.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Text(String),
    Several(Vec<String>),
    Bool(bool),
}

impl Answer {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Several(texts) => texts.join("；"),
            Self::Bool(is) => is.to_string(),
        }
    }
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    ///
    /// Refuses a file that is no TOML, has an unknown table or name, or an answer that cannot be read.
    pub fn parse(text: &str) -> Result<Self> {
        let stored: Stored = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            let (zh, en) = (
                format!("读法文件第 {line} 行无法读取：{}", error.message()),
                format!("line {line} of the mapping cannot be read: {}", error.message()),
            );
            Error::from(Fault::invalid(zh, en, &["mapping", &line.to_string()]))
        })?;
        let mut mapping = Self::default();
        if let Some(kind) = &stored.kind {
            let known = Kind::of(kind).ok_or_else(|| unknown("kind", kind, "ledger、progress、close-outs、cases"))?;
            mapping.kind = Some(known);
        }
        if let Some(day) = &stored.as_of {
            mapping.as_of = Some(day.parse().map_err(|_| unknown("as-of", day, "2024-06-30"))?);
        }
        let tables = [
            (Topic::Columns, stored.columns),
            (Topic::Deadlines, stored.deadlines),
            (Topic::Units, stored.units),
            (Topic::Leads, stored.leads),
            (Topic::NewUnits, stored.new_units),
            (Topic::NotApplicable, stored.not_applicable),
        ];
        for (topic, answers) in tables {
            for (printed, answer) in answers {
                mapping.decide(topic, &printed, &answer.text()).map_err(|why| in_file(topic, &printed, why))?;
            }
        }
        Ok(mapping)
    }

    /// Adds an answer to a question. `printed` is the question's key, `answer` as [`Topic`] says; a later answer
    /// replaces an earlier one.
    ///
    /// # Errors
    ///
    /// Refuses an answer that cannot be read.
    pub fn decide(&mut self, topic: Topic, printed: &str, answer: &str) -> Result<()> {
        let mut answer = topic.code_of(answer.trim());
        match topic {
            Topic::Columns => {
                let field = match answer {
                    UNUSED => None,
                    name => Some(field::of_code(name).ok_or_else(|| {
                        let known: Vec<&str> = field::all().map(|(known, _)| field::label(known)).collect();
                        let not_read = topic.answer(UNUSED).zh;
                        unknown(topic.as_str(), name, &format!("{not_read}、{}", known.join("、")))
                    })?),
                };
                answer = field.map_or(UNUSED, field::code);
                self.columns.insert(key_of_column(printed), field);
            }
            Topic::Deadlines => self.deadlines.add(printed, answer).map_err(|error| {
                let message = error.message();
                Error::from(Fault::invalid(
                    format!("时限“{printed}”：{}", message.zh),
                    format!("deadline “{printed}”: {}", message.en),
                    &["mapping", topic.as_str(), printed],
                ))
            })?,
            Topic::Units => {
                let units = names(topic, printed, answer)?;
                self.units.decide(printed, units);
            }
            Topic::Leads => {
                let [lead] = <[String; 1]>::try_from(names(topic, printed, answer)?)
                    .map_err(|_| unknown(topic.as_str(), answer, "一个单位"))?;
                self.leads.insert(plain(printed), lead);
            }
            Topic::NewUnits => {
                let known = match answer {
                    "true" => None,
                    name => Some(names(topic, printed, name)?.join("")),
                };
                self.new_units.insert(printed.to_owned(), known);
            }
            Topic::NotApplicable => {
                let is = answer.parse().map_err(|_| unknown(topic.as_str(), answer, "true、false"))?;
                self.not_applicable.insert(key_of_text(printed), is);
            }
        }
        self.given.insert((topic, printed.to_owned()), answer.to_owned());
        Ok(())
    }

    /// Adds the decisions of another mapping, which go before those that are there.
    pub(crate) fn add(&mut self, other: &Self) {
        self.kind = other.kind.or(self.kind);
        self.as_of = other.as_of.or(self.as_of);
        self.units.add(&other.units);
        self.deadlines.extend(&other.deadlines);
        self.columns.extend(other.columns.clone());
        self.leads.extend(other.leads.clone());
        self.new_units.extend(other.new_units.clone());
        self.not_applicable.extend(other.not_applicable.clone());
        self.given.extend(other.given.clone());
    }

    /// Returns every decision: topic, key and answer.
    pub fn given(&self) -> impl Iterator<Item = (Topic, &str, &str)> {
        self.given.iter().map(|((topic, printed), answer)| (*topic, printed.as_str(), answer.as_str()))
    }

    /// Returns which of a printed list of units leads, if that was decided.
    pub(crate) fn lead(&self, printed: &str) -> Option<&str> {
        self.leads.get(&plain(printed)).map(String::as_str)
    }

    /// Returns what was decided about a unit that is not known: to create it (`Some(None)`), or that it is another.
    #[expect(clippy::option_option, reason = "undecided, and decided without another name, are two things")]
    pub(crate) fn new_unit(&self, name: &str) -> Option<Option<&str>> {
        self.new_units.get(name).map(Option::as_deref)
    }

    /// Returns whether a text says that a measure does not apply, if that was decided.
    pub(crate) fn not_applicable(&self, text: &str) -> Option<bool> {
        self.not_applicable.get(&key_of_text(text)).copied()
    }
}

/// Returns the key of a column by its heading: `整改时限`, or `整改时限#2` for the second of two.
pub(crate) fn key_of_column(printed: &str) -> String {
    match printed.split_once('#') {
        Some((heading, nth)) => format!("{}#{nth}", field::normalised_heading(heading)),
        None => field::normalised_heading(printed),
    }
}

/// Returns a text as decisions about it are kept: without blanks and full stops.
pub(crate) fn key_of_text(text: &str) -> String {
    text.chars().filter(|letter| !fault::is_blank(*letter) && *letter != '。').collect()
}

/// Reads names of units, separated by semicolons.
fn names(topic: Topic, printed: &str, answer: &str) -> Result<Vec<String>> {
    let names = answer.split([';', '；']).map(fault::single_name).collect::<Result<Vec<String>, _>>();
    let names: Vec<String> = names
        .map_err(|_| unknown(topic.as_str(), answer, "单位名称"))?
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() { Err(unknown(topic.as_str(), printed, "单位名称")) } else { Ok(names) }
}

/// Returns an error about an answer, with its place in a mapping file.
fn in_file(topic: Topic, printed: &str, why: Error) -> Error {
    let told = |fault: Fault| {
        let (topic, said) = (topic.as_str(), fault.message);
        let zh = format!("读法文件 [{topic}] 的“{printed}”：{}", said.zh);
        let en = format!("“{printed}” under [{topic}] in the mapping: {}", said.en);
        Fault { message: Bilingual::new(zh, en), ..fault }
    };
    match why {
        Error::Refused(faults) => Error::Refused(faults.into_iter().map(told).collect()),
        other => other,
    }
}

/// Returns the error for an answer that is none of those that are possible.
fn unknown(of: &str, given: &str, expected: &str) -> Error {
    let zh = format!("不认识“{given}”，应为：{expected}");
    let en = format!("“{given}” is unknown; expected: {}", expected.replace('、', ", "));
    Fault::invalid(zh, en, &["mapping", of, given]).into()
}

/// Writes a mapping file: the reading of each sheet, and each question with its proposal.
pub(crate) fn write_mapping(
    kind: Kind,
    as_of: Option<NaiveDate>,
    sheets: &[SheetReading],
    questions: &[Question],
) -> String {
    let mut text = String::from(
        "# 导入读法。请核对后保存，再用 --mapping 指明本文件导入。以 # 开头的是说明。\n\
         # How the file is read. Check it, then import with --mapping. Lines that begin with # are remarks.\n\n\
         # 文件种类：ledger 整改台账，progress 月调度表，close-outs 销号清单，cases 交办案件\n",
    );
    let _ = writeln!(text, "kind = {}", quoted(kind.as_str()));
    match as_of {
        Some(day) => _ = writeln!(text, "# 截止日期\nas-of = {}", quoted(day.to_string())),
        None => text.push_str("# 截止日期（标题中没有，请填写）\n# as-of = \"2024-06-30\"\n"),
    }
    begin_columns(&mut text);
    let mut written = BTreeSet::new();
    for sheet in sheets {
        for column in &sheet.columns {
            if !written.insert(column.key.clone()) {
                continue;
            }
            let sureness = match &column.sureness {
                None => "不读取".to_owned(),
                Some(Sureness::Sure) => "确定".to_owned(),
                Some(Sureness::Likely(why)) => format!("很可能：{}", why.zh),
                Some(Sureness::Asked(why)) => format!("请决定：{}", why.zh),
                Some(Sureness::Decided) => "已指明".to_owned(),
                Some(Sureness::Remembered) => "上次导入时已确认".to_owned(),
            };
            let samples: Vec<String> = column.samples.iter().map(|sample| commented(sample)).collect();
            let _ = writeln!(text, "# {} 列，{sureness}；样例：{}", column.column, samples.join("｜"));
            let _ = writeln!(text, "{} = {}", quoted(&column.key), quoted(column.field.unwrap_or(UNUSED)));
        }
    }
    for (topic, name) in Topic::ALL.into_iter().skip(1) {
        let of_topic: Vec<&Question> = questions.iter().filter(|question| question.topic == topic).collect();
        if of_topic.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n# {}：原文 = 决定。下列均为建议。\n[{name}]", topic.label().zh);
        for question in of_topic {
            let (row, rows) = (question.row, question.rows);
            let _ = writeln!(
                text,
                "# {}（工作表“{}”第 {row} 行，共 {rows} 处）",
                commented(&question.asked.zh),
                commented(&question.sheet)
            );
            let answer = match topic {
                Topic::Units => {
                    let names: Vec<String> = question.proposal.split('；').map(quoted).collect();
                    format!("[{}]", names.join(", "))
                }
                Topic::NewUnits | Topic::NotApplicable if matches!(question.proposal.as_str(), "true" | "false") => {
                    question.proposal.clone()
                }
                _ => quoted(&question.proposal),
            };
            let _ = writeln!(text, "{} = {answer}", quoted(&question.printed));
        }
    }
    text
}

/// A decision that was remembered, as a mapping file has it.
pub(crate) struct Remembered<'a> {
    pub(crate) topic: Topic,
    /// The row of headings or the name of the round to which it is limited; empty if it is not.
    pub(crate) context: &'a str,
    pub(crate) printed: &'a str,
    pub(crate) decided: &'a str,
    pub(crate) decided_on: NaiveDate,
}

/// Writes what an office has decided about its imports as a mapping file. Of several decisions about the same printed
/// text, the first one counts, and the others are remarks.
pub(crate) fn write_remembered(office: &str, decisions: &[Remembered<'_>]) -> String {
    let mut text = format!(
        "# {}已确认的导入读法。可在“导入读法”页面上传给另一个地区使用，也可在导入时用 --mapping 指明。\n\
         # What was decided about imports, for another office or for --mapping. Lines that begin with # are remarks.\n",
        commented(office)
    );
    for (topic, name) in Topic::ALL {
        let of_topic = || decisions.iter().filter(|one| one.topic == topic);
        if of_topic().next().is_none() {
            continue;
        }
        if topic == Topic::Columns {
            begin_columns(&mut text);
        } else {
            let _ = writeln!(text, "\n# {}：原文 = 决定。\n[{name}]", topic.label().zh);
        }
        let mut written = BTreeSet::new();
        for one in of_topic() {
            let place = if one.context.is_empty() { "各种表头" } else { one.context };
            let _ = writeln!(text, "# {} 决定：{}", one.decided_on, commented(place));
            let answer = match (topic, one.decided) {
                (Topic::NotApplicable, "true" | "false") => one.decided.to_owned(),
                (_, decided) => quoted(decided),
            };
            let is_first = written.insert(one.printed);
            let _ = writeln!(text, "{}{} = {answer}", if is_first { "" } else { "# " }, quoted(one.printed));
        }
    }
    text
}

/// Writes the head of the table of columns, with every meaning that a column may have.
fn begin_columns(text: &mut String) {
    let known: Vec<String> = field::all().map(|(known, code)| format!("{code} {}", field::label(known))).collect();
    let _ = writeln!(text, "\n# 各列的含义：表头 = 含义。不读取的写 {UNUSED}。可用的含义：");
    for line in known.chunks(6) {
        let _ = writeln!(text, "#   {}", line.join("，"));
    }
    text.push_str("[columns]\n");
}

/// Writes a text as a TOML string.
fn quoted(text: impl AsRef<str>) -> String {
    toml::Value::String(text.as_ref().to_owned()).to_string()
}

/// Writes a text as part of a remark: on one line, shortened.
fn commented(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    ledger::rule::wording::shortened(&line, 40)
}
