//! How the sheet of the last import of a region into a round is laid out, so that exports repeat it.

use sea_orm::entity::prelude::*;

/// The layout of an imported sheet.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "imported_sheet")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The inspection round that the sheet was imported into.
    pub round_id: i64,
    /// The region that answers in the sheet.
    pub region_id: i64,
    /// The headings with what each means, and how numbers are printed, as JSON.
    pub form: String,
    /// Whether the headings are read again as in this sheet. Not after someone has forgotten or changed what was
    /// decided about columns.
    pub is_read_again: bool,
    /// Time of the import.
    pub imported_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
