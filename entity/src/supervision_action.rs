//! Supervision of measures: urging (催办), supervision (督办), yellow and red cards (黄牌、红牌), listing (挂牌督办)
//! and summons (约谈).

use sea_orm::entity::prelude::*;

/// An act of supervision.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "supervision_action")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Measure that it is about.
    pub measure_id: i64,
    /// Assignment that it is about, if it is about one only.
    pub assignment_id: Option<i64>,
    /// Kind, in order of severity.
    pub kind: SupervisionKind,
    /// State: proposed, in force, lifted or dismissed.
    pub state: SupervisionState,
    /// Why the system proposed it; null if a person issued it unasked.
    pub cause: Option<SupervisionCause>,
    /// Account that issued it; null if the system proposed it.
    pub issuer_id: Option<i64>,
    /// Unit that it is addressed to.
    pub recipient_id: Option<i64>,
    /// Reason given for it.
    pub reason: String,
    /// Local date by which the recipient has to answer.
    pub answer_by: Option<Date>,
    /// Number of the document (文号) by which it was issued; null if none is given, and always for urging.
    pub document_number: Option<String>,
    /// When the recipient has to come to the interview (约谈); null for other kinds.
    pub meeting_at: Option<DateTimeUtc>,
    /// Place of the interview (约谈); null for other kinds.
    pub place: Option<String>,
    /// Whom the recipient can ask about the interview, with a telephone number. Personal data; null for other kinds.
    pub contact: Option<String>,
    /// When it was issued or proposed.
    pub issued_at: DateTimeUtc,
    /// Account that lifted or dismissed it.
    pub lifter_id: Option<i64>,
    /// When it was lifted or dismissed.
    pub lifted_at: Option<DateTimeUtc>,
    /// Why it was lifted or dismissed.
    pub lift_reason: Option<String>,
}

/// Kind of an act of supervision, from the mildest to the most severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum SupervisionKind {
    /// Urging (催办).
    #[sea_orm(string_value = "URGE")]
    Urge,
    /// Supervision (督办).
    #[sea_orm(string_value = "SUPERVISE")]
    Supervise,
    /// Yellow card (黄牌).
    #[sea_orm(string_value = "YELLOW_CARD")]
    YellowCard,
    /// Listing (挂牌督办).
    #[sea_orm(string_value = "LIST")]
    List,
    /// Red card (红牌).
    #[sea_orm(string_value = "RED_CARD")]
    RedCard,
    /// Summons (约谈).
    #[sea_orm(string_value = "SUMMON")]
    Summon,
}

/// What made the system propose an act of supervision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum SupervisionCause {
    /// Overdue for long (长期逾期).
    #[sea_orm(string_value = "OVERDUE")]
    Overdue,
    /// Without a report for long (久无进展).
    #[sea_orm(string_value = "STALE")]
    Stale,
    /// Two yellow cards are in force (两张黄牌).
    #[sea_orm(string_value = "TWO_YELLOW_CARDS")]
    TwoYellowCards,
    /// Listed for supervision (已挂牌督办).
    #[sea_orm(string_value = "LISTED")]
    Listed,
}

/// State of an act of supervision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum SupervisionState {
    /// Proposed by the system; a person has to decide.
    #[sea_orm(string_value = "PROPOSED")]
    Proposed,
    /// Issued and in force.
    #[sea_orm(string_value = "ISSUED")]
    Issued,
    /// Lifted (解除).
    #[sea_orm(string_value = "LIFTED")]
    Lifted,
    /// Proposed by the system and rejected by a person.
    #[sea_orm(string_value = "DISMISSED")]
    Dismissed,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
