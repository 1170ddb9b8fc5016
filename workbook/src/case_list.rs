//! Reads complaint cases (交办案件) from published lists: a case a row.

use std::sync::LazyLock;

use chrono::NaiveDate;
use entity::case_pollution::Pollution;
use entity::case_report::CaseStep;
use entity::inspection_case::{CaseState, Channel, Finding, Handling};
use planner::Bilingual;
use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::field::Field;
use super::layout::Layout;
use super::reading::{CellFault, fault};
use super::sheet::Sheet;
use super::value::{day_in, says_none};
use ledger::fault as faults;
use ledger::rule::personal;

/// A case as read from a sheet.
#[derive(Debug, Clone)]
pub(crate) struct ReadCase {
    pub(crate) row: u32,
    pub(crate) number: String,
    pub(crate) channel: Channel,
    pub(crate) is_key: bool,
    /// The batch as printed.
    pub(crate) batch: Option<String>,
    pub(crate) handling: Option<Handling>,
    /// The number of the earlier case that it repeats.
    pub(crate) repeat_of: Option<String>,
    /// The assisting units as printed; empty if there are none.
    pub(crate) assisting: String,
    pub(crate) summary: String,
    /// The region as printed; empty if the sheet has none.
    pub(crate) region: String,
    pub(crate) pollution: Vec<Pollution>,
    pub(crate) handed_over_on: NaiveDate,
    pub(crate) state: CaseState,
    pub(crate) finding: Option<Finding>,
    pub(crate) reports: Vec<(CaseStep, String)>,
}

/// The cases of a sheet.
#[derive(Debug, Default)]
pub(crate) struct ReadCases {
    pub(crate) cases: Vec<ReadCase>,
    pub(crate) faults: Vec<CellFault>,
    pub(crate) remarks: Vec<Bilingual>,
}

/// The most characters of a batch.
const MAX_BATCH_CHARS: usize = 40;

/// The date within a case number, as in `D3SX202506230018`.
static DATED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(20\d{2})(\d{2})(\d{2})\d{2,6}$"));

/// A case number within other words, as in 与D3SX202506230018重复.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z][A-Za-z0-9]*\d{8,}"));

#[expect(clippy::expect_used, reason = "a constant pattern, compiled by the tests of this file")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is well formed")
}

