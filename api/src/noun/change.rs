//! Changes of the ledger as subscribers receive them: the kind of a change and the objects that it concerns.

use async_graphql::{Enum, ID};
use planner::{Kind, Noun, SortKey, SortType, noun};

use crate::noun::assignment::Assignment;
use crate::noun::case::InspectionCase;
use crate::noun::measure::Measure;
use crate::noun::problem::Problem;
use crate::part::scalar::Moment;

/// Kind of a change to a problem, a measure, an assignment or a complaint case.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::record::change::ChangeKind")]
pub(crate) enum ChangeKind {
    /// 台账导入 · An imported ledger wrote the problem, or something below it.
    Imported,
    /// 填报进展 · Progress was reported on the assignment or the case.
    ProgressReported,
    /// 责任分解 · The measure was assigned to a unit.
    Assigned,
    /// 签收 · The unit took the assignment or the case on.
    Accepted,
    /// 退回任务 · The unit declined the assignment as not its responsibility.
    Declined,
    /// 申请不涉及 · The unit proposed that the measure does not concern it.
    NotApplicableProposed,
    /// 认定不涉及 · The level above confirmed that the measure does not concern the unit.
    NotApplicableConfirmed,
    /// 不涉及未获认定 · The level above rejected the proposal that the measure does not concern the unit.
    NotApplicableRejected,
    /// 提请销号 · The unit applied for close-out of the assignment.
    CloseOutApplied,
    /// 核查通过 · The level above verified the assignment or the case.
    Verified,
    /// 退回整改 · The level above returned the assignment or the case for further work.
    Returned,
    /// 公示 · The public notice of the close-out was published.
    Publicised,
    /// 收到异议 · An objection to the public notice was recorded.
    Objected,
    /// 异议处理 · An objection to the public notice was decided.
    ObjectionDecided,
    /// 销号 · The assignment or the case was closed.
    Closed,
    /// 反弹 · The assignment or the case relapsed and was reopened.
    Reopened,
    /// 检查 · A check of the assignment was recorded (自查、核查、抽查、督导检查).
    Checked,
    /// 上传佐证 · Evidence was uploaded for the assignment.
    EvidenceAdded,
    /// 申请延期 · An extension of the deadline was requested.
    ExtensionRequested,
    /// 延期审批 · An extension of the deadline was supported, approved or refused.
    ExtensionDecided,
    /// 督办 · Supervision was issued (催办、督办、挂牌、约谈).
    Supervised,
    /// 解除督办 · Supervision was lifted.
    SupervisionLifted,
    /// 建议挂牌 · The system proposed listing for supervision (挂牌督办).
    SupervisionProposed,
    /// 不予挂牌 · A proposal of the system for listing was dismissed.
    SupervisionDismissed,
    /// 批示意见 · A leader, office or unit commented on the measure (批示、意见).
    Commented,
    /// 对外公开 · The notice of a close-out was made public on the internet, or is no longer public.
    Disclosed,
    /// 台账修订 · The ledger itself was written or corrected.
    Edited,
    /// 案件交办 · A complaint case was handed over.
    HandedOver,
    /// 案件办结 · A complaint case was resolved, fully or for the time being.
    Resolved,
    /// 责任追究 · An accountability record was made, corrected or withdrawn.
    HeldToAccount,
    /// 删除或合并 · A problem or a measure was deleted, or merged into another; `removedId` names it. Only accounts
    /// that see a region and everything below it receive this change.
    Removed,
}

noun! {
    /// One change of the ledger, with the objects that it concerns.
    pub(crate) LedgerChange from "change" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None
    }
    /// Kind of change that was made.
    kind: ChangeKind = Kind::Column("kind");
    /// When the change was made.
    at: Moment = Kind::Column("at");
    /// Problem that was changed, or that the changed object belongs to; null for a change to a complaint case, and if
    /// the problem no longer exists.
    problem: Option<Problem> = Kind::One(<Problem as Noun>::table, "problem_id");
    /// Measure that was changed, or that the changed assignment belongs to; null if the change concerns no single
    /// measure.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Assignment that was changed; null if the change concerns no single assignment.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
    /// Complaint case that was changed; null for a change to anything else.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// Global id of the problem or measure that was removed with everything below it; null unless `kind` is `REMOVED`.
    /// It is an id, not an object, because the object no longer exists.
    removedId: Option<ID> = Kind::Column("removed");
}
