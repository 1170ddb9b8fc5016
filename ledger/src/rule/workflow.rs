//! The way of an assignment from order to close-out: which step leads from which state to which, how states roll up to
//! measures and problems, and what the status words of printed ledgers mean.

use entity::assignment::Status;

use crate::rule::pace::Pace;

/// A step of the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A progress report is submitted.
    Report,
    /// The unit says that the measure does not concern it (不涉及).
    ProposeNotApplicable,
    /// The level above confirms that.
    ConfirmNotApplicable,
    /// The level above does not accept that.
    RejectNotApplicable,
    /// Close-out is applied for (提请销号).
    Submit,
    /// The level above has verified it (核查通过).
    Verify,
    /// The level above returns it (退回).
    Return,
    /// It is put up for public notice (公示).
    Publicise,
    /// The closing authority closes it (销号).
    Close,
    /// The same for an ongoing measure: checks go on.
    CloseOngoing,
    /// An objection is upheld (异议成立).
    UpholdObjection,
    /// A relapse is found (反弹).
    Reopen,
    /// The measure is withdrawn (撤销).
    Retire,
    /// It is assigned again after all.
    AssignAgain,
}

/// The state that a step leads to, or none where the step is not open.
pub fn next(from: Status, step: Step) -> Option<Status> {
    use Status::{
        Assigned, Closed, ClosedOngoing, InProgress, NotApplicable, NotApplicableProposed, Publicised, Reopened,
        Returned, Submitted, Verified,
    };
    Some(match (from, step) {
        (Assigned | NotApplicableProposed | Returned | Reopened | InProgress, Step::Report)
        | (Publicised, Step::UpholdObjection) => InProgress,
        (Assigned | InProgress, Step::ProposeNotApplicable) => NotApplicableProposed,
        (NotApplicableProposed, Step::ConfirmNotApplicable)
        | (Assigned | InProgress | NotApplicableProposed | Returned | Reopened, Step::Retire) => NotApplicable,
        (NotApplicableProposed, Step::RejectNotApplicable) | (NotApplicable, Step::AssignAgain) => Assigned,
        (InProgress | Returned, Step::Submit) => Submitted,
        (Submitted, Step::Verify) => Verified,
        (Submitted, Step::Return) => Returned,
        (Verified, Step::Publicise) => Publicised,
        (Publicised, Step::Close) => Closed,
        // Once closed for good, reports on an ongoing measure go on without reopening it.
        (Publicised, Step::CloseOngoing) | (ClosedOngoing, Step::Report) => ClosedOngoing,
        (Closed | ClosedOngoing, Step::Reopen) => Reopened,
        _ => return None,
    })
}

/// The states from which a step is open.
pub fn open_from(step: Step) -> Vec<Status> {
    <Status as sea_orm::Iterable>::iter().filter(|status| next(*status, step).is_some()).collect()
}

/// What people call a state.
pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Assigned => "已交办",
        Status::InProgress => "整改中",
        Status::NotApplicableProposed => "申请不涉及",
        Status::NotApplicable => "不涉及",
        Status::Submitted => "提请销号",
        Status::Verified => "核查通过",
        Status::Returned => "已退回",
        Status::Publicised => "公示中",
        Status::Closed => "已销号",
        Status::ClosedOngoing => "已销号（长期坚持）",
        Status::Reopened => "反弹",
    }
}

/// Whether nothing is left to be done, and nobody is to be reminded.
pub fn is_settled(status: Status) -> bool {
    matches!(status, Status::Closed | Status::ClosedOngoing | Status::NotApplicable)
}

/// Whether the next step is the answering unit's, not an office's.
pub(crate) fn waits_for_unit(status: Status) -> bool {
    matches!(status, Status::Assigned | Status::InProgress | Status::Returned | Status::Reopened)
}

/// How far a state is; the roll-up takes the least.
fn advance(status: Status) -> Option<u8> {
    Some(match status {
        Status::Reopened => 0,
        Status::Assigned => 1,
        Status::NotApplicableProposed => 2,
        Status::Returned => 3,
        Status::InProgress => 4,
        Status::Submitted => 5,
        Status::Verified => 6,
        Status::Publicised => 7,
        Status::ClosedOngoing => 8,
        Status::Closed => 9,
        Status::NotApplicable => return None,
    })
}

/// Whether a state is further than another; what is not applicable comes before all.
pub(crate) fn is_further(one: Status, other: Status) -> bool {
    advance(one) > advance(other)
}

