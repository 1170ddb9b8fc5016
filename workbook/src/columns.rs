//! The heading dictionary: maps printed headings to fields. Each heading belongs to exactly one field.

use unicode_normalization::UnicodeNormalization;

use super::plain::PLAIN;
use super::sheet::Sheet;
use ledger::fault;

/// A field of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    /// Number (序号): of the problem if measures have a number column of their own, else of the row.
    Number,
    /// Text of the problem (反馈问题).
    Problem,
    /// Goal of the problem (整改目标).
    Goal,
    /// Domains of the problem (领域).
    Domain,
    /// Deadline of the problem (整改时限), in ledgers in which measures have their own.
    ProblemDeadline,
    /// Rating of the problem (整改进度).
    Rating,
    /// Number of the measure (措施序号).
    MeasureNumber,
    /// Text of the measure (整改措施, 整改任务).
    Measure,
    /// Deadline of the measure (措施时限, or 整改时限 if there is only one deadline column).
    Deadline,
    /// Lead unit (牵头单位).
    Lead,
    /// Responsible parties (责任单位).
    Parties,
    /// Further responsible parties (配合单位).
    Assisting,
    /// Supervising unit (督导单位).
    Supervising,
    /// Progress of the measure (整改进展).
    Progress,
    /// A plain column, by its place in [`PLAIN`].
    Plain(usize),
    /// Name and phone number of the reporter (填报人及联系方式). Personal data; never read.
    Reporter,
}

const HEADINGS: &[(Column, &[&str])] = &[
    (Column::Number, &["序号", "问题序号", "编号", "问题编号"]),
    (
        Column::Problem,
        &["反馈问题", "问题", "存在问题", "督察反馈问题", "具体问题", "反馈意见", "问题清单", "问题描述", "整改问题"],
    ),
    (Column::Goal, &["整改目标", "目标"]),
    (Column::Domain, &["领域", "问题领域", "类别", "问题类型", "问题类别"]),
    (Column::ProblemDeadline, &["问题时限", "问题整改时限"]),
    (Column::Rating, &["整改进度", "完成情况", "整改状态", "问题进度"]),
    (Column::MeasureNumber, &["措施序号", "任务序号", "措施编号"]),
    (Column::Measure, &["整改措施", "整改任务", "措施", "具体措施", "整改措施及要求", "任务"]),
    (
        Column::Deadline,
        &["整改时限", "措施时限", "完成时限", "整改完成时限", "任务时限", "时限", "整改期限", "完成时间"],
    ),
    (Column::Lead, &["牵头单位", "牵头部门", "牵头责任单位", "主责单位"]),
    (Column::Parties, &["责任单位", "责任部门", "整改责任单位", "整改单位"]),
    (Column::Assisting, &["配合单位", "配合部门", "协办单位", "协助单位"]),
    (Column::Supervising, &["督导单位", "督办单位", "督导部门"]),
    (
        Column::Progress,
        &["整改进展", "进展情况", "整改进展情况", "整改情况", "整改落实情况", "工作进展", "本月进展情况", "最新进展"],
    ),
    (Column::Reporter, &["填报人及联系方式", "填报人", "联系人", "联系方式", "联系电话", "联系人及电话"]),
];

/// What a ledger states as the lead unit when it names none. A blank cell, in contrast, is reported as a fault.
pub(crate) const UNNAMED: &str = "未载明";

/// Returns the heading that a field is exported under: the first in the dictionary, except that the deadline of
/// measures has a heading distinct from that of problems.
pub(crate) fn heading(column: Column) -> &'static str {
    match column {
        Column::Deadline => "措施时限",
        Column::Plain(place) => PLAIN[place].exported,
        _ => HEADINGS.iter().find(|(known, _)| *known == column).map_or("", |(_, names)| names[0]),
    }
}

/// The columns of a sheet and the fields they contain.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Row of the headings, from 0.
    pub(crate) heading_row: u32,
    columns: Vec<(Column, u32, String)>,
    /// Headings that are not in the dictionary.
    pub(crate) unknown: Vec<String>,
    /// Headings that repeat a field of another column, with that column's heading.
    pub(crate) repeated: Vec<(String, String)>,
}

impl Layout {
    /// Finds the layout of a sheet: its first row, or its first two rows together, with at least three known headings,
    /// including problem and measure. Searches the first 30 filled rows. Returns `None` if there is no such row.
    pub(crate) fn find(sheet: &Sheet) -> Option<Self> {
        let rows = || sheet.filled_rows().into_iter().take(SEARCHED);
        rows()
            .find_map(|row| Self::of_headings(row + 1, two_rows(sheet, row)?).or_else(|| Self::of_row(sheet, row)))
            .or_else(|| rows().find_map(|row| Self::of_row(sheet, row)))
    }

    fn of_row(sheet: &Sheet, row: u32) -> Option<Self> {
        let headings = sheet.columns(row).into_iter().map(|place| (place, sheet.text(row, place).to_owned()));
        Self::of_headings(row, headings.collect())
    }

