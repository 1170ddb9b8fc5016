//! The events of which acts tell at once, by mail and to other systems; and the table of their mails: who has to act
//! next, how long that holds, and who has to know.
//!
//! Source: the reminders of the domain ("next person, at once"). Nobody is told of their own act.
//!
//! What is not here sends no mail at once. Imports, and merges of units and measures, tell nobody: a ledger that comes
//! in may have thousands of rows, and reminders tell what it leaves to do. Reports, evidence and checks, the acceptance
//! of a case and a partial resolution ask nobody to decide. Of what the system proposes, a listing is told by
//! escalation, and a card stands in the list of tasks of the office.

use entity::assignment::Status;
use entity::deadline_change::DeadlineChangeState;
use entity::inspection_case::CaseState;
use entity::supervision_action::SupervisionState;
use planner::Bilingual;
use sea_orm::EnumIter;

use crate::people::policy::Act;
use crate::rule::workflow;

/// An act that others are told of by mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter)]
pub enum Event {
    /// A measure was assigned to the unit (责任分解), for the first time or again.
    Assigned,
    /// The unit accepted an assignment (签收).
    Accepted,
    /// The unit declined an assignment (退回).
    Declined,
    /// The unit proposed that the measure is not applicable (不涉及).
    NotApplicableProposed,
    /// That the measure is not applicable, or that the unit rightly declined, was confirmed.
    NotApplicableConfirmed,
    /// The proposal that the measure is not applicable was rejected.
    NotApplicableRejected,
    /// The unit applied for close-out (提请销号).
    Applied,
    /// The work was verified (核查通过).
    Verified,
    /// The application was returned (退回).
    Returned,
    /// The public notice began (公示).
    Publicised,
    /// An objection was received (异议).
    Objected,
    /// The objection was upheld (异议成立).
    ObjectionUpheld,
    /// The objection was rejected (异议不成立).
    ObjectionRejected,
    /// The assignment was closed (销号).
    Closed,
    /// A relapse was found (反弹).
    Reopened,
    /// The unit requested an extension (延期).
    ExtensionRequested,
    /// The city office endorsed the extension (同意上报).
    ExtensionEndorsed,
    /// The extension was approved (批准).
    ExtensionApproved,
    /// The extension was rejected (不批准).
    ExtensionRejected,
    /// The unit was urged (催办).
    Urged,
    /// The unit was supervised (督办).
    Supervised,
    /// The unit was given a yellow card (黄牌).
    YellowCarded,
    /// The assignment was listed for supervision (挂牌督办).
    Listed,
    /// The unit was given a red card (红牌).
    RedCarded,
    /// The unit was summoned (约谈).
    Summoned,
    /// Supervision was lifted (解除督办).
    SupervisionLifted,
    /// A leader commented on the measure (批示).
    Commented,
    /// A case was handed over (交办).
    CaseHandedOver,
    /// The lead unit resolved the case (办结).
    CaseResolved,
    /// The case was returned (退回).
    CaseReturned,
    /// The case was verified (验收).
    CaseVerified,
    /// The case was closed (销号).
    CaseClosed,
    /// The case relapsed (反弹).
    CaseReopened,
}

/// Who a notice goes to, as seen from the assignment or the case that the act is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// The unit that answers: the responsible unit of an assignment, the lead unit (主办单位) of a case.
    Unit,
    /// The lead unit of the measure (牵头单位).
    Lead,
    /// The supervising unit of the measure (督导单位).
    Supervising,
    /// The units that assist with the case (协办单位).
    Assisting,
    /// The account that submitted what the act decides on.
    Submitter,
    /// Whoever may do this act by the policy: the lead unit if it may, else the nearest rectification office at or
    /// above the region of the assignment or case.
    Next(Act),
}

impl To {
    /// Returns the code by which templates know why an address is told.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unit => "UNIT",
            Self::Lead => "LEAD",
            Self::Supervising => "SUPERVISING",
            Self::Assisting => "ASSISTING",
            Self::Submitter => "SUBMITTER",
            Self::Next(_) => "NEXT",
        }
    }
}

