//! Stories through the front doors: the command line, HTTP, SMTP. One binary; each story runs on SQLite and on PostgreSQL.

// As in the program.
#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on has failed")]

mod support;

#[path = "stories/accountability.rs"]
mod accountability;
#[path = "stories/api.rs"]
mod api;
#[path = "stories/audit.rs"]
mod audit;
#[path = "stories/case.rs"]
mod case;
#[path = "stories/delegation.rs"]
mod delegation;
#[path = "stories/differential.rs"]
mod differential;
#[path = "stories/door.rs"]
mod door;
#[path = "stories/dossier.rs"]
mod dossier;
#[path = "stories/evidence.rs"]
mod evidence;
#[path = "stories/exhaustion.rs"]
mod exhaustion;
#[path = "stories/export.rs"]
mod export;
#[path = "stories/figures.rs"]
mod figures;
#[path = "stories/full_disk.rs"]
mod full_disk;
#[path = "stories/headers.rs"]
mod headers;
#[path = "stories/import.rs"]
mod import;
#[path = "stories/keep.rs"]
mod keep;
#[path = "stories/killed.rs"]
mod killed;
#[path = "stories/life.rs"]
mod life;
#[path = "stories/live.rs"]
mod live;
#[path = "stories/mail.rs"]
mod mail;
#[path = "stories/null_propagation.rs"]
mod null_propagation;
#[path = "stories/one_line.rs"]
mod one_line;
#[path = "stories/openness.rs"]
mod openness;
#[path = "stories/pace.rs"]
mod pace;
#[path = "stories/paging.rs"]
mod paging;
#[path = "stories/people.rs"]
mod people;
#[path = "stories/policy.rs"]
mod policy;
#[path = "stories/policy_cases.rs"]
mod policy_cases;
#[path = "stories/provider.rs"]
mod provider;
#[path = "stories/schedule.rs"]
mod schedule;
#[path = "stories/schema.rs"]
mod schema;
#[path = "stories/secrets.rs"]
mod secrets;
#[path = "stories/sign_in.rs"]
mod sign_in;
#[path = "stories/supervision.rs"]
mod supervision;
#[path = "stories/supply_chain.rs"]
mod supply_chain;
#[path = "stories/workbook_bounds.rs"]
mod workbook_bounds;
