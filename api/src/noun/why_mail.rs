//! What a mail says and why it is sent, why someone gets none, and which reminders would go out in a range of days.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::NaiveDate;
use entity::mail::{self, MailState};
use ledger::fault::{self, Fault, Thing};
use ledger::keep::machine as keep;
use ledger::people::policy::Act;
use ledger::reminder::{self, Whom, describe, name_of};
use planner::Bilingual;
use sea_orm::EntityTrait;

use crate::context::{MailText, Request, Simulated, Unwritable};
use crate::error::{Code, coded, masked};
use crate::noun::job_report::JobDigestItem;
use crate::noun::mail::Mail;
use crate::noun::reminder_rule::ReminderKind;
use crate::noun::unit::Unit;
use crate::part::payload::key_of;
use crate::part::scalar::Date;

/// The most days of a simulation by the API.
const MAX_DAYS: i64 = 62;
/// The most digests that a simulation shows.
const MAX_DIGESTS: usize = 500;

/// What kind of reason there is why someone gets no reminder.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::reminder::WhyNotCode")]
pub(crate) enum NoMailCode {
    /// 查无此邮箱 · No unit, account or leader has the address.
    UnknownAddress,
    /// 未登记邮箱 · The unit has no mail address.
    NoAddress,
    /// 账户停用 · The account of the address is disabled or expired.
    DeadAccount,
    /// 停止投递 · Nothing is sent to the address: it is on the suppression list.
    Suppressed,
    /// 本人关闭 · The person has switched this reminder off.
    Muted,
    /// 提醒停用 · The reminder is off by its rule.
    Off,
    /// 休息日 · The day is a day off, on which the reminder is not sent.
    DayOff,
    /// 已入发件箱 · A mail was queued for that day; `message` says what became of it.
    Queued,
    /// 已告知 · The address was told of the item, and the time for the next reminder has not come.
    Told,
    /// 应告知 · The item is owed: the next run of the job queues it.
    Owed,
    /// 未到时点 · Nothing is due for a reminder on that day.
    NothingDue,
}

/// One reason why someone gets no reminder on a day.
#[derive(SimpleObject)]
pub(crate) struct NoMailReason {
    /// What kind of reason it is.
    code: NoMailCode,
    /// The reason in words, in the language of the request.
    message: String,
    /// Item that it is about; null if it is about none.
    item: Option<JobDigestItem>,
    /// Local date on which the address was told of the item last.
    told_on: Option<Date>,
    /// Local date on which it is told next, if nothing changes.
    next_on: Option<Date>,
}

/// What a mail says, in the language of its recipient.
#[derive(SimpleObject)]
pub(crate) struct MailContent {
    /// Subject line of the mail.
    subject: String,
    /// Plain text of the mail.
    text: String,
    /// The mail as an HTML document.
    html: String,
}

/// Why a mail is sent.
#[derive(SimpleObject)]
pub(crate) struct MailReason {
    /// One fact each, in the language of the request: the rule and the day, how the recipient was found, and what held
    /// the mail up.
    lines: Vec<String>,
    /// What a digest lists, the most urgent first; empty for a notice. At most 50.
    items: Vec<JobDigestItem>,
}

/// A digest that would go out.
#[derive(SimpleObject)]
pub(crate) struct SimulatedDigest {
    /// Local date on which it would go out.
    day: Date,
    /// Stable name of the job, such as `overdue`.
    job: String,
    /// Mail address that is told.
    recipient: String,
    /// Number of items that it lists.
    item_count: i32,
}

/// The digests that would go out in a range of days.
#[derive(SimpleObject)]
pub(crate) struct Simulation {
    /// Number of digests.
    digest_count: i32,
    /// The first 500 digests, by day.
    digests: Vec<SimulatedDigest>,
}

/// Writes a mail that the caller may see; none where nothing is left to be said.
async fn content(ctx: &Context<'_>, mail_id: &ID) -> async_graphql::Result<Option<MailContent>> {
    let request = ctx.data::<Request>()?;
    let Some(key) = key_of::<Mail>(mail_id) else { return Ok(None) };
    let found = keep::mail_in_sight(&request.acting(), key).await.map_err(|failure| masked(&failure))?;
    let Some(mail) = found.filter(|mail| mail.state != MailState::Cancelled) else { return Ok(None) };
    let written = (request.reminding.preview)(mail).await.map_err(|why| match why {
        Unwritable::Ledger(failure) => masked(&failure),
        Unwritable::Mail(why) if request.principal().may(Act::KeepAccounts) => coded(Code::Internal, why),
        // Only administrators can mend what is wrong.
        Unwritable::Mail(_) => {
            let (zh, en) = ("邮件内容无法生成，请告知系统管理员", "the mail cannot be written: tell an administrator");
            coded(Code::Internal, Bilingual::new(zh, en))
        }
    })?;
    Ok(written.map(|MailText { subject, text, html }| MailContent { subject, text, html }))
}

/// Queries on what is told to whom, and why.
#[derive(Default)]
pub(crate) struct WhyMailQuery;

