//! The steps of complaint cases, with the reports on them. Rows are only added.

use sea_orm::entity::prelude::*;

use crate::inspection_case::Finding;

/// A step of a case.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "case_report")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Case that the step belongs to.
    pub case_id: i64,
    /// Kind of step.
    pub step: CaseStep,
    /// Text of the report; null for the acceptance of a case.
    pub text: Option<String>,
    /// Whether the complaint was found to be true; null unless the step resolves the case.
    pub finding: Option<Finding>,
    /// Account that took the step.
    pub author_id: Option<i64>,
    /// When the step was taken.
    pub written_at: DateTimeUtc,
}

/// Kind of step of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CaseStep {
    /// The unit accepts the case (签收).
    #[sea_orm(string_value = "ACCEPT")]
    Accept,
    /// The unit reports on its handling (办理情况).
    #[sea_orm(string_value = "REPORT")]
    Report,
    /// The case is partly resolved (阶段性办结).
    #[sea_orm(string_value = "RESOLVE_PARTLY")]
    ResolvePartly,
    /// The case is resolved (办结).
    #[sea_orm(string_value = "RESOLVE")]
    Resolve,
    /// The level above returns the case (退回).
    #[sea_orm(string_value = "RETURN")]
    Return,
    /// The level above verifies the resolution (验收).
    #[sea_orm(string_value = "VERIFY")]
    Verify,
    /// The case is closed (销号).
    #[sea_orm(string_value = "CLOSE")]
    Close,
    /// The case is reopened after a relapse (反弹).
    #[sea_orm(string_value = "REOPEN")]
    Reopen,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
