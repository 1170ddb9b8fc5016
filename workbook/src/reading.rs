//! Turns the rows of a sheet into problems and measures: handles titles, numbers inside the text and merged cells, and
//! reports every fault with its cell.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

use chrono::NaiveDate;
use entity::measure;
use planner::Bilingual;
use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::columns::{Column, Layout, UNNAMED};
use super::plain::PLAIN;
use super::sheet::{CellKind, MAX_TEXT, Sheet};
use ledger::fault::{self as faults, Hidden};
use ledger::rule::calendar::last_day_of_month;
use ledger::rule::deadline::{self, Answer, Context, Deadline, Decisions};
use ledger::rule::sameness::{self, normalised};
use ledger::rule::wording::shortened;
use ledger::rule::workflow::{self, Stated};

/// A cell that cannot be imported: its place, its content and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFault {
    /// Name of the sheet.
    pub sheet: String,
    /// Row number, from 1.
    pub row: u32,
    /// Column letters, such as `A` or `AA`; empty if the sheet has no such column.
    pub column: String,
    /// Heading of the column as printed; empty if the sheet has no such column.
    pub heading: String,
    /// Content of the cell, shortened.
    pub value: String,
    /// What is wrong.
    pub problem: Bilingual,
    /// What was expected, or how to fix it.
    pub expected: Bilingual,
}

impl CellFault {
    /// Returns the whole message: the place, what is wrong, the content of the cell, and what was expected.
    pub fn message(&self) -> Bilingual {
        let Self { sheet, row, column, heading, value, problem, expected } = self;
        Bilingual::new(
            format!(
                "工作表“{sheet}”第 {row} 行 {column} 列（{heading}）：{}；单元格内容“{value}”；应为：{}",
                problem.zh, expected.zh
            ),
            format!(
                "sheet “{sheet}”, row {row}, column {column} ({heading}): {}; the cell has “{value}”; expected: {}",
                problem.en, expected.en
            ),
        )
    }
}

/// Writes the message in Chinese, as the command line shows it.
impl fmt::Display for CellFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message().zh)
    }
}

/// A problem as read from a sheet.
#[derive(Debug, Clone)]
pub(crate) struct ReadProblem {
    pub(crate) row: u32,
    pub(crate) number: Option<String>,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) goal: Option<String>,
    pub(crate) domains: Vec<String>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) rating: Option<(String, Stated)>,
    pub(crate) measures: Vec<ReadMeasure>,
}

/// A measure as read from a sheet.
#[derive(Debug, Clone)]
pub(crate) struct ReadMeasure {
    pub(crate) row: u32,
    pub(crate) number: Option<String>,
    pub(crate) content: String,
    pub(crate) deadline: Deadline,
    pub(crate) lead: Option<String>,
    pub(crate) parties: Option<String>,
    pub(crate) supervising: Option<String>,
    pub(crate) progress: Option<String>,
    /// The fields of plain columns.
    pub(crate) fields: measure::ActiveModel,
}

/// The content of a sheet that contains a ledger.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) sheet: String,
    pub(crate) as_of: Option<NaiveDate>,
    pub(crate) problems: Vec<ReadProblem>,
    pub(crate) faults: Vec<CellFault>,
    /// Rows below the headings that are no measures, from 1, with what they are: a note, a total or repeated headings.
    pub(crate) left_out: Vec<(u32, &'static str)>,
    /// What was taken as likely, by row from 1.
    pub(crate) remarks: Vec<(u32, String)>,
    pub(crate) layout: Layout,
}

impl ReadProblem {
    /// Returns the key that identifies this problem across files, within a round and an issuing region.
    pub(crate) fn identity(&self) -> String {
        sameness::problem(self.number.as_deref(), &self.title)
    }
}

impl ReadMeasure {
    /// Returns the key that identifies this measure across files, within its problem.
    pub(crate) fn identity(&self) -> String {
        sameness::measure(self.number.as_deref(), &self.content)
    }
}

