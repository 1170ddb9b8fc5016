//! The workflow of a complaint case (交办案件): which step leads from which state to which.
//!
//! Source: the description of the domain, 交办 → 办理中 → 阶段性办结 / 已办结 → 验收 → 销号.

use entity::case_pollution::Pollution;
use entity::case_report::CaseStep;
use entity::inspection_case::{CaseState, Channel, Handling};
use planner::Sql;

/// Returns the state to which a step leads, or `None` if the current state does not allow the step.
pub fn next(from: CaseState, step: CaseStep) -> Option<CaseState> {
    use CaseState::{Accepted, Closed, HandedOver, InProgress, PartlyResolved, Resolved};
    Some(match (from, step) {
        // The level above returns a resolved or verified case; a closed case reopens when it relapses.
        (HandedOver, CaseStep::Accept)
        | (InProgress, CaseStep::Report)
        | (Resolved | Accepted, CaseStep::Return)
        | (Closed, CaseStep::Reopen) => InProgress,
        // A partly resolved case takes further reports and stays partly resolved until it is resolved.
        (InProgress, CaseStep::ResolvePartly) | (PartlyResolved, CaseStep::Report) => PartlyResolved,
        (InProgress | PartlyResolved, CaseStep::Resolve) => Resolved,
        (Resolved, CaseStep::Verify) => Accepted,
        (Accepted, CaseStep::Close) => Closed,
        _ => return None,
    })
}

/// Returns the states that allow a step.
pub(crate) fn open_from(step: CaseStep) -> Vec<CaseState> {
    <CaseState as sea_orm::Iterable>::iter().filter(|state| next(*state, step).is_some()).collect()
}

/// The states in which the fields of a case can be corrected.
pub(crate) const EDITABLE: [CaseState; 5] =
    [CaseState::HandedOver, CaseState::InProgress, CaseState::PartlyResolved, CaseState::Resolved, CaseState::Accepted];

/// Returns the Chinese name of a channel, as users see it.
pub(crate) fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Letter => "来信",
        Channel::Call => "来电",
    }
}

/// Returns the Chinese name of a state, as users see it.
pub(crate) fn state_name(state: CaseState) -> &'static str {
    match state {
        CaseState::HandedOver => "交办",
        CaseState::InProgress => "办理中",
        CaseState::PartlyResolved => "阶段性办结",
        CaseState::Resolved => "已办结",
        CaseState::Accepted => "已验收",
        CaseState::Closed => "已销号",
    }
}

/// Returns the Chinese name of a kind of pollution, as users see it.
pub(crate) fn pollution_name(kind: Pollution) -> &'static str {
    match kind {
        Pollution::Water => "水",
        Pollution::Air => "大气",
        Pollution::Soil => "土壤",
        Pollution::Noise => "噪声",
        Pollution::Ecology => "生态",
        Pollution::Waste => "固废",
        Pollution::Radiation => "辐射",
        Pollution::Other => "其他",
    }
}

/// Returns the Chinese name of how soon a case has to be handled, as users see it.
pub(crate) fn handling_name(handling: Handling) -> &'static str {
    match handling {
        Handling::Immediate => "立行立改",
        Handling::LongTerm => "长期整改",
    }
}

/// The SQL condition that the case `{t}` is overdue today: its deadline has passed, and it is not yet reported as
/// resolved. Needs the fact `today`.
pub const OVERDUE: &str =
    "({t}.due_on < {fact:today} AND {t}.state IN ('HANDED_OVER', 'IN_PROGRESS', 'PARTLY_RESOLVED'))";

/// The SQL condition that the case `{t}` is resolved (办结): reported as resolved, verified or closed.
pub const RESOLVED: &str = "{t}.state IN ('RESOLVED', 'ACCEPTED', 'CLOSED')";

/// The SQL condition that the case `{t}` is closed (销号).
pub const CLOSED: &str = "{t}.state = 'CLOSED'";

/// The SQL condition that the complaint of the case `{t}` was found to be true or partly true (属实、部分属实).
pub const SUBSTANTIATED: &str = "{t}.finding IN ('TRUE', 'PARTLY_TRUE')";

/// Returns the SQL condition that the case `alias` is overdue today. Needs the fact `today`.
pub fn overdue(sql: &mut Sql<'_>, alias: &str) -> String {
    let today = sql.fact("today");
    Sql::on(OVERDUE, alias).replace("{fact:today}", &today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::Iterable;

    #[test]
    fn the_straight_way_leads_from_handing_over_to_closing_and_a_relapse_back() {
        let way = [
            CaseStep::Accept,
            CaseStep::Report,
            CaseStep::ResolvePartly,
            CaseStep::Report,
            CaseStep::Resolve,
            CaseStep::Verify,
            CaseStep::Close,
            CaseStep::Reopen,
        ];
        let mut state = CaseState::HandedOver;
        for step in way {
            state = next(state, step).unwrap_or_else(|| panic!("{step:?} from {state:?}"));
        }
        assert_eq!(state, CaseState::InProgress);
    }

    #[test]
    fn nothing_is_closed_unverified_and_a_closed_case_only_relapses() {
        for state in CaseState::iter() {
            assert_eq!(next(state, CaseStep::Close).is_some(), state == CaseState::Accepted, "{state:?}");
            assert_eq!(next(state, CaseStep::Verify).is_some(), state == CaseState::Resolved, "{state:?}");
        }
        let open: Vec<CaseStep> = CaseStep::iter().filter(|step| next(CaseState::Closed, *step).is_some()).collect();
        assert_eq!(open, [CaseStep::Reopen]);
        assert!(CaseStep::iter().all(|step| !open_from(step).is_empty()));
    }
}
