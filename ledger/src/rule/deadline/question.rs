//! What a reading has to say, to ask or to refuse.

use chrono::NaiveDate;
use planner::Bilingual;

use super::{Deadline, MAX_CHARACTERS};

/// A deadline that is read, and what has to be said about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The deadline.
    pub deadline: Deadline,
    /// What was taken as likely, or left out, in the order of the text.
    pub remarks: Vec<Remark>,
}

/// What a printed deadline becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is read.
    Read(Reading),
    /// A person has to decide.
    Asked(Question),
}

impl Answer {
    /// Returns the reading, or the proposed one.
    pub fn reading(&self) -> &Reading {
        match self {
            Self::Read(reading) => reading,
            Self::Asked(question) => &question.proposal,
        }
    }
}

/// A deadline that may mean several things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is unclear, in the order of the text; at least one.
    pub doubts: Vec<Doubt>,
    /// The most likely reading. Its canonical form ([`Deadline`] displayed) is a valid decision.
    pub proposal: Reading,
}

impl Question {
    /// Returns all that is asked.
    pub fn asked(&self) -> Bilingual {
        let asked: Vec<Bilingual> = self.doubts.iter().map(Doubt::message).collect();
        let zh: Vec<&str> = asked.iter().map(|message| message.zh.as_str()).collect();
        let en: Vec<&str> = asked.iter().map(|message| message.en.as_str()).collect();
        Bilingual::new(zh.join("；"), en.join("; "))
    }

    /// Returns all that is asked, with the proposal.
    pub fn message(&self) -> Bilingual {
        let Bilingual { zh, en } = self.asked();
        let proposal = &self.proposal.deadline;
        Bilingual::new(format!("{zh}；建议读作“{proposal}”"), format!("{en}; proposal: “{proposal}”"))
    }
}

/// Something unclear in a printed deadline. `words` is the unclear part, in plain spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// No year is printed: 6月底前. The proposal is the year of the ledger's date, or the next if the day is past;
    /// after another date of the deadline, the first such day that follows it.
    Year {
        /// The unclear part.
        words: String,
        /// The day from which the proposal is the next: the ledger's date, or the date before.
        after: NaiveDate,
        /// The proposed day.
        day: NaiveDate,
    },
    /// The year is counted from the present one: 明年6月. The proposal counts from the ledger's date.
    RelativeYear {
        /// The unclear part.
        words: String,
        /// The proposed day.
        day: NaiveDate,
    },
    /// When the flood season begins differs by region: 汛期前. The proposal is 31 May.
    FloodSeason {
        /// The unclear part.
        words: String,
        /// The proposed day.
        day: NaiveDate,
    },
    /// The day of an event is not known: 收到通知后30日内. The proposal counts from the ledger's date. One decision for
    /// the event answers the doubt for the whole file.
    Start {
        /// The unclear part.
        words: String,
        /// The event, such as 收到通知, or empty if none is printed.
        event: String,
        /// The proposed day from which the time is counted.
        from: NaiveDate,
    },
    /// The date is left to others, or missing: 按序时推进. The proposal is ongoing.
    Open {
        /// The unclear part.
        words: String,
    },
    /// A period with 前: 2024年6月前 may end before the period or with it. The proposal is its end.
    Inclusion {
        /// The unclear part.
        words: String,
        /// The proposed day.
        day: NaiveDate,
    },
    /// 2024.1 may be what Excel shows of 2024.10. The proposal is January.
    LostZero {
        /// The unclear part.
        words: String,
    },
    /// An extension is requested, not granted: 申请延期至2025年底. The proposal is the earlier date.
    Requested {
        /// The unclear part.
        words: String,
        /// The requested day.
        day: NaiveDate,
    },
    /// Checks recur more often than once a quarter: 每月. The proposal is every quarter.
    Frequency {
        /// The unclear part.
        words: String,
    },
    /// Words beside a date may change its meaning. The proposal keeps them as what is due.
    Words {
        /// The unclear part.
        words: String,
    },
}

