//! Why a mail is sent, and why an address gets no reminder on a day: what there is to be said, in words.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::mail::{self, MailState};
use entity::reminder_rule::ReminderKind;
use entity::{account, leader, unit, unit_address};
use entity::{mail_item, muted_mail, suppression};
use planner::Bilingual;
use sea_orm::{ActiveEnum, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::candidate::{Find, Matter, Timing};
use super::described::{Described, describe};
use super::plan::{Item, standings};
use super::rules::{RegionRule, Rules, kind_of, repeats};
use crate::Result;
use crate::record::database::Transaction;

/// Why a mail is sent: in words, and the items that it lists.
#[derive(Debug, Clone)]
pub struct Why {
    /// One fact a line: the rule, the day, how the recipient was found, and what held the mail up.
    pub lines: Vec<Bilingual>,
    /// What it lists, the most urgent first; empty for a notice.
    pub items: Vec<Described>,
}

/// Says why a mail of the outbox is sent, and what became of it.
pub async fn why<C: ConnectionTrait>(db: &C, mail: &mail::Model, timing: &Timing) -> Result<Why> {
    let unit = match mail.unit_id {
        Some(unit) => unit::Entity::find_by_id(unit).one(db).await?,
        None => None,
    };
    let region = unit.as_ref().map(|unit| unit.region_id);
    let mut lines = vec![match kind_of(&mail.kind) {
        Some(kind) => {
            let rules = Rules::read(db, timing).await?;
            let rule = rules.of(kind, region);
            let days = rule.days_before.iter().map(ToString::to_string).collect::<Vec<_>>().join("、");
            let (before, before_en) = if days.is_empty() {
                (String::new(), String::new())
            } else {
                (format!("，提前 {days} 天"), format!(", {days} days before"))
            };
            let (before, before_en) = match days_of_account(kind, rule) {
                Some(days) => (format!("，{}", days.zh), format!(", {}", days.en)),
                None => (before, before_en),
            };
            let (again, again_en) = if repeats(kind) {
                (format!("，隔 {} 天再提醒", rule.again_after), format!(", again after {} days", rule.again_after))
            } else {
                (String::new(), String::new())
            };
            Bilingual {
                zh: format!("按提醒规则{before}{again}；{} 的一期", mail.local_day),
                en: format!("a reminder by its rule{before_en}{again_en}; the occurrence of {}", mail.local_day),
            }
        }
        None => Bilingual {
            zh: format!("{} 有人办理，随即通知", mail.local_day),
            en: format!("a notice of what someone did on {}", mail.local_day),
        },
    }];
    lines.push(found_by(db, mail, unit.as_ref()).await?);
    if let Some(held_at) = mail.held_at {
        lines.push(Bilingual {
            zh: format!("{} 因休息日或免打扰时段缓发", held_at.to_rfc3339()),
            en: format!("held back at {} over a day off or quiet hours", held_at.to_rfc3339()),
        });
    }
    if mail.state == MailState::Cancelled {
        lines.push(Bilingual { zh: format!("已取消：{}", mail.reason), en: format!("cancelled: {}", mail.reason) });
    }
    if let Some(bounced_at) = mail.bounced_at {
        let why = mail.last_error.as_deref().unwrap_or("—");
        lines.push(Bilingual {
            zh: format!("{} 收到退信：{why}", bounced_at.to_rfc3339()),
            en: format!("came back at {}: {why}", bounced_at.to_rfc3339()),
        });
    } else if let Some(error) = &mail.last_error {
        lines.push(Bilingual { zh: format!("上次出错：{error}"), en: format!("last error: {error}") });
    }
    let rows = mail_item::Entity::find().filter(mail_item::Column::MailId.eq(mail.id)).all(db).await?;
    let mut items: Vec<Item> = rows
        .into_iter()
        .filter_map(|row| {
            let matter = Matter::of_keys(row.measure_id, row.case_id, row.region_id)?;
            Some(Item { due_on: row.due_on?, matter, assignment: row.assignment_id })
        })
        .collect();
    items.sort();
    Ok(Why { lines, items: describe(db, &items).await? })
}

/// Says how the recipient of a mail is found.
async fn found_by<C: ConnectionTrait>(db: &C, mail: &mail::Model, unit: Option<&unit::Model>) -> Result<Bilingual> {
    let of_unit = match unit {
        Some(unit) => {
            let of_unit = unit_address::Entity::find().filter(unit_address::Column::UnitId.eq(unit.id));
            of_unit.filter(unit_address::Column::Address.eq(&mail.recipient)).one(db).await?.is_some()
        }
        None => false,
    };
    if let Some(unit) = unit.filter(|_| of_unit) {
        return Ok(Bilingual {
            zh: format!("收件人 {} 是{}登记的邮箱", mail.recipient, unit.name),
            en: format!("the recipient {} is an address of {}", mail.recipient, unit.name),
        });
    }
    if account::Entity::find().filter(account::Column::Email.eq(&mail.recipient)).one(db).await?.is_some() {
        return Ok(Bilingual {
            zh: format!("收件人 {} 是一个账户", mail.recipient),
            en: format!("the recipient {} is an account", mail.recipient),
        });
    }
    let leads = leader::Entity::find().filter(leader::Column::Email.eq(&mail.recipient)).one(db).await?.is_some();
    Ok(if leads {
        Bilingual {
            zh: format!("收件人 {} 是所列措施的领导", mail.recipient),
            en: format!("the recipient {} is a leader of the measures listed", mail.recipient),
        }
    } else {
        Bilingual {
            zh: format!("收件人 {} 已不再登记", mail.recipient),
            en: format!("the recipient {} is registered no more", mail.recipient),
        }
    })
}

/// One reason.
#[derive(Debug, Clone)]
pub struct WhyNot {
    /// What kind of reason it is.
    pub code: WhyNotCode,
    /// The reason in words.
    pub message: Bilingual,
    /// The item that it is about, if it is about one.
    pub item: Option<Item>,
    /// The day on which the address was told of it last.
    pub told_on: Option<NaiveDate>,
    /// The day on which it is told next, if nothing changes.
    pub next_on: Option<NaiveDate>,
}

/// What kind of reason there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNotCode {
    /// Nobody is known by the address.
    UnknownAddress,
    /// The unit has no address.
    NoAddress,
    /// The account of the address is disabled or expired.
    DeadAccount,
    /// Nothing is sent to the address: it is on the suppression list (停止投递).
    Suppressed,
    /// The person has switched this reminder off.
    Muted,
    /// The reminder is off.
    Off,
    /// The day is a day off.
    DayOff,
    /// A mail was queued for that day: sent, waiting, failed or cancelled.
    Queued,
    /// The address was told of the item, which is not owed again yet.
    Told,
    /// The item is owed: a run of the job would queue it.
    Owed,
    /// Nothing is due.
    NothingDue,
}

