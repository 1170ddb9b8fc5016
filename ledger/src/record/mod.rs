//! What the acts record, and how they write it: transactions, audit, change feed, outbox, region lists, retention; and
//! how the outbox is emptied.

pub mod audit;
pub mod backup;
pub mod change;
pub mod concern;
pub mod database;
pub mod delivery;
pub mod link_key;
pub mod message_id;
pub mod name_order;
pub mod outage;
pub mod outbox;
pub mod queue;
pub mod retention;
pub mod trace;
pub mod webhook;
pub mod writes;
