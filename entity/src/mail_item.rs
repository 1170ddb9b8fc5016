//! Items of digests.

use sea_orm::entity::prelude::*;

/// An item of a digest: a measure, a case, or the figures of a region.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_item")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Mail that the item belongs to.
    pub mail_id: i64,
    /// Measure that it is about; null if it is about a case or a region.
    pub measure_id: Option<i64>,
    /// Assignment that the recipient answers; null if the item is about the measure as a whole or a case.
    pub assignment_id: Option<i64>,
    /// Local date that the reminder is about, such as the deadline.
    pub due_on: Option<Date>,
    /// Case that it is about; null if it is about a measure or a region.
    pub case_id: Option<i64>,
    /// Region whose figures it is about; null if it is about a measure or a case.
    pub region_id: Option<i64>,
    /// When the holder of the mail's address acknowledged it.
    pub acknowledged_at: Option<DateTimeUtc>,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
