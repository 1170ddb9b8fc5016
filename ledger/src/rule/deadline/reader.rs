//! Combines the items of a printed deadline.

use chrono::{Datelike, Days, NaiveDate};

use super::item::{Dated, Item, Recurring, Understood, Within, items, judge_after, judge_before, looks_dated};
use super::period::{Notation, Part, Period, Span, Year, find_dated};
use super::text::{Piece, pieces, plain, shown, trimmed};
use super::words::{
    After, Classes, Role, event_of, grades_completion, is_label, is_list_number, names_what_is_due, says_completion,
    says_what_is_due,
};
use super::{
    Answer, BEGINNING, Change, CheckPlan, Context, Deadline, Doubt, MAX_CHARACTERS, Milestone, Question, Reading,
    Remark, Stated, Unreadable, WHOLE,
};
use crate::rule::calendar::{YEARS, last_day_of_month};

/// Reads a printed deadline.
pub(super) fn read(raw: &str, context: &Context<'_>) -> Result<Answer, Unreadable> {
    if raw.chars().nth(MAX_CHARACTERS).is_some() {
        return Err(Unreadable::TooLong);
    }
    let plain = plain(raw);
    let raw = shown(raw);
    if let Some(decided) = context.decided(&plain) {
        let deadline = Deadline { raw, ..decided.clone() };
        return Ok(Answer::Read(Reading { deadline, remarks: Vec::new() }));
    }
    if let Some((day, remark)) = number(&plain) {
        let deadline = Deadline { raw, due_on: Some(day), ..Deadline::default() };
        return Ok(Answer::Read(Reading { deadline, remarks: vec![remark] }));
    }
    let pieces = pieces(&plain);
    if pieces.is_empty() {
        return Err(Unreadable::Blank);
    }
    let mut reader = Reader::new(context);
    for piece in &pieces {
        for item in items(piece.text) {
            reader.take(item, piece)?;
        }
    }
    reader.finish(raw, &plain)
}

/// Reads a text that is only a number: a day as Excel counts them (45291), a month (202406) or a year (2024).
fn number(plain: &str) -> Option<(NaiveDate, Remark)> {
    let digits = plain.split_once('.').map_or(plain, |(whole, _)| whole);
    let is_number = plain.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let number: u32 = digits.parse().ok().filter(|_| is_number && plain.len() < 20)?;
    let words = plain.to_owned();
    let year = |number: u32| i32::try_from(number).ok().filter(|year| YEARS.contains(year));
    match digits.len() {
        5 => {
            // Excel counts from 1900 and has a 29 February 1900, so that later numbers count from 30 December 1899.
            let day = NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_days(Days::new(number.into()))?;
            YEARS.contains(&day.year()).then_some((day, Remark::Number { words, day }))
        }
        // Until 2012, the six digits may also be a day with a year of two digits.
        6 if digits == plain && number >= 201_300 => {
            let day = last_day_of_month(year(number / 100)?, number % 100)?;
            Some((day, Remark::BareYear { words, day }))
        }
        4 if digits == plain => {
            let day = last_day_of_month(year(number)?, 12)?;
            Some((day, Remark::BareYear { words, day }))
        }
        _ => None,
    }
}

/// One date of a deadline, before it is known how many there are.
struct Step {
    /// What is due, or empty.
    label: String,
    /// Words that only matter beside another date: 全面完成, or the number of a list.
    weak: String,
    day: NaiveDate,
    /// Whether the work begins on it, so that nothing is due.
    begins: bool,
    /// Whether it ends in 前, so that words after a comma may say what is due.
    open: bool,
}

/// Words whose date follows after a separator.
struct Carried {
    words: String,
    /// Whether the separators are such that the words clearly belong to the date: a list, or brackets.
    listed: bool,
}

/// What is read so far.
struct Reader<'a> {
    context: &'a Context<'a>,
    classes: Classes,
    steps: Vec<Step>,
    checks: Option<CheckPlan>,
    change: Option<Change>,
    /// The earlier date of a change whose later date is not yet read.
    former: Option<NaiveDate>,
    carried: Option<Carried>,
    /// Words that leave the date to others.
    left_open: Vec<String>,
    doubts: Vec<Doubt>,
    remarks: Vec<Remark>,
}

