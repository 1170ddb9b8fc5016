//! What was done about cases and reported on them, step by step. Rows are added and never changed.

use sea_orm::entity::prelude::*;

use crate::inspection_case::Finding;

/// One step of one case.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "case_report")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The case.
    pub case_id: i64,
    /// What was done.
    pub step: CaseStep,
    /// In what words; none where taking it on says all.
    pub text: Option<String>,
    /// What was found of the complaint, where it was resolved.
    pub finding: Option<Finding>,
    /// Who did it.
    pub author_id: Option<i64>,
    /// When.
    pub written_at: DateTimeUtc,
}

/// A step of the way of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CaseStep {
    /// 签收
    #[sea_orm(string_value = "ACCEPT")]
    Accept,
    /// 办理情况 was reported
    #[sea_orm(string_value = "REPORT")]
    Report,
    /// 阶段性办结
    #[sea_orm(string_value = "RESOLVE_PARTLY")]
    ResolvePartly,
    /// 办结
    #[sea_orm(string_value = "RESOLVE")]
    Resolve,
    /// 退回
    #[sea_orm(string_value = "RETURN")]
    Return,
    /// 验收
    #[sea_orm(string_value = "VERIFY")]
    Verify,
    /// 销号
    #[sea_orm(string_value = "CLOSE")]
    Close,
    /// 反弹
    #[sea_orm(string_value = "REOPEN")]
    Reopen,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
