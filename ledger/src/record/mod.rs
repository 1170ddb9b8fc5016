//! What the acts record, and how they write it: transactions, audit, change feed, outbox, region lists, retention.

pub mod audit;
pub mod change;
pub mod concern;
pub mod database;
pub mod link_key;
pub mod outbox;
pub mod retention;
pub mod writes;
