//! The domain of the rectification ledger (督察整改台账): its rules, the acts that change it, and their records.
//!
//! - [`rule`] has the rules of the domain, most of them pure functions that take the day.
//! - [`work`] and [`keep`] have the acts. Each act reads, asks the policy and the rules, writes, and rolls statuses up,
//!   all in one transaction.
//! - [`people`] decides who may do what.
//! - [`record`] keeps what an act leaves behind: audit, change feed, outbox, region lists.
//! - [`mod@file`] stores evidence and packs dossiers.
//! - [`search`] keeps the index of searches.
//! - [`statistics`] counts, [`monthly_account`] tells which units have accounted for a month, and [`reminder`] decides
//!   who has to be reminded.
//!
//! This crate knows nothing of HTTP, cron or SMTP. The current time is always an argument (`now`).

mod error;
pub mod fault;
pub mod file;
pub mod keep;
pub mod monthly_account;
mod patch;
pub mod people;
mod random;
pub mod record;
pub mod region;
pub mod reminder;
pub mod rule;
pub mod search;
pub mod statistics;
pub mod unit;
pub mod work;

pub use error::{Error, Result};
