//! Tests of the grammar: every printed form that is known, and properties of all forms.

use chrono::{Datelike, NaiveDate};
use proptest::prelude::*;

use super::{
    Answer, Change, CheckPlan, Context, Deadline, Decisions, Doubt, GRACE_DAYS, MAX_CHARACTERS, Reading, Remark,
    Stated, Unreadable,
};
use crate::rule::calendar::{last_day_of_month, plus_days};

/// The date of the ledger in these tests.
fn as_of() -> NaiveDate {
    day("2024-06-30")
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn parse(printed: &str) -> Result<Answer, Unreadable> {
    Deadline::parse(printed, &Context::new(as_of()))
}

/// Parses a deadline that is read, not asked.
fn reading(printed: &str) -> Reading {
    match parse(printed) {
        Ok(Answer::Read(reading)) => reading,
        other => panic!("{printed}: {other:?}"),
    }
}

fn codes(doubts: &[Doubt]) -> String {
    doubts.iter().map(Doubt::code).collect::<Vec<_>>().join(" ")
}

/// What a printed form must be.
enum Is {
    /// Read, as this canonical form, without remarks.
    Read(&'static str),
    /// Read, as this canonical form, with a remark.
    Said(&'static str),
    /// Asked, for these reasons, with this proposal.
    Asked(&'static str, &'static str),
}
use Is::{Asked, Read, Said};

fn check(forms: &[(&str, Is)]) {
    for (printed, expected) in forms {
        match (parse(printed), expected) {
            (Ok(Answer::Read(reading)), Read(canonical)) => {
                assert_eq!(reading.deadline.to_string(), *canonical, "{printed}");
                assert_eq!(reading.remarks, [], "{printed}");
                assert_eq!(reading.deadline.raw, printed.trim().replace('\u{200b}', ""), "{printed}");
            }
            (Ok(Answer::Read(reading)), Said(canonical)) => {
                assert_eq!(reading.deadline.to_string(), *canonical, "{printed}");
                assert_ne!(reading.remarks, [], "{printed}");
            }
            (Ok(Answer::Asked(question)), Asked(reasons, proposal)) => {
                assert_eq!(codes(&question.doubts), *reasons, "{printed}");
                assert_eq!(question.proposal.deadline.to_string(), *proposal, "{printed}");
            }
            (other, _) => panic!("{printed}: {other:?}"),
        }
    }
}

/// The forms of `ledgers/offices/6-deadline-forms.xlsx`, in its order.
#[test]
fn the_forms_of_offices_are_read_or_asked() {
    check(&[
        ("2024年底前", Read("2024年12月31日")),
        ("2024年年底前", Read("2024年12月31日")),
        ("2025年6月底前", Read("2025年6月30日")),
        ("2025年6月底前完成", Read("2025年6月30日")),
        ("2025年上半年", Read("2025年6月30日")),
        ("2025年下半年", Read("2025年12月31日")),
        ("2023年第三季度", Read("2023年9月30日")),
        ("2023年三季度", Read("2023年9月30日")),
        ("2024年第一季度末", Read("2024年3月31日")),
        ("“十四五”末", Read("2025年12月31日")),
        ("十四五末", Read("2025年12月31日")),
        ("“十四五”期间", Read("2025年12月31日")),
        ("持续推进", Read("长期坚持")),
        ("长期推进", Read("长期坚持")),
        ("常态化推进", Read("长期坚持")),
        ("按序时推进", Asked("OPEN", "长期坚持")),
        ("2024年6月中旬", Read("2024年6月20日")),
        ("2024年6月上旬", Read("2024年6月10日")),
        ("6月底前", Asked("YEAR", "2024年6月30日")),
        ("年底前", Asked("YEAR", "2024年12月31日")),
        ("2024年汛期前", Asked("FLOOD_SEASON", "2024年5月31日")),
        ("2024年1月至12月", Read("开始：2024年1月1日；整体：2024年12月31日")),
        ("2024年1月—12月", Read("开始：2024年1月1日；整体：2024年12月31日")),
        ("2023-2025年", Read("开始：2023年1月1日；整体：2025年12月31日")),
        ("2024.6.30", Read("2024年6月30日")),
        ("2024/6/30", Read("2024年6月30日")),
        ("2024年6月", Read("2024年6月30日")),
        ("20240630", Said("2024年6月30日")),
        ("2024年12月底前完成，长期坚持", Read("2024年12月31日；长期坚持")),
        (
            "2024年12月底前取得阶段性成效，2025年底前全面完成",
            Read("取得阶段性成效：2024年12月31日；全面完成：2025年12月31日"),
        ),
        ("立行立改、长期坚持", Read("立行立改；长期坚持")),
        ("立行立改并长期坚持", Read("立行立改；长期坚持")),
        ("立行立改（已完成）", Read("立行立改；已完成")),
        ("已完成", Read("已完成")),
        ("近期：2024年底；远期：2026年底", Read("近期：2024年12月31日；远期：2026年12月31日")),
        ("每季度末", Read("每季度末")),
        ("每年12月底前", Read("每年12月31日前")),
        ("收到通知后30日内", Asked("START", "2024年7月30日")),
        (
            "2024年6月30日前完成方案编制，2024年12月31日前完成整改",
            Read("完成方案编制：2024年6月30日；完成整改：2024年12月31日"),
        ),
        ("2024年春节前", Said("2024年2月9日")),
        ("2025年", Read("2025年12月31日")),
        ("2025年内", Read("2025年12月31日")),
        ("2025年度", Read("2025年12月31日")),
        ("2024年11月30日前，并长期坚持", Read("2024年11月30日；长期坚持")),
        ("整改方案印发后3个月内", Asked("START", "2024年9月30日")),
        ("按国家和省规定时限", Asked("OPEN", "长期坚持")),
        ("2024年10月底前完成整改销号", Read("2024年10月31日前完成整改销号")),
        ("一、2024年底；二、2025年底", Read("一：2024年12月31日；二：2025年12月31日")),
        ("即日起至2024年12月31日", Read("立行立改；2024年12月31日")),
        ("2024年8月31日（已延期至2024年12月31日）", Read("2024年8月31日（延期至2024年12月31日）")),
        ("45291", Said("2023年12月31日")),
        ("根据省级统一安排推进", Asked("OPEN", "长期坚持")),
        ("巩固提升", Read("长期坚持")),
        ("永久", Read("长期坚持")),
        (
            "2024年12月30日前基本完成、2025年6月30日前全面完成",
            Read("基本完成：2024年12月30日；全面完成：2025年6月30日"),
        ),
        (
            "2024年12月31日前(阶段性目标),2027年12月31日前(总体目标)",
            Read("阶段性目标：2024年12月31日；总体目标：2027年12月31日"),
        ),
    ]);
}

/// The rows of the table in the specification that the file above does not have, and spellings of all rows.
#[test]
fn the_forms_of_the_specification_are_read_or_asked() {
    check(&[
        ("三季度", Asked("YEAR", "2024年9月30日")),
        ("第一季度末", Asked("YEAR", "2025年3月31日")),
        ("2024年6月下旬", Read("2024年6月30日")),
        ("2025年年度内", Read("2025年12月31日")),
        ("“十五五”末", Read("2030年12月31日")),
        ("十五五规划期末", Read("2030年12月31日")),
        ("汛期前", Asked("YEAR FLOOD_SEASON", "2025年5月31日")),
        ("春节前", Asked("YEAR", "2025年1月28日")),
        ("长期", Read("长期坚持")),
        ("持续巩固提升", Read("长期坚持")),
        ("立行立改 长期坚持", Read("立行立改；长期坚持")),
        ("“立行立改”、“长期坚持”", Read("立行立改；长期坚持")),
        ("立行立改/长期坚持", Read("立行立改；长期坚持")),
        ("2025年6月底前（已延期至2025年12月底）", Read("2025年6月30日（延期至2025年12月31日）")),
        ("2024年1月1日至2024年12月31日", Read("开始：2024年1月1日；整体：2024年12月31日")),
        ("2024.1-2024.12", Read("开始：2024年1月1日；整体：2024年12月31日")),
        ("2024.1-12", Read("开始：2024年1月1日；整体：2024年12月31日")),
        ("2024年1-12月", Read("开始：2024年1月1日；整体：2024年12月31日")),
        ("2024年一至三季度", Read("开始：2024年1月1日；整体：2024年9月30日")),
        ("2024年6月1日至30日", Read("开始：2024年6月1日；整体：2024年6月30日")),
        ("2023-25年", Read("开始：2023年1月1日；整体：2025年12月31日")),
        ("2024年10月至3月", Asked("YEAR", "开始：2024年10月1日；整体：2025年3月31日")),
        ("2024年1月起长期坚持", Read("开始：2024年1月1日；长期坚持")),
        ("2024年1月起", Asked("OPEN", "开始：2024年1月1日；长期坚持")),
        ("二〇二四年十二月底前", Read("2024年12月31日")),
        ("2024年三十日", Asked("WORDS", "三十日：2024年12月31日")),
        ("2026年12月31日\u{200b}", Read("2026年12月31日")),
        ("2026-12-31T00:00:00", Read("2026年12月31日")),
        ("2026-12-31 17:00", Said("2026年12月31日")),
        ("2024", Said("2024年12月31日")),
        ("202406", Said("2024年6月30日")),
        ("24年底前", Said("2024年12月31日")),
        ("2024.1", Asked("LOST_ZERO", "2024年1月31日")),
        ("2024.01", Read("2024年1月31日")),
        ("2024年6月前", Asked("INCLUSION", "2024年6月30日")),
        ("2025年前完成", Asked("INCLUSION", "2025年12月31日")),
        ("今年年底前", Asked("RELATIVE_YEAR", "2024年12月31日")),
        ("明年6月底前", Asked("RELATIVE_YEAR", "2025年6月30日")),
        ("收到通知后15个工作日内", Asked("START", "2024年7月19日")),
        ("自印发之日起三个月内完成", Asked("START", "2024年9月30日")),
        ("收到通知后，30日内完成整改", Asked("START", "2024年7月30日")),
        ("2024年3月1日起30日内", Read("2024年3月31日")),
        ("一年内", Asked("START", "2025年6月30日")),
        ("6月内", Asked("YEAR", "2024年6月30日")),
        ("每月25日前", Asked("FREQUENCY", "每季度末")),
        ("每半年", Read("每半年")),
        ("2024年6月底前完成方案，12月底前完成整改", Said("完成方案：2024年6月30日；完成整改：2024年12月31日")),
        ("2024年10月底前完成方案，3月底前完成整改", Asked("YEAR", "完成方案：2024年10月31日；完成整改：2025年3月31日")),
        (
            "2024年6月底前，完成方案编制；2024年12月底前，完成整改",
            Read("完成方案编制：2024年6月30日；完成整改：2024年12月31日"),
        ),
        (
            "2024年6月底前完成方案编制 2024年12月底前完成整改",
            Read("完成方案编制：2024年6月30日；完成整改：2024年12月31日"),
        ),
        ("①2024年底②2025年底", Read("1：2024年12月31日；2：2025年12月31日")),
        ("1.2024年底；2.2025年底", Read("1：2024年12月31日；2：2025年12月31日")),
        ("（一）2024年底；（二）2025年底", Read("一：2024年12月31日；二：2025年12月31日")),
        ("按序时推进，2024年12月31日前完成", Said("2024年12月31日")),
        ("力争2024年底前完成", Said("2024年12月31日")),
        ("持续推进至2024年底", Read("2024年12月31日")),
        ("原定2024年6月30日，延期至2024年12月31日", Read("2024年6月30日（延期至2024年12月31日）")),
        ("2024年12月31日（原2024年8月31日）", Read("2024年8月31日（延期至2024年12月31日）")),
        ("延期至2024年12月31日", Said("2024年12月31日")),
        ("2024年8月31日（申请延期至2024年12月31日）", Asked("REQUESTED", "2024年8月31日")),
        ("2024年12月31日（暂定）", Asked("WORDS", "暂定：2024年12月31日")),
        ("除A外，2024年底前完成", Asked("WORDS", "除A外：2024年12月31日")),
        ("2024年6月30日已完成", Said("2024年6月30日；已完成")),
        ("2024年6月30日（已完成）", Read("2024年6月30日；已完成")),
        ("已销号", Read("已销号")),
        ("318国道沿线于2024年底前完成", Read("318国道沿线：2024年12月31日")),
        ("整改时限：2024年12月31日", Read("2024年12月31日")),
    ]);
}

/// A printed deadline and its expected parts: immediate, latest date, ongoing, milestones (label and date).
type Form = (&'static str, bool, &'static str, bool, &'static [(&'static str, &'static str)]);

/// The forms of published ledgers.
#[test]
fn every_published_form_is_understood() {
    let forms: &[Form] = &[
        ("2018年12月31日", false, "2018-12-31", false, &[]),
        ("2018年6月30日前完成，长期坚持", false, "2018-06-30", true, &[]),
        ("2018年6月30前完成，长期坚持", false, "2018-06-30", true, &[]),
        ("2020年12月31前完成", false, "2020-12-31", false, &[]),
        ("长期坚持", false, "", true, &[]),
        ("立行立改", true, "", false, &[]),
        ("立行立改，长期坚持", true, "", true, &[]),
        ("立行立改，2022年12月31日", true, "2022-12-31", false, &[]),
        ("立即启动", true, "", false, &[]),
        (
            "2018年12月31日；长期坚持；2020年12月31日",
            false,
            "2020-12-31",
            true,
            &[("整体", "2018-12-31"), ("整体", "2020-12-31")],
        ),
        (
            "5A级、4A级景区于2019年12月31日前完成；3A级、2A级、A级景区于2020年12月31日前完成；2020年12月31日",
            false,
            "2020-12-31",
            false,
            &[("5A级、4A级景区", "2019-12-31"), ("3A级、2A级、A级景区", "2020-12-31"), ("整体", "2020-12-31")],
        ),
        (" 2022 年 12 月 31 日 ,长期坚持", false, "2022-12-31", true, &[]),
        ("（2022年12月31日，长期坚持）", false, "2022-12-31", true, &[]),
        ("(２０２２年１２月３１日)", false, "2022-12-31", false, &[]),
        ("2023年6月底前", false, "2023-06-30", false, &[]),
        ("2024年2月", false, "2024-02-29", false, &[]),
        ("2022年底前完成", false, "2022-12-31", false, &[]),
        ("2022年年底前", false, "2022-12-31", false, &[]),
        ("2022-12-31", false, "2022-12-31", false, &[]),
        ("2022/6/5", false, "2022-06-05", false, &[]),
        ("2022.12.31", false, "2022-12-31", false, &[]),
        ("2022年12月31日\n长期坚持", false, "2022-12-31", true, &[]),
        ("立行立改并长期坚持", true, "", true, &[]),
        ("长期坚持（2027年底前）", false, "2027-12-31", true, &[]),
        ("立行立改(2027年12月31日前)", true, "2027-12-31", false, &[]),
        ("2027年12月31日（长期坚持）", false, "2027-12-31", true, &[]),
        ("立行立改（立即整改）", true, "", false, &[]),
        ("2022年6月30日、2023年6月30日", false, "2023-06-30", false, &[("整体", "2022-06-30"), ("整体", "2023-06-30")]),
        ("2031年", false, "2031-12-31", false, &[]),
    ];
    for (printed, immediate, due, ongoing, milestones) in forms {
        let Reading { deadline, remarks } = reading(printed);
        assert_eq!(remarks, [], "{printed}");
        assert_eq!(deadline.immediate, *immediate, "{printed}");
        assert_eq!(deadline.ongoing, *ongoing, "{printed}");
        assert_eq!(deadline.due_on.map(|day| day.to_string()).unwrap_or_default(), *due, "{printed}");
        let found: Vec<(String, String)> =
            deadline.milestones.iter().map(|one| (one.label.clone(), one.due_on.to_string())).collect();
        let found: Vec<(&str, &str)> = found.iter().map(|(label, day)| (label.as_str(), day.as_str())).collect();
        assert_eq!(found, *milestones, "{printed}");
    }
}

#[test]
fn what_is_no_deadline_is_an_error_and_never_none() {
    let unknown = |words: &str| Unreadable::Unknown(words.to_owned());
    for (printed, error) in [
        ("", Unreadable::Blank),
        ("  （）", Unreadable::Blank),
        ("\u{200b}", Unreadable::Blank),
        ("2022年2月30日", Unreadable::NoSuchDay("2022年2月30日".into())),
        ("2022年13月1日", Unreadable::NoSuchDay("2022年13月1日".into())),
        ("2024年第五季度", Unreadable::NoSuchDay("2024年第五季度".into())),
        ("2025-2023年", Unreadable::Backwards("2025-2023年".into())),
        ("2024年8月31日（延期至2024年6月30日）", Unreadable::Backwards("延期至2024年6月30日".into())),
        ("尽快", unknown("尽快")),
        ("20222年12月31日", unknown("20222年12月31日")),
        ("2202年12月31日", unknown("2202年12月31日")),
        ("1989年12月31日", unknown("1989年12月31日")),
        ("2022年12月31日，视情况", unknown("视情况")),
        ("2024年12月31日后", unknown("2024年12月31日后")),
        ("2024年6-12", unknown("2024年6-12")),
        ("每年6月底、12月底前", unknown("12月底前")),
        ("收到通知后", unknown("收到通知后")),
        ("24年内", unknown("24年内")),
        ("12345678", unknown("12345678")),
        ("2041年春节前", unknown("2041年春节前")),
    ] {
        assert_eq!(parse(printed), Err(error), "{printed}");
    }
    assert_eq!(parse(&"长".repeat(MAX_CHARACTERS + 1)), Err(Unreadable::TooLong));
}

#[test]
fn plans_changes_and_stated_statuses_are_kept() {
    let read = |printed: &str| reading(printed).deadline;
    assert_eq!(read("每季度末").checks, Some(CheckPlan::Quarterly));
    assert_eq!(read("每年12月底前").checks, Some(CheckPlan::Yearly { month: 12, day: 31 }));
    assert!(read("每年12月底前").ongoing);
    assert_eq!(read("立行立改（已完成）").stated, Some(Stated::Completed));
    let closes = read("2024年10月底前完成整改销号");
    assert_eq!((closes.stated, closes.due_on), (Some(Stated::CloseOutDue), Some(day("2024-10-31"))));
    let moved = read("2025年6月底前（已延期至2025年12月底）");
    assert_eq!(moved.change, Some(Change { from: day("2025-06-30"), to: day("2025-12-31") }));
    assert_eq!(moved.due_on, Some(day("2025-12-31")));
    let twice = read("2025年6月30日（延期至2025年9月30日，再延期至2025年12月31日）");
    assert_eq!(twice.change, Some(Change { from: day("2025-06-30"), to: day("2025-12-31") }));
    let range = read("2024年1月至12月");
    assert!(range.milestones[0].is_beginning() && !range.milestones[1].is_beginning());
}

#[test]
fn remarks_say_what_was_taken_as_likely() {
    let number = |words: &str, on: &str| Remark::Number { words: words.to_owned(), day: day(on) };
    assert_eq!(reading("45291").remarks, [number("45291", "2023-12-31")]);
    assert_eq!(reading("20240630").remarks, [number("20240630", "2024-06-30")]);
    let message = reading("2024年春节前").remarks[0].message();
    assert_eq!(message.zh, "“2024年春节前”读作春节前一日 2024-02-09");
    assert_eq!(message.en, "“2024年春节前” was read as the day before Spring Festival: 2024-02-09");
}

#[test]
fn a_question_says_what_is_asked_and_what_is_proposed() {
    let Ok(Answer::Asked(question)) = parse("6月底前") else { panic!("a year was guessed") };
    let message = question.message();
    assert_eq!(
        message.zh,
        "“6月底前”没有写明年份，是哪一年？（2024-06-30 起最近的一次为 2024-06-30）；建议读作“2024年6月30日”"
    );
    assert_eq!(
        message.en,
        "“6月底前” has no year: which is it? (the next from 2024-06-30 is 2024-06-30); proposal: “2024年6月30日”"
    );
}

#[test]
fn decisions_answer_questions() {
    let mut decisions = Decisions::default();
    decisions.add("6月底前", "2023年6月底前").unwrap();
    decisions.add("按序时推进", "长期坚持").unwrap();
    decisions.add("收到通知后", "2024年3月1日").unwrap();
    let read = |printed: &str| match Deadline::parse(printed, &Context::new(as_of()).with(&decisions)) {
        Ok(Answer::Read(reading)) => reading.deadline,
        other => panic!("{printed}: {other:?}"),
    };
    assert_eq!(read("６月底前。").due_on, Some(day("2023-06-30")));
    assert_eq!(read("６月底前。").raw, "６月底前。");
    assert!(read("按序时推进").ongoing);
    assert_eq!(read("收到通知后30日内").due_on, Some(day("2024-03-31")));
    assert_eq!(read("自收到通知之日起3个工作日内").due_on, Some(day("2024-03-06")));
    assert_eq!(read("收到通知后一个月内完成整改").due_on, Some(day("2024-04-01")));
    let undecided = |text: &str| Err(Unreadable::Undecided(text.to_owned()));
    assert_eq!(decisions.add("年底前", "年底前"), undecided("年底前"));
    assert_eq!(decisions.add("收到通知后", "长期坚持"), undecided("长期坚持"));
    assert_eq!(decisions.add("", "长期坚持"), Err(Unreadable::Blank));
    assert_eq!(decisions.add("年底前", "尽快"), Err(Unreadable::Unknown("尽快".to_owned())));
}

#[test]
fn an_event_is_asked_once_a_file() {
    let event = |printed: &str| match parse(printed) {
        Ok(Answer::Asked(question)) => question.doubts[0].event(),
        other => panic!("{printed}: {other:?}"),
    };
    assert_eq!(event("收到通知后30日内").as_deref(), Some("收到通知后"));
    assert_eq!(event("自收到通知之日起3个月内"), event("收到通知后30日内"));
    assert_eq!(event("一年内"), None);
}

#[test]
fn working_days_follow_the_calendar_that_is_given() {
    let holidays = |day: NaiveDate| day >= NaiveDate::from_ymd_opt(2024, 10, 8).unwrap();
    let context = Context { working: Some(&holidays), ..Context::new(day("2024-09-30")) };
    let answer = Deadline::parse("收到通知后2个工作日内", &context).unwrap();
    assert_eq!(answer.reading().deadline.due_on, Some(day("2024-10-09")));
    let never = |_: NaiveDate| false;
    let context = Context { working: Some(&never), ..context };
    assert!(Deadline::parse("收到通知后2个工作日内", &context).is_err());
}

#[test]
fn an_immediate_deadline_without_a_date_leaves_a_grace_period() {
    let from = day("2022-03-01");
    let due_by = |printed: &str| reading(printed).deadline.due_by(from, GRACE_DAYS).map(|day| day.to_string());
    assert_eq!(due_by("立行立改").as_deref(), Some("2022-03-31"));
    assert_eq!(due_by("立行立改，2022年12月31日").as_deref(), Some("2022-12-31"));
    assert_eq!(due_by("长期坚持"), None);
    assert_eq!(due_by("已完成"), None);
}

#[test]
fn long_texts_take_bounded_time() {
    for part in [
        "长期",
        "2024年",
        "2024年6月底前完成，",
        "（",
        "“",
        "1",
        "一",
        "完成",
        "2024-",
        "十四五",
        "-",
        "30日",
        "年底前",
    ] {
        let text: String = part.chars().cycle().take(MAX_CHARACTERS).collect();
        let begun = std::time::Instant::now();
        let _ = parse(&text);
        assert!(begun.elapsed().as_secs() < 5, "{part}");
    }
}

/// Any day in the years of which the forms are generated.
fn any_day() -> impl Strategy<Value = NaiveDate> {
    (0_i64..30_000).prop_map(|days| plus_days(NaiveDate::from_ymd_opt(2000, 1, 1).unwrap(), days))
}

/// Writes a number below 100 in Chinese.
fn chinese(number: u32) -> String {
    const DIGITS: [&str; 10] = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    let (tens, ones) = (number / 10, number % 10);
    let tens = match tens {
        0 => String::new(),
        1 => "十".to_owned(),
        _ => format!("{}十", DIGITS[tens as usize]),
    };
    tens + DIGITS[ones as usize]
}

/// The spellings of a day.
fn spelled(day: NaiveDate, spelling: usize) -> String {
    let (year, month, of_month) = (day.year(), day.month(), day.day());
    let wide = |text: String| {
        let widened = text.chars().map(|letter| match letter {
            '0'..='9' | '-' | '.' => char::from_u32(letter as u32 + 0xfee0).unwrap(),
            other => other,
        });
        widened.collect::<String>()
    };
    match spelling {
        0 => format!("{year}年{month}月{of_month}日"),
        1 => format!("{year} 年{month:02}月 {of_month:02} 日"),
        2 => format!("{year}-{month:02}-{of_month:02}"),
        3 => format!("{year}/{month}/{of_month}"),
        4 => format!("{year}.{month}.{of_month}"),
        5 => wide(format!("{year}年{month}月{of_month}日")),
        6 => wide(format!("{year}-{month:02}-{of_month:02}")),
        7 => format!("{year}年\u{200b}{month}月{of_month}号"),
        8 => format!("{year}年{}月{}日", chinese(month), chinese(of_month)),
        9 => format!("{year}.{month}月{of_month}日"),
        _ => format!("{year}年{month}\n月{of_month}日"),
    }
}

/// Words after a day that do not change it.
const TAILS: &[&str] =
    &["", "前", "之前", "以前", "前完成", "前完成整改", "前完成整改销号", "前基本完成", "前全面完成", "止", "完成"];

/// The periods of a year, without the year, each with its last month and day. The day 0 is the last of the month.
const PERIODS: &[(&str, u32, u32)] = &[
    ("上半年", 6, 0),
    ("下半年", 12, 0),
    ("第一季度", 3, 0),
    ("二季度末", 6, 0),
    ("第3季度", 9, 0),
    ("四季度内", 12, 0),
    ("2月", 2, 0),
    ("十二月", 12, 0),
    ("11月底前", 11, 0),
    ("4月份", 4, 0),
    ("2月上旬", 2, 10),
    ("10月中旬", 10, 20),
    ("二月下旬", 2, 0),
    ("年底前", 12, 0),
    ("5月31日前", 5, 31),
];

fn last(year: i32, month: u32, day: u32) -> NaiveDate {
    if day == 0 { last_day_of_month(year, month) } else { NaiveDate::from_ymd_opt(year, month, day) }.unwrap()
}

/// Parts of printed deadlines, for texts that have the look of one.
const PARTS: &[&str] = &[
    "2024年6月30日",
    "2025年底前",
    "2026年",
    "6月底前",
    "年底前",
    "“十四五”末",
    "长期坚持",
    "立行立改",
    "已完成",
    "每季度末",
    "每年6月底前",
    "收到通知后",
    "30日内",
    "3个月内",
    "完成",
    "完成整改销号",
    "全面完成",
    "取得阶段性成效",
    "方案编制",
    "（阶段性目标）",
    "（已延期至2027年12月底）",
    "（申请延期至2027年）",
    "原定于",
    "延期至",
    "，",
    "、",
    "；",
    "：",
    "（",
    "）",
    "\n",
    " ",
    "一",
    "1.",
    "①",
    "5A级景区",
    "于",
    "至",
    "-",
    "起",
    "前",
    "底",
    "2023-2025年",
    "2024.1",
    "2024.6",
    "20240630",
    "45291",
    "汛期前",
    "春节前",
    "按序时推进",
    "力争",
    "即日起至",
    "开始：",
    "近期：",
    "视情况",
    "每月",
    "明年",
    "“",
    "”",
    "并",
    "已",
    "后",
    "日",
    "月",
    "年",
    "T00:00",
    "+",
    "/",
    "整改时限：",
];

/// Texts of the characters that deadlines have.
const SIMILAR: &str = "[0-9一二三十年月日季度底末前后起至内上下旬春节汛期每完成、，（）：.\\-/T ]{0,40}";

proptest! {
    #[test]
    fn any_day_in_any_spelling_is_that_day(
        day in any_day(),
        spelling in 0_usize..=10,
        tail in proptest::sample::select(TAILS),
        ongoing: bool,
        immediate: bool,
    ) {
        let mut text = spelled(day, spelling) + tail;
        if ongoing { text.push_str("，长期坚持"); }
        if immediate { text = format!("立行立改、{text}"); }
        let Reading { deadline, remarks } = reading(&text);
        prop_assert_eq!(deadline.due_on, Some(day), "{}", text);
        prop_assert_eq!((deadline.ongoing, deadline.immediate), (ongoing, immediate));
        prop_assert!(deadline.milestones.is_empty() && remarks.is_empty());
        prop_assert_eq!(deadline.stated.is_some(), tail.contains("销号"));
    }

    #[test]
    fn a_number_that_is_a_day_is_said(day in any_day()) {
        let serial = (day - NaiveDate::from_ymd_opt(1899, 12, 30).unwrap()).num_days();
        for text in [day.format("%Y%m%d").to_string(), serial.to_string()] {
            let Reading { deadline, remarks } = reading(&text);
            prop_assert_eq!(deadline.due_on, Some(day));
            prop_assert_eq!(remarks.len(), 1);
        }
    }

    #[test]
    fn a_period_ends_on_its_last_day(year in 1990_i32..=2100, period in proptest::sample::select(PERIODS)) {
        let (words, month, day) = period;
        let due = last(year, month, day);
        prop_assert_eq!(reading(&format!("{year}年{words}")).deadline.due_on, Some(due));
        let range = reading(&format!("{year}年1月1日至{year}年{words}")).deadline;
        prop_assert_eq!(range.due_on, Some(due));
        prop_assert_eq!(range.milestones[0].due_on, NaiveDate::from_ymd_opt(year, 1, 1).unwrap());
    }

    #[test]
    fn without_a_year_the_next_is_proposed_and_never_taken(
        period in proptest::sample::select(PERIODS),
        as_of in any_day(),
        tail in proptest::sample::select(&["", "，长期坚持", "；立行立改"][..]),
    ) {
        let (words, month, day) = period;
        let text = format!("{words}{tail}");
        let Ok(Answer::Asked(question)) = Deadline::parse(&text, &Context::new(as_of)) else {
            return Err(TestCaseError::fail(format!("{text} was not asked")));
        };
        let this_year = last(as_of.year(), month, day);
        let expected = if this_year < as_of { last(as_of.year() + 1, month, day) } else { this_year };
        prop_assert_eq!(question.proposal.deadline.due_on, Some(expected));
        prop_assert_eq!(codes(&question.doubts), "YEAR");
    }

    #[test]
    fn what_is_ambiguous_is_asked(
        year in 2000_i32..2090,
        month in 1_u32..=12,
        number in 1_u32..=99,
        form in 0_usize..8,
    ) {
        let text = match form {
            0 => format!("{year}年{month}月前完成"),
            1 => format!("{year}年前"),
            2 => format!("{year}年第{}季度前", month.div_ceil(3)),
            3 => format!("收到通知后{number}日内"),
            4 => format!("方案印发之日起{number}个月内"),
            5 => format!("{year}年汛期前"),
            6 => format!("{year}.1"),
            _ => format!("{month}月{number}日前"),
        };
        prop_assert!(!matches!(parse(&text), Ok(Answer::Read(_))), "{} was read", text);
    }

    #[test]
    fn the_canonical_form_reads_as_the_same_deadline(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 1..9),
    ) {
        let text = parts.concat();
        if let Ok(answer) = parse(&text) {
            let deadline = &answer.reading().deadline;
            let canonical = deadline.to_string();
            let Ok(Answer::Read(again)) = parse(&canonical) else {
                return Err(TestCaseError::fail(format!("{text}: {canonical} is {:?}", parse(&canonical))));
            };
            let again_means = again.deadline.means(deadline);
            prop_assert!(again_means, "{text}: {canonical} is {:?}, not {deadline:?}", again.deadline);
            prop_assert_eq!(again.remarks, []);
        }
    }

    #[test]
    fn a_proposal_is_a_valid_decision(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 1..6),
    ) {
        let text = parts.concat();
        if let Ok(Answer::Asked(question)) = parse(&text) {
            let mut decisions = Decisions::default();
            decisions.add(&text, &question.proposal.deadline.to_string()).unwrap();
            let decided = Deadline::parse(&text, &Context::new(as_of()).with(&decisions));
            let Ok(Answer::Read(decided)) = decided else {
                return Err(TestCaseError::fail(format!("{text}: {decided:?}")));
            };
            prop_assert!(decided.deadline.means(&question.proposal.deadline));
        }
    }

    #[test]
    fn any_text_is_read_asked_or_refused_without_a_panic(text in "(?s).{0,60}") {
        if let Ok(answer) = parse(&text) {
            let deadline = &answer.reading().deadline;
            let says_something = deadline.immediate || deadline.ongoing || deadline.due_on.is_some();
            prop_assert!(says_something || deadline.stated.is_some());
        }
    }

    #[test]
    fn texts_of_the_same_characters_do_not_panic(text in SIMILAR) {
        if let Ok(Answer::Asked(question)) = parse(&text) {
            prop_assert!(!question.doubts.is_empty());
            let message = question.message();
            prop_assert!(!message.zh.is_empty() && !message.en.is_empty());
        }
    }
}