/// How a sheet is read.
#[derive(Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// The date that was given for all sheets.
    pub(crate) as_of: Option<NaiveDate>,
    /// What people have decided about unclear deadlines.
    pub(crate) deadlines: &'a Decisions,
    /// Whether a question is answered by its proposal.
    pub(crate) takes_proposals: bool,
}

/// Reads a sheet. `before` is the date of the sheet before it, which a sheet without a date has, too. Returns `None` if
/// it contains no ledger.
pub(crate) fn read(sheet: &Sheet, manner: Manner<'_>, before: Option<NaiveDate>) -> Option<Read> {
    let layout = Layout::find(sheet)?;
    let titles = (0..layout.heading_row).flat_map(|row| sheet.columns(row).into_iter().map(move |at| (row, at)));
    let printed = titles.filter_map(|(row, at)| date_in(sheet.text(row, at))).next_back();
    let as_of = manner.as_of.or(printed).or(before);
    // Without a date the sheet is refused, so that no year is proposed from this one.
    let context = Context::new(as_of.unwrap_or_default()).with(manner.deadlines);
    let mut rows = Rows {
        sheet,
        layout: &layout,
        faults: Vec::new(),
        seen: HashMap::new(),
        refused: HashSet::new(),
        left_out: Vec::new(),
        remarks: Vec::new(),
        context,
        takes_proposals: manner.takes_proposals,
        text: 0,
    };
    let problems = rows.problems();
    let Rows { faults, left_out, remarks, .. } = rows;
    Some(Read { sheet: sheet.name.clone(), as_of, problems, faults, left_out, remarks, layout })
}

struct Rows<'a> {
    sheet: &'a Sheet,
    layout: &'a Layout,
    faults: Vec<CellFault>,
    /// Row of each measure read so far, by the identities of its problem and itself.
    seen: HashMap<(String, String), u32>,
    /// Cells already reported for their content as a whole, so that a merged cell is reported once and not for each of
    /// its rows, and nothing more is said about it.
    refused: HashSet<(u32, u32)>,
    left_out: Vec<(u32, &'static str)>,
    remarks: Vec<(u32, String)>,
    context: Context<'a>,
    takes_proposals: bool,
    /// Bytes of text read so far. A merged cell counts once for each row that shows it.
    text: usize,
}

