//! The audit: every change, in chains of hashes. Entries are added and never changed; the database sees to it.

use sea_orm::entity::prelude::*;

/// One change.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The chain that it is in: that of a problem, an account …
    pub chain: String,
    /// Its place there, from 1.
    pub position: i32,
    /// What was done.
    pub act: String,
    /// The global id of what it was done to.
    pub object: String,
    /// The measure that it concerns, repeated for lists.
    pub measure_id: Option<i64>,
    /// The assignment that it concerns, repeated for lists.
    pub assignment_id: Option<i64>,
    /// When.
    pub at: DateTimeUtc,
    /// Who did it; none for the program itself and for an open door.
    pub actor_id: Option<i64>,
    /// For whom, where a delegate acted.
    pub on_behalf_of_id: Option<i64>,
    /// From which network address.
    pub address: Option<String>,
    /// The SHA-256 of salt and address, in hexadecimal, which is hashed in place of the address; none where there is no
    /// address, and of entries that were written before there were digests.
    pub address_digest: Option<String>,
    /// The salt of the digest: 16 random bytes, in hexadecimal.
    pub address_salt: Option<String>,
    /// By which request.
    pub request_id: Option<String>,
    /// What it was, as JSON.
    pub before: String,
    /// What it became, as JSON.
    pub after: String,
    /// The hash of the entry before; of nothing for the first.
    pub previous: String,
    /// The SHA-256 of the rest, in hexadecimal; `ledger::audit::parts` says of what exactly.
    pub hash: String,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
