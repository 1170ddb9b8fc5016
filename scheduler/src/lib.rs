//! The other door: time. tokio-cron-scheduler rings once a minute (`doorbell`); the truth is in tables: which occurrences
//! are due (`pattern`, `tick`), what each job does (`jobs`, one file each), and mail on its way (`letter`, `post`).

mod doorbell;
mod jobs;
mod letter;
mod notice;
mod pattern;
mod post;
mod tick;

pub use doorbell::Doorbell;
pub use jobs::{Candidates, Deliver, JOBS, Job, Work, find};
pub use letter::{Letters, Words};
pub use pattern::{Pattern, occurrences};
pub use post::{Post, PostError};
pub use tick::{Bench, Ran, Round, deliver, ensure_schedules, run_at, tick};
