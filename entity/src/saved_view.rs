//! Views of lists that people keep for themselves.

use sea_orm::entity::prelude::*;

/// A view of a list, which only its account sees.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "saved_view")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Account that keeps the view.
    pub account_id: i64,
    /// Name, unique among the views of the account.
    pub name: String,
    /// Name of the list: a root field of the schema, such as `measures`.
    pub list: String,
    /// Filter of the list, a JSON object.
    pub filter_json: Option<String>,
    /// Order of the list, a JSON array.
    pub order_json: Option<String>,
    /// Paths of the fields that are shown, separated by commas.
    pub columns: Option<String>,
    /// When it was saved last.
    pub saved_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