#[Object]
impl WhyMailQuery {
    /// Returns what a mail of the outbox says: written anew from what the ledger says now, because no mail is kept as
    /// it was sent. Links lead to pages that ask for signing in, and secrets are left out. Null for callers who may not
    /// see the mail, for a mail that was cancelled, and where nothing is left to be said; with an error where it cannot
    /// be written, which tells administrators what is wrong.
    async fn mail_content(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the mail.")] mail_id: ID,
    ) -> Option<async_graphql::Result<MailContent>> {
        content(ctx, &mail_id).await.transpose()
    }

    /// Says why a mail of the outbox is sent. For administrators; null for others, and if there is no such mail.
    async fn mail_reason(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of the mail.")] mail_id: ID,
    ) -> async_graphql::Result<Option<MailReason>> {
        let request = ctx.data::<Request>()?;
        let Some(key) = key_of::<Mail>(&mail_id).filter(|_| request.principal().may(Act::KeepAccounts)) else {
            return Ok(None);
        };
        let read = async {
            let Some(mail) = mail::Entity::find_by_id(key).one(&request.db).await? else { return Ok(None) };
            reminder::why(&request.db, &mail, &request.timing).await.map(Some)
        };
        let why = read.await.map_err(|failure: ledger::Error| masked(&failure))?;
        Ok(why.map(|why| MailReason {
            lines: why.lines.iter().map(|line| request.language.of(line).to_owned()).collect(),
            items: why.items.into_iter().take(50).map(Into::into).collect(),
        }))
    }

    /// Says why someone gets no reminder of a kind on a day, or which one they get: by a mail address or as a unit. For
    /// administrators; empty for others.
    async fn why_no_mail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Kind of reminder.")] kind: ReminderKind,
        #[graphql(desc = "Local date that is asked about.")] on: Date,
        #[graphql(desc = "Mail address; needed unless `unitId` is given.")] address: Option<String>,
        #[graphql(desc = "Global id of the unit.")] unit_id: Option<ID>,
    ) -> async_graphql::Result<Vec<NoMailReason>> {
        let request = ctx.data::<Request>()?;
        if !request.principal().may(Act::KeepAccounts) {
            return Ok(Vec::new());
        }
        let whom = whom(address, unit_id.as_ref()).map_err(said)?;
        let told = (request.reminding.why_not)(name_of(kind.into()), on.0, whom).await;
        let told = told.map_err(|failure| masked(&failure))?;
        let mut reasons = Vec::new();
        for why in told {
            let item =
                describe(&request.db, &Vec::from_iter(why.item)).await.map_err(|failure| masked(&failure))?.pop();
            reasons.push(NoMailReason {
                code: why.code.into(),
                message: request.language.of(&why.message).to_owned(),
                item: item.map(Into::into),
                told_on: why.told_on.map(Date),
                next_on: why.next_on.map(Date),
            });
        }
        Ok(reasons)
    }

    /// The digests of reminders that would go out in a range of at most 62 days, past or future, with the ledger and
    /// the rules as they are now. Writes nothing. For administrators; empty for others. The command line simulates up
    /// to a year.
    async fn simulate_reminders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "First local date.")] from: Date,
        #[graphql(desc = "Last local date.")] to: Date,
        #[graphql(desc = "Kind of reminder; without it, all.")] kind: Option<ReminderKind>,
    ) -> async_graphql::Result<Simulation> {
        let request = ctx.data::<Request>()?;
        if !request.principal().may(Act::KeepAccounts) {
            return Ok(Simulation { digest_count: 0, digests: Vec::new() });
        }
        range(from.0, to.0).map_err(said)?;
        let simulated = (request.reminding.simulate)((from.0, to.0), kind.map(|kind| name_of(kind.into())), None).await;
        let simulated = simulated.map_err(|failure| masked(&failure))?;
        let digest = |one: &Simulated| SimulatedDigest {
            day: Date(one.day),
            job: one.job.to_owned(),
            recipient: one.recipient.clone(),
            item_count: i32::try_from(one.item_count).unwrap_or(i32::MAX),
        };
        Ok(Simulation {
            digest_count: i32::try_from(simulated.len()).unwrap_or(i32::MAX),
            digests: simulated.iter().take(MAX_DIGESTS).map(digest).collect(),
        })
    }
}

fn whom(address: Option<String>, unit: Option<&ID>) -> Result<Whom, Fault> {
    match (address, unit) {
        (_, Some(unit)) => key_of::<Unit>(unit).map(Whom::Unit).ok_or_else(|| fault::unknown(Thing::Unit, &["unitId"])),
        (Some(address), None) => Ok(Whom::Address(ledger::unit::normal_address(&address, &["address"])?)),
        (None, None) => {
            let (zh, en) = ("请填写邮箱或单位", "give an address or a unit");
            Err(Fault::invalid(zh, en, &["address"]))
        }
    }
}

fn range(from: NaiveDate, to: NaiveDate) -> Result<(), Fault> {
    if (0..MAX_DAYS).contains(&(to - from).num_days()) {
        return Ok(());
    }
    let zh = format!("截止日期不能早于起始日期，最多 {MAX_DAYS} 天");
    let en = format!("the last day is not before the first, and the range has at most {MAX_DAYS} days");
    Err(Fault::invalid(zh, en, &["to"]))
}

/// Returns a fault of an argument as an error of the request.
fn said(fault: Fault) -> async_graphql::Error {
    coded(Code::BadUserInput, fault.message)
}