impl WhyNot {
    fn new(code: WhyNotCode, zh: impl Into<String>, en: impl Into<String>) -> Self {
        let message = Bilingual { zh: zh.into(), en: en.into() };
        Self { code, message, item: None, told_on: None, next_on: None }
    }
}

/// Who was not told: by a mail address, or as a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// The mail address, normalised.
    Address(String),
    /// The key of the unit.
    Unit(i64),
}

/// Says why someone gets no reminder of a kind on a day, or which one they get. `find` finds what the reminder of the
/// given name is about.
pub async fn why_not(
    db: &Transaction,
    (kind, name, find): (ReminderKind, &str, Find),
    rules: &Rules,
    (today, zone): (NaiveDate, Tz),
    whom: &Whom,
) -> Result<Vec<WhyNot>> {
    let (addresses, units) = match addressed(db, whom, today).await? {
        Ok(found) => found,
        Err(reason) => return Ok(vec![reason]),
    };
    let mut reasons = queued(db, name, today, &addresses).await?;
    let stopped = stopped(db, name, &addresses).await?;
    // A person of no unit is told by the rules of many regions: those of the whole ledger stand for them.
    let none = units.is_empty().then_some(None);
    let regions = units.iter().map(|unit| Some(unit.region_id)).chain(none);
    let all: Vec<_> = regions.map(|region| rules.of(kind, region)).collect();
    if all.iter().all(|rule| !rule.is_on) {
        reasons.push(WhyNot::new(WhyNotCode::Off, "这类提醒已停用", "this reminder is off"));
    } else if all.iter().all(|rule| rule.next_day(today) != Some(today)) {
        let next = all.iter().filter_map(|rule| rule.next_day(today)).min();
        let when = next.map(|day| day.to_string()).unwrap_or_default();
        let reason = WhyNot::new(
            WhyNotCode::DayOff,
            format!("{today} 是休息日，下一个工作日是 {when}"),
            format!("{today} is a day off; the next working day is {when}"),
        );
        reasons.push(WhyNot { next_on: next, ..reason });
    }
    let keys: Vec<i64> = units.iter().map(|unit| unit.id).collect();
    for address in addresses.iter().filter(|address| !stopped.iter().any(|(stopped, _)| stopped == *address)) {
        for standing in standings(db, (name, find), (today, zone), rules, (address, &keys)).await? {
            let rule = rules.of(kind, standing.region);
            let reason = match standing.told_on.filter(|_| !standing.is_owed()) {
                Some(told_on) => {
                    let is_told_again = repeats(kind) || standing.item.due_on >= today;
                    let next = rule.next_after((standing.item.due_on, told_on), today).filter(|_| is_told_again);
                    let later =
                        next.map(|day| (format!("，下次 {day}"), format!(", next on {day}"))).unwrap_or_default();
                    let zh = format!("{address} 已于 {told_on} 告知{}", later.0);
                    let en = format!("{address} was told on {told_on}{}", later.1);
                    WhyNot { told_on: Some(told_on), next_on: next, ..WhyNot::new(WhyNotCode::Told, zh, en) }
                }
                None => WhyNot::new(
                    WhyNotCode::Owed,
                    format!("应告知 {address}，任务运行后即写入发件箱"),
                    format!("{address} is to be told: the next run of the job queues it"),
                ),
            };
            reasons.push(WhyNot { item: Some(standing.item), ..reason });
        }
    }
    reasons.extend(stopped.into_iter().map(|(_, reason)| reason));
    if reasons.is_empty() {
        let (zh, en) = ("当日没有到提醒时点的事项", "nothing of theirs is due for a reminder on that day");
        reasons.push(match all.iter().find_map(|rule| days_of_account(kind, *rule)) {
            Some(days) => {
                let (zh, en) = (format!("{zh}（{}）", days.zh), format!("{en} ({})", days.en));
                WhyNot::new(WhyNotCode::NothingDue, zh, en)
            }
            None => WhyNot::new(WhyNotCode::NothingDue, zh, en),
        });
    }
    Ok(reasons)
}

