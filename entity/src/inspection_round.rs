//! Inspection rounds (督察轮次).

use sea_orm::entity::prelude::*;

/// One round of one inspection.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inspection_round")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The name, unique: 第二轮中央生态环境保护督察.
    pub name: String,
    /// Who inspected.
    pub level: RoundLevel,
    /// Why they came.
    pub kind: RoundKind,
    /// When the team moved in, a local date.
    pub entered_on: Option<Date>,
    /// When it fed back its problems, a local date; grace periods start here.
    pub feedback_on: Option<Date>,
    /// Grows with every change.
    pub version: i32,
}

/// Who inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum RoundLevel {
    /// 中央
    #[sea_orm(string_value = "CENTRAL")]
    Central,
    /// 区域督察局
    #[sea_orm(string_value = "REGIONAL_BUREAU")]
    RegionalBureau,
    /// 省、自治区本级
    #[sea_orm(string_value = "PROVINCE")]
    Province,
    /// 市级
    #[sea_orm(string_value = "PREFECTURE")]
    Prefecture,
    /// 县级
    #[sea_orm(string_value = "COUNTY")]
    County,
}

/// Why the inspection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum RoundKind {
    /// 例行督察
    #[sea_orm(string_value = "ROUTINE")]
    Routine,
    /// 回头看
    #[sea_orm(string_value = "LOOK_BACK")]
    LookBack,
    /// 专项督察
    #[sea_orm(string_value = "SPECIAL")]
    Special,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