impl<'a> Reader<'a> {
    fn new(context: &'a Context<'a>) -> Self {
        Self {
            context,
            classes: Classes::default(),
            steps: Vec::new(),
            checks: None,
            change: None,
            former: None,
            carried: None,
            left_open: Vec::new(),
            doubts: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn take(&mut self, item: Item<'_>, piece: &Piece<'_>) -> Result<(), Unreadable> {
        if matches!(item, Item::Classes(_) | Item::Recurring(_) | Item::Open(_)) {
            self.nothing_carried()?;
        }
        match item {
            Item::Classes(classes) => self.classes = self.classes.and(classes),
            Item::Dated(dated) => self.dated(&dated, piece)?,
            Item::Within(within) => self.within(&within, piece)?,
            Item::Recurring(recurring) => self.recurring(&recurring)?,
            Item::Open(words) => self.left_open.push(words.to_owned()),
            Item::Words(words) => self.words(words, piece)?,
        }
        Ok(())
    }

    /// Checks that no words wait for a date, except for the number of a list.
    fn nothing_carried(&mut self) -> Result<(), Unreadable> {
        match self.carried.take() {
            Some(carried) if !is_list_number(&carried.words) => Err(Unreadable::Unknown(carried.words)),
            _ => Ok(()),
        }
    }

    fn doubt(&mut self, doubt: Doubt) {
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    /// Says that words are unclear, or refuses them.
    fn weigh(&mut self, understood: Understood, words: &str, printed: &str) -> Result<(), Unreadable> {
        match understood {
            Understood::Sure => {}
            Understood::Unsure => self.doubt(Doubt::Words { words: words.to_owned() }),
            Understood::Not => return Err(Unreadable::Unknown(printed.to_owned())),
        }
        Ok(())
    }

    /// Takes words without a date: they say what is due on the date before them or on the one after them.
    fn words(&mut self, words: &str, piece: &Piece<'_>) -> Result<(), Unreadable> {
        let aside = piece.is_aside();
        let last = self.steps.last_mut().filter(|step| {
            let continues = step.open && says_what_is_due(words);
            self.carried.is_none() && !step.begins && (aside || continues)
        });
        let Some(step) = last else {
            if !is_label(words) {
                return Err(Unreadable::Unknown(words.to_owned()));
            }
            let listed = piece.before.chars().all(|mark| "、()".contains(mark));
            let before = self.carried.take().map(|carried| (carried.words + piece.before, carried.listed && listed));
            let (before, listed) = before.unwrap_or((String::new(), true));
            self.carried = Some(Carried { words: before + words, listed });
            return Ok(());
        };
        let words = trimmed(words);
        step.open = false;
        let graded = says_completion(words);
        if graded { &mut step.weak } else { &mut step.label }.push_str(words);
        step.begins = step.label == BEGINNING;
        let understood = match words {
            _ if looks_dated(words) || is_list_number(words) || !is_label(words) => Understood::Not,
            _ if !aside || names_what_is_due(words) => Understood::Sure,
            _ => Understood::Unsure,
        };
        self.note_close_out(words);
        self.weigh(understood, words, words)
    }

    /// Returns what is due on a date: the words carried to it, and those directly before it.
    fn label(&mut self, own: &str, explicit: bool, piece: &Piece<'_>) -> String {
        let Some(carried) = self.carried.take() else { return trimmed(own).to_owned() };
        let label = trimmed(&format!("{}{}{own}", carried.words, piece.before)).to_owned();
        let is_listed = carried.listed && piece.before.chars().all(|mark| "、()".contains(mark));
        // Words before the first date may be a condition of the whole; between dates they belong to the next.
        if self.steps.is_empty() && !is_listed && !explicit {
            self.doubt(Doubt::Words { words: label.clone() });
        }
        label
    }

    fn dated(&mut self, dated: &Dated<'_>, piece: &Piece<'_>) -> Result<(), Unreadable> {
        let Dated { printed, before, period, after } = dated;
        self.weigh(judge_before(before), before.label, printed)?;
        self.weigh(judge_after(after.words), after.words, printed)?;
        if !is_label(before.label) {
            return Err(Unreadable::Unknown((*printed).to_owned()));
        }
        self.classes = self.classes.and(before.classes).and(after.classes);
        self.remarks.extend(before.idle.map(|words| Remark::LeftOut { words: words.to_owned() }));
        let label = self.label(before.label, before.explicit, piece);
        let (begin, end) = self.days(period, printed)?;
        if let Some(day) = begin {
            self.begin(day);
        }
        let Some(day) = end else {
            if !label.is_empty() || !after.words.is_empty() {
                self.doubt(Doubt::Words { words: (*printed).to_owned() });
            }
            return Ok(());
        };
        let is_done = before.role == Role::Completed || after.classes.stated.is_some();
        if is_done {
            self.classes.stated = self.classes.stated.max(Some(Stated::Completed));
            self.remarks.push(Remark::CompletedOn { words: (*printed).to_owned(), day });
        }
        match before.role {
            Role::Requested => self.requested(day, printed),
            Role::Former => self.moved_from(day, printed),
            Role::Granted => self.moved_to(day, label, after, printed),
            Role::Due | Role::Completed => match self.former.take() {
                Some(from) => {
                    self.due(day, label, after, period.before)?;
                    self.changed(from, day, printed)
                }
                None => self.due(day, label, after, period.before),
            },
        }
    }

    fn begin(&mut self, day: NaiveDate) {
        let label = BEGINNING.to_owned();
        self.steps.push(Step { label, weak: String::new(), day, begins: true, open: false });
    }

    /// Adds a date on which something is due.
    fn due(&mut self, day: NaiveDate, label: String, after: &After<'_>, before: bool) -> Result<(), Unreadable> {
        let open = before && after.words.is_empty();
        self.note_close_out(&label);
        self.note_close_out(after.words);
        let is_number = is_list_number(&label);
        let (label, number) = if is_number { (String::new(), label) } else { (label, String::new()) };
        let is_weak = says_completion(after.words);
        let distinguishes = is_weak && after.words != "完成" && (!is_number || grades_completion(after.words));
        let weak = if distinguishes { after.words.to_owned() } else { number };
        let label = if is_weak { label } else { trimmed(&(label + after.words)).to_owned() };
        if !is_label(&label) || !is_label(after.words) || looks_dated(&label) {
            return Err(Unreadable::Unknown(label));
        }
        let begins = label == BEGINNING;
        self.steps.push(Step { label, weak, day, begins, open });
        Ok(())
    }

    /// Notes that the deadline includes the close-out, if words say so.
    fn note_close_out(&mut self, words: &str) {
        if words.contains("销号") {
            self.classes.stated = self.classes.stated.max(Some(Stated::CloseOutDue));
        }
    }

    /// Takes a granted extension: the date before it moves.
    fn moved_to(&mut self, day: NaiveDate, label: String, after: &After<'_>, printed: &str) -> Result<(), Unreadable> {
        if let Some(from) = self.former.take() {
            self.due(day, label, after, false)?;
            return self.changed(from, day, printed);
        }
        let Some(step) = self.steps.last_mut().filter(|step| !step.begins) else {
            self.remarks.push(Remark::NoFormer { day });
            return self.due(day, label, after, false);
        };
        if !label.is_empty() || !says_completion(after.words) {
            return Err(Unreadable::Unknown(printed.to_owned()));
        }
        let from = std::mem::replace(&mut step.day, day);
        self.note_close_out(after.words);
        self.changed(from, day, printed)
    }

    /// Takes the earlier date of a change: the date before it, or the next one, is the later one.
    fn moved_from(&mut self, from: NaiveDate, printed: &str) -> Result<(), Unreadable> {
        match self.steps.last().filter(|step| !step.begins).map(|step| step.day) {
            Some(to) => self.changed(from, to, printed),
            None if self.former.is_none() => {
                self.former = Some(from);
                Ok(())
            }
            None => Err(Unreadable::Unknown(printed.to_owned())),
        }
    }

    fn changed(&mut self, from: NaiveDate, to: NaiveDate, printed: &str) -> Result<(), Unreadable> {
        if from >= to {
            return Err(Unreadable::Backwards(printed.to_owned()));
        }
        // A second extension keeps the first date, but a deadline with several dates may have only one that moves.
        let first = match self.change {
            None => from,
            Some(change) if change.to == from => change.from,
            Some(_) => return Err(Unreadable::Unknown(printed.to_owned())),
        };
        self.change = Some(Change { from: first, to });
        Ok(())
    }

    fn requested(&mut self, day: NaiveDate, printed: &str) -> Result<(), Unreadable> {
        if !self.steps.iter().any(|step| !step.begins) {
            return Err(Unreadable::Unknown(printed.to_owned()));
        }
        self.doubt(Doubt::Requested { words: printed.to_owned(), day });
        Ok(())
    }

    fn within(&mut self, within: &Within<'_>, piece: &Piece<'_>) -> Result<(), Unreadable> {
        let Within { printed, event, length, after } = within;
        self.weigh(judge_after(after.words), after.words, printed)?;
        let carried = self.carried.take_if(|carried| event.is_empty() && event_of(&carried.words).is_some());
        let event = carried.as_ref().and_then(|carried| event_of(&carried.words)).unwrap_or(event);
        let label = self.label("", false, piece);
        let from = match (self.context.start(event), find_dated(event)) {
            (Some(day), _) => day,
            (None, Some(("", Period { begin: None, end: Some(end), before: false }, ""))) => self.day(&end, printed)?,
            _ => {
                let from = self.context.as_of;
                self.doubt(Doubt::Start { words: (*printed).to_owned(), event: event.to_owned(), from });
                from
            }
        };
        let day = length.end(from, self.context).filter(|day| YEARS.contains(&day.year()));
        let day = day.ok_or_else(|| Unreadable::Unknown((*printed).to_owned()))?;
        self.classes = self.classes.and(after.classes);
        self.due(day, label, after, true)
    }

    fn recurring(&mut self, recurring: &Recurring<'_>) -> Result<(), Unreadable> {
        let Recurring { printed, plan, after } = recurring;
        self.weigh(judge_after(after.words), after.words, printed)?;
        self.classes = self.classes.and(after.classes);
        self.classes.ongoing = true;
        if plan.is_none() {
            self.doubt(Doubt::Frequency { words: (*printed).to_owned() });
        }
        let plan = plan.unwrap_or(CheckPlan::Quarterly);
        match self.checks.replace(plan) {
            Some(other) if other != plan => Err(Unreadable::Unknown((*printed).to_owned())),
            _ => Ok(()),
        }
    }

    /// Returns the first and the last day of a period.
    fn days(&mut self, period: &Period, printed: &str) -> Result<(Option<NaiveDate>, Option<NaiveDate>), Unreadable> {
        let Some(end) = &period.end else {
            let begin = period.begin.map(|begin| self.beginning(&begin, printed)).transpose()?;
            return Ok((begin, None));
        };
        let (begin, last) = match &period.begin {
            None => (None, self.day(end, printed)?),
            Some(begin) => {
                let (begin, last) = self.range(begin, end, printed)?;
                (Some(begin), last)
            }
        };
        self.doubts_about(end, last, printed);
        if period.is_inclusion_unclear() {
            self.doubt(Doubt::Inclusion { words: printed.to_owned(), day: last });
        }
        Ok((begin, Some(last)))
    }

    fn beginning(&mut self, begin: &Span, printed: &str) -> Result<NaiveDate, Unreadable> {
        let year = self.day(begin, printed)?.year();
        begin.first_day(year).ok_or_else(|| Unreadable::NoSuchDay(printed.to_owned()))
    }

    /// Returns the first and the last day of a range. What is not printed at its end is as at its beginning.
    fn range(&mut self, begin: &Span, end: &Span, printed: &str) -> Result<(NaiveDate, NaiveDate), Unreadable> {
        let no_such_day = || Unreadable::NoSuchDay(printed.to_owned());
        let (first, last) = match (begin.year, end.year) {
            (Year::Printed(year), Year::Missing) => {
                let first = self.beginning(begin, printed)?;
                let last = end.last_day(year).ok_or_else(no_such_day)?;
                (first, if last < first { self.next_year(end, first, printed)? } else { last })
            }
            (Year::Printed(_), _) => (self.beginning(begin, printed)?, self.day(end, printed)?),
            (year, own) => {
                let year = if own == Year::Missing { year } else { own };
                let last = self.day(&Span { year, ..*end }, printed)?;
                let first = begin.first_day(last.year()).ok_or_else(no_such_day)?;
                let earlier = || begin.first_day(last.year() - 1).ok_or_else(no_such_day);
                (if first > last { earlier()? } else { first }, last)
            }
        };
        if first > last { Err(Unreadable::Backwards(printed.to_owned())) } else { Ok((first, last)) }
    }

    /// Asks whether the end of a range lies in the year after its beginning: 2024年10月至3月.
    fn next_year(&mut self, end: &Span, after: NaiveDate, printed: &str) -> Result<NaiveDate, Unreadable> {
        let day = self.day(&Span { year: Year::Printed(after.year() + 1), ..*end }, printed)?;
        self.doubt(Doubt::Year { words: printed.to_owned(), after, day });
        Ok(day)
    }

    /// Returns the last day of a period. If its year is not printed, proposes one and asks, or takes it from the date
    /// before.
    fn day(&mut self, span: &Span, printed: &str) -> Result<NaiveDate, Unreadable> {
        let unknown = || Unreadable::Unknown(printed.to_owned());
        let as_of = self.context.as_of;
        let is_season = span.part == Part::SpringFestival;
        let no_such_day = || if is_season { unknown() } else { Unreadable::NoSuchDay(printed.to_owned()) };
        let words = || printed.to_owned();
        match span.year {
            Year::Printed(year) if !YEARS.contains(&year) => Err(unknown()),
            Year::Printed(year) => span.last_day(year).ok_or_else(no_such_day),
            Year::Relative(years) => {
                let day = span.last_day(as_of.year().saturating_add(years)).ok_or_else(no_such_day)?;
                self.doubt(Doubt::RelativeYear { words: words(), day });
                Ok(day)
            }
            // 每年6月底、12月底前: twice a year, which no plan can say.
            Year::Missing if self.checks.is_some() && self.steps.is_empty() => Err(unknown()),
            Year::Missing => {
                let from = self.steps.last().map(|step| step.day);
                let day = next(span, from.unwrap_or(as_of)).ok_or_else(no_such_day)?;
                if from.is_some_and(|from| from.year() == day.year()) {
                    self.remarks.push(Remark::CarriedYear { words: words(), day });
                } else {
                    self.doubt(Doubt::Year { words: words(), after: from.unwrap_or(as_of), day });
                }
                Ok(day)
            }
        }
    }

    /// Notes what is unclear or has to be said about the end of a period.
    fn doubts_about(&mut self, end: &Span, day: NaiveDate, printed: &str) {
        let words = printed.to_owned();
        match (end.part, end.notation) {
            (Part::FloodSeason, _) => self.doubt(Doubt::FloodSeason { words, day }),
            (Part::SpringFestival, _) => self.remarks.push(Remark::Festival { words, day }),
            (_, Notation::LostZero) => self.doubt(Doubt::LostZero { words }),
            (_, Notation::ShortYear) => self.remarks.push(Remark::ShortYear { words, day }),
            (_, Notation::Compact) => self.remarks.push(Remark::Number { words, day }),
            (_, Notation::Words | Notation::Marks(_)) => {}
        }
        if end.timed {
            self.remarks.push(Remark::Time { words: printed.to_owned() });
        }
    }

    /// Returns the deadline that was read, as `raw`, or what has to be asked about it.
    fn finish(mut self, raw: String, plain: &str) -> Result<Answer, Unreadable> {
        self.nothing_carried()?;
        let unknown = || Unreadable::Unknown(plain.to_owned());
        if self.former.is_some() {
            return Err(unknown());
        }
        let due_on = self.steps.iter().filter(|step| !step.begins).map(|step| step.day).max();
        let Classes { immediate, ongoing, stated } = self.classes;
        let stated = stated.filter(|stated| *stated != Stated::CloseOutDue || due_on.is_some());
        let says_something = due_on.is_some() || immediate || ongoing || stated.is_some();
        let is_open = !says_something && (!self.left_open.is_empty() || !self.steps.is_empty());
        if is_open {
            let words = if self.left_open.is_empty() { plain.to_owned() } else { self.left_open.join("，") };
            self.doubt(Doubt::Open { words });
        } else if says_something {
            self.remarks.extend(self.left_open.drain(..).map(|words| Remark::LeftOut { words }));
        } else {
            return Err(unknown());
        }
        let deadline = Deadline {
            raw,
            immediate,
            due_on,
            ongoing: ongoing || is_open,
            milestones: milestones(self.steps),
            checks: self.checks,
            stated,
            change: self.change,
        };
        let reading = Reading { deadline, remarks: self.remarks };
        let asks = !self.doubts.is_empty();
        Ok(if asks {
            Answer::Asked(Question { doubts: self.doubts, proposal: reading })
        } else {
            Answer::Read(reading)
        })
    }
}

/// Returns the first last day of such a period that is not before a day. Looks eight years ahead, so that every 29
/// February is found.
fn next(span: &Span, from: NaiveDate) -> Option<NaiveDate> {
    (0..=8).filter_map(|years| span.last_day(from.year().saturating_add(years))).find(|day| *day >= from)
}

/// Returns the milestones of a deadline: none for a single date without words.
fn milestones(steps: Vec<Step>) -> Vec<Milestone> {
    let several = steps.iter().filter(|step| !step.begins).count() > 1;
    let says_more = steps.len() > 1 || steps.iter().any(|step| !step.label.is_empty());
    let steps = steps.into_iter().filter(|_| says_more);
    steps
        .map(|Step { mut label, weak, day, .. }| {
            if several && (label.is_empty() || grades_completion(&weak)) {
                label.push_str(&weak);
            }
            if label.is_empty() {
                WHOLE.clone_into(&mut label);
            }
            Milestone { label, due_on: day }
        })
        .collect()
}