impl Rows<'_> {
    fn problems(&mut self) -> Vec<ReadProblem> {
        let mut problems: Vec<ReadProblem> = Vec::new();
        // Index of each problem in `problems`, by identity.
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut at_hand = None;
        for row in self.sheet.filled_rows().into_iter().filter(|row| *row > self.layout.heading_row) {
            let filled = self.sheet.columns(row);
            if filled.is_empty() {
                continue;
            }
            if let Some(what) = self.is_no_measure(row, &filled) {
                self.left_out.push((row + 1, what));
                continue;
            }
            if self.text > MAX_TEXT {
                let most = MAX_TEXT >> 20;
                let problem = Bilingual::new("合并单元格在各行重复的文字过多", "merged cells repeat too much text");
                let expected = Bilingual::new(
                    format!("全部单元格的文字不超过 {most} MB：请取消合并或拆分后导入"),
                    format!("at most {most} MB of text in all cells: undo the merging, or split the file"),
                );
                self.fault(row, Column::Measure, problem, expected);
                break;
            }
            let printed = self.own(row, Column::Problem);
            if !printed.is_empty() {
                let problem = self.problem(row, &printed);
                // A problem that continues after a page break has its cell printed again.
                let identity = problem.identity();
                let place = places.get(&identity).copied();
                if let Some(known) = place.and_then(|place| problems.get(place))
                    && normalised(&known.title) != normalised(&problem.title)
                {
                    let first = known.row + 1;
                    let expected = Bilingual::new(
                        format!("不同问题用不同编号（与第 {first} 行的问题编号相同）"),
                        format!("a number of its own for each problem (the one in row {first} has the same number)"),
                    );
                    self.fault(row, Column::Problem, repeated_number(), expected);
                }
                at_hand = place.or_else(|| {
                    places.insert(identity, problems.len());
                    problems.push(problem);
                    problems.len().checked_sub(1)
                });
            }
            // A number next to a blank problem cell belongs to a problem whose text is missing.
            if printed.is_empty() && self.layout.numbers_problems() && !self.own(row, Column::Number).is_empty() {
                let problem = Bilingual::new("有序号而没有反馈问题", "there is a number and no problem");
                let expected = Bilingual::new(
                    "反馈问题的文字，或合并到上一问题",
                    "the text of the problem, or a cell merged with the problem above",
                );
                self.fault(row, Column::Problem, problem, expected);
                continue;
            }
            let Some(problem) = at_hand.and_then(|place: usize| problems.get_mut(place)) else {
                let problem = Bilingual::new("没有对应的反馈问题", "the row belongs to no problem");
                let expected = Bilingual::new("首行应写明反馈问题", "the text of a problem in the first row");
                self.fault(row, Column::Problem, problem, expected);
                continue;
            };
            if let Some(measure) = self.measure(row) {
                let key = (problem.identity(), measure.identity());
                if let Some(first) = self.seen.insert(key, row) {
                    let first = first + 1;
                    let expected = Bilingual::new(
                        format!("每条措施只列一次（与第 {first} 行重复）"),
                        format!("each measure once (row {first} has it, too)"),
                    );
                    self.fault(row, Column::Measure, repeated_row(), expected);
                } else {
                    problem.measures.push(measure);
                }
            }
        }
        problems
    }

    /// Returns what a row is if it is no measure: headings that are printed again, a total, or a note below the table.
    fn is_no_measure(&self, row: u32, filled: &[u32]) -> Option<&'static str> {
        const NOTES: &[&str] = &["注:", "备注:", "说明:", "填表", "填报", "制表", "审核", "审批", "※", "此表", "本表"];
        const TOTALS: &[&str] = &["合计", "总计", "小计", "共计"];
        if self.layout.is_repeated_in(self.sheet, row) {
            return Some("重复的表头");
        }
        let shown: String = filled.first().map(|at| self.sheet.text(row, *at)).unwrap_or_default().nfkc().collect();
        let first: String = shown.chars().filter(|letter| !faults::is_blank(*letter)).collect();
        let is_blank = |column: Column| {
            self.layout.place(column).is_none_or(|place| faults::is_empty(self.sheet.shown(row, place)))
        };
        // A total counts measures, so that it may fill their column; it has neither deadline nor lead unit.
        if TOTALS.contains(&first.as_str()) && is_blank(Column::Deadline) && is_blank(Column::Lead) {
            return Some("合计");
        }
        let first = first.trim_start_matches(['(', '1', '2', '3', '4', '.', '、']);
        let is_note = NOTES.iter().any(|word| first.starts_with(word)) || first == "注" || first == "备注";
        let has_measure = self.layout.place(Column::Measure).is_some_and(|place| filled.contains(&place));
        let is_beside = !has_measure || filled.len() == 1;
        (is_note && filled.len() <= 4 && is_beside && is_blank(Column::Lead)).then_some("表下说明")
    }

    /// Returns the text of the cell itself. For fields of the problem, which are blank below its first row.
    fn own(&mut self, row: u32, column: Column) -> String {
        let Some(place) = self.layout.place(column) else { return String::new() };
        self.read(column, (row, place), self.sheet.text(row, place))
    }

    /// Returns the text that the cell shows, its own or that of the merged area it lies in. For fields of the measure,
    /// which may be merged over several rows.
    fn shown(&mut self, row: u32, column: Column) -> Option<String> {
        let place = self.layout.place(column)?;
        let text = self.read(column, (row, place), self.sheet.shown(row, place));
        (!text.is_empty()).then_some(text)
    }

    /// Cleans a cell's text as its field requires. Reports invisible control characters, error values, formulas without
    /// a value, and numbers that may have been printed otherwise as faults.
    fn read(&mut self, column: Column, (row, place): (u32, u32), text: &str) -> String {
        self.text = self.text.saturating_add(text.len());
        if let Some((problem, expected)) = wrong_kind(column, self.sheet.kind(row, place)) {
            if self.refused.insert(self.sheet.shown_at(row, place)) {
                self.faults.push(fault(self.sheet, self.layout, row, column, problem, expected));
            }
            return text.to_owned();
        }
        match cleaned(column, text) {
            Ok(clean) => clean,
            Err(hidden) => {
                if self.refused.insert(self.sheet.shown_at(row, place)) {
                    let (letter, code) = (hidden.place, hidden.code_point());
                    let problem = Bilingual::new(
                        format!("第 {letter} 个字符（{code}）是不可见的控制字符"),
                        format!("character {letter} ({code}) is an invisible control character"),
                    );
                    let expected = Bilingual::new(
                        "没有控制字符的文字（请删除后重新输入）",
                        "a text without control characters (delete it and enter it again)",
                    );
                    self.faults.push(fault(self.sheet, self.layout, row, column, problem, expected));
                }
                // Continue with the visible characters, so that other faults of the cell are reported as well.
                text.chars().filter(|letter| !faults::is_hidden(*letter)).collect()
            }
        }
    }

    fn problem(&mut self, row: u32, printed: &str) -> ReadProblem {
        let (in_text, text) = split_number(printed);
        let own = self.own(row, Column::Number);
        let number = if self.layout.numbers_problems() && !own.is_empty() {
            Some(bare(&own))
        } else {
            in_text.map(|number| bare(&number))
        };
        let (title, description) = split_title(text);
        let title = faults::single(&title).unwrap_or(title);
        let deadline = self.own(row, Column::ProblemDeadline);
        let deadline = if deadline.is_empty() && self.layout.place(Column::ProblemDeadline).is_none() {
            None
        } else {
            self.deadline(row, Column::ProblemDeadline, &deadline)
        };
        let rating = self.own(row, Column::Rating);
        let rating = match workflow::stated(&rating) {
            Some(stated) => Some((rating, stated)),
            None if rating.is_empty() => None,
            None => {
                let problem = Bilingual::new("无法识别的整改进度", "the progress is not understood");
                let expected = Bilingual::new(workflow::WORDS, format!("one of {}", workflow::WORDS));
                self.fault(row, Column::Rating, problem, expected);
                None
            }
        };
        let goal = self.own(row, Column::Goal);
        let domains = self.own(row, Column::Domain);
        ReadProblem {
            row,
            number,
            title,
            description,
            goal: (!goal.is_empty()).then_some(goal),
            domains: domains
                .split(['、', '，', ',', '；', ';'])
                .map(|domain| domain.trim().to_owned())
                .filter(|domain| !domain.is_empty())
                .collect(),
            deadline,
            rating,
            measures: Vec::new(),
        }
    }

    fn measure(&mut self, row: u32) -> Option<ReadMeasure> {
        let Some(printed) = self.shown(row, Column::Measure) else {
            let problem = Bilingual::new("没有整改措施", "there is no measure");
            self.fault(row, Column::Measure, problem, Bilingual::new("整改措施的文字", "the text of the measure"));
            return None;
        };
        let (in_text, text) = split_number(&printed);
        let number = self.shown(row, Column::MeasureNumber).or(in_text).map(|number| bare(&number));
        let deadline = self.shown(row, Column::Deadline).unwrap_or_default();
        let deadline = self.deadline(row, Column::Deadline, &deadline);
        let lead = self.shown(row, Column::Lead);
        let parties = [Column::Parties, Column::Assisting].map(|column| self.shown(row, column));
        let parties: Vec<String> = parties.into_iter().flatten().collect();
        let parties = (!parties.is_empty()).then(|| parties.join("；"));
        let supervising = self.shown(row, Column::Supervising);
        let progress = self.shown(row, Column::Progress);
        if lead.is_none() && self.layout.place(Column::Lead).is_some() {
            let problem = Bilingual::new("没有牵头单位", "there is no lead unit");
            let expected = Bilingual::new(
                format!("一个牵头单位；确无牵头单位的写“{UNNAMED}”"),
                format!("one lead unit, or “{UNNAMED}” if there is none"),
            );
            self.fault(row, Column::Lead, problem, expected);
        }
        let mut fields = measure::ActiveModel::default();
        for (place, plain) in PLAIN.iter().enumerate() {
            let column = Column::Plain(place);
            let Some(text) = self.shown(row, column) else { continue };
            if let Err(expected) = (plain.read)(&text, self.layout.heading(column), &mut fields) {
                let problem = Bilingual::new(format!("无法识别的{}", plain.headings[0]), "the cell is not understood");
                self.fault(row, column, problem, expected);
            }
        }
        Some(ReadMeasure {
            row,
            number,
            content: text.to_owned(),
            deadline: deadline?,
            lead: lead.filter(|lead| lead != UNNAMED),
            parties,
            supervising,
            progress,
            fields,
        })
    }

    fn deadline(&mut self, row: u32, column: Column, printed: &str) -> Option<Deadline> {
        let reading = match Deadline::parse(printed, &self.context) {
            Ok(Answer::Read(reading)) => reading,
            Ok(Answer::Asked(question)) if self.takes_proposals => {
                self.remarks.push((row + 1, question.message().zh));
                question.proposal
            }
            Ok(Answer::Asked(question)) => {
                let decided = question.doubts.iter().find_map(deadline::Doubt::event);
                let decided = decided.unwrap_or_else(|| printed.to_owned());
                let proposal = &question.proposal.deadline;
                let expected = Bilingual::new(
                    format!("在 --deadlines 文件中写明，如“{decided},{proposal}”；或用 --accept 采用全部建议"),
                    format!(
                        "a decision in the file of deadlines (--deadlines), such as “{decided},{proposal}”; or \
                         `acceptProposals` (--accept) to take all proposals"
                    ),
                );
                self.fault(row, column, question.message(), expected);
                return None;
            }
            Err(error) => {
                let (zh, en) = deadline::EXPECTED;
                self.fault(row, column, error.message(), Bilingual::new(zh, en));
                return None;
            }
        };
        self.remarks.extend(reading.remarks.iter().map(|remark| (row + 1, remark.message().zh)));
        Some(reading.deadline)
    }

    fn fault(&mut self, row: u32, column: Column, problem: Bilingual, expected: Bilingual) {
        let place = self.layout.place(column).map(|place| self.sheet.shown_at(row, place));
        if place.is_some_and(|place| self.refused.contains(&place)) {
            return;
        }
        self.faults.push(fault(self.sheet, self.layout, row, column, problem, expected));
    }
}

