//! What changed in the ledger: the kinds of changes, and one change with what it happened to.

use async_graphql::{Enum, ID};
use planner::{Kind, Noun, SortKey, SortType, noun};

use crate::noun::assignment::Assignment;
use crate::noun::case::InspectionCase;
use crate::noun::measure::Measure;
use crate::noun::problem::Problem;
use crate::part::scalar::Moment;

/// What happened to a problem, a measure, an assignment or a case.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::record::change::ChangeKind")]
pub(crate) enum ChangeKind {
    /// An imported ledger wrote the problem, or something below it.
    Imported,
    /// Progress was reported on the assignment.
    ProgressReported,
    /// 责任分解: it was assigned.
    Assigned,
    /// 签收: the body took it on.
    Accepted,
    /// 退回: the body said that it is not the one to answer.
    Declined,
    /// 不涉及 was proposed.
    NotApplicableProposed,
    /// 不涉及 was confirmed.
    NotApplicableConfirmed,
    /// 不涉及 was not accepted.
    NotApplicableRejected,
    /// 提请销号.
    CloseOutApplied,
    /// 核查通过.
    Verified,
    /// 退回整改.
    Returned,
    /// 公示.
    Publicised,
    /// An objection was raised.
    Objected,
    /// An objection was decided.
    ObjectionDecided,
    /// 销号.
    Closed,
    /// 反弹.
    Reopened,
    /// 自查、核查、抽查.
    Checked,
    /// Evidence was uploaded.
    EvidenceAdded,
    /// An extension was asked for.
    ExtensionRequested,
    /// An extension was supported, approved or refused.
    ExtensionDecided,
    /// 催办、督办、挂牌、约谈.
    Supervised,
    /// Supervision was lifted.
    SupervisionLifted,
    /// 挂牌督办 was proposed by the system.
    SupervisionProposed,
    /// A proposal was not taken up.
    SupervisionDismissed,
    /// 批示、意见.
    Commented,
    /// A close-out notice was made public.
    Disclosed,
    /// The ledger itself was written or corrected.
    Edited,
    /// 交办: a case was handed over.
    HandedOver,
    /// 办结: a case was resolved, wholly or for the time being.
    Resolved,
    /// 责任追究 was recorded, corrected or withdrawn.
    HeldToAccount,
    /// A problem or a measure was deleted, or merged into another: `removedId` says which. Told to those who see by a region.
    Removed,
}

noun! {
    /// A change of the ledger.
    pub(crate) LedgerChange from "change" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None
    }
    /// What happened.
    kind: ChangeKind = Kind::Column("kind");
    /// When.
    at: Moment = Kind::Column("at");
    /// The problem that it happened to, or below which; null where it happened to a case, or the problem is no more.
    problem: Option<Problem> = Kind::One(<Problem as Noun>::table, "problem_id");
    /// The measure, where it happened to one.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// The assignment, where it happened to one.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
    /// The case, where it happened to one.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// The global id of what is no more, with everything below it.
    removedId: Option<ID> = Kind::Column("removed");
}
