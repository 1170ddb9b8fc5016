//! Checks (自查、核查、抽查) that were made; those due are derived from the plan.

use sea_orm::entity::prelude::*;

/// One check of one assignment for one period.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "check")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What was checked.
    pub assignment_id: i64,
    /// Who checked.
    pub kind: CheckKind,
    /// The period that it covers: 2023Q1, 2023H1, 2023 or 2023-04.
    pub period: String,
    /// The last day of that period, a local date.
    pub due_on: Date,
    /// What came out.
    pub result: CheckResult,
    /// What was found.
    pub findings: Option<String>,
    /// When, a local date.
    pub checked_on: Date,
    /// The unit that checked.
    pub checker_id: Option<i64>,
}

/// Who checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CheckKind {
    /// 自查, by the county
    #[sea_orm(string_value = "SELF_INSPECTION")]
    SelfInspection,
    /// 核查, by the city
    #[sea_orm(string_value = "VERIFICATION")]
    Verification,
    /// 抽查, by the region
    #[sea_orm(string_value = "SPOT_CHECK")]
    SpotCheck,
    /// 督导检查, by the supervising unit
    #[sea_orm(string_value = "SUPERVISION")]
    Supervision,
}

/// What came out of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CheckResult {
    /// 通过
    #[sea_orm(string_value = "PASSED")]
    Passed,
    /// 不通过
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