/// Says on which days of the month the form and the figures of the monthly account come; `None` for other kinds.
fn days_of_account(kind: ReminderKind, rule: RegionRule<'_>) -> Option<Bilingual> {
    let (form, report) = (rule.account_form_day, rule.account_report_day);
    (kind == ReminderKind::MonthlyAccount).then(|| Bilingual {
        zh: format!("每月 {form} 日发月调度表，次月 {report} 日报送数字，遇休息日顺延"),
        en: format!("the form on day {form} of the month, the figures on day {report} of the next; days off move both"),
    })
}

/// Returns the addresses and units of someone, or why nobody can be told.
async fn addressed<C: ConnectionTrait>(
    db: &C,
    whom: &Whom,
    today: NaiveDate,
) -> Result<std::result::Result<(Vec<String>, Vec<unit::Model>), WhyNot>> {
    let address = match whom {
        Whom::Unit(key) => {
            let units = unit::Entity::find().filter(unit::Column::Id.eq(*key)).all(db).await?;
            let rows = unit_address::Entity::find().filter(unit_address::Column::UnitId.eq(*key)).all(db).await?;
            if rows.is_empty() {
                let (zh, en) = ("该单位没有登记邮箱", "the unit has no mail address");
                return Ok(Err(WhyNot::new(WhyNotCode::NoAddress, zh, en)));
            }
            return Ok(Ok((rows.into_iter().map(|row| row.address).collect(), units)));
        }
        Whom::Address(address) => address,
    };
    let rows = unit_address::Entity::find().filter(unit_address::Column::Address.eq(address)).all(db).await?;
    let account = account::Entity::find().filter(account::Column::Email.eq(address)).one(db).await?;
    let leads = leader::Entity::find().filter(leader::Column::Email.eq(address)).one(db).await?.is_some();
    if rows.is_empty() && account.is_none() && !leads {
        let (zh, en) = ("没有单位、账户或领导使用这个邮箱", "no unit, account or leader has this address");
        return Ok(Err(WhyNot::new(WhyNotCode::UnknownAddress, zh, en)));
    }
    let is_over = |account: &account::Model| account.is_disabled || account.valid_until.is_some_and(|day| day < today);
    if rows.is_empty() && !leads && account.as_ref().is_some_and(is_over) {
        let (zh, en) = ("该账户已停用或过期", "the account is disabled or expired");
        return Ok(Err(WhyNot::new(WhyNotCode::DeadAccount, zh, en)));
    }
    let keys: Vec<i64> = rows.into_iter().map(|row| row.unit_id).collect();
    let units = unit::Entity::find().filter(unit::Column::Id.is_in(keys)).all(db).await?;
    Ok(Ok((vec![address.clone()], units)))
}

