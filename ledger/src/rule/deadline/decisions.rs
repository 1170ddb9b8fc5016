//! What a reading depends on besides the text: the ledger's date, and what people have decided before.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate, Weekday};

use super::text::plain;
use super::words::event_of;
use super::{Answer, Deadline, Unreadable, read};

/// What a reading depends on besides the text.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The ledger's date, from which the years of dates without one are proposed.
    pub as_of: NaiveDate,
    /// What people have decided before.
    pub decisions: Option<&'a Decisions>,
    /// Checks whether a day is a working day; without it, Monday to Friday are.
    pub working: Option<&'a dyn Fn(NaiveDate) -> bool>,
}

impl<'a> Context<'a> {
    /// Returns the context of a ledger of which only the date is known.
    pub fn new(as_of: NaiveDate) -> Self {
        Self { as_of, decisions: None, working: None }
    }

    /// Adds what people have decided before.
    #[must_use]
    pub fn with(self, decisions: &'a Decisions) -> Self {
        Self { decisions: Some(decisions), ..self }
    }

    pub(super) fn is_working(&self, day: NaiveDate) -> bool {
        match self.working {
            Some(working) => working(day),
            None => !matches!(day.weekday(), Weekday::Sat | Weekday::Sun),
        }
    }

    pub(super) fn decided(&self, plain: &str) -> Option<&'a Deadline> {
        self.decisions?.forms.get(plain)
    }

    pub(super) fn start(&self, event: &str) -> Option<NaiveDate> {
        self.decisions?.starts.get(event).copied()
    }
}

/// What people have decided about unclear deadlines: for a printed form, the form that it stands for (6月底前 is
/// 2024年6月30日), and for an event, its day (收到通知后 is 2024年3月1日).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    forms: HashMap<String, Deadline>,
    starts: HashMap<String, NaiveDate>,
}

impl Decisions {
    /// Adds the decisions of others, which go before those that are there.
    pub fn extend(&mut self, other: &Self) {
        self.forms.extend(other.forms.clone());
        self.starts.extend(other.starts.clone());
    }

    /// Adds a decision. `decided` is a deadline in any printed form that leaves nothing unclear, or a day if `printed`
    /// is an event: it ends in 后 or 起 and names no time (收到通知后, 自印发之日起).
    ///
    /// A later decision about the same form replaces the earlier one. Spelling does not matter.
    pub fn add(&mut self, printed: &str, decided: &str) -> Result<(), Unreadable> {
        // A clear text means the same on every date.
        let any = Context::new(NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default());
        let answer = read(decided, &any)?;
        let Answer::Read(reading) = answer else { return Err(Unreadable::Undecided(decided.trim().to_owned())) };
        let plain = plain(printed);
        if plain.is_empty() {
            return Err(Unreadable::Blank);
        }
        let is_form = read(printed, &any).is_ok();
        let Some(event) = event_of(&plain).filter(|_| !is_form) else {
            self.forms.insert(plain, reading.deadline);
            return Ok(());
        };
        let day = reading.deadline.due_on.filter(|day| reading.deadline.means(&Deadline::on(*day)));
        let day = day.ok_or_else(|| Unreadable::Undecided(decided.trim().to_owned()))?;
        self.starts.insert(event.to_owned(), day);
        Ok(())
    }
}
