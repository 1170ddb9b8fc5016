//! The fields of sheets, and the dictionary of headings that name them. A heading that names several fields is
//! ambiguous: the layout decides by the rest of the sheet, or asks.

use entity::leader::Post;
use unicode_normalization::UnicodeNormalization;

use super::plain::PLAIN;
use ledger::fault;

/// What a column of a sheet, or a labelled cell above a table, contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    /// Number (序号): of the problem if measures have a number column of their own, else of the row.
    Number,
    /// Text of the problem (反馈问题).
    Problem,
    /// Kind of the problem (问题类型).
    Category,
    /// The inspection that found the problem (问题来源).
    Source,
    /// Goal of the problem (整改目标).
    Goal,
    /// Domains of the problem (领域).
    Domain,
    /// Deadline of the problem (整改时限), in ledgers in which measures have their own.
    ProblemDeadline,
    /// Rating of the problem (整改进度).
    Rating,
    /// Number of the task (任务序号).
    TaskNumber,
    /// Text of the task (整改任务), where it is a level between problem and measure.
    Task,
    /// Number of the measure (措施序号).
    MeasureNumber,
    /// Text of the measure (整改措施).
    Measure,
    /// Deadline of the measure (措施时限, or 整改时限 if there is only one deadline column).
    Deadline,
    /// Lead unit (牵头单位).
    Lead,
    /// Responsible parties (责任单位).
    Parties,
    /// Further responsible parties (配合单位); the assisting units of a complaint case (协办单位).
    Assisting,
    /// Supervising unit (督导单位).
    Supervising,
    /// The unit that accepts the work (验收单位).
    Accepting,
    /// A leader by post (牵头领导, 包案领导, 责任领导, 责任人). Personal data.
    Leader(Post),
    /// Progress of the measure (整改进展).
    Progress,
    /// Status of the measure (完成情况).
    Status,
    /// Share of the measure that is done (累计完成比例).
    Share,
    /// Whether the measure is on schedule (是否达到序时进度).
    OnSchedule,
    /// Difficulties of the month (存在的困难和问题).
    Difficulties,
    /// Next steps (下一步打算).
    NextSteps,
    /// Day of the self-inspection before close-out (县级自验时间).
    SelfInspectedOn,
    /// Day of the verification (市级核查验收时间).
    VerifiedOn,
    /// Period of the public notice (公示时间).
    Notice,
    /// Day of the close-out (销号时间).
    ClosedOn,
    /// Number of the close-out's document (销号文号).
    DocumentNumber,
    /// A plain column, by its place in [`PLAIN`].
    Plain(usize),
    /// Name and phone number of the reporter (填报人及联系方式). Personal data; never read.
    Reporter,
    /// Number of a complaint case (受理编号).
    CaseNumber,
    /// What a complaint case is about (交办问题基本情况).
    CaseSummary,
    /// The region of a complaint case (行政区域).
    CaseRegion,
    /// Kinds of pollution of a complaint case (污染类型).
    Pollution,
    /// What the investigation of a complaint case found (调查核实情况).
    Investigation,
    /// Whether a complaint is true (是否属实).
    Truth,
    /// What was done about a complaint case (处理和整改情况).
    Handling,
    /// Whether a complaint case is resolved (是否办结).
    Resolution,
    /// Who was held to account for a complaint case (责任人被处理情况).
    HeldToAccount,
    /// The day on which a complaint case was handed over (交办时间).
    HandedOverOn,
    /// The batch in which a complaint case was handed over (批次).
    Batch,
    /// How soon a complaint case has to be handled (办理类型).
    HandlingClass,
    /// Whether a complaint case repeats an earlier one, or the number of that one (重复件).
    Repeat,
    /// The number of the earlier case that a complaint case repeats (重复编号).
    RepeatNumber,
}

/// Fields whose headings are also those of other columns in ledgers, so that they are read in lists of cases only.
pub(crate) const ONLY_OF_CASES: [Field; 4] = [Field::Batch, Field::HandlingClass, Field::Repeat, Field::RepeatNumber];

/// An entry of the dictionary.
struct Entry {
    field: Field,
    /// The name of the field in mapping files.
    code: &'static str,
    /// The headings that name the field; the first one is that of exports.
    headings: &'static [&'static str],
}

