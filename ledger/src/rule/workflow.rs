//! The workflow of an assignment (责任分解), from its issue to its close-out (销号): which step leads from which status
//! to which, how statuses roll up to measures and problems, and what the status words of printed ledgers mean.

use entity::assignment::{StatedPace, Status};
use sea_orm::{ActiveEnum, Iterable};

/// A step of the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The unit submits a progress report.
    Report,
    /// The unit proposes that the measure does not apply to it (不涉及).
    ProposeNotApplicable,
    /// The level above confirms that the measure does not apply.
    ConfirmNotApplicable,
    /// The level above rejects the proposal, so the measure applies.
    RejectNotApplicable,
    /// The unit applies for close-out (提请销号).
    Submit,
    /// The level above verifies the work (核查通过).
    Verify,
    /// The level above returns the application (退回).
    Return,
    /// The public notice begins (公示).
    Publicise,
    /// The closing authority closes the assignment (销号).
    Close,
    /// The closing authority closes an assignment to an ongoing measure (长期坚持); its checks continue.
    CloseOngoing,
    /// An objection is upheld (异议成立).
    UpholdObjection,
    /// A relapse is found (反弹).
    Reopen,
    /// The measure is withdrawn (撤销).
    Retire,
    /// The measure is assigned to the unit again after it was withdrawn or confirmed not to apply.
    AssignAgain,
}

/// Returns the status to which a step leads, or `None` if the current status does not allow the step.
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
        // Reports on a closed ongoing measure continue and do not reopen it.
        (Publicised, Step::CloseOngoing) | (ClosedOngoing, Step::Report) => ClosedOngoing,
        (Closed | ClosedOngoing, Step::Reopen) => Reopened,
        _ => return None,
    })
}

/// Returns the statuses that allow a step.
pub(crate) fn open_from(step: Step) -> Vec<Status> {
    <Status as sea_orm::Iterable>::iter().filter(|status| next(*status, step).is_some()).collect()
}

/// Returns the Chinese name of a status, as users see it.
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

/// Returns the words of ledgers for a stated pace.
pub fn pace_name(pace: StatedPace) -> &'static str {
    match pace {
        StatedPace::Behind => "未达序时进度",
        StatedPace::BehindAndReported => "未达序时进度（已报备）",
        StatedPace::OnSchedule => "达到序时进度",
        StatedPace::Done => "已整改到位",
    }
}

/// Checks whether nothing is left to do, so that no one is reminded: closed or not applicable.
pub fn is_settled(status: Status) -> bool {
    matches!(status, Status::Closed | Status::ClosedOngoing | Status::NotApplicable)
}

/// Checks whether the work is done, so that its deadline no longer moves: completed, verified, on public notice, closed
/// or not applicable.
pub(crate) fn is_done(status: Status, is_completed: bool) -> bool {
    is_completed || is_settled(status) || matches!(status, Status::Verified | Status::Publicised)
}

/// Checks whether the next step is up to the answering unit, not to an office.
pub(crate) fn waits_for_unit(status: Status) -> bool {
    matches!(status, Status::Assigned | Status::InProgress | Status::Returned | Status::Reopened)
}

/// The SQL expression of how far the status of the row `{t}` has advanced, as a whole number, for lists ordered by
/// status. The order is that of the roll-up; the two statuses of 不涉及 come last.
pub const RANK: &str = "CASE {t}.status WHEN 'REOPENED' THEN 0 WHEN 'ASSIGNED' THEN 1 WHEN 'RETURNED' THEN 2 \
    WHEN 'IN_PROGRESS' THEN 3 WHEN 'SUBMITTED' THEN 4 WHEN 'VERIFIED' THEN 5 WHEN 'PUBLICISED' THEN 6 \
    WHEN 'CLOSED_ONGOING' THEN 7 WHEN 'CLOSED' THEN 8 WHEN 'NOT_APPLICABLE_PROPOSED' THEN 9 ELSE 10 END";

/// Returns how far a status has advanced, for the roll-up, or `None` if not applicable.
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

/// Checks whether a status is more advanced than another. Not applicable counts as the least advanced.
pub fn is_further(one: Status, other: Status) -> bool {
    advance(one) > advance(other)
}

/// Returns the status of a measure from those of its assignments, or of a problem from those of its measures: the least
/// advanced one. Not applicable ones are ignored unless all are. Returns `None` if there are no statuses.
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

/// Returns the SQL of the roll-up of a group of rows, whose statuses are given by the expression `status`. It follows
/// the rule of [`roll_up`].
pub(crate) fn rolled_up_sql(status: &str) -> String {
    let ranked = |status: Status| advance(status).map(|rank| (rank, status.to_value()));
    let ranks: Vec<(u8, String)> = Status::iter().filter_map(ranked).collect();
    let rank: Vec<String> = ranks.iter().map(|(rank, code)| format!("WHEN '{code}' THEN {rank}")).collect();
    let code: Vec<String> = ranks.iter().map(|(rank, code)| format!("WHEN {rank} THEN '{code}'")).collect();
    // Only statuses that are not applicable have no rank.
    format!("CASE min(CASE {status} {} END) {} ELSE 'NOT_APPLICABLE' END", rank.join(" "), code.join(" "))
}

