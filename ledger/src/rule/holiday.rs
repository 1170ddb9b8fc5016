//! Working days: weekdays, except for the public holidays and the weekend days worked in their place that the State
//! Council announces every year (国务院办公厅关于部分节假日安排的通知).
//!
//! The announced years are built in. Days that an administrator sets take precedence.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate, Weekday};
use entity::holiday;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::record::database::Transaction;
use crate::rule::calendar::{YEARS, plus_days};

/// The most days ahead that a search for working days looks.
const SPAN: i64 = 400;

/// The announced days, and whether each is worked. A line of the file has the form `first,last,rule,name`, where `rule`
/// is `work` or `rest`.
static BUILT_IN: LazyLock<HashMap<NaiveDate, bool>> = LazyLock::new(|| {
    let line = |line: &str| {
        let mut parts = line.split(',');
        let (first, last, works) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()? == "work");
        Some((first, last, works))
    };
    let spans = include_str!("../../data/holidays.csv").lines().filter_map(line);
    spans
        .flat_map(|(first, last, works): (NaiveDate, NaiveDate, bool)| {
            first.iter_days().take_while(move |day| *day <= last).map(move |day| (day, works))
        })
        .collect()
});

/// The working days, read once for a calculation over many dates.
#[derive(Debug, Clone, Default)]
pub struct WorkingDays {
    /// The days that an administrator set, and whether each is worked.
    set: HashMap<NaiveDate, bool>,
}

impl WorkingDays {
    /// Reads the days that an administrator set.
    pub async fn read<C: ConnectionTrait>(db: &C) -> Result<Self> {
        let rows = holiday::Entity::find().all(db).await?;
        Ok(Self { set: rows.into_iter().map(|row| (row.day, row.is_working)).collect() })
    }

    /// Checks whether a day is worked.
    pub fn contains(&self, day: NaiveDate) -> bool {
        is_working(day, &self.set)
    }

    /// Returns the last working day up to and including `day`, or `day` itself if the 400 days before it are all off.
    pub fn last_by(&self, day: NaiveDate) -> NaiveDate {
        (0..=SPAN).map(|before| plus_days(day, -before)).find(|day| self.contains(*day)).unwrap_or(day)
    }

    /// Returns the first working day from `day` on, or `day` itself if the 400 days after it are all off.
    pub fn first_from(&self, day: NaiveDate) -> NaiveDate {
        (0..=SPAN).map(|after| plus_days(day, after)).find(|day| self.contains(*day)).unwrap_or(day)
    }
}

/// Checks whether a day is a working day: as an administrator set it, else as announced, else by the day of the week.
fn is_working(day: NaiveDate, set: &HashMap<NaiveDate, bool>) -> bool {
    let by_week = !matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    set.get(&day).or_else(|| BUILT_IN.get(&day)).copied().unwrap_or(by_week)
}

/// A day that is an exception to the working week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Special {
    /// The local date.
    pub day: NaiveDate,
    /// Whether it is a working day.
    pub is_working: bool,
    /// Whether an administrator set it; if not, it was announced.
    pub is_set: bool,
}

/// Returns the exceptional days of a year, in order.
pub async fn of_year<C: ConnectionTrait>(db: &C, year: i32) -> Result<Vec<Special>> {
    let (Some(first), Some(last)) = (NaiveDate::from_ymd_opt(year, 1, 1), NaiveDate::from_ymd_opt(year, 12, 31)) else {
        return Ok(Vec::new());
    };
    // Other years have no exceptional days, and not every database can represent their dates.
    if !YEARS.contains(&year) {
        return Ok(Vec::new());
    }
    let announced = BUILT_IN.iter().filter(|(day, _)| (first..=last).contains(*day));
    let mut days: BTreeMap<NaiveDate, Special> =
        announced.map(|(day, works)| (*day, Special { day: *day, is_working: *works, is_set: false })).collect();
    let set = holiday::Entity::find().filter(holiday::Column::Day.between(first, last)).all(db).await?;
    days.extend(set.iter().map(|row| (row.day, Special { day: row.day, is_working: row.is_working, is_set: true })));
    Ok(days.into_values().collect())
}

/// Returns the date a number of working days after another. Fails if there are not enough working days within 400 days.
pub async fn working_days_after<C: ConnectionTrait>(db: &C, from: NaiveDate, days: i64) -> Result<NaiveDate> {
    let end = plus_days(from, SPAN);
    let rows = holiday::Entity::find().filter(holiday::Column::Day.between(from, end)).all(db).await?;
    let set = rows.into_iter().map(|row| (row.day, row.is_working)).collect();
    count(from, days, &set).ok_or_else(|| {
        let zh = "工作日历有误：一年内没有足够的工作日，请检查节假日设置";
        let en = "the calendar is wrong: a year has too few working days; check the holidays that are set";
        Fault::new(FaultCode::WrongState, zh, en, &[]).into()
    })
}

/// Returns the date `days` working days after `from`, or `None` if it lies too far ahead.
fn count(from: NaiveDate, days: i64, set: &HashMap<NaiveDate, bool>) -> Option<NaiveDate> {
    let later = (1..=SPAN).map(|after| plus_days(from, after));
    later.filter(|day| is_working(*day, set)).nth(usize::try_from(days).ok()?.checked_sub(1)?)
}

/// Sets whether a day is a working day, whatever is announced for it. Replaces an earlier setting.
pub async fn set(db: &Transaction, day: NaiveDate, is_working: bool, name: &str) -> Result<()> {
    use sea_orm::ActiveValue::Set;
    let row = holiday::ActiveModel { day: Set(day), is_working: Set(is_working), name: Set(name.trim().to_owned()) };
    holiday::Entity::insert(row)
        .on_conflict(
            sea_orm::sea_query::OnConflict::column(holiday::Column::Day)
                .update_columns([holiday::Column::IsWorking, holiday::Column::Name])
                .to_owned(),
        )
        .exec_without_returning(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(from: &str, days: i64) -> String {
        count(from.parse().unwrap(), days, &HashMap::new()).unwrap().to_string()
    }

    #[test]
    fn holidays_are_passed_over_and_worked_weekends_count() {
        // An ordinary week, and the National Day holidays of 2026 (1–7 October; 10 October is worked).
        assert_eq!(after("2026-11-16", 5), "2026-11-23");
        assert_eq!(after("2026-09-30", 5), "2026-10-13");
        // The Spring Festival of 2026: 15–23 February; 14 and 28 February are worked.
        assert_eq!(after("2026-02-13", 2), "2026-02-24");
    }

    #[test]
    fn an_administrators_day_comes_first() {
        let day: NaiveDate = "2026-11-17".parse().unwrap();
        let set = HashMap::from([(day, false)]);
        assert_eq!(count("2026-11-16".parse().unwrap(), 1, &set).unwrap().to_string(), "2026-11-18");
    }

    proptest! {
        #[test]
        fn more_working_days_end_later_on_a_working_day(start in 0_i64..3000, days in 1_i64..20) {
            let from = plus_days(NaiveDate::from_ymd_opt(2024, 1, 1).unwrap(), start);
            let none = HashMap::new();
            let (one, more) = (count(from, days, &none).unwrap(), count(from, days + 1, &none).unwrap());
            prop_assert!(from < one && one < more && is_working(one, &none));
        }
    }
}
