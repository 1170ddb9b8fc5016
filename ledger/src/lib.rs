//! What the domain is and does. `rule` has pure functions that take the day; `work` and `keep` have the acts, each of which
//! reads, asks policy and rule, writes and rolls up in one transaction; `people` says who may, `record` what is kept of it;
//! `statistics` counts; `reminder` says who has to be told. Knows no HTTP, no cron, no SMTP; `now` is always an argument.

mod error;
pub mod fault;
pub mod file;
pub mod keep;
pub mod people;
pub mod record;
pub mod region;
pub mod reminder;
pub mod rule;
pub mod statistics;
pub mod unit;
pub mod work;

pub use error::{Error, Result};
