//! Units (单位): whoever leads, answers or supervises a measure.

use sea_orm::entity::prelude::*;

/// One unit of a region.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "unit")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The region that the unit belongs to.
    pub region_id: i64,
    /// The name as people write it, unique within the region.
    pub name: String,
    /// What kind of body it is.
    pub kind: Kind,
    /// The line of work: 生态环境, 水利 …
    pub sector: Option<String>,
    /// Grows with every change.
    pub version: i32,
    /// Since when there is no such unit any more, a local date.
    pub retired_on: Option<Date>,
    /// What it was merged into.
    pub merged_into_id: Option<i64>,
}

/// What kind of body a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Kind {
    /// 党委 and its organs
    #[sea_orm(string_value = "PARTY_COMMITTEE")]
    PartyCommittee,
    /// 人民政府
    #[sea_orm(string_value = "GOVERNMENT")]
    Government,
    /// A department of a government
    #[sea_orm(string_value = "DEPARTMENT")]
    Department,
    /// 整改办
    #[sea_orm(string_value = "RECTIFICATION_OFFICE")]
    RectificationOffice,
    /// 企业
    #[sea_orm(string_value = "ENTERPRISE")]
    Enterprise,
    /// Anything else
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
