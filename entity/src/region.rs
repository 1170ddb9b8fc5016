//! Administrative divisions (行政区): a tree from the nation down to townships.

use sea_orm::entity::prelude::*;

/// One division.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "region")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The code of GB/T 2260, where known.
    pub code: Option<String>,
    /// The name in full: 洛隆县.
    pub name: String,
    /// How high the division stands.
    pub level: Level,
    /// The level as a number, 0 for the nation, to order by.
    pub rank: i32,
    /// The division above; none for the nation.
    pub parent_id: Option<i64>,
    /// The ids from the root down to this row, `/1/27/313/2790/`: a subtree is a range of paths.
    pub path: String,
    /// Grows with every change.
    pub version: i32,
    /// Since when there is no such division any more, a local date.
    pub retired_on: Option<Date>,
    /// What it was merged into.
    pub merged_into_id: Option<i64>,
}

/// The level of a division.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Level {
    /// 全国
    #[sea_orm(string_value = "NATION")]
    Nation,
    /// 省、自治区、直辖市
    #[sea_orm(string_value = "PROVINCE")]
    Province,
    /// 地级市、地区、自治州、盟
    #[sea_orm(string_value = "PREFECTURE")]
    Prefecture,
    /// 县、区、县级市、旗
    #[sea_orm(string_value = "COUNTY")]
    County,
    /// 乡、镇、街道
    #[sea_orm(string_value = "TOWNSHIP")]
    Township,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
