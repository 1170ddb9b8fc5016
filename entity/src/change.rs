//! The change feed: what changed in the ledger, in ascending order of ids.

use sea_orm::entity::prelude::*;

/// A change.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "change")]
pub struct Model {
    /// Primary key. Ids are assigned in order, but concurrent transactions can make them visible out of order.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Kind of the change.
    pub kind: ChangeKind,
    /// When it happened.
    pub at: DateTimeUtc,
    /// Problem that changed, or that contains what changed; null for changes of cases and for removals.
    pub problem_id: Option<i64>,
    /// Measure that changed, or that contains what changed; null if neither.
    pub measure_id: Option<i64>,
    /// Assignment that changed; null if it was none.
    pub assignment_id: Option<i64>,
    /// Complaint case (交办案件) that changed; null if it was none.
    pub case_id: Option<i64>,
    /// For removals, the global id of the removed object. There is one row per region that could see it.
    pub removed: Option<String>,
    /// For removals, the region that the row is for.
    pub region_id: Option<i64>,
}

/// Kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum ChangeKind {
    /// An import wrote the problem or something below it.
    #[sea_orm(string_value = "IMPORTED")]
    Imported,
    /// Progress was reported on the assignment.
    #[sea_orm(string_value = "PROGRESS_REPORTED")]
    ProgressReported,
    /// The measure was assigned (责任分解).
    #[sea_orm(string_value = "ASSIGNED")]
    Assigned,
    /// The unit accepted the assignment (签收).
    #[sea_orm(string_value = "ACCEPTED")]
    Accepted,
    /// The unit declined the assignment as not its own (退回).
    #[sea_orm(string_value = "DECLINED")]
    Declined,
    /// The unit proposed that the measure does not apply to it (不涉及).
    #[sea_orm(string_value = "NOT_APPLICABLE_PROPOSED")]
    NotApplicableProposed,
    /// The level above confirmed that the measure does not apply (不涉及).
    #[sea_orm(string_value = "NOT_APPLICABLE_CONFIRMED")]
    NotApplicableConfirmed,
    /// The level above rejected that the measure does not apply (不涉及).
    #[sea_orm(string_value = "NOT_APPLICABLE_REJECTED")]
    NotApplicableRejected,
    /// Close-out was applied for (提请销号).
    #[sea_orm(string_value = "CLOSE_OUT_APPLIED")]
    CloseOutApplied,
    /// The application for close-out was verified (核查通过).
    #[sea_orm(string_value = "VERIFIED")]
    Verified,
    /// The application for close-out was returned (退回整改).
    #[sea_orm(string_value = "RETURNED")]
    Returned,
    /// The public notice was published (公示).
    #[sea_orm(string_value = "PUBLICISED")]
    Publicised,
    /// An objection was raised (异议).
    #[sea_orm(string_value = "OBJECTED")]
    Objected,
    /// An objection was decided.
    #[sea_orm(string_value = "OBJECTION_DECIDED")]
    ObjectionDecided,
    /// The assignment was closed (销号).
    #[sea_orm(string_value = "CLOSED")]
    Closed,
    /// The assignment or case was reopened after a relapse (反弹).
    #[sea_orm(string_value = "REOPENED")]
    Reopened,
    /// A check was recorded (自查、核查、抽查).
    #[sea_orm(string_value = "CHECKED")]
    Checked,
    /// Evidence was uploaded.
    #[sea_orm(string_value = "EVIDENCE_ADDED")]
    EvidenceAdded,
    /// An extension was requested (延期).
    #[sea_orm(string_value = "EXTENSION_REQUESTED")]
    ExtensionRequested,
    /// An extension was endorsed, approved or rejected.
    #[sea_orm(string_value = "EXTENSION_DECIDED")]
    ExtensionDecided,
    /// An act of supervision was issued (催办、督办、挂牌、约谈).
    #[sea_orm(string_value = "SUPERVISED")]
    Supervised,
    /// An act of supervision was lifted.
    #[sea_orm(string_value = "SUPERVISION_LIFTED")]
    SupervisionLifted,
    /// The system proposed listing (挂牌督办).
    #[sea_orm(string_value = "SUPERVISION_PROPOSED")]
    SupervisionProposed,
    /// A proposal of listing was dismissed.
    #[sea_orm(string_value = "SUPERVISION_DISMISSED")]
    SupervisionDismissed,
    /// A comment was written (批示、意见).
    #[sea_orm(string_value = "COMMENTED")]
    Commented,
    /// A close-out notice was made public.
    #[sea_orm(string_value = "DISCLOSED")]
    Disclosed,
    /// The ledger itself was written or corrected by hand.
    #[sea_orm(string_value = "EDITED")]
    Edited,
    /// A case was handed over (交办).
    #[sea_orm(string_value = "HANDED_OVER")]
    HandedOver,
    /// A case was resolved, fully or in part (办结、阶段性办结).
    #[sea_orm(string_value = "RESOLVED")]
    Resolved,
    /// An accountability record (责任追究) was created, corrected or withdrawn.
    #[sea_orm(string_value = "HELD_TO_ACCOUNT")]
    HeldToAccount,
    /// An object was deleted, or merged into another.
    #[sea_orm(string_value = "REMOVED")]
    Removed,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
