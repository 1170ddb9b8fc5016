//! What the acts share to write and to keep: transactions, audit, feed of changes, outbox, lists of regions.

pub mod audit;
pub mod change;
pub mod concern;
pub mod database;
pub mod outbox;
pub mod retention;
pub mod writes;
