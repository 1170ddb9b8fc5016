//! Accountability (责任追究): how many people were held to account for a problem. Numbers only; nobody is named.

use sea_orm::entity::prelude::*;

/// So many people of one rank under one consequence.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "accountability")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The problem.
    pub problem_id: i64,
    /// The round of that problem, repeated for groups.
    pub round_id: i64,
    /// The issuing region, repeated for groups.
    pub region_id: i64,
    /// What rank they hold.
    pub rank: Rank,
    /// What it meant for them.
    pub consequence: Consequence,
    /// How many they are, above 0.
    pub people: i32,
    /// When it was decided, a local date.
    pub decided_on: Date,
    /// Who recorded it.
    pub recorder_id: Option<i64>,
    /// When it was recorded.
    pub recorded_at: DateTimeUtc,
    /// Since when it does not count any more; none for one that stands.
    pub withdrawn_at: Option<DateTimeUtc>,
    /// Why it was withdrawn.
    pub withdraw_reason: Option<String>,
    /// Grows with every change.
    pub version: i32,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// The rank of those who were held to account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Rank {
    /// 厅局级
    #[sea_orm(string_value = "DEPARTMENT_BUREAU")]
    DepartmentBureau,
    /// 县处级
    #[sea_orm(string_value = "COUNTY_DIVISION")]
    CountyDivision,
    /// 乡科级
    #[sea_orm(string_value = "TOWNSHIP_SECTION")]
    TownshipSection,
    /// 科级以下
    #[sea_orm(string_value = "BELOW")]
    Below,
}

/// What being held to account meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Consequence {
    /// 党纪处分
    #[sea_orm(string_value = "PARTY_DISCIPLINE")]
    PartyDiscipline,
    /// 政务处分
    #[sea_orm(string_value = "ADMINISTRATIVE")]
    Administrative,
    /// 组织处理: 诫勉、通报 …
    #[sea_orm(string_value = "ORGANISATIONAL")]
    Organisational,
    /// 移送司法
    #[sea_orm(string_value = "JUDICIAL")]
    Judicial,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
