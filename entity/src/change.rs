//! What changed in the ledger, in the order of its numbers.

use sea_orm::entity::prelude::*;

/// One change.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "change")]
pub struct Model {
    /// The key; numbers are handed out in order and may become visible out of it.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What happened.
    pub kind: ChangeKind,
    /// When.
    pub at: DateTimeUtc,
    /// The problem that it happened to, or below which; none for what happened to a case, or is no more.
    pub problem_id: Option<i64>,
    /// The measure, where it was one.
    pub measure_id: Option<i64>,
    /// The assignment, where it was one.
    pub assignment_id: Option<i64>,
    /// The case, where it was one.
    pub case_id: Option<i64>,
    /// The global id of what is no more, in a row for each region that could see it.
    pub removed: Option<String>,
    /// The region that such a row is for.
    pub region_id: Option<i64>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum ChangeKind {
    /// An imported ledger wrote the problem or something below it
    #[sea_orm(string_value = "IMPORTED")]
    Imported,
    /// Progress was reported on the assignment
    #[sea_orm(string_value = "PROGRESS_REPORTED")]
    ProgressReported,
    /// 责任分解: it was assigned
    #[sea_orm(string_value = "ASSIGNED")]
    Assigned,
    /// 签收: the body took it on
    #[sea_orm(string_value = "ACCEPTED")]
    Accepted,
    /// 退回: the body said that it is not the one to answer
    #[sea_orm(string_value = "DECLINED")]
    Declined,
    /// 不涉及 was proposed
    #[sea_orm(string_value = "NOT_APPLICABLE_PROPOSED")]
    NotApplicableProposed,
    /// 不涉及 was confirmed
    #[sea_orm(string_value = "NOT_APPLICABLE_CONFIRMED")]
    NotApplicableConfirmed,
    /// 不涉及 was not accepted
    #[sea_orm(string_value = "NOT_APPLICABLE_REJECTED")]
    NotApplicableRejected,
    /// 提请销号
    #[sea_orm(string_value = "CLOSE_OUT_APPLIED")]
    CloseOutApplied,
    /// 核查通过
    #[sea_orm(string_value = "VERIFIED")]
    Verified,
    /// 退回整改
    #[sea_orm(string_value = "RETURNED")]
    Returned,
    /// 公示
    #[sea_orm(string_value = "PUBLICISED")]
    Publicised,
    /// An objection was raised
    #[sea_orm(string_value = "OBJECTED")]
    Objected,
    /// An objection was decided
    #[sea_orm(string_value = "OBJECTION_DECIDED")]
    ObjectionDecided,
    /// 销号
    #[sea_orm(string_value = "CLOSED")]
    Closed,
    /// 反弹
    #[sea_orm(string_value = "REOPENED")]
    Reopened,
    /// 自查、核查、抽查
    #[sea_orm(string_value = "CHECKED")]
    Checked,
    /// Evidence was uploaded
    #[sea_orm(string_value = "EVIDENCE_ADDED")]
    EvidenceAdded,
    /// An extension was asked for
    #[sea_orm(string_value = "EXTENSION_REQUESTED")]
    ExtensionRequested,
    /// An extension was supported, approved or refused
    #[sea_orm(string_value = "EXTENSION_DECIDED")]
    ExtensionDecided,
    /// 催办、督办、挂牌、约谈
    #[sea_orm(string_value = "SUPERVISED")]
    Supervised,
    /// Supervision was lifted
    #[sea_orm(string_value = "SUPERVISION_LIFTED")]
    SupervisionLifted,
    /// 挂牌督办 was proposed by the system
    #[sea_orm(string_value = "SUPERVISION_PROPOSED")]
    SupervisionProposed,
    /// A proposal was not taken up
    #[sea_orm(string_value = "SUPERVISION_DISMISSED")]
    SupervisionDismissed,
    /// 批示、意见
    #[sea_orm(string_value = "COMMENTED")]
    Commented,
    /// A close-out notice was made public
    #[sea_orm(string_value = "DISCLOSED")]
    Disclosed,
    /// The ledger itself was written or corrected
    #[sea_orm(string_value = "EDITED")]
    Edited,
    /// 交办: a case was handed over
    #[sea_orm(string_value = "HANDED_OVER")]
    HandedOver,
    /// 办结: a case was resolved, wholly or for the time being
    #[sea_orm(string_value = "RESOLVED")]
    Resolved,
    /// 责任追究 was recorded, corrected or withdrawn
    #[sea_orm(string_value = "HELD_TO_ACCOUNT")]
    HeldToAccount,
    /// Something was deleted, or merged into another
    #[sea_orm(string_value = "REMOVED")]
    Removed,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
