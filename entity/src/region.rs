//! Regions: administrative divisions (行政区), a tree from the nation down to the townships.

use sea_orm::entity::prelude::*;

/// A region.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "region")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Code as in GB/T 2260 (`540329`); null if unknown.
    pub code: Option<String>,
    /// Full name, such as 洛隆县.
    pub name: String,
    /// Key by which the name is ordered: its characters' syllables, tones and themselves.
    pub name_order: String,
    /// Administrative level.
    pub level: Level,
    /// Level as a number for sorting: 0 for the nation, 4 for a township.
    pub rank: i32,
    /// Parent region; null for the nation.
    pub parent_id: Option<i64>,
    /// Ids from the root down to this region: `/1/27/313/2790/`. A subtree is a range of paths.
    pub path: String,
    /// Version number, incremented with every change.
    pub version: i32,
    /// Local date from which the region no longer exists; null while it exists.
    pub retired_on: Option<Date>,
    /// Region that it was merged into, if any.
    pub merged_into_id: Option<i64>,
}

/// Administrative level of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Level {
    /// Nation (全国).
    #[sea_orm(string_value = "NATION")]
    Nation,
    /// Province, autonomous region or municipality (省、自治区、直辖市).
    #[sea_orm(string_value = "PROVINCE")]
    Province,
    /// Prefecture-level city, prefecture, autonomous prefecture or league (地级市、地区、自治州、盟).
    #[sea_orm(string_value = "PREFECTURE")]
    Prefecture,
    /// County, district, county-level city or banner (县、区、县级市、旗).
    #[sea_orm(string_value = "COUNTY")]
    County,
    /// Township, town or subdistrict (乡、镇、街道).
    #[sea_orm(string_value = "TOWNSHIP")]
    Township,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