/// Says to which of the addresses no mail of a kind is sent: those on the suppression list, and those of persons who
/// have switched it off. Units cannot switch off what their offices send.
async fn stopped(db: &Transaction, kind: &str, addresses: &[String]) -> Result<Vec<(String, WhyNot)>> {
    let addresses = || addresses.iter().cloned();
    let suppressed =
        suppression::Entity::find().filter(suppression::Column::Address.is_in(addresses())).all(db).await?;
    let muted = muted_mail::Entity::find()
        .filter(muted_mail::Column::Address.is_in(addresses()))
        .filter(muted_mail::Column::Kind.eq(kind))
        .all(db)
        .await?;
    let of_units =
        unit_address::Entity::find().filter(unit_address::Column::Address.is_in(addresses())).all(db).await?;
    let suppressed = suppressed.into_iter().map(|row| {
        let detail = row.detail.map(|detail| format!("：{detail}")).unwrap_or_default();
        let zh = format!("{} 在停止投递名单上{detail}", row.address);
        let en = format!("{} is on the suppression list{detail}", row.address);
        (row.address, WhyNot::new(WhyNotCode::Suppressed, zh, en))
    });
    let is_of_unit = |address: &str| of_units.iter().any(|row| row.address == address);
    let muted = muted.into_iter().filter(|row| !is_of_unit(&row.address)).map(|row| {
        let zh = format!("{} 的使用者已关闭这类提醒", row.address);
        let en = format!("the holder of {} has switched this reminder off", row.address);
        (row.address, WhyNot::new(WhyNotCode::Muted, zh, en))
    });
    Ok(suppressed.chain(muted).collect())
}

/// Says what became of the mails of a kind that were queued for a day.
async fn queued<C: ConnectionTrait>(db: &C, kind: &str, today: NaiveDate, addresses: &[String]) -> Result<Vec<WhyNot>> {
    let mails = mail::Entity::find()
        .filter(mail::Column::Kind.eq(kind))
        .filter(mail::Column::LocalDay.eq(today))
        .filter(mail::Column::Recipient.is_in(addresses.iter().cloned()))
        .order_by_asc(mail::Column::Id)
        .all(db)
        .await?;
    let said = |mail: mail::Model| {
        let error = mail.last_error.map(|error| format!("：{error}")).unwrap_or_default();
        let (zh, en) = match mail.state {
            MailState::Sent if mail.bounced_at.is_some() => (format!("已发送，后被退回{error}"), "came back"),
            MailState::Sent => ("已发送".to_owned(), "was sent"),
            MailState::Queued | MailState::Sending if mail.held_at.is_some() => {
                (format!("因休息日或免打扰时段，等到 {} 发送", mail.next_attempt_at.to_rfc3339()), "is held back")
            }
            MailState::Queued | MailState::Sending => (format!("待发送{error}"), "waits to be sent"),
            MailState::Failed => (format!("发送失败{error}"), "failed"),
            MailState::Cancelled => (format!("已取消：{}", mail.reason), "was cancelled"),
        };
        let state = mail.state.to_value();
        let zh = format!("已于当日为 {} 写入发件箱（mail_{}）：{zh}", mail.recipient, mail.id);
        let en = format!("a mail to {} was queued for that day (mail_{}, {state}): it {en}", mail.recipient, mail.id);
        WhyNot::new(WhyNotCode::Queued, zh, en)
    };
    Ok(mails.into_iter().map(said).collect())
}
