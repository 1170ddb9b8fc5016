//! The paragraph of a briefing, in the manner of published reports, and the notes on what its figures do not tell.

use chrono::{Datelike, NaiveDate};
use planner::Bilingual;

use super::Briefing;
use crate::statistics::figures::Figures;

/// Writes the paragraph: problems and measures, each counted for itself; then reports and cards of the month.
pub(super) fn write(briefing: &Briefing) -> Bilingual {
    let Briefing { region, span, problems, measures, reports, cards, .. } = briefing;
    let (problems_zh, problems_en) = completed(problems, "个");
    let (measures_zh, measures_en) = completed(measures, "条");
    let (open_zh, open_en) = open(briefing);
    let month = span.first.month();
    let zh = format!(
        "截至{}，{}共有反馈问题{}个、整改措施{}条。问题方面：{problems_zh}；逾期未完成{}个。\
         措施方面：{measures_zh}；{open_zh}。{month}月应填报进展的责任分解{}项，已填报{}项{}。\
         {month}月发出黄牌{}张、红牌{}张，解除黄牌{}张、红牌{}张；期末生效的黄牌{}张、红牌{}张。",
        date(span.as_of),
        region.name,
        problems.all,
        measures.all,
        problems.overdue,
        reports.expected,
        reports.reported,
        reports.rate().map(|rate| format!("，占{}", percent(rate))).unwrap_or_default(),
        cards.yellow_issued,
        cards.red_issued,
        cards.yellow_lifted,
        cards.red_lifted,
        cards.yellow_in_force,
        cards.red_in_force,
    );
    let en = format!(
        "As of {}, {} has {} problems and {} measures. Problems: {problems_en}; {} overdue. Measures: {measures_en}; \
         {open_en}. Of {} assignments to report on in {}, {} were reported on{}. Cards of the month: {} yellow and {} \
         red given, {} yellow and {} red lifted; {} yellow and {} red in force at its end.",
        span.as_of,
        region.name,
        problems.all,
        measures.all,
        problems.overdue,
        reports.expected,
        span.first.format("%Y-%m"),
        reports.reported,
        reports.rate().map(|rate| format!(" ({})", percent(rate))).unwrap_or_default(),
        cards.yellow_issued,
        cards.red_issued,
        cards.yellow_lifted,
        cards.red_lifted,
        cards.yellow_in_force,
        cards.red_in_force,
    );
    Bilingual::new(zh, en)
}

/// Says how many are completed and closed, and how many are not applicable.
fn completed(figures: &Figures, counter: &str) -> (String, String) {
    let rate = |before: &str, rate: Option<f64>, after: &str| {
        rate.map(|rate| format!("{before}{}{after}", percent(rate))).unwrap_or_default()
    };
    let Figures { completed, closed, not_applicable, unknown, .. } = figures;
    let zh = format!(
        "已完成{completed}{counter}{}，其中已销号{closed}{counter}、完成待销号{}{counter}{}{}",
        rate("，完成率", figures.completion_rate(), ""),
        completed - closed,
        some(*not_applicable, |count| format!("；不涉及{count}{counter}，不计入完成率")),
        some(*unknown, |count| format!("；另有{count}{counter}当日是否完成不明，不计算完成率")),
    );
    let en = format!(
        "{completed} completed{}, of which {closed} closed and {} waiting for close-out{}{}",
        rate(" (", figures.completion_rate(), ")"),
        completed - closed,
        some(*not_applicable, |count| format!("; {count} not applicable, left out of the rate")),
        some(*unknown, |count| format!("; of {count} nobody knows whether they were completed by then: no rate")),
    );
    (zh, en)
}

/// Says something of a number, unless it is zero.
fn some(count: i64, words: impl Fn(i64) -> String) -> String {
    if count > 0 { words(count) } else { String::new() }
}

/// Says how the measures stand that are not completed.
fn open(briefing: &Briefing) -> (String, String) {
    let Figures { overdue, .. } = briefing.measures;
    match briefing.paced {
        Some(paced) => (
            format!(
                "未完成的{}条中，达到序时进度{}条，未达序时进度{}条，逾期{overdue}条",
                paced.on_schedule + paced.behind + overdue,
                paced.on_schedule,
                paced.behind
            ),
            format!(
                "of the {} not completed, {} on schedule, {} behind and {overdue} overdue",
                paced.on_schedule + paced.behind + overdue,
                paced.on_schedule,
                paced.behind
            ),
        ),
        None => (format!("逾期未完成{overdue}条"), format!("{overdue} overdue")),
    }
}

/// Returns what the figures do not tell.
pub(super) fn notes(briefing: &Briefing) -> Vec<Bilingual> {
    let mut notes = Vec::new();
    if !briefing.span.is_today {
        notes.push(Bilingual::new(
            "以上按现有的问题、措施和时限倒推到月末；序时进度只有当天的，月末的没有留存，不作倒推。",
            "The problems, measures and deadlines of today were judged at the end of the month. The pace is only known \
             of today, not of the end of the month, and was not reconstructed.",
        ));
    }
    notes.push(Bilingual::new(
        "问题和措施分别计数，不能相加。排名按各地、各单位自己承担的责任分解计数；一项措施由几个地方负责的，各地都计，\
         相加多于措施数。",
        "Problems and measures are counted apart. The rankings count the assignments that regions and units answer \
         themselves; a measure that several regions answer counts in each.",
    ));
    notes
}

fn date(day: NaiveDate) -> String {
    format!("{}年{}月{}日", day.year(), day.month(), day.day())
}

fn percent(rate: f64) -> String {
    format!("{:.1}%", rate * 100.0)
}