const fn entry(field: Field, code: &'static str, headings: &'static [&'static str]) -> Entry {
    Entry { field, code, headings }
}

const DICTIONARY: &[Entry] = &[
    entry(Field::Number, "number", &["序号", "问题序号", "编号", "问题编号"]),
    entry(
        Field::Problem,
        "problem",
        &[
            "反馈问题",
            "问题",
            "存在问题",
            "督察反馈问题",
            "具体问题",
            "反馈意见",
            "问题清单",
            "问题描述",
            "整改问题",
            "督察反馈意见",
            "反馈问题内容",
            "问题内容",
        ],
    ),
    entry(Field::Category, "problem-category", &["问题类型", "问题类别", "问题性质", "类型"]),
    entry(Field::Source, "problem-source", &["问题来源", "来源"]),
    entry(Field::Goal, "goal", &["整改目标", "目标", "目标要求"]),
    entry(Field::Domain, "domain", &["领域", "问题领域", "类别", "问题类型", "问题类别"]),
    entry(Field::ProblemDeadline, "problem-deadline", &["问题时限", "问题整改时限"]),
    entry(Field::Rating, "problem-rating", &["整改进度", "完成情况", "整改状态", "问题进度", "整改完成情况"]),
    entry(Field::TaskNumber, "task-number", &["任务序号", "任务编号"]),
    entry(Field::Task, "task", &["整改任务", "任务", "重点任务", "整改任务内容"]),
    entry(Field::MeasureNumber, "measure-number", &["措施序号", "措施编号", "任务序号"]),
    entry(
        Field::Measure,
        "measure",
        &["整改措施", "整改任务", "措施", "具体措施", "整改措施及要求", "任务", "具体整改措施", "整改措施内容"],
    ),
    entry(
        Field::Deadline,
        "deadline",
        &["整改时限", "措施时限", "完成时限", "整改完成时限", "任务时限", "时限", "整改期限", "完成时间", "完成期限"],
    ),
    entry(Field::Lead, "lead-unit", &["牵头单位", "牵头部门", "牵头责任单位", "主责单位", "牵头责任部门"]),
    entry(Field::Parties, "responsible-units", &["责任单位", "责任部门", "整改责任单位", "整改单位", "责任主体"]),
    entry(
        Field::Assisting,
        "assisting-units",
        &["配合单位", "配合部门", "协办单位", "协助单位", "配合责任单位", "参与单位"],
    ),
    entry(Field::Supervising, "supervising-unit", &["督导单位", "督办单位", "督导部门", "监督单位"]),
    entry(Field::Accepting, "accepting-unit", &["验收单位", "核查验收单位", "验收部门", "销号验收单位"]),
    entry(Field::Leader(Post::Lead), "lead-leader", &["牵头领导", "牵头责任领导", "市级牵头领导", "县级牵头领导"]),
    entry(Field::Leader(Post::Case), "case-leader", &["包案领导", "包保领导", "包抓领导"]),
    entry(Field::Leader(Post::Responsible), "responsible-leader", &["责任领导", "分管领导"]),
    entry(Field::Leader(Post::Person), "responsible-person", &["责任人", "具体责任人", "整改责任人", "负责人"]),
    entry(
        Field::Progress,
        "progress",
        &[
            "整改进展",
            "进展情况",
            "整改进展情况",
            "整改情况",
            "整改落实情况",
            "工作进展",
            "本月进展情况",
            "最新进展",
            "本月进展",
            "本月整改进展情况",
            "完成情况",
            "整改完成情况",
        ],
    ),
    entry(
        Field::Status,
        "status",
        &["完成状态", "完成情况", "是否完成", "是否完成整改", "整改状态", "整改进度", "整改完成情况", "措施完成情况"],
    ),
    entry(
        Field::Share,
        "share",
        &["累计完成比例", "完成比例", "完成率", "进度比例", "累计完成进度", "完成百分比", "累计进度"],
    ),
    entry(
        Field::OnSchedule,
        "on-schedule",
        &["是否达到序时进度", "是否达序时进度", "是否序时", "序时进度", "是否达到时序进度"],
    ),
    entry(
        Field::Difficulties,
        "difficulties",
        &[
            "存在的困难和问题",
            "存在困难",
            "困难和问题",
            "存在困难和问题",
            "存在的问题",
            "存在问题",
            "主要困难",
            "存在的困难",
        ],
    ),
    entry(
        Field::NextSteps,
        "next-steps",
        &["下一步打算", "下一步工作打算", "下一步计划", "下一步工作计划", "下步打算", "下步工作打算", "下一步措施"],
    ),
    entry(
        Field::SelfInspectedOn,
        "self-inspected-on",
        &["县级自验时间", "自验时间", "自查时间", "自验收时间", "县级自查时间", "自查自验时间", "县级验收时间"],
    ),
    entry(
        Field::VerifiedOn,
        "verified-on",
        &["市级核查验收时间", "核查时间", "验收时间", "市级核查时间", "市级验收时间", "核查验收时间"],
    ),
    entry(Field::Notice, "notice", &["公示时间", "公示期", "公示起止时间", "公示日期"]),
    entry(Field::ClosedOn, "closed-on", &["销号时间", "销号日期", "批准销号时间"]),
    entry(Field::DocumentNumber, "document-number", &["销号文号", "销号文件", "销号批复文号", "文号"]),
    entry(
        Field::Reporter,
        "reporter",
        &["填报人及联系方式", "填报人", "联系人", "联系方式", "联系电话", "联系人及电话", "填表人", "电话"],
    ),
    entry(Field::CaseNumber, "case-number", &["受理编号", "案件编号", "信访编号", "举报编号", "交办编号"]),
    entry(
        Field::CaseSummary,
        "case-summary",
        &[
            "交办问题基本情况",
            "举报内容",
            "信访内容",
            "反映问题",
            "问题基本情况",
            "交办问题",
            "群众反映问题",
            "举报问题",
        ],
    ),
    entry(Field::CaseRegion, "case-region", &["行政区域", "所属区域", "行政区", "属地"]),
    entry(Field::Pollution, "pollution", &["污染类型", "污染类别"]),
    entry(Field::Investigation, "investigation", &["调查核实情况", "调查情况", "核查情况", "核实情况"]),
    entry(Field::Truth, "truth", &["是否属实", "属实情况"]),
    entry(
        Field::Handling,
        "handling",
        &["处理和整改情况", "处理及整改情况", "处理整改情况", "办理情况", "整改处理情况"],
    ),
    entry(Field::Resolution, "resolution", &["是否办结", "办结情况", "办结目标完成情况", "是否已办结"]),
    entry(
        Field::HeldToAccount,
        "held-to-account",
        &["责任人被处理情况", "问责情况", "追责问责情况", "责任人处理情况", "责任追究情况"],
    ),
    entry(Field::HandedOverOn, "handed-over-on", &["交办时间", "交办日期", "转办时间", "转办日期"]),
    entry(Field::Batch, "batch", &["批次", "交办批次", "转办批次", "案件批次"]),
    entry(Field::HandlingClass, "handling-class", &["办理类型", "整改类型", "办理类别", "类型"]),
    entry(Field::Repeat, "repeat", &["重复件", "是否重复", "是否重复件", "重复情况", "是否重复举报"]),
    entry(
        Field::RepeatNumber,
        "repeat-number",
        &["重复编号", "重复件编号", "重复案件编号", "重复受理编号", "原受理编号", "原案件编号"],
    ),
];

/// The name that a column has in mapping files if it is not read.
pub(crate) const UNUSED: &str = "none";

/// What a ledger states as the lead unit when it names none. A blank cell, in contrast, is reported as a fault.
pub(crate) const UNNAMED: &str = "未载明";

/// Returns the heading that a field is exported under: the first in the dictionary, except that the deadline of
/// measures has a heading distinct from that of problems.
pub(crate) fn heading(field: Field) -> &'static str {
    match field {
        Field::Deadline => "措施时限",
        Field::Plain(place) => PLAIN[place].exported,
        _ => label(field),
    }
}

