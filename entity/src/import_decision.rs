//! What people have decided about imports: readings of columns, deadlines and texts, proposed again for later files.

use sea_orm::entity::prelude::*;

/// A decision about an import.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "import_decision")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Region that issued the file.
    pub region_id: i64,
    /// Topic, such as `columns` or `deadlines`.
    pub topic: String,
    /// To what the decision is limited: the row of headings for columns, the round's name for the rest.
    pub context: String,
    /// What was printed.
    pub printed: String,
    /// What was decided.
    pub decided: String,
    /// Time of the decision.
    pub decided_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