/// What the status words of a printed ledger state about a problem or an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// The workflow status.
    pub status: Status,
    /// Whether it is completed (完成).
    pub completed: bool,
    /// The pace, or `None` if the words state none. It is never [`StatedPace::Done`]: `completed` says so.
    pub pace: Option<StatedPace>,
}

/// Status words that are understood, as listed in error messages.
pub const WORDS: &str = "全面完成、已整改到位、基本完成、序时推进、达到序时进度、取得阶段性成效、阶段性办结、\
    未达序时进度、未达序时进度（已报备）、已办结、不涉及";

/// Reads a cell of status words, such as 全面完成，长期坚持. Returns `None` if it states no status or has an unknown
/// word, and if 已报备 is added to words that do not say that it is behind schedule.
pub fn stated(text: &str) -> Option<Stated> {
    let mut found = None;
    let mut is_reported = false;
    for word in text.split(['，', ',', '、', '；', ';', '。']).map(str::trim).filter(|word| !word.is_empty()) {
        if word == "长期坚持" {
            continue;
        }
        let rest = reported(word);
        is_reported |= rest.is_some();
        if let Some(word) = rest.or(Some(word)).filter(|word| !word.is_empty()) {
            found = Some(stated_word(word)?);
        }
    }
    match found {
        _ if !is_reported => found,
        None | Some(Stated { pace: Some(StatedPace::Behind), .. }) => {
            Some(Stated { status: Status::InProgress, completed: false, pace: Some(StatedPace::BehindAndReported) })
        }
        Some(_) => None,
    }
}

/// Returns the words to which a ledger adds that this was reported (已报备), or `None` if it does not add it.
pub fn reported(text: &str) -> Option<&str> {
    let rest = ["（已报备）", "(已报备)", "已报备"].iter().find_map(|reported| text.strip_suffix(reported))?;
    Some(rest.trim_end_matches(['，', ',', '、', ' ']))
}

/// Reads a cell that says how far a measure is (完成情况, 是否完成). In addition to the words of [`stated`], it may say
/// 是 or 否, or that the measure is ongoing (长期坚持). Returns `None` if a word is unknown.
pub fn stated_of_measure(text: &str) -> Option<Stated> {
    let in_progress = |completed| Stated { status: Status::InProgress, completed, pace: None };
    match text.trim().trim_end_matches('。') {
        "是" | "已整改" | "整改完成" | "已完成销号" => Some(in_progress(true)),
        "否" | "未完成" | "推进中" | "正在整改" | "整改中" | "未完成整改" | "尚未完成" | "长期坚持" | "持续推进"
        | "长期推进" | "常态化推进" | "持续整改" | "立行立改" => Some(in_progress(false)),
        "未启动" | "尚未启动" | "未开展" => {
            Some(Stated { status: Status::Assigned, completed: false, pace: None })
        }
        text => stated(text),
    }
}

/// Returns what one status word states, or `None` if it is unknown.
fn stated_word(word: &str) -> Option<Stated> {
    let in_progress = |completed, pace| Stated { status: Status::InProgress, completed, pace };
    Some(match word {
        "全面完成" | "已整改到位" | "整改到位" | "完成整改" | "已完成整改" | "已完成" | "完成" => {
            in_progress(true, None)
        }
        "基本完成" | "序时推进" | "达到序时进度" | "取得阶段性成效" | "阶段性办结" | "正在推进" => {
            in_progress(false, Some(StatedPace::OnSchedule))
        }
        "未达序时进度" | "未达到序时进度" | "进度滞后" => in_progress(false, Some(StatedPace::Behind)),
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

    #[test]
    fn lists_are_ordered_as_statuses_advance() {
        let mut order: Vec<Status> = Status::iter().filter(|status| *status != Status::NotApplicableProposed).collect();
        order.sort_by_key(|status| advance(*status).unwrap_or(u8::MAX));
        let last = order.len() - 1;
        order.insert(last, Status::NotApplicableProposed);
        for (rank, status) in order.iter().enumerate() {
            let arm = format!("WHEN '{}' THEN {rank} ", status.to_value());
            assert!(RANK.contains(&arm) || RANK.ends_with(&format!("ELSE {rank} END")), "{status:?}");
        }
    }

    fn any_status() -> impl Strategy<Value = Status> {
        proptest::sample::select(Status::iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_words_of_printed_ledgers_are_understood() {
        assert!(stated("全面完成，长期坚持").unwrap().completed);
        assert!(!stated("基本完成，长期坚持").unwrap().completed);
        assert_eq!(stated("序时推进").unwrap().pace, Some(StatedPace::OnSchedule));
        assert_eq!(stated("取得阶段性成效").unwrap().status, Status::InProgress);
        assert_eq!(stated("未达序时进度").unwrap().pace, Some(StatedPace::Behind));
        for reported in ["未达序时进度（已报备）", "未达到序时进度，已报备", "已报备，未达序时进度", "已报备"]
        {
            assert_eq!(stated(reported).unwrap().pace, Some(StatedPace::BehindAndReported), "{reported}");
        }
        assert_eq!(stated("达到序时进度，已报备"), None);
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
