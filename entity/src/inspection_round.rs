//! Inspection rounds (督察轮次).

use sea_orm::entity::prelude::*;

/// An inspection round.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inspection_round")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Unique name, such as 第二轮中央生态环境保护督察.
    pub name: String,
    /// Level of the inspecting authority.
    pub level: RoundLevel,
    /// Kind of inspection.
    pub kind: RoundKind,
    /// Local date on which the inspection team arrived; null if unknown.
    pub entered_on: Option<Date>,
    /// Local date on which the team fed back the problems; null if unknown. Grace periods start on it.
    pub feedback_on: Option<Date>,
    /// Earlier round at which this one looks back; null if unknown, and for all kinds but a look-back.
    pub looks_back_at_id: Option<i64>,
    /// Version number, incremented with every change.
    pub version: i32,
}

/// Level of the inspecting authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum RoundLevel {
    /// Central inspection (中央).
    #[sea_orm(string_value = "CENTRAL")]
    Central,
    /// Regional inspection bureau (区域督察局).
    #[sea_orm(string_value = "REGIONAL_BUREAU")]
    RegionalBureau,
    /// Province or autonomous region (省、自治区本级).
    #[sea_orm(string_value = "PROVINCE")]
    Province,
    /// Prefecture (市级).
    #[sea_orm(string_value = "PREFECTURE")]
    Prefecture,
    /// County (县级).
    #[sea_orm(string_value = "COUNTY")]
    County,
}

/// Kind of an inspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum RoundKind {
    /// Routine inspection (例行督察).
    #[sea_orm(string_value = "ROUTINE")]
    Routine,
    /// Look-back inspection (回头看).
    #[sea_orm(string_value = "LOOK_BACK")]
    LookBack,
    /// Special inspection (专项督察).
    #[sea_orm(string_value = "SPECIAL")]
    Special,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