/// Returns what is wrong with a cell for its kind, and what was expected; `None` if it can be read.
fn wrong_kind(column: Column, kind: CellKind) -> Option<(Bilingual, Bilingual)> {
    let is_number = matches!(column, Column::Number | Column::MeasureNumber);
    let (problem, expected) = match kind {
        CellKind::Error => (
            Bilingual::new("单元格是错误值", "the cell is an error value"),
            Bilingual::new("文字、数字或日期（请更正公式，或重新填写）", "a text, number or date: correct the formula"),
        ),
        CellKind::Formula => (
            Bilingual::new("单元格是没有计算结果的公式", "the cell is a formula without a stored value"),
            Bilingual::new("文字或日期（请粘贴为数值）", "a text or a date (paste it as a value)"),
        ),
        CellKind::Day if is_number => (
            Bilingual::new("编号被表格软件改成了日期", "a spreadsheet program has made a date of the number"),
            Bilingual::new(
                "文字形式的编号，如 1-1（请先把单元格格式设为“文本”，再重新填写）",
                "the number as text, such as 1-1: format the cell as text, then enter it again",
            ),
        ),
        CellKind::Fraction if is_number => (
            Bilingual::new("编号存成了小数，看不出是否以 0 结尾", "the number is stored as a decimal: 1.1 may be 1.10"),
            Bilingual::new(
                "文字形式的编号，如 1.10（请先把单元格格式设为“文本”，再重新填写）",
                "the number as text, such as 1.10: format the cell as text, then enter it again",
            ),
        ),
        _ => return None,
    };
    Some((problem, expected))
}

