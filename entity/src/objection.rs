//! Objections (异议) to public notices (公示).

use sea_orm::entity::prelude::*;

/// An objection.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "objection")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Close-out cycle (销号) that it objects to.
    pub close_out_id: i64,
    /// Text of the objection.
    pub text: String,
    /// Account that recorded it. The person who objected is not stored.
    pub recorder_id: Option<i64>,
    /// When it was recorded.
    pub raised_at: DateTimeUtc,
    /// Local date on which it was received; null for objections recorded before this column existed.
    pub received_on: Option<Date>,
    /// Whether it was upheld; null before the decision.
    pub is_upheld: Option<bool>,
    /// Answer given with the decision.
    pub answer: Option<String>,
    /// Account that decided.
    pub decider_id: Option<i64>,
    /// When it was decided.
    pub decided_at: Option<DateTimeUtc>,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
