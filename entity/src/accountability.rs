//! Accountability (责任追究): how many people were held to account for a problem. Only numbers are stored, no names.

use sea_orm::entity::prelude::*;

/// The number of people of one rank with one consequence.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "accountability")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Problem that they were held to account for.
    pub problem_id: i64,
    /// Round of the problem; stored here so that grouping needs no join.
    pub round_id: i64,
    /// Issuing region; stored here so that grouping needs no join.
    pub region_id: i64,
    /// Rank of the people.
    pub rank: Rank,
    /// Consequence for them.
    pub consequence: Consequence,
    /// Number of people, at least 1.
    pub people: i32,
    /// Local date of the decision.
    pub decided_on: Date,
    /// Account that recorded it.
    pub recorder_id: Option<i64>,
    /// When it was recorded.
    pub recorded_at: DateTimeUtc,
    /// When it was withdrawn and ceased to count; null if it is valid.
    pub withdrawn_at: Option<DateTimeUtc>,
    /// Why it was withdrawn.
    pub withdraw_reason: Option<String>,
    /// Version number, incremented with every change.
    pub version: i32,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

/// Rank of people who were held to account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Rank {
    /// Department or bureau rank (厅局级).
    #[sea_orm(string_value = "DEPARTMENT_BUREAU")]
    DepartmentBureau,
    /// County or division rank (县处级).
    #[sea_orm(string_value = "COUNTY_DIVISION")]
    CountyDivision,
    /// Township or section rank (乡科级).
    #[sea_orm(string_value = "TOWNSHIP_SECTION")]
    TownshipSection,
    /// Below section rank (科级以下).
    #[sea_orm(string_value = "BELOW")]
    Below,
    /// A rank that is known and none of the others (其他), such as a manager of an enterprise.
    #[sea_orm(string_value = "OTHER")]
    Other,
    /// The source does not state the rank (未说明).
    #[sea_orm(string_value = "UNKNOWN")]
    Unknown,
}

/// Consequence of being held to account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Consequence {
    /// Party disciplinary action (党纪处分).
    #[sea_orm(string_value = "PARTY_DISCIPLINE")]
    PartyDiscipline,
    /// Administrative sanction (政务处分).
    #[sea_orm(string_value = "ADMINISTRATIVE")]
    Administrative,
    /// Organisational measure (组织处理), such as 诫勉 or 通报.
    #[sea_orm(string_value = "ORGANISATIONAL")]
    Organisational,
    /// Referral to the judiciary (移送司法).
    #[sea_orm(string_value = "JUDICIAL")]
    Judicial,
    /// A consequence that is known and none of the others (其他).
    #[sea_orm(string_value = "OTHER")]
    Other,
    /// The source does not state the consequence (未说明).
    #[sea_orm(string_value = "UNKNOWN")]
    Unknown,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
