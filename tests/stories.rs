//! Stories through the front doors: the command line, HTTP, SMTP. One binary; each story runs on SQLite and on PostgreSQL.

// As in the program.
#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on has failed")]

mod support;

#[path = "stories/accountability.rs"]
mod accountability;
#[path = "stories/api.rs"]
mod api;
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
#[path = "stories/export.rs"]
mod export;
#[path = "stories/figures.rs"]
mod figures;
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
#[path = "stories/pace.rs"]
mod pace;
#[path = "stories/paging.rs"]
mod paging;
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
#[path = "stories/sign_in.rs"]
mod sign_in;
#[path = "stories/supervision.rs"]
mod supervision;