/// Cleans a cell's text: on one line for numbers, domains and ratings, otherwise with its line breaks, which act as
/// separators in lists of units and in deadlines.
fn cleaned(column: Column, text: &str) -> Result<String, Hidden> {
    match column {
        Column::Number | Column::MeasureNumber | Column::Domain | Column::Rating => faults::single(text),
        _ => faults::several(text).map(|lines| lines.trim().to_owned()),
    }
}

/// Says that two problems have the same number.
pub(crate) fn repeated_number() -> Bilingual {
    Bilingual::new("问题编号重复", "two problems have the same number")
}

/// Says that a measure occurs twice.
pub(crate) fn repeated_row() -> Bilingual {
    Bilingual::new("重复的行", "the row is repeated")
}

/// Builds a fault for a cell. `row` is counted from 0; the fault's row is counted from 1.
pub(crate) fn fault(
    sheet: &Sheet,
    layout: &Layout,
    row: u32,
    column: Column,
    problem: Bilingual,
    expected: Bilingual,
) -> CellFault {
    let place = layout.place(column);
    let value = place.map(|place| sheet.shown(row, place)).unwrap_or_default();
    // Copy only what will be shown, and leave out characters that change the direction of the text.
    let value: String = value.chars().filter(|letter| !faults::is_hidden(*letter)).take(400).collect();
    CellFault {
        sheet: sheet.name.clone(),
        row: row + 1,
        column: place.map(letters).unwrap_or_default(),
        heading: layout.heading(column).to_owned(),
        value: shortened(&value, 40),
        problem,
        expected,
    }
}

