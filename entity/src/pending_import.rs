//! Imports that wait for decisions: the uploaded file, what was decided, and how it was read.

use sea_orm::entity::prelude::*;

use crate::inspection_round::RoundLevel;

/// An import that waits.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "pending_import")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Account that uploaded the file, the only one that may see it; null for the program itself.
    pub account_id: Option<i64>,
    /// Name of the file, with its extension if it was given.
    pub file_name: String,
    /// Content of the file; empty once it has been imported.
    pub content: Vec<u8>,
    /// Name of the inspection round (督察轮次).
    pub round: String,
    /// Code of the answering region.
    pub region: String,
    /// Code of the issuing region; null if it is the answering region.
    pub issued_by: Option<String>,
    /// Level of the round if it is new; null if its name tells it.
    pub level: Option<RoundLevel>,
    /// Local date on which the statuses were true, as decided; null for the date in the title.
    pub as_of: Option<Date>,
    /// Whether unknown units are created.
    pub creates_units: bool,
    /// Decisions as a JSON list of objects with `topic`, `printed` and `answer`.
    pub decisions: String,
    /// How far it has come.
    pub state: PendingState,
    /// Measures processed so far.
    pub processed: i64,
    /// Measures in the file, as far as known.
    pub total: i64,
    /// How the file was read the last time, as a JSON object with a report in each language (`zh`, `en`).
    pub report: Option<String>,
    /// When the file was uploaded.
    pub created_at: DateTimeUtc,
    /// When the row was last changed; while it is being processed, at least every few seconds on PostgreSQL.
    pub updated_at: DateTimeUtc,
}

/// How far a pending import has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum PendingState {
    /// The file is being read; nothing is written.
    #[sea_orm(string_value = "READING")]
    Reading,
    /// The file was read; the report has questions, faults, or what would change.
    #[sea_orm(string_value = "READ")]
    Read,
    /// The file is being imported.
    #[sea_orm(string_value = "RUNNING")]
    Running,
    /// The file was imported.
    #[sea_orm(string_value = "DONE")]
    Done,
    /// The file cannot be read or imported; the report says why.
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