    /// Makes the layout of headings, each with its column. Returns `None` if they are not those of a ledger.
    fn of_headings(row: u32, headings: Vec<(u32, String)>) -> Option<Self> {
        let mut layout = Self { heading_row: row, columns: Vec::new(), unknown: Vec::new(), repeated: Vec::new() };
        for (place, printed) in headings {
            match column(&plain(&printed)) {
                Some(column) => layout.columns.push((column, place, printed)),
                None => layout.unknown.push(printed),
            }
        }
        layout.tell_deadlines_apart();
        layout.drop_repeated();
        let complete = layout.columns.len() >= 3
            && layout.place(Column::Problem).is_some()
            && layout.place(Column::Measure).is_some();
        complete.then_some(layout)
    }

    /// If there are two deadline columns, makes the first one the deadline of problems.
    fn tell_deadlines_apart(&mut self) {
        let deadlines: Vec<usize> = (0..self.columns.len())
            .filter(|index| self.columns.get(*index).is_some_and(|(column, ..)| *column == Column::Deadline))
            .collect();
        if let [first, _] = deadlines.as_slice()
            && let Some((column, ..)) = self.columns.get_mut(*first)
        {
            *column = Column::ProblemDeadline;
        }
    }

    /// Keeps only the first of several columns for the same field.
    fn drop_repeated(&mut self) {
        let mut seen: Vec<(Column, String)> = Vec::new();
        let repeated = &mut self.repeated;
        self.columns.retain(|(column, _, heading)| {
            let first = seen.iter().find(|(known, _)| known == column);
            if let Some((_, first)) = first {
                repeated.push((heading.clone(), first.clone()));
                return false;
            }
            seen.push((*column, heading.clone()));
            true
        });
    }

    /// Whether a row repeats the headings, as after a page break.
    pub(crate) fn is_repeated_in(&self, sheet: &Sheet, row: u32) -> bool {
        let same = |(_, place, heading): &&(Column, u32, String)| plain(sheet.shown(row, *place)) == plain(heading);
        self.columns.iter().filter(same).count() * 2 > self.columns.len()
    }

    /// Returns the column of a field, from 0.
    pub(crate) fn place(&self, column: Column) -> Option<u32> {
        self.columns.iter().find(|(known, ..)| *known == column).map(|(_, place, _)| *place)
    }

    /// Returns the heading of a field as printed; empty if the sheet does not have the field.
    pub(crate) fn heading(&self, column: Column) -> &str {
        self.columns.iter().find(|(known, ..)| *known == column).map_or("", |(_, _, heading)| heading)
    }

    /// Whether [`Column::Number`] is the number of the problem, because measures have a number column of their own.
    pub(crate) fn numbers_problems(&self) -> bool {
        self.place(Column::MeasureNumber).is_some()
    }
}

/// Returns the field of a normalised heading.
fn column(heading: &str) -> Option<Column> {
    let listed = HEADINGS.iter().find(|(_, names)| names.contains(&heading)).map(|(column, _)| *column);
    listed.or_else(|| PLAIN.iter().position(|plain| plain.headings.contains(&heading)).map(Column::Plain))
}

/// The most filled rows that are searched for headings.
const SEARCHED: usize = 30;

/// Returns the headings of two rows of which the upper one has headings over several columns (责任体系 over 牵头单位,
/// 责任单位), each with its column. Returns `None` if the rows are not such a pair.
fn two_rows(sheet: &Sheet, row: u32) -> Option<Vec<(u32, String)>> {
    let upper = sheet.columns(row);
    let is_single = |place: &&u32| !sheet.spans_columns(row, **place);
    // A title reaches over all columns and has no headings beside it.
    let singles = upper.iter().filter(is_single).count();
    if singles == upper.len() || singles < 2 {
        return None;
    }
    let lower = sheet.columns(row + 1);
    let is_under_one = |place: &u32| {
        let (_, first) = sheet.shown_at(row, *place);
        sheet.spans_columns(row, first)
    };
    if lower.is_empty() || !lower.iter().all(is_under_one) {
        return None;
    }
    let above = upper.iter().filter(is_single).map(|place| (*place, sheet.text(row, *place).to_owned()));
    let below = lower.iter().map(|place| (*place, sheet.text(row + 1, *place).to_owned()));
    let mut headings: Vec<(u32, String)> = above.chain(below).collect();
    headings.sort();
    Some(headings)
}

/// Normalises a heading: removes blanks, invisible characters, stars, square brackets, colons, and what stands in round
/// brackets.
fn plain(heading: &str) -> String {
    const MARKS: &[char] =
        &['*', '★', '☆', '※', '●', '△', '▲', '【', '】', '[', ']', '「', '」', '“', '”', '"', ':', '#'];
    let mut depth = 0_usize;
    let mut plain = String::new();
    for letter in heading.nfkc().filter(|letter| !fault::is_blank(*letter) && !MARKS.contains(letter)) {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_known_whatever_is_around_it() {
        for printed in [
            "整改措施",
            "*整改措施",
            "【整改措施】",
            "整改 措施：",
            "整改\n措施",
            "整改措施★（必填）",
            "整\u{200b}改措施",
            "（1）整改措施",
        ] {
            assert_eq!(column(&plain(printed)), Some(Column::Measure), "{printed}");
        }
        assert_eq!(column(&plain("验收单位")), None, "who accepts the work does not supervise it");
    }
}