/// Returns the letters of a column counted from 0: `A` for 0, `AA` for 26.
fn letters(column: u32) -> String {
    let last = char::from(b'A' + (column % 26) as u8);
    if column < 26 { last.to_string() } else { format!("{}{last}", letters(column / 26 - 1)) }
}

static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?x)^\s*(?:[（(]\s*([〇零一二三四五六七八九十百\d]+)\s*[)）]
        |(\d{1,3}-\d{1,3})(?:[.、．]|\s)
        |(\d{1,3})\s*[.、．](?:\s|[^\d]|$)
        |([一二三四五六七八九十百]+)、)",
    )
});
static DATE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d{4})\s*年\s*(\d{1,2})\s*月(?:\s*(\d{1,2})\s*日)?"));

#[expect(clippy::expect_used, reason = "a constant pattern, compiled by every test of this file")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is well formed")
}

/// Splits off the number at the beginning of a text, such as （十九） or 6., and returns it with the rest.
fn split_number(text: &str) -> (Option<String>, &str) {
    let text = text.trim();
    let Some(found) = NUMBERED.captures(text) else { return (None, text) };
    let Some(number) = (1..=4).find_map(|group| found.get(group)) else { return (None, text) };
    let rest = text.get(number.end()..).unwrap_or_default();
    let rest = rest.trim_start().trim_start_matches([')', '）', '.', '、', '．']).trim_start();
    (Some(number.as_str().to_owned()), rest)
}

