//! The heading dictionary: which printed heading is which field. Each heading is mapped once.

use unicode_normalization::UnicodeNormalization;

use super::sheet::Sheet;
use ledger::fault;

/// A field of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    /// 序号: of the problem where measures are numbered apart, else of the row.
    Number,
    /// 反馈问题
    Problem,
    /// 整改目标
    Goal,
    /// 领域
    Domain,
    /// 整改时限 where measures have their own.
    ProblemDeadline,
    /// 整改进度: the rating of the problem.
    Rating,
    /// 措施序号
    MeasureNumber,
    /// 整改措施, 整改任务
    Measure,
    /// 措施时限, or 整改时限 where there is no other.
    Deadline,
    /// 牵头单位
    Lead,
    /// 责任单位
    Parties,
    /// 督导单位
    Supervising,
    /// 整改进展
    Progress,
    /// 填报人及联系方式: personal data, never read.
    Reporter,
}

const HEADINGS: [(Column, &[&str]); 14] = [
    (Column::Number, &["序号", "问题序号", "编号", "问题编号"]),
    (Column::Problem, &["反馈问题", "问题", "存在问题", "督察反馈问题", "具体问题", "反馈意见", "问题清单"]),
    (Column::Goal, &["整改目标", "目标"]),
    (Column::Domain, &["领域", "问题领域", "类别", "问题类型", "问题类别"]),
    (Column::ProblemDeadline, &["问题时限", "问题整改时限"]),
    (Column::Rating, &["整改进度", "完成情况", "整改状态", "问题进度"]),
    (Column::MeasureNumber, &["措施序号", "任务序号", "措施编号"]),
    (Column::Measure, &["整改措施", "整改任务", "措施", "具体措施", "整改措施及要求", "任务"]),
    (Column::Deadline, &["整改时限", "措施时限", "完成时限", "任务时限", "时限", "整改期限", "完成时间"]),
    (Column::Lead, &["牵头单位", "牵头部门", "牵头责任单位", "主责单位"]),
    (Column::Parties, &["责任单位", "配合单位", "责任部门", "整改责任单位", "整改单位"]),
    (Column::Supervising, &["督导单位", "督办单位", "督导部门", "验收单位"]),
    (Column::Progress, &["整改进展", "进展情况", "整改进展情况", "整改情况", "整改落实情况", "工作进展"]),
    (Column::Reporter, &["填报人及联系方式", "填报人", "联系人", "联系方式", "联系电话", "联系人及电话"]),
];

/// What stands in the place of the lead unit where a ledger names none: said on purpose, it is no omission.
pub(crate) const UNNAMED: &str = "未载明";

/// The heading that a field is exported under: the first of those it is known by, and one of its own where a problem and its
/// measures both have a deadline.
pub(crate) fn heading(column: Column) -> &'static str {
    match column {
        Column::Deadline => "措施时限",
        _ => HEADINGS.iter().find(|(known, _)| *known == column).map_or("", |(_, names)| names[0]),
    }
}

/// Where the fields are in a sheet.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The row of the headings, from 0.
    pub(crate) heading_row: u32,
    columns: Vec<(Column, u32, String)>,
    /// Headings that the dictionary does not know, or that say again what another column says.
    pub(crate) unknown: Vec<String>,
}

impl Layout {
    /// The layout of a sheet: the first of its rows in which at least three headings are known, problem and measure
    /// among them.
    pub(crate) fn find(sheet: &Sheet) -> Option<Self> {
        sheet.filled_rows().into_iter().take(30).find_map(|row| Self::of_row(sheet, row))
    }

    fn of_row(sheet: &Sheet, row: u32) -> Option<Self> {
        let mut layout = Self { heading_row: row, columns: Vec::new(), unknown: Vec::new() };
        for place in sheet.columns(row) {
            let printed = sheet.text(row, place);
            let heading = plain(printed);
            match HEADINGS.iter().find(|(_, names)| names.contains(&heading.as_str())) {
                Some((column, _)) => layout.columns.push((*column, place, printed.to_owned())),
                None => layout.unknown.push(printed.to_owned()),
            }
        }
        layout.tell_deadlines_apart();
        layout.drop_repeated();
        let complete = layout.columns.len() >= 3
            && layout.place(Column::Problem).is_some()
            && layout.place(Column::Measure).is_some();
        complete.then_some(layout)
    }

    /// Of two deadline columns the one left of the measure is the problem's.
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

    /// Of two columns of one field the first is read.
    fn drop_repeated(&mut self) {
        let mut seen = Vec::new();
        let unknown = &mut self.unknown;
        self.columns.retain(|(column, _, heading)| {
            let first = !seen.contains(column);
            seen.push(*column);
            if !first {
                unknown.push(heading.clone());
            }
            first
        });
    }

    /// The place of a field, from 0.
    pub(crate) fn place(&self, column: Column) -> Option<u32> {
        self.columns.iter().find(|(known, ..)| *known == column).map(|(_, place, _)| *place)
    }

    /// The heading of a field as printed.
    pub(crate) fn heading(&self, column: Column) -> &str {
        self.columns.iter().find(|(known, ..)| *known == column).map_or("", |(_, _, heading)| heading)
    }

    /// Whether `Number` is the problem's: measures are numbered in a column of their own.
    pub(crate) fn numbers_problems(&self) -> bool {
        self.place(Column::MeasureNumber).is_some()
    }
}

/// A heading without spaces, brackets and what shows nothing.
fn plain(heading: &str) -> String {
    let heading: String = heading.nfkc().filter(|letter| !fault::is_blank(*letter)).collect();
    heading.split('(').next().unwrap_or_default().trim_end_matches([':', '：']).to_owned()
}
