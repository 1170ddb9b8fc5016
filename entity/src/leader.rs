//! Leaders who answer for a measure by their post: 牵头领导, 包案领导, 责任领导, 责任人.

use sea_orm::entity::prelude::*;

/// A leader of a measure.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "leader")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Measure that the leader answers for.
    pub measure_id: i64,
    /// What the leader answers for.
    pub post: Post,
    /// Office and name as printed (副市长 李某某). Personal data.
    pub name: String,
    /// Mail address, to which what stays overdue is escalated. Personal data.
    pub email: Option<String>,
}

/// What a leader answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Post {
    /// Leads the work on the measure (牵头领导).
    #[sea_orm(string_value = "LEAD")]
    Lead,
    /// Takes charge of the case as a whole (包案领导).
    #[sea_orm(string_value = "CASE")]
    Case,
    /// Is responsible within the responsible unit (责任领导).
    #[sea_orm(string_value = "RESPONSIBLE")]
    Responsible,
    /// Does the work (责任人).
    #[sea_orm(string_value = "PERSON")]
    Person,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
