//! How far a measure is today, in the words of ledgers. Words that a ledger has printed stay while they are true.

use entity::assignment::{StatedPace, Status};
use ledger::rule::workflow::{self, Stated};

/// How far a measure is, or all measures of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completion {
    /// It does not apply (不涉及), or that is proposed.
    NotApplicable,
    /// It is closed (销号).
    Closed,
    /// It is completed (完成) and not closed.
    Completed,
    /// It is open, and behind schedule or overdue.
    Behind,
    /// It is open, behind schedule or overdue, and the last ledger states that this was reported (已报备).
    BehindAndReported,
    /// It is open, and on schedule.
    OnSchedule,
}

impl Completion {
    /// Returns the completion of one answer: its status, whether it is completed, its pace as the API spells it, and
    /// the pace that the last ledger states.
    pub(crate) fn of(status: Status, is_completed: bool, pace: Option<&str>, stated: Option<StatedPace>) -> Self {
        match status {
            Status::NotApplicable | Status::NotApplicableProposed => Self::NotApplicable,
            Status::Closed | Status::ClosedOngoing => Self::Closed,
            _ if is_completed => Self::Completed,
            _ if matches!(pace, Some("BEHIND" | "OVERDUE")) => match stated {
                Some(StatedPace::BehindAndReported) => Self::BehindAndReported,
                _ => Self::Behind,
            },
            _ => Self::OnSchedule,
        }
    }

    /// Returns the completion of several together: what does not apply is left out, and the least advanced counts; none
    /// if there are none.
    pub(crate) fn of_all(all: impl Iterator<Item = Self>) -> Option<Self> {
        let rank = |completion: &Self| match completion {
            Self::Behind => 0,
            Self::BehindAndReported => 1,
            Self::OnSchedule => 2,
            Self::Completed => 3,
            Self::Closed => 4,
            Self::NotApplicable => 5,
        };
        all.min_by_key(rank)
    }

    pub(crate) fn is_completed(self) -> bool {
        matches!(self, Self::Closed | Self::Completed)
    }

    /// Whether status words say no more and no less.
    fn is_said_by(self, said: Stated) -> bool {
        let is_not_applicable = said.status == Status::NotApplicableProposed;
        let is_of_pace = said.pace.is_none_or(|pace| match pace {
            StatedPace::Behind => self == Self::Behind,
            StatedPace::BehindAndReported => self == Self::BehindAndReported,
            StatedPace::OnSchedule | StatedPace::Done => !matches!(self, Self::Behind | Self::BehindAndReported),
        });
        is_not_applicable == (self == Self::NotApplicable)
            && said.completed == self.is_completed()
            && (said.status != Status::Closed || self == Self::Closed)
            && is_of_pace
    }

    /// Returns the words for the status of a measure (完成情况), in a column with this heading.
    pub(crate) fn status(self, printed: Option<&str>, heading: &str) -> String {
        let printed =
            printed.filter(|text| workflow::stated_of_measure(text).is_some_and(|said| self.is_said_by(said)));
        let asks = heading.starts_with("是否");
        let word = match self {
            Self::NotApplicable => "不涉及",
            Self::Closed | Self::Completed if asks => "是",
            Self::Behind | Self::BehindAndReported | Self::OnSchedule if asks => "否",
            Self::Closed => "已销号",
            Self::Completed => "已完成整改",
            Self::Behind => "未达序时进度",
            Self::BehindAndReported => "未达序时进度（已报备）",
            Self::OnSchedule => "正在推进",
        };
        printed.unwrap_or(word).to_owned()
    }

    /// Returns the words for the rating of a problem (整改进度).
    pub(crate) fn rating(self, printed: Option<&str>) -> String {
        let printed = printed.filter(|text| workflow::stated(text).is_some_and(|said| self.is_said_by(said)));
        let word = match self {
            Self::NotApplicable => "不涉及",
            Self::Closed => "已销号",
            Self::Completed => "全面完成",
            Self::Behind => "未达序时进度",
            Self::BehindAndReported => "未达序时进度（已报备）",
            Self::OnSchedule => "序时推进",
        };
        printed.unwrap_or(word).to_owned()
    }

    /// Returns the words for whether a measure is on schedule (是否达到序时进度); blank if it does not apply.
    pub(crate) fn on_schedule(self) -> &'static str {
        match self {
            Self::NotApplicable => "",
            Self::Behind => "否",
            Self::BehindAndReported => "否（已报备）",
            Self::Closed | Self::Completed | Self::OnSchedule => "是",
        }
    }

    /// Returns the words about the close-out (销号情况), in a column with this heading.
    pub(crate) fn close_out(self, printed: &str, heading: &str) -> String {
        let asks = heading.starts_with("是否");
        let says_closed = printed == "是" || (printed.contains("已") && printed.contains("销号"));
        match (self == Self::Closed, says_closed) {
            (true, false) => if asks { "是" } else { "已销号" }.to_owned(),
            (false, true) => if asks { "否" } else { "未销号" }.to_owned(),
            _ => printed.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_words_stay_while_they_are_true() {
        let open = Completion::OnSchedule;
        assert_eq!(open.status(Some("正在整改"), "完成情况"), "正在整改");
        assert_eq!(Completion::Completed.status(Some("正在整改"), "完成情况"), "已完成整改");
        assert_eq!(Completion::Closed.status(Some("已完成整改"), "完成情况"), "已完成整改");
        assert_eq!(Completion::Completed.status(Some("已销号"), "完成情况"), "已完成整改");
        assert_eq!(Completion::Behind.status(Some("达到序时进度"), "完成情况"), "未达序时进度");
        assert_eq!(Completion::Completed.status(None, "是否完成"), "是");
        assert_eq!(Completion::Completed.rating(Some("全面完成，长期坚持")), "全面完成，长期坚持");
        assert_eq!(open.rating(Some("基本完成")), "基本完成");
        assert_eq!(open.rating(Some("全面完成")), "序时推进");
        assert_eq!(Completion::Closed.close_out("未销号", "销号情况"), "已销号");
        assert_eq!(open.close_out("已完成销号", "销号情况"), "未销号");
        assert_eq!(open.close_out("", "是否销号"), "");
    }

    #[test]
    fn every_word_is_read_as_what_it_says() {
        use Completion::{Behind, BehindAndReported, Closed, Completed, NotApplicable, OnSchedule};
        for completion in [NotApplicable, Closed, Completed, Behind, BehindAndReported, OnSchedule] {
            for heading in ["完成情况", "是否完成"] {
                let word = completion.status(None, heading);
                let said = workflow::stated_of_measure(&word).unwrap_or_else(|| panic!("{word}"));
                assert!(completion.is_said_by(said), "{word}");
            }
            let word = completion.rating(None);
            assert!(completion.is_said_by(workflow::stated(&word).unwrap()), "{word}");
        }
        assert_eq!(Completion::of_all([Completed, OnSchedule, NotApplicable].into_iter()), Some(OnSchedule));
        assert_eq!(Completion::of_all([NotApplicable, Closed].into_iter()), Some(Closed));
    }
}
