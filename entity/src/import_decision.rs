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
    /// What it is about.
    pub topic: Topic,
    /// To what the decision is limited: the row of headings for columns, the round's name for the rest. Empty for a
    /// decision about a column that holds for all rows of headings.
    pub context: String,
    /// What was printed.
    pub printed: String,
    /// What was decided.
    pub decided: String,
    /// Time of the decision.
    pub decided_at: DateTimeUtc,
    /// Account that decided; none for the program itself, and for decisions of earlier versions.
    pub decider_id: Option<i64>,
    /// Increased by every change.
    pub version: i32,
}

/// What a decision about imports is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Topic {
    /// What a column means (列的含义).
    #[sea_orm(string_value = "COLUMNS")]
    Columns,
    /// When something is due (时限).
    #[sea_orm(string_value = "DEADLINES")]
    Deadlines,
    /// Which of several units leads (牵头单位).
    #[sea_orm(string_value = "LEADS")]
    Leads,
    /// Whether a text says that a measure does not apply (不涉及).
    #[sea_orm(string_value = "NOT_APPLICABLE")]
    NotApplicable,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