/// Reads the cases of a sheet.
pub(crate) fn read(sheet: &Sheet, layout: &Layout) -> ReadCases {
    let mut read = ReadCases::default();
    for row in sheet.filled_rows().into_iter().filter(|row| *row > layout.heading_row) {
        if layout.is_repeated_in(sheet, row) {
            continue;
        }
        let text = |field: Field| {
            let shown = layout.place(field).map(|place| sheet.shown(row, place)).unwrap_or_default();
            faults::several(shown).unwrap_or_else(|_| shown.to_owned()).trim().to_owned()
        };
        let printed: String = text(Field::CaseNumber).nfkc().filter(|letter| !faults::is_blank(*letter)).collect();
        if printed.is_empty() || sheet.columns(row).len() < 3 {
            let (sheet, row) = (&sheet.name, row + 1);
            read.remarks.push(Bilingual::new(
                format!("工作表“{sheet}”第 {row} 行没有受理编号，未导入"),
                format!("sheet “{sheet}”, row {row}: no case number; not imported"),
            ));
            continue;
        }
        let mut refuse = |field: Field, problem: Bilingual, expected: Bilingual| {
            read.faults.push(fault(sheet, layout, row, field, problem, expected));
        };
        let number = printed.trim_matches('*').to_owned();
        let handed_over_on = day_in(&text(Field::HandedOverOn)).or_else(|| dated(&number));
        if handed_over_on.is_none() {
            let problem = Bilingual::new("没有交办时间", "the case has no date of handing over");
            let expected = Bilingual::new(
                "交办时间一列，或含日期的受理编号，如 D3SX202506230018",
                "a column 交办时间, or a number with a date, such as D3SX202506230018",
            );
            refuse(Field::CaseNumber, problem, expected);
        }
        let summary = text(Field::CaseSummary);
        for field in [Field::CaseSummary, Field::Investigation, Field::Handling] {
            if personal::find(&text(field)).is_some() {
                let problem = Bilingual::new("含有个人号码", "the cell has a number of a person");
                let expected =
                    Bilingual::new("不含电话、证件号码的文字", "a text without telephone or identity numbers");
                refuse(field, problem, expected);
            }
        }
        if summary.is_empty() {
            let problem = Bilingual::new("没有案情", "the case has no summary");
            refuse(Field::CaseSummary, problem, Bilingual::new("反映的问题", "what the complaint is about"));
        }
        let batch = batch_of(&text, &mut refuse);
        let handling = handling_of(&text, &mut refuse);
        let repeat_of = match repeat_of(&text, &number, layout, &mut refuse) {
            Repeated::Number(earlier) => Some(earlier),
            Repeated::WithoutNumber => {
                let (sheet, row) = (&sheet.name, row + 1);
                read.remarks.push(Bilingual::new(
                    format!("工作表“{sheet}”第 {row} 行写明是重复件，但没有先前案件的编号，未登记重复"),
                    format!("sheet “{sheet}”, row {row}: a repeated case without the earlier number; not linked"),
                ));
                None
            }
            Repeated::None => None,
        };
        let state = state_of(&text, &mut refuse);
        let finding = finding_of(&text, &mut refuse);
        let held = text(Field::HeldToAccount);
        if !held.is_empty() && !says_none(&held) {
            let (sheet, row) = (&sheet.name, row + 1);
            read.remarks.push(Bilingual::new(
                format!("工作表“{sheet}”第 {row} 行的“{held}”未导入：责任追究请按问题登记人数"),
                format!(
                    "sheet “{sheet}”, row {row}: “{held}” is not imported; record how many people were held to \
                     account with the problem"
                ),
            ));
        }
        let (Some(handed_over_on), Some(state)) = (handed_over_on, state) else { continue };
        let step = match state {
            CaseState::Resolved => CaseStep::Resolve,
            CaseState::PartlyResolved => CaseStep::ResolvePartly,
            _ => CaseStep::Report,
        };
        let reports = [(CaseStep::Report, text(Field::Investigation)), (step, text(Field::Handling))];
        read.cases.push(ReadCase {
            row,
            channel: if number.starts_with('D') { Channel::Call } else { Channel::Letter },
            // The lists mark key cases with a star at the number.
            is_key: printed.contains('*'),
            number,
            batch,
            handling,
            repeat_of,
            assisting: Some(text(Field::Assisting)).filter(|units| !says_none(units)).unwrap_or_default(),
            summary,
            region: text(Field::CaseRegion),
            pollution: pollution(&text(Field::Pollution)),
            handed_over_on,
            state,
            finding,
            reports: reports.into_iter().filter(|(_, text)| !text.is_empty()).collect(),
        });
    }
    read
}

/// The text of a field of the row.
type Text<'a> = &'a dyn Fn(Field) -> String;
/// Notes a fault: the field, what is wrong, and what is expected.
type Refuse<'a> = &'a mut dyn FnMut(Field, Bilingual, Bilingual);

/// Reads the state of a case. Notes a fault and returns `None` if the cell is not understood.
fn state_of(text: Text<'_>, refuse: Refuse<'_>) -> Option<CaseState> {
    match text(Field::Resolution).as_str() {
        "已办结" | "办结" | "是" => Some(CaseState::Resolved),
        "阶段性办结" | "阶段办结" | "部分办结" => Some(CaseState::PartlyResolved),
        "未办结" | "否" | "办理中" | "正在办理" => Some(CaseState::InProgress),
        "" => Some(CaseState::HandedOver),
        _ => {
            let problem = Bilingual::new("无法识别是否办结", "whether it is resolved is not understood");
            let expected = Bilingual::new("已办结、阶段性办结、未办结", "已办结, 阶段性办结 or 未办结");
            refuse(Field::Resolution, problem, expected);
            None
        }
    }
}

