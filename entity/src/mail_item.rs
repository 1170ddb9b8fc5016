//! What a digest speaks of.

use sea_orm::entity::prelude::*;

/// One line of one digest.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_item")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The mail.
    pub mail_id: i64,
    /// The measure, where it is about one.
    pub measure_id: Option<i64>,
    /// The assignment, when the recipient answers for one.
    pub assignment_id: Option<i64>,
    /// The date that the reminder is about, a local date.
    pub due_on: Option<Date>,
    /// The case, where it is about one.
    pub case_id: Option<i64>,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