/// Returns the usual heading of a field.
pub(crate) fn label(field: Field) -> &'static str {
    match field {
        Field::Plain(place) => PLAIN[place].headings[0],
        _ => DICTIONARY.iter().find(|entry| entry.field == field).map_or("", |entry| entry.headings[0]),
    }
}

/// Returns the name of a field in mapping files.
pub(crate) fn code(field: Field) -> &'static str {
    match field {
        Field::Plain(place) => PLAIN[place].code,
        _ => DICTIONARY.iter().find(|entry| entry.field == field).map_or("", |entry| entry.code),
    }
}

/// Returns the field with a name of mapping files, or with a usual heading.
pub(crate) fn of_code(given: &str) -> Option<Field> {
    all().find(|(field, code)| *code == given || label(*field) == given).map(|(field, _)| field)
}

/// Returns every field with its name, in the order of the dictionary.
pub(crate) fn all() -> impl Iterator<Item = (Field, &'static str)> {
    let listed = DICTIONARY.iter().map(|entry| (entry.field, entry.code));
    listed.chain(PLAIN.iter().enumerate().map(|(place, plain)| (Field::Plain(place), plain.code)))
}

/// Returns the fields that a normalised heading may name; several if it is ambiguous.
pub(crate) fn candidates(heading: &str) -> Vec<Field> {
    let listed = DICTIONARY.iter().filter(|entry| entry.headings.contains(&heading)).map(|entry| entry.field);
    let plain = PLAIN.iter().enumerate().filter(|(_, plain)| plain.headings.contains(&heading));
    listed.chain(plain.map(|(place, _)| Field::Plain(place))).collect()
}

/// Normalises a heading: removes blanks, invisible characters, stars, square brackets, colons, and what stands in round
/// brackets.
pub(crate) fn normalised_heading(heading: &str) -> String {
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
            assert_eq!(candidates(&normalised_heading(printed)), [Field::Measure], "{printed}");
        }
        let accepting = candidates(&normalised_heading("验收单位"));
        assert_eq!(accepting, [Field::Accepting], "who accepts the work does not supervise it");
    }

    #[test]
    fn every_field_has_a_name_of_its_own() {
        let mut codes: Vec<&str> = all().map(|(_, code)| code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        for (field, name) in all() {
            assert_eq!(of_code(name), Some(field), "{name}");
        }
    }
}
