//! Checks (自查、核查、抽查) that were made. Which checks are due is derived from the check plan.

use sea_orm::entity::prelude::*;

/// A check of an assignment for a period.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "check")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Assignment that was checked.
    pub assignment_id: i64,
    /// Kind of check.
    pub kind: CheckKind,
    /// Period that it covers: `2023Q1`, `2023H1`, `2023` or `2023-04`.
    pub period: String,
    /// Last local date of the period.
    pub due_on: Date,
    /// Result of the check.
    pub result: CheckResult,
    /// Findings; null if there are none.
    pub findings: Option<String>,
    /// Local date of the check.
    pub checked_on: Date,
    /// Unit that checked.
    pub checker_id: Option<i64>,
}

/// Kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CheckKind {
    /// Self-inspection by the county (自查).
    #[sea_orm(string_value = "SELF_INSPECTION")]
    SelfInspection,
    /// Verification by the city (核查).
    #[sea_orm(string_value = "VERIFICATION")]
    Verification,
    /// Spot check by the region (抽查).
    #[sea_orm(string_value = "SPOT_CHECK")]
    SpotCheck,
    /// Check by the supervising unit (督导检查).
    #[sea_orm(string_value = "SUPERVISION")]
    Supervision,
}

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CheckResult {
    /// Passed (通过).
    #[sea_orm(string_value = "PASSED")]
    Passed,
    /// Failed (不通过).
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