/// The state of a measure from its assignments, or of a problem from its measures: the least advanced, those not
/// applicable left out. None without any.
pub fn roll_up(statuses: impl IntoIterator<Item = Status>) -> Option<Status> {
    let mut any = None;
    let mut least: Option<(u8, Status)> = None;
    for status in statuses {
        any = Some(status);
        if let Some(rank) = advance(status)
            && least.is_none_or(|(least, _)| rank < least)
        {
            least = Some((rank, status));
        }
    }
    least.map(|(_, status)| status).or(any)
}

/// What a ledger states of a problem or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// The workflow state.
    pub status: Status,
    /// Whether it is completed (完成).
    pub completed: bool,
    /// The pace, where the word says one.
    pub pace: Option<Pace>,
}

/// The status words that are understood, for error messages.
pub const WORDS: &str =
    "全面完成、已整改到位、基本完成、序时推进、达到序时进度、取得阶段性成效、阶段性办结、未达序时进度、已办结、不涉及";

/// Reads a cell of status words, such as 全面完成，长期坚持. None when it says none.
pub fn stated(text: &str) -> Option<Stated> {
    let mut found = None;
    for word in text.split(['，', ',', '、', '；', ';', '。']).map(str::trim).filter(|word| !word.is_empty()) {
        if word == "长期坚持" {
            continue;
        }
        found = Some(stated_word(word)?);
    }
    found
}

fn stated_word(word: &str) -> Option<Stated> {
    let in_progress = |completed, pace| Stated { status: Status::InProgress, completed, pace };
    Some(match word {
        "全面完成" | "已整改到位" | "整改到位" | "完成整改" | "已完成整改" | "已完成" | "完成" => {
            in_progress(true, None)
        }
        "基本完成" | "序时推进" | "达到序时进度" | "取得阶段性成效" | "阶段性办结" | "正在推进" => {
            in_progress(false, Some(Pace::OnSchedule))
        }
        "未达序时进度" | "未达到序时进度" | "进度滞后" => in_progress(false, Some(Pace::Behind)),
        "已办结" | "已销号" => Stated { status: Status::Closed, completed: true, pace: None },
        "不涉及" | "不存在" | "不存在该问题" | "不涉及该问题" => {
            Stated { status: Status::NotApplicableProposed, completed: false, pace: None }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sea_orm::Iterable;

    fn any_status() -> impl Strategy<Value = Status> {
        proptest::sample::select(Status::iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_words_of_printed_ledgers_are_understood() {
        assert!(stated("全面完成，长期坚持").unwrap().completed);
        assert!(!stated("基本完成，长期坚持").unwrap().completed);
        assert_eq!(stated("序时推进").unwrap().pace, Some(Pace::OnSchedule));
        assert_eq!(stated("取得阶段性成效").unwrap().status, Status::InProgress);
        assert_eq!(stated("未达序时进度").unwrap().pace, Some(Pace::Behind));
        assert_eq!(stated("已办结").unwrap().status, Status::Closed);
        assert_eq!(stated(" 不涉及。").unwrap().status, Status::NotApplicableProposed);
        assert_eq!(stated("我县不涉及小水电"), None);
        assert_eq!(stated(""), None);
    }

    #[test]
    fn the_straight_way_leads_from_order_to_close_out() {
        let way = [Step::Report, Step::Submit, Step::Verify, Step::Publicise, Step::Close, Step::Reopen, Step::Report];
        let mut status = Status::Assigned;
        for step in way {
            status = next(status, step).unwrap_or_else(|| panic!("{step:?} from {status:?}"));
        }
        assert_eq!(status, Status::InProgress);
    }

    proptest! {
        #[test]
        fn a_roll_up_is_one_of_its_parts_and_does_not_depend_on_their_order(
            mut parts in proptest::collection::vec(any_status(), 1..8)
        ) {
            let rolled = roll_up(parts.iter().copied()).unwrap();
            prop_assert!(parts.contains(&rolled));
            parts.reverse();
            prop_assert_eq!(roll_up(parts.iter().copied()), Some(rolled));
            // A part that is not applicable changes nothing, unless all are.
            parts.push(Status::NotApplicable);
            prop_assert_eq!(roll_up(parts.iter().copied()), Some(rolled));
        }

        #[test]
        fn nothing_is_closed_but_from_public_notice(from in any_status()) {
            let closes = next(from, Step::Close).is_some() || next(from, Step::CloseOngoing).is_some();
            prop_assert_eq!(closes, from == Status::Publicised);
        }
    }
}
