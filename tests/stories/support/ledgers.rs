//! Invented ledgers in the two layouts that governments publish, with merged cells, title rows and every form of
//! deadline.

use std::fmt::Write as _;

use rust_xlsxwriter::{Format, Workbook, Worksheet};

/// A row of the city's layout: problem (on the first row of each problem), measure, deadline, lead unit, parties,
/// progress.
pub(crate) type CityRow = (Option<&'static str>, &'static str, &'static str, &'static str, &'static str, &'static str);

pub(crate) const ROUND: &str = "第二轮生态环境保护督察";
const PARTIES: &str = "市委组织部、宣传部，市生态环境局、水利局，各县（区）委、政府，市直各相关部门";

/// A county's answers to its city's measures, with title rows, merged problem cells, numbers in the text and blank row
/// numbers.
pub(crate) const CITY_ROWS: [CityRow; 8] = [
    (
        Some("（一）对生态环境保护重要性认识不足。部分干部学习不深入。"),
        "1.将生态文明思想纳入学习计划（长期坚持）。",
        "长期坚持",
        "市委组织部",
        PARTIES,
        "开展专题学习6次。",
    ),
    (None, "2.开展干部专题培训（2022年12月31日）。", "2022年12月31日", "市委组织部", PARTIES, "已举办培训班1期。"),
    (
        Some("（十九）小水电退出整治不彻底。个别电站未退出。"),
        "1.排查小水电站，制定方案（2022年12月31日）。",
        "2022年12月31日，长期坚持",
        "市水利局",
        "各县（区）委、政府，国网云川电力有限公司",
        "我县小水电均已完成排查。",
    ),
    (
        None,
        "6.拆除停运电站，恢复河道。",
        "2023年6月30日",
        "市水利局",
        "各县（区）委、政府，国网云川电力有限公司",
        "不涉及",
    ),
    (
        None,
        "9.落实生态流量监管。",
        "立行立改",
        "市水利局",
        "市水利局、发展改革委，各县（区）委、政府",
        "已安装监测设备。",
    ),
    (
        Some("（五）草原超载过牧问题突出。载畜量居高不下。"),
        "1.核定载畜量。",
        "立行立改，长期坚持",
        "市林业和草原局",
        "各县（区）委、政府",
        "已核定。",
    ),
    (None, "2.修复退化草原0.2万亩。", "立行立改，2025年12月31日", "市林业和草原局", "各县（区）委、政府", "完成六成。"),
    (None, "4.建立巡查制度。", "2022年12月31前完成", "市林业和草原局", "各县（区）委、政府", "制度已印发。"),
];

/// Returns the county's file as an .xlsx workbook.
pub(crate) fn city(rows: &[CityRow]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("附件1").unwrap();
    let wrap = Format::new().set_text_wrap();
    sheet.merge_range(0, 0, 0, 7, "生态环境保护督察反馈问题一览表", &wrap).unwrap();
    sheet.merge_range(1, 0, 1, 7, "某市生态环境局某县分局            2023年4月", &wrap).unwrap();
    let headings = ["序号", "反馈问题", "整改任务", "整改时限", "牵头单位", "责任单位", "整改进展", "填报人及联系方式"];
    for (column, heading) in headings.into_iter().enumerate() {
        sheet.write(2, column as u16, heading).unwrap();
    }
    let starts: Vec<usize> = (0..rows.len()).filter(|index| rows[*index].0.is_some()).collect();
    for (index, (_, measure, deadline, lead, parties, progress)) in rows.iter().enumerate() {
        let row = index as u32 + 3;
        if index % 3 == 0 {
            sheet.write(row, 0, (index + 1) as u32).unwrap();
        }
        for (column, text) in [(2, measure), (3, deadline), (4, lead), (5, parties), (6, progress)] {
            if let Some(formula) = text.strip_prefix('=') {
                sheet.write_formula(row, column, formula).unwrap();
            } else if !text.is_empty() {
                sheet.write(row, column, *text).unwrap();
            }
        }
        sheet.write(row, 7, "某某 （略）").unwrap();
    }
    for (place, start) in starts.iter().enumerate() {
        let end = starts.get(place + 1).copied().unwrap_or(rows.len()) - 1;
        let text = rows[*start].0.unwrap();
        merge(sheet, *start as u32 + 3, end as u32 + 3, 1, text, &wrap);
    }
    book.save_to_buffer().unwrap()
}

