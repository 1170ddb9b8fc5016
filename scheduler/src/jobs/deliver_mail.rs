//! `deliver-mail`: every minute, whatever in the outbox is due: claim, re-check, render, send, settle.

use chrono::{DateTime, Utc};
use entity::schedule::Misfire;
use ledger::record::outbox::{self, Fate};

use super::{Job, Work};
use crate::letter::Written;
use crate::notice;
use crate::post::PostError;
use crate::tick::Bench;

pub(super) const JOB: Job = Job {
    name: "deliver-mail",
    about: "投递发件箱中到时的邮件",
    cron: "0 * * * * *",
    misfire: Misfire::Skip,
    work: Work::Deliver,
};

/// The most mails of one run; the rest waits for the next minute.
const MOST: usize = 1_000;

/// What a run of deliveries did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deliver {
    /// Mails that a server took.
    pub sent: usize,
    /// Mails that had nothing left to say.
    pub cancelled: usize,
    /// Mails that failed and are tried again, or are parked.
    pub failed: usize,
}

/// Delivers what is due, by a moment or as time goes on. The clock is asked anew for every mail, so that leases hold.
pub(crate) async fn deliver(bench: &Bench, due_by: Option<DateTime<Utc>>) -> ledger::Result<Deliver> {
    let Bench { db, letters, post, token, .. } = bench;
    let now = || (bench.clock)();
    let mut done = Deliver::default();
    let mut tried = Vec::new();
    for _ in 0..MOST {
        if (bench.stopping)() {
            break;
        }
        let Some(claimed) = outbox::claim(db, due_by.unwrap_or_else(now), now(), token, &tried).await? else { break };
        if outbox::is_dead(db, &claimed.mail.recipient, bench.zone, now()).await? {
            done.cancelled += 1;
            tried.push(claimed.mail.id);
            let why = "收件人的账户已停用或过期".to_owned();
            outbox::settle(db, &claimed, Fate::Cancelled(why), now()).await?;
            continue;
        }
        let written = match super::find(&claimed.mail.kind).map(|job| &job.work) {
            Some(Work::Remind(reminder)) => letters.write(db, &claimed.mail, &reminder.words).await,
            _ if notice::is_known(&claimed.mail.kind) => {
                notice::write(letters, db, &claimed.mail, (now(), bench.zone)).await
            }
            _ => {
                // A reminder that this version no longer knows.
                let why = format!("没有名为 {} 的提醒", claimed.mail.kind);
                outbox::settle(db, &claimed, Fate::Refused(why), now()).await?;
                done.failed += 1;
                continue;
            }
        };
        let fate = match written {
            Ok(Written::Letter(letter)) => match post.send(&letter, &claimed.mail, now()).await {
                Ok(()) => {
                    done.sent += 1;
                    Fate::Sent(letter.subject)
                }
                Err(PostError::Refused(why)) => {
                    done.failed += 1;
                    Fate::Refused(why)
                }
                Err(PostError::Unavailable(why)) => {
                    done.failed += 1;
                    Fate::Retry(why)
                }
            },
            Ok(Written::NothingLeft) => {
                done.cancelled += 1;
                Fate::Cancelled("发送前复核：所列事项均已完成、销号或不涉及".to_owned())
            }
            Err(error) => {
                tracing::error!(mail = claimed.mail.id, %error, "a mail could not be written");
                done.failed += 1;
                Fate::Retry("邮件内容生成失败".to_owned())
            }
        };
        tried.push(claimed.mail.id);
        if !outbox::settle(db, &claimed, fate, now()).await? {
            tracing::warn!(mail = claimed.mail.id, "the lease on a mail was lost; another sender has it");
        }
    }
    Ok(done)
}