impl Doubt {
    /// Returns a stable name for interfaces.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Year { .. } => "YEAR",
            Self::RelativeYear { .. } => "RELATIVE_YEAR",
            Self::FloodSeason { .. } => "FLOOD_SEASON",
            Self::Start { .. } => "START",
            Self::Open { .. } => "OPEN",
            Self::Inclusion { .. } => "INCLUSION",
            Self::LostZero { .. } => "LOST_ZERO",
            Self::Requested { .. } => "REQUESTED",
            Self::Frequency { .. } => "FREQUENCY",
            Self::Words { .. } => "WORDS",
        }
    }

    /// Returns the words under which one decision answers the doubt for a whole file, if one can: the event from which
    /// a time is counted, such as 收到通知后.
    pub fn event(&self) -> Option<String> {
        match self {
            Self::Start { event, .. } if !event.is_empty() => Some(format!("{event}后")),
            _ => None,
        }
    }

    /// Returns the question and the reason for the proposal, in Chinese and in English.
    pub fn message(&self) -> Bilingual {
        match self {
            Self::Year { words, after, day } => Bilingual::new(
                format!("“{words}”没有写明年份，是哪一年？（{after} 起最近的一次为 {day}）"),
                format!("“{words}” has no year: which is it? (the next from {after} is {day})"),
            ),
            Self::RelativeYear { words, day } => Bilingual::new(
                format!("“{words}”指哪一年？（按台账日期推算为 {day}）"),
                format!("which year is meant by “{words}”? (counted from the ledger's date: {day})"),
            ),
            Self::FloodSeason { words, day } => Bilingual::new(
                format!("“{words}”指哪一天？（各地汛期不同，多自 6 月 1 日起，即 {day} 前）"),
                format!("which day is meant by “{words}”? (flood seasons differ; most begin on 1 June: {day})"),
            ),
            Self::Start { words, event, from } => {
                let (zh, en) = if event.is_empty() {
                    (String::new(), String::new())
                } else {
                    (format!("（“{event}”是哪一天？）"), format!(" (when was “{event}”?)"))
                };
                Bilingual::new(
                    format!("“{words}”从哪一天算起？{zh}（按台账日期 {from} 推算）"),
                    format!("from which day is “{words}” counted?{en} (proposed: the ledger's date, {from})"),
                )
            }
            Self::Open { words } => Bilingual::new(
                format!("“{words}”没有写明日期：是长期坚持，还是某一天？"),
                format!("“{words}” names no day: is it ongoing (长期坚持), or due on a day?"),
            ),
            Self::Inclusion { words, day } => Bilingual::new(
                format!("“{words}”是否含该期间？（如含，为 {day}）"),
                format!("does “{words}” include the period itself? (if so: {day})"),
            ),
            Self::LostZero { words } => Bilingual::new(
                format!("“{words}”是 1 月还是 10 月？（Excel 会把 10 末尾的 0 省去）"),
                format!("is “{words}” January or October? (Excel drops the last 0 of 10)"),
            ),
            Self::Requested { words, day } => Bilingual::new(
                format!("“{words}”是否已批准延期至 {day}？（未批准的，仍按原时限）"),
                format!("“{words}”: was the extension to {day} granted? (until then the earlier date holds)"),
            ),
            Self::Frequency { words } => Bilingual::new(
                format!("“{words}”多久检查一次？（检查最密为每季度一次）"),
                format!("how often is “{words}” checked? (every quarter is the most often)"),
            ),
            Self::Words { words } => Bilingual::new(
                format!("“{words}”是完成内容，还是时限的条件？"),
                format!("does “{words}” say what is due, or is it a condition of the deadline?"),
            ),
        }
    }
}