/// Returns the county's file as CSV.
pub(crate) fn city_csv(rows: &[CityRow]) -> String {
    let mut text = "生态环境保护督察反馈问题一览表,,,,,,,\n某县分局 2023年4月,,,,,,,\n\
                    序号,反馈问题,整改任务,整改时限,牵头单位,责任单位,整改进展,填报人及联系方式\n"
        .to_owned();
    for (index, (problem, measure, deadline, lead, parties, progress)) in rows.iter().enumerate() {
        let cells = [problem.unwrap_or_default(), measure, deadline, lead, parties, progress];
        let quoted: Vec<String> = cells.iter().map(|cell| format!("\"{cell}\"")).collect();
        let _ = writeln!(text, "{},{},（略）", index + 1, quoted.join(","));
    }
    text
}

/// A problem of the province's layout: number, title, deadline, rating, and its measures (number, content, deadline,
/// progress).
type ProvinceProblem = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str, &'static str, &'static str)],
);

/// A province's published list: problems with a rating, measures in columns of their own and with gaps in their
/// numbers, no units.
pub(crate) const PROVINCE: [ProvinceProblem; 6] = [
    (
        "1",
        "生态安全屏障建设认识不够深刻。",
        "2018年6月30前完成，长期坚持",
        "全面完成，长期坚持",
        &[("1", "纳入学习计划。", "长期坚持", "已纳入。"), ("2", "纳入培训内容。", "2018年6月30日", "已培训。")],
    ),
    ("2", "环境监管不到位。", "立行立改，长期坚持", "取得阶段性成效", &[("1", "定期报告。", "立即启动", "已报告。")]),
    (
        "19",
        "矿山修复滞后。",
        "2020年12月31前完成",
        "序时推进",
        &[
            ("1", "排查矿山。", "2018年9月30日", "已排查。"),
            ("6", "编制方案。", "2018年12月31日；长期坚持；2020年12月31日", "已编制。"),
            (
                "9",
                "分级修复。",
                "5A级、4A级景区于2019年12月31日前完成；3A级及以下景区于2020年12月31日前完成；2020年12月31日",
                "正在修复。",
            ),
        ],
    ),
    (
        "30",
        "污水处理能力不足。",
        "2018年12月31日前完成",
        "基本完成",
        &[("1", "建设管网。", "2018年8月31日", "已建成九成。")],
    ),
    (
        "31",
        "垃圾处置不规范。",
        "2018年12月31日前完成",
        "全面完成",
        &[("1", "关停填埋场。", "2018年12月31日，长期坚持", "已关停。")],
    ),
    (
        "45",
        "监管能力薄弱。",
        "2020年12月31日前完成，长期坚持",
        "未达序时进度",
        &[("1", "充实人员。", "立行立改，长期坚持", "正在招录。")],
    ),
];

/// Returns the province's list as an .xlsx workbook.
pub(crate) fn province() -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("整改情况").unwrap();
    let wrap = Format::new().set_text_wrap();
    sheet.merge_range(0, 0, 0, 7, "生态环境保护督察反馈意见问题整改情况", &wrap).unwrap();
    sheet.merge_range(1, 0, 1, 7, "截至2019年3月", &wrap).unwrap();
    let headings = ["序号", "反馈问题", "整改时限", "整改进度", "措施序号", "整改措施", "措施时限", "整改进展"];
    for (column, heading) in headings.into_iter().enumerate() {
        sheet.write(2, column as u16, heading).unwrap();
    }
    let mut row = 3;
    for (number, title, deadline, rating, measures) in PROVINCE {
        let first = row;
        for (number, content, deadline, progress) in measures {
            sheet.write(row, 4, number.parse::<u32>().unwrap()).unwrap();
            sheet.write(row, 5, *content).unwrap();
            sheet.write(row, 6, *deadline).unwrap();
            sheet.write(row, 7, *progress).unwrap();
            row += 1;
        }
        for (column, text) in [(0, number), (1, title), (2, deadline), (3, rating)] {
            merge(sheet, first, row - 1, column, text, &wrap);
        }
    }
    book.save_to_buffer().unwrap()
}

fn merge(sheet: &mut Worksheet, first: u32, last: u32, column: u16, text: &str, format: &Format) {
    if first == last {
        sheet.write(first, column, text).unwrap();
    } else {
        sheet.merge_range(first, column, last, column, text, format).unwrap();
    }
}
