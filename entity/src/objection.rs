//! Objections (异议) to a public notice.

use sea_orm::entity::prelude::*;

/// One objection.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "objection")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The cycle that it is against.
    pub close_out_id: i64,
    /// What is objected.
    pub text: String,
    /// Who recorded it; who objected is not kept.
    pub recorder_id: Option<i64>,
    /// When.
    pub raised_at: DateTimeUtc,
    /// The local date on which it was received; none of those recorded before this was asked for.
    pub received_on: Option<Date>,
    /// Whether it was upheld; none before the decision.
    pub is_upheld: Option<bool>,
    /// What was answered.
    pub answer: Option<String>,
    /// Who decided.
    pub decider_id: Option<i64>,
    /// When.
    pub decided_at: Option<DateTimeUtc>,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
