//! Counted results of an inspection round, such as closed plants, fines and new institutions.

use sea_orm::entity::prelude::*;

/// A number of results of one kind.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "round_result")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Round that led to them.
    pub round_id: i64,
    /// Kind of result.
    pub kind: ResultKind,
    /// Name of the institution, or a remark.
    pub title: Option<String>,
    /// Number of results, at least 0.
    pub amount: i32,
    /// Total of the fines, in yuan; null if unknown, and for all kinds but fines.
    pub money: Option<i64>,
    /// Region of the results; null for the round as a whole.
    pub region_id: Option<i64>,
    /// Local date of the results, or until which they are counted.
    pub decided_on: Option<Date>,
    /// Account that recorded them.
    pub recorder_id: Option<i64>,
    /// When they were recorded.
    pub recorded_at: DateTimeUtc,
    /// When the record was withdrawn and ceased to count; null if it is valid.
    pub withdrawn_at: Option<DateTimeUtc>,
    /// Why it was withdrawn.
    pub withdraw_reason: Option<String>,
    /// Version number, incremented with every change.
    pub version: i32,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

/// Kind of a result of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum ResultKind {
    /// Plants that were closed or banned (关停取缔).
    #[sea_orm(string_value = "CLOSED_DOWN")]
    ClosedDown,
    /// Fines (罚款).
    #[sea_orm(string_value = "FINED")]
    Fined,
    /// Administrative penalties (行政处罚).
    #[sea_orm(string_value = "PENALISED")]
    Penalised,
    /// Rules and systems that were established (制度成果).
    #[sea_orm(string_value = "INSTITUTION")]
    Institution,
    /// Other results (其他).
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