/// Strips the punctuation around a number: `1.` and `（1）` become `1`.
fn bare(number: &str) -> String {
    let number = number.trim_matches(['(', ')', '（', '）', '.', '、', '．', ' ']);
    faults::single(number).unwrap_or_else(|_| number.to_owned())
}

/// Splits a problem's text into its title, the first sentence, and its description, the rest.
fn split_title(text: &str) -> (String, Option<String>) {
    match text.split_once('。') {
        Some((title, rest)) => {
            let rest = rest.trim();
            (title.trim().to_owned(), (!rest.is_empty()).then(|| rest.to_owned()))
        }
        None => (text.trim().to_owned(), None),
    }
}

/// Returns the as-of date in a title: the latest date after 截至 or 截止, or in the whole title if it has neither. A
/// month without a day, as in 截至2019年3月, means its last day.
fn date_in(title: &str) -> Option<NaiveDate> {
    let plain: String = title.nfkc().collect();
    let since = plain.find("截至").or_else(|| plain.find("截止")).map_or(plain.as_str(), |at| &plain[at..]);
    DATE.captures_iter(since)
        .filter_map(|found| {
            let number = |index: usize| found.get(index).and_then(|digits| digits.as_str().parse::<u32>().ok());
            let (year, month) = (i32::try_from(number(1)?).ok()?, number(2)?);
            match number(3) {
                Some(day) => NaiveDate::from_ymd_opt(year, month, day),
                None => last_day_of_month(year, month),
            }
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_inside_the_text_are_told_from_the_text() {
        for (printed, number, rest) in [
            ("（十九）小水电退出整治不彻底。", Some("十九"), "小水电退出整治不彻底。"),
            ("(3)矿山", Some("3"), "矿山"),
            ("6.严格贯彻执行", Some("6"), "严格贯彻执行"),
            ("12、加强", Some("12"), "加强"),
            ("3.5万亩草原未修复", None, "3.5万亩草原未修复"),
            ("2022年年底前完成", None, "2022年年底前完成"),
            ("2022.措施", None, "2022.措施"),
            ("12-02 编制方案", Some("12-02"), "编制方案"),
            ("二、加强监管", Some("二"), "加强监管"),
        ] {
            assert_eq!(split_number(printed), (number.map(str::to_owned), rest), "{printed}");
        }
    }

    #[test]
    fn titles_say_when_the_ledger_was_drawn_up() {
        assert_eq!(date_in("截至2019年3月").unwrap().to_string(), "2019-03-31");
        assert_eq!(date_in("云溪县分局      2023年4月").unwrap().to_string(), "2023-04-30");
        assert_eq!(date_in("2024 年 2 月 9 日").unwrap().to_string(), "2024-02-09");
        assert_eq!(date_in("第二轮督察（2021年8月反馈）截至2023年4月30日").unwrap().to_string(), "2023-04-30");
        assert_eq!(date_in("问题一览表"), None);
    }

    #[test]
    fn a_cell_is_read_as_its_field_is_kept() {
        let read = |column: Column, text: &str| cleaned(column, text).map_err(Hidden::code_point);
        assert_eq!(read(Column::Number, "12\u{200b}-3\n"), Ok("12-3".to_owned()));
        assert_eq!(read(Column::Domain, "大气\n污染、水"), Ok("大气 污染、水".to_owned()));
        assert_eq!(read(Column::Parties, "市水利局\n市审计局\u{feff}"), Ok("市水利局\n市审计局".to_owned()));
        assert_eq!(read(Column::Progress, "第一行\r\n\u{b}第二行"), Ok("第一行\n\n第二行".to_owned()));
        assert_eq!(read(Column::Lead, "市\u{202e}水利局"), Err("U+202E".to_owned()));
        assert_eq!(bare("（\u{3000}3）"), "3");
    }

    #[test]
    fn columns_have_letters() {
        assert_eq!([0, 25, 26, 255].map(letters), ["A", "Z", "AA", "IV"]);
    }
}