/// Something that was taken as likely, or left out, and is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// A number was read as a day: the serial number 45291, or 20240630.
    Number {
        /// The number as printed.
        words: String,
        /// The day.
        day: NaiveDate,
    },
    /// A number was read as a year or as a month: 2024, 202406.
    BareYear {
        /// The number as printed.
        words: String,
        /// The last day of it.
        day: NaiveDate,
    },
    /// A year of two digits was read as one of this century.
    ShortYear {
        /// The date as printed.
        words: String,
        /// The day.
        day: NaiveDate,
    },
    /// A date without a year took it from the date before.
    CarriedYear {
        /// The date as printed.
        words: String,
        /// The day.
        day: NaiveDate,
    },
    /// 春节前 was read as the day before Spring Festival.
    Festival {
        /// The words as printed.
        words: String,
        /// The day.
        day: NaiveDate,
    },
    /// A time of day was left out: a deadline ends at the end of the day.
    Time {
        /// The date as printed.
        words: String,
    },
    /// Words that do not change the date were left out.
    LeftOut {
        /// The words.
        words: String,
    },
    /// The day of completion was taken as the deadline.
    CompletedOn {
        /// The words as printed.
        words: String,
        /// The day.
        day: NaiveDate,
    },
    /// A deadline was extended, but the first one is not printed.
    NoFormer {
        /// The present deadline.
        day: NaiveDate,
    },
}

impl Remark {
    /// Returns the remark in Chinese and in English.
    pub fn message(&self) -> Bilingual {
        match self {
            Self::Number { words, day } => Bilingual::new(
                format!("数字“{words}”读作日期 {day}"),
                format!("the number “{words}” was read as the date {day}"),
            ),
            Self::BareYear { words, day } => Bilingual::new(
                format!("数字“{words}”读作截至 {day}"),
                format!("the number “{words}” was read as: by {day}"),
            ),
            Self::ShortYear { words, day } => Bilingual::new(
                format!("“{words}”的两位年份按本世纪读作 {day}"),
                format!("the two-digit year of “{words}” was read as one of this century: {day}"),
            ),
            Self::CarriedYear { words, day } => Bilingual::new(
                format!("“{words}”没有写明年份，按前一日期读作 {day}"),
                format!("“{words}” has no year and was read after the date before it: {day}"),
            ),
            Self::Festival { words, day } => Bilingual::new(
                format!("“{words}”读作春节前一日 {day}"),
                format!("“{words}” was read as the day before Spring Festival: {day}"),
            ),
            Self::Time { words } => Bilingual::new(
                format!("“{words}”中的时刻未采用，时限至当日结束"),
                format!("the time of day in “{words}” was left out: a deadline ends at the end of the day"),
            ),
            Self::LeftOut { words } => Bilingual::new(
                format!("“{words}”不改变日期，未采用"),
                format!("“{words}” does not change the date and was left out"),
            ),
            Self::CompletedOn { words, day } => Bilingual::new(
                format!("“{words}”写的是完成日期，时限也按 {day}"),
                format!("“{words}” is the day of completion; {day} was taken as the deadline too"),
            ),
            Self::NoFormer { day } => Bilingual::new(
                format!("时限已变更为 {day}，原时限没有写明"),
                format!("the deadline was moved to {day}; the earlier one is not printed"),
            ),
        }
    }
}

/// Why a text cannot be read as a deadline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The text is empty.
    #[error("时限为空")]
    Blank,
    /// The text is longer than [`MAX_CHARACTERS`] characters.
    #[error("时限超过{MAX_CHARACTERS}字")]
    TooLong,
    /// A date does not exist in the calendar, such as 30 February.
    #[error("“{0}”不是日历上的日期")]
    NoSuchDay(String),
    /// A range ends before it begins, or an extension moves the deadline back.
    #[error("“{0}”的日期前后颠倒")]
    Backwards(String),
    /// Some words are not understood.
    #[error("“{0}”无法识别")]
    Unknown(String),
    /// A decision is itself unclear.
    #[error("“{0}”仍不明确，不能作为决定")]
    Undecided(String),
}

impl Unreadable {
    /// Returns the message in Chinese and in English.
    pub fn message(&self) -> Bilingual {
        let en = match self {
            Self::Blank => "the deadline is empty".to_owned(),
            Self::TooLong => format!("the deadline has more than {MAX_CHARACTERS} characters"),
            Self::NoSuchDay(words) => format!("“{words}” is not a date of the calendar"),
            Self::Backwards(words) => format!("“{words}” has its dates in the wrong order"),
            Self::Unknown(words) => format!("“{words}” is not understood"),
            Self::Undecided(words) => format!("“{words}” is still unclear and cannot be a decision"),
        };
        Bilingual::new(self.to_string(), en)
    }
}
