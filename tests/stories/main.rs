//! End-to-end tests ("stories") against the public interfaces: command line, HTTP, WebSocket and SMTP.
//!
//! All stories are compiled into one binary. Those listed in `stories!` run on SQLite and on PostgreSQL.

// As in the program: the types of the schema nest deeply.
#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on has failed")]

mod support;

mod accountability;
mod administration;
mod api;
mod audit;
mod available;
mod backup;
mod batches;
mod book;
mod bounces;
mod briefing;
mod budget;
mod calendars;
mod cards;
mod case;
mod cases;
mod decisions;
mod delegation;
mod delivery;
mod desk;
mod differential;
mod dossier;
mod evidence;
mod exhaustion;
mod export;
mod extension;
mod figures;
mod full_disk;
mod headers;
mod http;
mod import;
mod installation;
mod keep;
mod killed;
mod leaders;
mod life;
mod lists;
mod live;
mod mail;
mod mail_words;
mod milestones;
mod monitoring;
mod monthly_account;
mod notice_ended;
mod notices;
mod null_propagation;
mod offices;
mod one_line;
mod opening;
mod openness;
mod overload;
mod own_mail;
mod pace;
mod paging;
mod pending_import;
mod people;
mod policy;
mod policy_cases;
mod provider;
mod public_notices;
mod published;
mod reread;
mod rules;
mod same_moment;
mod saved_views;
mod scene;
mod schedule;
mod schema;
mod screens;
mod search;
mod secrets;
mod settings;
mod sign_in;
mod standby;
mod supervision;
mod supply_chain;
mod traces;
mod webhook_faults;
mod webhooks;
mod workbook_bounds;
