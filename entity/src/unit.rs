//! Units (单位): the bodies that lead, answer or supervise measures.

use sea_orm::entity::prelude::*;

use crate::language::Language;

/// A unit.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "unit")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Region that the unit belongs to.
    pub region_id: i64,
    /// Name as it is usually written; unique within the region.
    pub name: String,
    /// Key by which the name is ordered: its characters' syllables, tones and themselves.
    pub name_order: String,
    /// Kind of body.
    pub kind: Kind,
    /// Sector, such as 生态环境 or 水利; null if unknown.
    pub sector: Option<String>,
    /// Language of mails to the unit; null to use the installation's default.
    pub language: Option<Language>,
    /// Whether digests of deadlines to the unit bring a calendar of them.
    pub attaches_calendar: bool,
    /// Version number, incremented with every change.
    pub version: i32,
    /// Local date from which the unit no longer exists; null while it exists.
    pub retired_on: Option<Date>,
    /// Unit that it was merged into, if any.
    pub merged_into_id: Option<i64>,
}

/// Kind of body that a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Kind {
    /// Party committee or one of its organs (党委).
    #[sea_orm(string_value = "PARTY_COMMITTEE")]
    PartyCommittee,
    /// Government (人民政府).
    #[sea_orm(string_value = "GOVERNMENT")]
    Government,
    /// Department of a government (政府部门).
    #[sea_orm(string_value = "DEPARTMENT")]
    Department,
    /// Rectification office (整改办).
    #[sea_orm(string_value = "RECTIFICATION_OFFICE")]
    RectificationOffice,
    /// Enterprise (企业).
    #[sea_orm(string_value = "ENTERPRISE")]
    Enterprise,
    /// Any other body.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
