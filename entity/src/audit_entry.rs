//! The audit: an entry for every change, in hash chains. Entries are only added; database triggers prevent changing or
//! deleting them.

use sea_orm::entity::prelude::*;

/// An entry of the audit.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Chain that it belongs to, such as `problem_7`: each problem, case, account or unit has its own.
    pub chain: String,
    /// Position in the chain, from 1.
    pub position: i32,
    /// Code of the act: `ASSIGNED`.
    pub act: String,
    /// Global id of the object that was changed.
    pub object: String,
    /// Measure that it concerns, if any; stored here so that lists need no join.
    pub measure_id: Option<i64>,
    /// Assignment that it concerns, if any; stored here so that lists need no join.
    pub assignment_id: Option<i64>,
    /// When it happened.
    pub at: DateTimeUtc,
    /// Account that acted; null for the program itself, which includes users of an open installation.
    pub actor_id: Option<i64>,
    /// Account on whose behalf a delegate acted; null if there was no delegation.
    pub on_behalf_of_id: Option<i64>,
    /// Network address that the request came from; null if there was none.
    pub address: Option<String>,
    /// SHA-256 of salt and address, in hexadecimal, which is hashed in place of the address. Null if there is no
    /// address, and for entries written before digests were introduced.
    pub address_digest: Option<String>,
    /// Salt of the digest: 16 random bytes, in hexadecimal.
    pub address_salt: Option<String>,
    /// Id of the request, if any.
    pub request_id: Option<String>,
    /// Values before the change, as JSON.
    pub before: String,
    /// Values after the change, as JSON.
    pub after: String,
    /// Hash of the previous entry in the chain; empty for the first.
    pub previous: String,
    /// SHA-256 of the other values, in hexadecimal; `ledger::record::audit::parts` defines which.
    pub hash: String,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
