//! Local dates, months and quarters. Moments become dates in the ledger's time zone, Asia/Shanghai by default.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use crate::fault::Fault;

/// The years in which the dates of a ledger may lie: those of inspections, of problems and of deadlines.
pub const YEARS: std::ops::RangeInclusive<i32> = 1990..=2100;

/// Ten years in days, the furthest that a deadline may be set or moved.
pub(crate) const TEN_YEARS: i64 = 3_660;

/// Returns the local date of a moment.
pub fn local_day(moment: DateTime<Utc>, zone: Tz) -> NaiveDate {
    moment.with_timezone(&zone).date_naive()
}

/// Returns a moment as local time to the minute, such as `2023-06-30 09:15`.
pub fn minute(moment: DateTime<Utc>, zone: Tz) -> String {
    moment.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}

/// Returns the moment of a local time of day. If a clock change skips that time, returns the first moment after the
/// gap; if it repeats the time, the earlier moment.
pub fn moment(day: NaiveDate, time: NaiveTime, zone: Tz) -> DateTime<Utc> {
    let mut local = NaiveDateTime::new(day, time);
    loop {
        if let Some(moment) = zone.from_local_datetime(&local).earliest() {
            return moment.with_timezone(&Utc);
        }
        local += chrono::TimeDelta::minutes(15);
    }
}

/// A calendar month, such as the one that a progress report covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    first: NaiveDate,
}

impl Month {
    /// Returns the month that contains a day.
    pub fn of(day: NaiveDate) -> Self {
        Self { first: day.with_day(1).unwrap_or(day) }
    }

    /// Reads a month given as `2023-04`; `None` for any other notation, and for years that no ledger has.
    pub fn parse(text: &str) -> Option<Self> {
        let month = Self { first: NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()? };
        (month.name() == text && YEARS.contains(&month.first.year())).then_some(month)
    }

    /// Reads the argument `month` of a question, such as `2023-04`: a month that has begun.
    pub fn begun(text: &str, today: NaiveDate) -> Result<Self, Fault> {
        let refused = |zh, en| Fault::invalid(zh, en, &["month"]);
        let month = Self::parse(text).ok_or_else(|| {
            refused(
                "月份（month）应为年月，如 2023-04",
                "the month (`month`) must be a year and month, such as 2023-04",
            )
        })?;
        if month.first > today {
            return Err(refused(
                "月份（month）还没有开始，应为本月或更早的月份",
                "the month (`month`) has not begun: ask for this month or an earlier one",
            ));
        }
        Ok(month)
    }

    /// Returns the month before this one.
    #[must_use]
    pub fn previous(self) -> Self {
        Self { first: self.first.checked_sub_months(Months::new(1)).unwrap_or(self.first) }
    }

    /// Returns the month after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self { first: self.first.checked_add_months(Months::new(1)).unwrap_or(self.first) }
    }

    /// Returns its first day.
    pub fn first_day(self) -> NaiveDate {
        self.first
    }

    /// Returns its last day.
    pub fn last_day(self) -> NaiveDate {
        last_day_of_month(self.first.year(), self.first.month()).unwrap_or(self.first)
    }

    /// Returns its day with a number, or its last day if it has no such day.
    pub fn day(self, number: u32) -> NaiveDate {
        self.first.with_day(number).unwrap_or_else(|| self.last_day())
    }

    /// Returns its name as stored in rows, such as `2023-04`.
    pub fn name(self) -> String {
        self.first.format("%Y-%m").to_string()
    }
}

/// A quarter of a calendar year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quarter {
    year: i32,
    /// The number of the quarter, 1 to 4.
    number: u32,
}

impl Quarter {
    /// Returns the quarter that contains a day.
    pub fn of(day: NaiveDate) -> Self {
        Self { year: day.year(), number: day.month0() / 3 + 1 }
    }

    /// Returns the quarters of a year.
    pub fn of_year(year: i32) -> [Self; 4] {
        [1, 2, 3, 4].map(|number| Self { year, number })
    }

    /// Returns the quarter before this one.
    #[must_use]
    pub fn previous(self) -> Self {
        if self.number == 1 {
            Self { year: self.year - 1, number: 4 }
        } else {
            Self { number: self.number - 1, ..self }
        }
    }

    /// Returns the quarter after this one.
    #[must_use]
    pub fn next(self) -> Self {
        if self.number == 4 {
            Self { year: self.year + 1, number: 1 }
        } else {
            Self { number: self.number + 1, ..self }
        }
    }

    /// Returns the first quarter that lies wholly after a day. The one that is under way on the day does not.
    pub fn after(day: NaiveDate) -> Self {
        Self::of(day).next()
    }

    /// Returns its first day.
    pub fn first_day(self) -> NaiveDate {
        plus_days(self.previous().last_day(), 1)
    }

    /// Returns its last day.
    pub fn last_day(self) -> NaiveDate {
        last_day_of_month(self.year, self.number * 3).unwrap_or(NaiveDate::MAX)
    }

    /// Returns its name as stored in rows, such as `2023Q1`.
    pub fn name(self) -> String {
        format!("{}Q{}", self.year, self.number)
    }
}

/// Returns the last day of a month, or `None` if `month` is not 1 to 12.
pub fn last_day_of_month(year: i32, month: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month, 1)?.checked_add_months(Months::new(1))?.pred_opt()
}

/// Returns the date a number of days later, or earlier if `days` is negative. Returns [`NaiveDate::MAX`] if the result
/// is out of range.
pub fn plus_days(day: NaiveDate, days: i64) -> NaiveDate {
    let by = Days::new(days.unsigned_abs());
    let moved = if days < 0 { day.checked_sub_days(by) } else { day.checked_add_days(by) };
    moved.unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quarter_ends_after_its_days_and_follows_its_predecessor(days in 0_i64..40_000) {
            let day = plus_days(NaiveDate::from_ymd_opt(1980, 1, 1).unwrap(), days);
            let quarter = Quarter::of(day);
            prop_assert!(quarter.previous().last_day() < day && day <= quarter.last_day());
            prop_assert_eq!(Quarter::of(quarter.last_day()), quarter);
            prop_assert!(quarter.first_day() <= day && day < Quarter::after(day).first_day());
            prop_assert_eq!(Quarter::after(day).previous(), quarter);
            prop_assert_eq!(Quarter::of(plus_days(quarter.previous().last_day(), 1)), quarter);
        }
    }

    #[test]
    fn a_day_begins_at_local_midnight() {
        let late = "2023-01-01T16:30:00Z".parse().unwrap();
        assert_eq!(local_day(late, chrono_tz::Asia::Shanghai).to_string(), "2023-01-02");
        let eight = moment(
            local_day(late, chrono_tz::Asia::Shanghai),
            NaiveTime::from_hms_opt(8, 0, 0).unwrap(),
            chrono_tz::Asia::Shanghai,
        );
        assert_eq!(eight.to_rfc3339(), "2023-01-02T00:00:00+00:00");
    }

    #[test]
    fn a_time_that_a_clock_change_skips_becomes_the_first_after_it() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap();
        let skipped = moment(day, NaiveTime::from_hms_opt(2, 30, 0).unwrap(), chrono_tz::Europe::Berlin);
        assert_eq!(skipped.to_rfc3339(), "2026-03-29T01:00:00+00:00");
    }
}