/// Reads whether a complaint is true; `None` if the cell is blank. Notes a fault if it is not understood.
fn finding_of(text: Text<'_>, refuse: Refuse<'_>) -> Option<Finding> {
    match text(Field::Truth).as_str() {
        "属实" | "基本属实" | "是" => Some(Finding::True),
        "部分属实" => Some(Finding::PartlyTrue),
        "不属实" | "否" => Some(Finding::Untrue),
        "" | "-" | "—" => None,
        _ => {
            let problem = Bilingual::new("无法识别是否属实", "whether it is true is not understood");
            refuse(Field::Truth, problem, Bilingual::new("属实、部分属实、不属实", "属实, 部分属实 or 不属实"));
            None
        }
    }
}

/// Reads the batch as printed; `None` if there is none. Notes a fault if it is too long.
fn batch_of(text: Text<'_>, refuse: Refuse<'_>) -> Option<String> {
    let batch = text(Field::Batch);
    if batch.chars().count() > MAX_BATCH_CHARS {
        let problem = Bilingual::new("批次太长", "the batch is too long");
        let expected = Bilingual::new("不超过 40 个字，如 第三批", "at most 40 characters, such as 第三批");
        refuse(Field::Batch, problem, expected);
    }
    Some(batch).filter(|batch| !batch.is_empty() && !says_none(batch))
}

/// Reads how soon a case has to be handled; `None` if the cell is blank. Notes a fault if it is not understood.
fn handling_of(text: Text<'_>, refuse: Refuse<'_>) -> Option<Handling> {
    let class = text(Field::HandlingClass);
    let handling = handling_class(&class);
    if handling.is_none() && !class.is_empty() && !says_none(&class) {
        let problem = Bilingual::new("无法识别办理类型", "the handling class is not understood");
        refuse(Field::HandlingClass, problem, Bilingual::new("立行立改、长期整改", "立行立改 or 长期整改"));
    }
    handling
}

/// Reads which earlier case the case `number` repeats, from the column with its number or from that which says whether
/// it repeats one. Notes a fault if it is the case itself.
fn repeat_of(text: Text<'_>, number: &str, layout: &Layout, refuse: Refuse<'_>) -> Repeated {
    let (stated, said) = (repeated(&text(Field::RepeatNumber)), repeated(&text(Field::Repeat)));
    let found = match (stated, said) {
        (Repeated::Number(earlier), _) | (_, Repeated::Number(earlier)) => Repeated::Number(earlier),
        (Repeated::None, Repeated::None) => Repeated::None,
        _ => Repeated::WithoutNumber,
    };
    if found != Repeated::Number(number.to_owned()) {
        return found;
    }
    let has_column = layout.place(Field::RepeatNumber).is_some();
    let problem = Bilingual::new("重复件的编号就是本件的编号", "the case cannot repeat itself");
    let expected = Bilingual::new("先前案件的受理编号", "the number of the earlier case");
    refuse(if has_column { Field::RepeatNumber } else { Field::Repeat }, problem, expected);
    Repeated::None
}

/// Returns how soon a case has to be handled, as a cell says; `None` if it does not say so.
pub(crate) fn handling_class(printed: &str) -> Option<Handling> {
    match printed.trim() {
        "立行立改" | "立行立改类" | "立即整改" | "立改" => Some(Handling::Immediate),
        "长期整改" | "长期整改类" | "持续整改" | "长期坚持" | "中长期整改" => {
            Some(Handling::LongTerm)
        }
        _ => None,
    }
}

