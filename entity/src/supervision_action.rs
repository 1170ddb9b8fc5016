//! Supervision (催办、督办、挂牌、约谈).

use sea_orm::entity::prelude::*;

/// One act of supervision.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "supervision_action")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What it is about.
    pub measure_id: i64,
    /// Whose answer it is about, if of one only.
    pub assignment_id: Option<i64>,
    /// How severe.
    pub kind: SupervisionKind,
    /// Whether it is in force.
    pub state: SupervisionState,
    /// Who issued it; none where the system proposed it.
    pub issuer_id: Option<i64>,
    /// The unit that it is addressed to.
    pub recipient_id: Option<i64>,
    /// Why.
    pub reason: String,
    /// By when an answer is due, a local date.
    pub answer_by: Option<Date>,
    /// When.
    pub issued_at: DateTimeUtc,
    /// Who lifted or dismissed it.
    pub lifter_id: Option<i64>,
    /// When.
    pub lifted_at: Option<DateTimeUtc>,
    /// Why.
    pub lift_reason: Option<String>,
}

/// How severe an act of supervision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum SupervisionKind {
    /// 催办
    #[sea_orm(string_value = "URGE")]
    Urge,
    /// 督办
    #[sea_orm(string_value = "SUPERVISE")]
    Supervise,
    /// 挂牌督办
    #[sea_orm(string_value = "LIST")]
    List,
    /// 约谈
    #[sea_orm(string_value = "SUMMON")]
    Summon,
}

/// Whether an act of supervision is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum SupervisionState {
    /// Proposed by the system, for a person to decide
    #[sea_orm(string_value = "PROPOSED")]
    Proposed,
    /// In force
    #[sea_orm(string_value = "ISSUED")]
    Issued,
    /// 解除
    #[sea_orm(string_value = "LIFTED")]
    Lifted,
    /// Proposed and not taken up
    #[sea_orm(string_value = "DISMISSED")]
    Dismissed,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
