//! Reads the values of cells as people write them: days, months, periods, shares, and the dashes that mean none.

use std::sync::LazyLock;

use chrono::NaiveDate;
use entity::assignment::StatedPace;
use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use ledger::rule::workflow;

/// Whether a cell says that there is nothing: a dash, a stroke or 无.
pub(crate) fn says_none(text: &str) -> bool {
    matches!(text, "-" | "—" | "——" | "/" | "无")
}

/// Reads the parts of a date that a person or a spreadsheet program has written, such as `2026-10`, `2026年10月`,
/// `2026/10/1`, `２０２６．１０` or `2026-10-01`.
fn parts(written: &str) -> Option<Vec<u32>> {
    let plain: String = written.nfkc().filter(|letter| !letter.is_whitespace()).collect();
    // A date that a program has written may have a time.
    let plain = plain.split('T').next().unwrap_or_default().trim_end_matches(['日', '月', '号', '份']);
    plain.split(['-', '/', '.', '年', '月', '—', '–']).map(|part| part.parse().ok()).collect()
}

/// Returns the month that a cell means, as `2026-10`. A date means its month.
pub(crate) fn month_in(written: &str) -> Option<String> {
    let parts = parts(written)?;
    let (year, month) = match parts.as_slice() {
        [year, month] | [year, month, _] => (*year, *month),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, 1).map(|first| first.format("%Y-%m").to_string())
}

/// Returns the day that a cell means.
pub(crate) fn day_in(written: &str) -> Option<NaiveDate> {
    let parts = parts(written)?;
    let [year, month, day] = parts.as_slice() else { return None };
    NaiveDate::from_ymd_opt(i32::try_from(*year).ok()?, *month, *day)
}

/// Reads a share in percent: 35%, 35, 0.35, 三成 is none. `Some(None)`: a dash, there is none.
#[expect(clippy::option_option, reason = "no share, and a cell that is none, are two things")]
pub(crate) fn share_of(printed: &str) -> Option<Option<f64>> {
    let plain: String = printed.nfkc().filter(|letter| !letter.is_whitespace()).collect();
    if says_none(&plain) {
        return Some(None);
    }
    let (digits, scale) = match plain.strip_suffix('%') {
        Some(digits) => (digits, 1.0),
        None => (plain.as_str(), if plain.contains('.') || plain == "1" { 100.0 } else { 1.0 }),
    };
    let is_number = digits.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    let share = digits.parse::<f64>().ok().filter(|_| is_number)? * scale;
    let share = (share * 100.0).round() / 100.0;
    (0.0..=100.0).contains(&share).then_some(Some(share))
}

/// Reads a period of days: 2023年12月11日至15日, 2024.3.25-2024.3.29. The end may leave out what it shares with the
/// beginning; a single day is a period of one.
pub(crate) fn period_in(printed: &str) -> Option<(NaiveDate, NaiveDate)> {
    let plain: String = printed.nfkc().filter(|letter| !letter.is_whitespace()).collect();
    if let Some(day) = day_in(&plain) {
        return Some((day, day));
    }
    let found = PERIOD.captures(&plain)?;
    let number = |index: usize| found.get(index).and_then(|digits| digits.as_str().parse::<u32>().ok());
    let (year, month) = (number(1)?, number(2)?);
    let from = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, number(3)?)?;
    let until_year = i32::try_from(number(4).unwrap_or(year)).ok()?;
    let until = NaiveDate::from_ymd_opt(until_year, number(5).unwrap_or(month), number(6)?)?;
    (from <= until).then_some((from, until))
}

static PERIOD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:至|到|-|—|–|~|～)+",
        r"(?:(\d{4})[-/.年])?(?:(\d{1,2})[-/.月])?(\d{1,2})日?$",
    ))
});

#[expect(clippy::expect_used, reason = "a constant pattern, compiled by the tests of this file")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is well formed")
}

/// Returns the pace that a cell about being on schedule (是否达到序时进度) states, or `None` if it is not understood.
pub(crate) fn pace_in(printed: &str) -> Option<StatedPace> {
    match (printed, workflow::reported(printed)) {
        ("是" | "达到" | "已达到" | "√", _) => Some(StatedPace::OnSchedule),
        ("否" | "未达到" | "×", _) => Some(StatedPace::Behind),
        (_, Some("否" | "未达到" | "×")) => Some(StatedPace::BehindAndReported),
        _ => workflow::stated(printed).map(|said| match said.pace {
            Some(pace) => pace,
            None if said.completed => StatedPace::OnSchedule,
            None => StatedPace::Behind,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_days_are_read_as_people_write_them() {
        for written in ["2026-10", "2026年10月", "2026/10", "２０２６－１０", "2026.10", "2026年10月份", "2026-10-01"]
        {
            assert_eq!(month_in(written).as_deref(), Some("2026-10"), "{written}");
        }
        for written in ["2026-11-01", "2026年11月1日", "2026.11.1", "2026/11/1", "２０２６年１１月１日"] {
            assert_eq!(day_in(written).map(|day| day.to_string()).as_deref(), Some("2026-11-01"), "{written}");
        }
        for wrong in ["10月", "2026", "2026-13", "去年", "", "2026-11-31", "26-11-1-1"] {
            assert_eq!((month_in(wrong).filter(|_| wrong != "2026-11-31"), day_in(wrong)), (None, None), "{wrong}");
        }
    }

    #[test]
    fn periods_and_shares_are_read_as_people_write_them() {
        let period = |text: &str| period_in(text).map(|(from, until)| format!("{from} {until}"));
        for written in ["2023年12月11日至15日", "2023.12.11-12.15", "2023-12-11至2023-12-15"] {
            assert_eq!(period(written).as_deref(), Some("2023-12-11 2023-12-15"), "{written}");
        }
        assert_eq!(period("2023年12月15日至11日"), None);
        assert_eq!(
            [share_of("35%"), share_of("0.35"), share_of("35"), share_of("1")],
            [Some(Some(35.0)), Some(Some(35.0)), Some(Some(35.0)), Some(Some(100.0))]
        );
        assert_eq!([share_of("—"), share_of("三成"), share_of("130%")], [Some(None), None, None]);
    }
}