/// How long a notice asks for something that is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Still {
    /// Whatever happens: the notice tells of a fact, and asks for nothing.
    Always,
    /// While the assignment has one of these statuses.
    In(&'static [Status]),
    /// While the assignment is declined and nobody has decided on that.
    Declined,
    /// While the request for an extension is in this state.
    Extension(DeadlineChangeState),
    /// While the objection is not decided.
    Undecided,
    /// While the supervision is in force and the assignment is not settled.
    InForce,
    /// While the case is in one of these states.
    Case(&'static [CaseState]),
}

/// What a notice is about, as it is when the mail is sent. What the notice is not about is empty.
#[derive(Debug, Clone, Default)]
pub struct Now {
    /// The status of the assignment.
    pub status: Option<Status>,
    /// Whether the unit has declined the assignment.
    pub is_declined: bool,
    /// The state of the request for an extension.
    pub extension: Option<DeadlineChangeState>,
    /// Whether the objection is decided.
    pub is_decided: bool,
    /// The state of the supervision.
    pub supervision: Option<SupervisionState>,
    /// The state of the case.
    pub case: Option<CaseState>,
}

impl Still {
    /// Checks whether what the notice asks for is still to be done.
    pub fn holds(self, now: &Now) -> bool {
        match self {
            Self::Always => true,
            Self::In(statuses) => now.status.is_some_and(|status| statuses.contains(&status)),
            Self::Declined => now.status == Some(Status::Assigned) && now.is_declined,
            Self::Extension(state) => now.extension == Some(state),
            Self::Undecided => now.status == Some(Status::Publicised) && !now.is_decided,
            Self::InForce => {
                now.supervision.is_none_or(|state| state == SupervisionState::Issued)
                    && !now.status.is_some_and(workflow::is_settled)
            }
            Self::Case(states) => now.case.is_some_and(|state| states.contains(&state)),
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The kind of mail, which names its template.
    pub kind: &'static str,
    /// Who has to act next; the first must be told.
    pub(crate) asks: &'static [To],
    /// How long `asks` holds. A mail that asks for what is done by then is not sent.
    pub still: Still,
    /// Who has to know. These mails are sent whatever happens after the act.
    pub(crate) tells: &'static [To],
}

impl Event {
    /// Returns the row of the table: the kind of mail, whom it asks to act, while what holds, and whom it tells.
    pub fn rule(self) -> Rule {
        use DeadlineChangeState::{Endorsed, Requested};
        use Status::{Assigned, InProgress, NotApplicableProposed, Reopened, Returned, Submitted, Verified};
        use Still::{Always, Case, Declined, Extension, In, InForce, Undecided};
        use To::{Assisting, Lead, Next, Submitter, Supervising, Unit};
        let row = |kind, asks, still, tells| Rule { kind, asks, still, tells };
        match self {
            Self::Assigned => row("assigned", &[Unit], In(&[Assigned]), &[]),
            Self::Accepted => row("accepted", &[], Always, &[Next(Act::Assign), Lead]),
            Self::Declined => row("declined", &[Next(Act::Assign)], Declined, &[Lead]),
            Self::NotApplicableProposed => {
                row("not-applicable-proposed", &[Next(Act::Verify)], In(&[NotApplicableProposed]), &[])
            }
            Self::NotApplicableConfirmed => row("not-applicable-confirmed", &[], Always, &[Unit, Submitter]),
            Self::NotApplicableRejected => {
                row("not-applicable-rejected", &[Unit, Submitter, Lead], In(&[Assigned, InProgress]), &[])
            }
            Self::Applied => row("applied", &[Next(Act::Verify)], In(&[Submitted]), &[]),
            Self::Verified => row("verified", &[Next(Act::Publicise)], In(&[Verified]), &[Unit, Submitter]),
            Self::Returned => row("returned", &[Unit, Submitter, Lead], In(&[Returned, InProgress]), &[]),
            Self::Publicised => row("publicised", &[], Always, &[Unit, Submitter]),
            Self::Objected => row("objection", &[Unit, Submitter, Lead, Next(Act::DecideObjection)], Undecided, &[]),
            Self::ObjectionUpheld => row("objection-upheld", &[Unit, Submitter, Lead], In(&[InProgress]), &[]),
            Self::ObjectionRejected => row("objection-rejected", &[], Always, &[Unit, Submitter, Lead]),
            Self::Closed => row("closed", &[], Always, &[Unit, Submitter, Lead]),
            Self::Reopened => row("relapse", &[Unit, Submitter, Lead], In(&[Reopened, InProgress]), &[]),
            Self::ExtensionRequested => row("extension-requested", &[Next(Act::Verify)], Extension(Requested), &[]),
            Self::ExtensionEndorsed => {
                row("extension-endorsed", &[Next(Act::ChangeDeadline)], Extension(Endorsed), &[Unit, Submitter])
            }
            Self::ExtensionApproved => row("extension-approved", &[], Always, &[Unit, Submitter]),
            Self::ExtensionRejected => row("extension-rejected", &[], Always, &[Unit, Submitter]),
            Self::Urged => row("urge", &[Unit, Lead], InForce, &[]),
            Self::Supervised => row("supervision", &[Unit, Lead], InForce, &[]),
            Self::YellowCarded => row("yellow-card", &[Unit, Lead], InForce, &[]),
            Self::Listed => row("listing", &[Unit, Lead], InForce, &[]),
            Self::RedCarded => row("red-card", &[Unit, Lead], InForce, &[]),
            Self::Summoned => row("summons", &[Unit, Lead], InForce, &[]),
            Self::SupervisionLifted => row("supervision-lifted", &[], Always, &[Unit, Lead]),
            Self::Commented => row("comment", &[], Always, &[Unit, Lead, Supervising]),
            Self::CaseHandedOver => row("case-handed-over", &[Unit], Case(&[CaseState::HandedOver]), &[Assisting]),
            Self::CaseResolved => row("case-resolved", &[Next(Act::Verify)], Case(&[CaseState::Resolved]), &[]),
            Self::CaseReturned => row("case-returned", &[Unit, Submitter], Case(CASE_UNDER_WAY), &[]),
            Self::CaseVerified => {
                row("case-verified", &[Next(Act::Close)], Case(&[CaseState::Accepted]), &[Unit, Submitter])
            }
            Self::CaseClosed => row("case-closed", &[], Always, &[Unit, Submitter, Assisting]),
            Self::CaseReopened => row("case-relapse", &[Unit, Submitter], Case(CASE_UNDER_WAY), &[]),
        }
    }

    /// Returns the name of the event, as messages to other systems and their forms show it.
    pub fn name(self) -> Bilingual {
        let (zh, en) = match self {
            Self::Assigned => ("任务分解", "Assigned"),
            Self::Accepted => ("签收", "Accepted"),
            Self::Declined => ("退回任务", "Declined"),
            Self::NotApplicableProposed => ("提出不涉及", "Proposed as not applicable"),
            Self::NotApplicableConfirmed => ("确认不涉及", "Confirmed as not applicable"),
            Self::NotApplicableRejected => ("不同意不涉及", "Not applicable was rejected"),
            Self::Applied => ("提请销号", "Close-out applied for"),
            Self::Verified => ("核查通过", "Verified"),
            Self::Returned => ("退回整改", "Returned"),
            Self::Publicised => ("公示", "On public notice"),
            Self::Objected => ("收到异议", "Objection"),
            Self::ObjectionUpheld => ("异议成立", "Objection upheld"),
            Self::ObjectionRejected => ("异议不成立", "Objection rejected"),
            Self::Closed => ("销号", "Closed"),
            Self::Reopened => ("反弹", "Relapse"),
            Self::ExtensionRequested => ("申请延期", "Extension requested"),
            Self::ExtensionEndorsed => ("同意上报延期", "Extension endorsed"),
            Self::ExtensionApproved => ("批准延期", "Extension approved"),
            Self::ExtensionRejected => ("不批准延期", "Extension rejected"),
            Self::Urged => ("催办", "Urged"),
            Self::Supervised => ("督办", "Supervised"),
            Self::Listed => ("挂牌督办", "Listed for supervision"),
            Self::YellowCarded => ("黄牌", "Yellow card"),
            Self::RedCarded => ("红牌", "Red card"),
            Self::Summoned => ("约谈", "Summoned"),
            Self::SupervisionLifted => ("解除督办", "Supervision lifted"),
            Self::Commented => ("批示", "Comment of a leader"),
            Self::CaseHandedOver => ("案件交办", "Case handed over"),
            Self::CaseResolved => ("案件办结", "Case resolved"),
            Self::CaseReturned => ("案件退回", "Case returned"),
            Self::CaseVerified => ("案件验收", "Case verified"),
            Self::CaseClosed => ("案件销号", "Case closed"),
            Self::CaseReopened => ("案件反弹", "Case relapsed"),
        };
        Bilingual::new(zh, en)
    }

    /// Returns the event whose notices are of this kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        <Self as sea_orm::Iterable>::iter().find(|event| event.rule().kind == kind)
    }
}

/// The states in which the lead unit still works on a case.
const CASE_UNDER_WAY: &[CaseState] = &[CaseState::InProgress, CaseState::PartlyResolved];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sea_orm::Iterable;

    use super::*;

    #[test]
    fn each_event_has_its_own_kind_of_mail_and_somebody_to_tell() {
        let kinds: HashSet<&str> = Event::iter().map(|event| event.rule().kind).collect();
        assert_eq!(kinds.len(), Event::iter().count());
        for event in Event::iter() {
            let Rule { asks, tells, still, .. } = event.rule();
            assert!(!asks.is_empty() || !tells.is_empty(), "{event:?}");
            assert_eq!(asks.is_empty(), still == Still::Always, "what asks for something ends: {event:?}");
            assert!(tells.iter().all(|to| !asks.contains(to)), "{event:?}");
        }
    }

    #[test]
    fn nobody_is_asked_to_act_on_what_is_settled() {
        for status in [Status::Closed, Status::ClosedOngoing, Status::NotApplicable] {
            let now = Now { status: Some(status), case: Some(CaseState::Closed), ..Now::default() };
            for event in Event::iter().filter(|event| !event.rule().asks.is_empty()) {
                assert!(!event.rule().still.holds(&now), "{event:?} of {status:?}");
            }
        }
    }
}
