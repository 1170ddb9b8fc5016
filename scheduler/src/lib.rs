//! Schedules, jobs, and the delivery of mail and of messages to other systems. tokio-cron-scheduler ticks once a minute
//! (`scheduler`); tables say which occurrences are due (`pattern`, `tick`) and how they ended (`runs`). `jobs` has one
//! file for each job, `remind` what reminders share, `mail` what a mail says and how it is sent, `delivery` how the
//! outbox is emptied, `bounce` what becomes of mails that come back, `wake` when mail is sent, `webhook` how other
//! systems are told, `simulate` what reminders would go out, `why` why someone gets none. Does not know the API.

mod bounce;
mod context;
mod delivery;
mod job;
mod jobs;
mod mail;
mod pattern;
mod remind;
mod runs;
mod scheduler;
mod simulate;
mod tick;
mod wake;
mod webhook;
mod why;

pub use bounce::{MAX_BYTES as MAX_BOUNCE_BYTES, read_bounce};
pub use context::{Context, SILENCE};
pub use job::{Job, Report};
pub use jobs::{JOBS, find, writer};
pub use mail::post::{Post, PostError};
pub use mail::{Links, Preview, Unwritten, Writer};
pub use pattern::{Pattern, occurrences};
pub use scheduler::{LastTick, Scheduler};
pub use simulate::{Simulated, simulate};
pub use tick::{PATIENCE, Pending, carry_out, ensure_schedules, foreign_zones, run_at, tick};
pub use webhook::{Webhooks, deliver_to, deliver_webhooks};
pub use why::why_no_mail;