/// What a cell says about the earlier case that a case repeats.
#[derive(Debug, PartialEq, Eq)]
enum Repeated {
    /// It repeats none.
    None,
    /// It repeats one whose number the cell does not say.
    WithoutNumber,
    /// It repeats the case with this number.
    Number(String),
}

/// Reads a cell about the earlier case that a case repeats: its number, alone or within other words, or 是 or 否.
fn repeated(printed: &str) -> Repeated {
    let plain: String = printed.nfkc().filter(|letter| !faults::is_blank(*letter) && *letter != '*').collect();
    if let Some(found) = NUMBER.find(&plain) {
        return Repeated::Number(found.as_str().to_owned());
    }
    match plain.as_str() {
        "" | "否" | "不是" | "非重复件" | "不重复" | "未重复" | "无重复" => Repeated::None,
        none if says_none(none) => Repeated::None,
        "是" | "重复" | "重复件" | "√" | "有" | "有重复" | "重复举报" => Repeated::WithoutNumber,
        number => Repeated::Number(number.to_owned()),
    }
}

/// Returns the date within a case number.
fn dated(number: &str) -> Option<NaiveDate> {
    let found = DATED.captures(number)?;
    let part = |index: usize| found.get(index).and_then(|digits| digits.as_str().parse::<u32>().ok());
    NaiveDate::from_ymd_opt(i32::try_from(part(1)?).ok()?, part(2)?, part(3)?)
}

/// Reads kinds of pollution, each once; what is none of them is `Other`.
fn pollution(printed: &str) -> Vec<Pollution> {
    let mut kinds: Vec<Pollution> = Vec::new();
    for word in
        printed.split(['、', '，', ',', '；', ';', '/', ' ', '\n']).map(str::trim).filter(|word| !word.is_empty())
    {
        let has = |words: &[&str]| words.iter().any(|one| word.contains(one));
        let kind = if has(&["噪"]) {
            Pollution::Noise
        } else if has(&["土"]) {
            Pollution::Soil
        } else if has(&["固", "垃圾", "危废", "废物"]) {
            Pollution::Waste
        } else if has(&["辐射"]) {
            Pollution::Radiation
        } else if has(&["生态"]) {
            Pollution::Ecology
        } else if has(&["气", "油烟", "扬尘", "异味", "恶臭"]) {
            Pollution::Air
        } else if has(&["水"]) {
            Pollution::Water
        } else {
            Pollution::Other
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() { vec![Pollution::Other] } else { kinds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_dates_and_cells_have_kinds() {
        assert_eq!(dated("D3SX202506230018").unwrap().to_string(), "2025-06-23");
        assert_eq!(dated("X3SX2025062300"), NaiveDate::from_ymd_opt(2025, 6, 23));
        assert_eq!(dated("第12号"), None);
        assert_eq!(pollution("水、大气"), [Pollution::Water, Pollution::Air]);
        assert_eq!(pollution("噪声,油烟"), [Pollution::Noise, Pollution::Air]);
        assert_eq!(pollution(""), [Pollution::Other]);
    }

    #[test]
    fn a_repeat_names_the_earlier_case_or_says_only_that_it_is_one() {
        let number = || Repeated::Number("D3SX202506230018".to_owned());
        for printed in ["D3SX202506230018", "与 D3SX202506230018* 重复", "是（Ｄ3SX202506230018）"] {
            assert_eq!(repeated(printed), number(), "{printed}");
        }
        assert_eq!(repeated("第12号"), Repeated::Number("第12号".to_owned()));
        for printed in ["是", " 重复件 "] {
            assert_eq!(repeated(printed), Repeated::WithoutNumber, "{printed}");
        }
        for printed in ["", "否", "—", "无", "不是"] {
            assert_eq!(repeated(printed), Repeated::None, "{printed}");
        }
        assert_eq!(handling_class("立行立改"), Some(Handling::Immediate));
        assert_eq!([handling_class("水"), handling_class("")], [None, None]);
    }
}
