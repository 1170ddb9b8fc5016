//! Close-out cycles (销号): application, verification, notice, decision. A closed one is never changed, but for the relapse that ends it.

use sea_orm::entity::prelude::*;

/// One cycle.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "close_out")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What is to be closed.
    pub assignment_id: i64,
    /// 1 for the first; a relapse is followed by another.
    pub cycle: i32,
    /// How far it is.
    pub state: CloseOutState,
    /// What was applied with.
    pub application: String,
    /// Who applied.
    pub applicant_id: Option<i64>,
    /// Who really applied, where that was the applicant's delegate.
    pub applicant_actor_id: Option<i64>,
    /// When.
    pub applied_at: DateTimeUtc,
    /// What the level above found.
    pub opinion: Option<String>,
    /// Who verified or returned it.
    pub verifier_id: Option<i64>,
    /// When.
    pub verified_at: Option<DateTimeUtc>,
    /// The text of the public notice.
    pub notice: Option<String>,
    /// The office that takes objections; never a person.
    pub contact: Option<String>,
    /// The first local day of the notice.
    pub notice_from: Option<Date>,
    /// Its last local day, a working day.
    pub notice_until: Option<Date>,
    /// Who published it.
    pub publisher_id: Option<i64>,
    /// What the closing authority decided.
    pub decision: Option<String>,
    /// Who closed.
    pub closer_id: Option<i64>,
    /// When, a local date.
    pub closed_on: Option<Date>,
    /// What relapsed.
    pub relapse: Option<String>,
    /// When it was reopened.
    pub reopened_at: Option<DateTimeUtc>,
    /// Who approved that it is public.
    pub discloser_id: Option<i64>,
    /// Since when it is public.
    pub disclosed_at: Option<DateTimeUtc>,
}

/// How far a cycle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CloseOutState {
    /// 提请销号
    #[sea_orm(string_value = "APPLIED")]
    Applied,
    /// 退回
    #[sea_orm(string_value = "RETURNED")]
    Returned,
    /// 核查通过
    #[sea_orm(string_value = "VERIFIED")]
    Verified,
    /// 公示中
    #[sea_orm(string_value = "PUBLICISED")]
    Publicised,
    /// 异议成立
    #[sea_orm(string_value = "OBJECTED")]
    Objected,
    /// 销号
    #[sea_orm(string_value = "CLOSED")]
    Closed,
    /// 反弹
    #[sea_orm(string_value = "REOPENED")]
    Reopened,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
