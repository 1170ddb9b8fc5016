//! The tables of the ledger, one file each, and nothing else. Local dates are `Date`, moments are UTC.

pub mod account;
pub mod assignment;
pub mod change;
pub mod check;
pub mod check_plan;
pub mod inspection_round;
pub mod job_run;
pub mod mail;
pub mod mail_item;
pub mod measure;
pub mod measure_region;
pub mod milestone;
pub mod problem;
pub mod problem_domain;
pub mod problem_region;
pub mod progress_report;
pub mod quantity;
pub mod region;
pub mod region_tally;
pub mod responsible_party;
pub mod schedule;
pub mod unit;
pub mod unit_address;
pub mod unit_alias;
