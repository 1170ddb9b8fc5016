//! Accounts (填报人): making, correcting, disabling and erasing them, and what is known of a person. Signing in (`sign_in`),
//! passwords (`password`), sessions and tokens (`session`), the second factor (`second_factor`) and links that work once
//! (`link`) have files of their own.

pub mod erase;
pub mod link;
pub mod password;
pub mod second_factor;
pub mod session;
pub mod sign_in;

use chrono::{DateTime, NaiveDate, Utc};
use entity::account::{self, Role};
use entity::{region, unit};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::fault::{self, Fault, FaultCode};
use crate::keep::Patch;
use crate::people::policy::{Act, Principal, Reach, not_allowed};
use crate::record::audit::{self, By, Noted};
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::outbox::{self, Notice};
use crate::work::{self, Desk};
use crate::{Error, Result};

pub use session::{Opened, SESSION, Wanted, authenticate, open};

pub use password::Hashed;

/// An account to be made.
#[derive(Debug, Clone)]
pub struct New {
    /// The sign-in address.
    pub email: String,
    /// The name shown to colleagues.
    pub name: String,
    /// The telephone number.
    pub phone: Option<String>,
    /// What it may see and do.
    pub role: Role,
    /// The unit that it works for.
    pub unit: Option<i64>,
    /// The region that the role is about, where that is not the unit's.
    pub region: Option<i64>,
    /// The password, hashed before the account is written; none for who signs in otherwise.
    pub password: Option<Hashed>,
    /// The last local day on which it may be used.
    pub valid_until: Option<NaiveDate>,
    /// Made by the demo.
    pub is_demo: bool,
}

/// Makes an account. The first one that is not the demo's ends the demo's for good: they are disabled, and what they are
/// signed in with ends. It also ends the set-up codes.
pub async fn create(db: &Transaction, by: &By, new: New, now: DateTime<Utc>) -> Result<account::Model> {
    let email = email(&new.email)?;
    let name = person_name(&new.name)?;
    let phone = new.phone.as_deref().map(telephone).transpose()?;
    let place = Place { role: new.role, unit: new.unit, region: new.region, valid_until: new.valid_until };
    let place = place.check(db).await?;
    free(db, &email, None).await?;
    let row = account::ActiveModel {
        unit_id: Set(place.unit),
        name: Set(name),
        email: Set(email),
        created_at: Set(now),
        role: Set(place.role),
        region_id: Set(place.region),
        phone: Set(phone),
        password_hash: Set(new.password.map(|password| password.0)),
        is_demo: Set(new.is_demo),
        is_disabled: Set(false),
        valid_until: Set(place.valid_until),
        failures: Set(0),
        version: Set(1),
        ..Default::default()
    };
    let row = row.insert(db).await?;
    note(db, by, row.id, "ACCOUNT_CREATED", rights(&row), now).await?;
    if !row.is_demo {
        sign_in::log_change(by, row.id, "account-created");
        link::end_set_up(db).await?;
        end_demo(db, by, now).await?;
    }
    Ok(row)
}

/// Refuses whoever may not make such an account: asked before a password is hashed.
pub fn may_create(desk: &Desk<'_>, role: Role, has_password: bool) -> Result<()> {
    if !desk.by.principal.may(Act::KeepAccounts) {
        return Err(not_allowed(Act::KeepAccounts).into());
    }
    if role == Role::Administrator || has_password { in_person(desk.by) } else { Ok(()) }
}

/// Makes an account and commits; invites its owner by mail to set a password where that is wished. For administrators. A
/// token makes no administrator, and gives nobody a password.
pub async fn create_one(desk: &Desk<'_>, new: New, is_invited: bool) -> Result<account::Model> {
    may_create(desk, new.role, new.password.is_some())?;
    let transaction = database::begin(desk.db).await?;
    let made = create(&transaction, desk.by, new, desk.now).await?;
    if is_invited {
        link::queue_invitation(&transaction, desk, &made).await?;
    }
    transaction.commit().await?;
    Ok(made)
}

/// Disables the demo's accounts and ends what they are signed in with.
async fn end_demo(db: &Transaction, by: &By, now: DateTime<Utc>) -> Result<()> {
    let demo = account::Entity::find()
        .filter(account::Column::IsDemo.eq(true))
        .filter(account::Column::IsDisabled.eq(false))
        .order_by_asc(account::Column::Id)
        .all(db)
        .await?;
    for row in demo {
        hold(db, row.id).await?;
        let change = account::ActiveModel { id: Set(row.id), is_disabled: Set(true), ..Default::default() };
        change.update(db).await?;
        session::end_all(db, row.id, now).await?;
        note(db, by, row.id, "ACCOUNT_DISABLED", json!({ "isDisabled": true }), now).await?;
    }
    Ok(())
}

/// What an account may see and do, and until when.
struct Place {
    role: Role,
    unit: Option<i64>,
    region: Option<i64>,
    valid_until: Option<NaiveDate>,
}

impl Place {
    /// Refuses a unit or region that is not in use, and a role without what it is about. Gives the unit's region where none
    /// is named.
    async fn check<C: ConnectionTrait>(self, db: &C) -> Result<Self> {
        let unknown = |zh: &str, en: &str, field: &str| Fault::new(FaultCode::NotFound, zh, en, &["input", field]);
        let unit = match self.unit {
            Some(unit) => {
                let found = unit::Entity::find_by_id(unit).one(db).await?.filter(|unit| unit.retired_on.is_none());
                Some(found.ok_or_else(|| unknown("没有这个单位，或已撤销", "there is no such unit in use", "unitId"))?)
            }
            None => None,
        };
        if let Some(region) = self.region {
            let found = region::Entity::find_by_id(region).one(db).await?.filter(|region| region.retired_on.is_none());
            found.ok_or_else(|| unknown("没有这个行政区，或已撤销", "there is no such region in use", "regionId"))?;
        }
        let region = self.region.or(unit.as_ref().map(|unit| unit.region_id));
        if self.role != Role::Administrator && region.is_none() {
            return Err(Fault::invalid(
                "除系统管理员外，账户应属于一个单位或行政区",
                "every account but an administrator's belongs to a unit or a region",
                &["input", "unitId"],
            )
            .into());
        }
        if matches!(self.role, Role::LeadUnit | Role::ResponsibleUnit | Role::SupervisingUnit) && unit.is_none() {
            return Err(Fault::invalid(
                "牵头、责任、督导单位的账户应指明单位",
                "an account of a lead, responsible or supervising unit names the unit",
                &["input", "unitId"],
            )
            .into());
        }
        if self.role == Role::Inspector && self.valid_until.is_none() {
            let (zh, en) = ("督察组的账户应有截止日期", "an inspector's account is valid until a day: give it");
            return Err(Fault::invalid(zh, en, &["input", "validUntil"]).into());
        }
        Ok(Self { unit: unit.map(|unit| unit.id), region, ..self })
    }
}

/// What the audit keeps of an account: its rights, and nothing that names a person.
fn rights(row: &account::Model) -> serde_json::Value {
    json!({ "role": row.role.to_value(), "unit": row.unit_id, "region": row.region_id, "validUntil": row.valid_until })
}

/// Corrections of an account.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The version that the caller saw.
    pub version: Option<i32>,
    /// The sign-in address.
    pub email: Patch<String>,
    /// The name shown to colleagues.
    pub name: Patch<String>,
    /// The telephone number.
    pub phone: Patch<Option<String>>,
    /// What it may see and do.
    pub role: Patch<Role>,
    /// The unit that it works for.
    pub unit: Patch<Option<i64>>,
    /// The region that the role is about; the unit's where that changes and this does not.
    pub region: Patch<Option<i64>>,
    /// The last local day on which it may be used.
    pub valid_until: Patch<Option<NaiveDate>>,
}

impl Edit {
    /// Whether it changes what only an administrator may: rights and the sign-in address.
    fn concerns_rights(&self) -> bool {
        !matches!(
            (&self.role, &self.unit, &self.region, &self.valid_until),
            (Patch::Keep, Patch::Keep, Patch::Keep, Patch::Keep)
        )
    }
}

/// Corrects an account: one's own name, telephone and address, or as an administrator anything of anybody's. A new address
/// asks for the current password of who changes it, and both addresses are told. What changes rights, or the address, ends
/// the account's sessions and tokens.
pub async fn edit(desk: &Desk<'_>, account: i64, edit: Edit, current: Option<&str>) -> Result<i64> {
    let by = &desk.by.principal;
    let keeps = by.may(Act::KeepAccounts);
    let is_own = by.account == Some(account) && by.delegate.is_none() && !by.is_read_only;
    if !keeps && !is_own {
        let (zh, en) = ("没有这个账户", "there is no such account");
        return Err(Fault::new(FaultCode::NotFound, zh, en, &["input", "accountId"]).into());
    }
    if edit.concerns_rights() && !keeps {
        return Err(not_allowed(Act::KeepAccounts).into());
    }
    let moves = matches!(edit.email, Patch::Set(_));
    if moves || edit.concerns_rights() {
        in_person(desk.by)?;
    }
    if moves {
        sign_in::prove(desk, current).await?;
    }
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    let before = get(&transaction, account).await?;
    if before.erased_at.is_some() {
        let (zh, en) = ("账户已注销，不能更改", "the account is erased: it is not changed any more");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "accountId"]).into());
    }
    work::current(edit.version, before.version, ("账户", "account"))?;
    let unit = edit.unit.clone().or(before.unit_id);
    // Whoever moves to another unit works for its region, unless another is named.
    let region = match edit.region {
        Patch::Keep if unit != before.unit_id => None,
        ref given => given.clone().or(before.region_id),
    };
    let place =
        Place { role: edit.role.or(before.role), unit, region, valid_until: edit.valid_until.or(before.valid_until) };
    let place = place.check(&transaction).await?;
    let email = edit.email.read(before.email.clone(), |given| email(&given))?;
    let is_moved = email != before.email;
    if is_moved {
        free(&transaction, &email, Some(account)).await?;
    }
    let name = edit.name.read(before.name.clone(), |given| person_name(&given))?;
    let phone = edit.phone.read(before.phone.clone(), |given| given.as_deref().map(telephone).transpose())?;
    // The audit names what changed of a person, and never the words.
    let changed: Vec<&str> = [("email", is_moved), ("name", name != before.name), ("phone", phone != before.phone)]
        .into_iter()
        .filter_map(|(part, is_changed)| is_changed.then_some(part))
        .collect();
    let change = account::ActiveModel {
        id: Set(account),
        email: Set(email),
        name: Set(name),
        phone: Set(phone),
        role: Set(place.role),
        unit_id: Set(place.unit),
        region_id: Set(place.region),
        valid_until: Set(place.valid_until),
        version: Set(before.version + 1),
        ..Default::default()
    };
    let after = change.update(&transaction).await?;
    let (was, is) = (rights(&before), rights(&after));
    if was != is || is_moved {
        session::end_all(&transaction, account, desk.now).await?;
        link::end_all(&transaction, account).await?;
    }
    let (mut said, mut now) = (was.clone(), is.clone());
    (said["version"], now["version"], now["changed"]) = (before.version.into(), after.version.into(), changed.into());
    note_change(&transaction, desk.by, account, "ACCOUNT_EDITED", (said, now), desk.now).await?;
    if was != is {
        sign_in::log_change(desk.by, account, "rights-changed");
    }
    if is_moved {
        let (subject, reason) = (
            "【账户安全】登录邮箱已更改",
            "账户的登录邮箱已更改，此前的登录和访问令牌均已失效。如非本人操作，请立即联系系统管理员。",
        );
        for one in [&before, &after] {
            tell(&transaction, one, ("account-changed", subject, reason), desk).await?;
        }
    }
    transaction.commit().await?;
    Ok(account)
}

/// Refuses an address that another account has.
async fn free(db: &Transaction, email: &str, of: Option<i64>) -> Result<()> {
    let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(db).await?;
    if found.is_some_and(|found| Some(found.id) != of) {
        return Err(Fault::new(
            FaultCode::Conflict,
            format!("{email} 已有账户"),
            format!("{email} has an account already"),
            &["input", "email"],
        )
        .into());
    }
    Ok(())
}

fn person_name(given: &str) -> Result<String, Fault> {
    fault::line(given, 1..=40, ("姓名", "the name"), &["input", "name"])
}

fn telephone(given: &str) -> Result<String, Fault> {
    fault::line(given, 1..=40, ("电话", "the telephone number"), &["input", "phone"])
}

/// Whether an address looks like one: somebody at a place with a name.
fn email(given: &str) -> Result<String, Fault> {
    let email = given.trim().to_lowercase();
    let is_one = email.split_once('@').is_some_and(|(who, place)| {
        !who.is_empty() && place.len() > 2 && !place.starts_with('.') && !place.contains('@')
    });
    if !is_one || email.len() > 200 || email.chars().any(|letter| letter.is_whitespace() || fault::is_hidden(letter)) {
        return Err(Fault::invalid(
            "登录邮箱应形如 name@example.gov.cn",
            "the address looks like name@example.org",
            &["input", "email"],
        ));
    }
    Ok(email)
}

/// The account of an address.
pub async fn find<C: ConnectionTrait>(db: &C, email: &str) -> Result<account::Model> {
    let email = email.trim().to_lowercase();
    let found = account::Entity::find().filter(account::Column::Email.eq(email.as_str())).one(db).await?;
    found.ok_or_else(|| Error::NotFound(format!("没有登录邮箱为 {email} 的账户")))
}

/// The account of a key.
pub(crate) async fn get<C: ConnectionTrait>(db: &C, account: i64) -> Result<account::Model> {
    account::Entity::find_by_id(account).one(db).await?.ok_or_else(missing)
}

fn missing() -> Error {
    Fault::new(FaultCode::NotFound, "没有这个账户", "there is no such account", &["input", "accountId"]).into()
}

/// Refuses a token, and who acts for somebody else: what outlasts them is for people themselves.
pub(crate) fn in_person(by: &By) -> Result<()> {
    let (zh, en) = if by.principal.delegate.is_some() {
        ("代办期间不能办理此事，须由本人办理", "a delegate does not do this: the person does")
    } else if by.principal.is_token {
        ("令牌不能办理此事，请登录后办理", "this is not done with a token: sign in")
    } else {
        return Ok(());
    };
    Err(Fault::new(FaultCode::NotAllowed, zh, en, &["input"]).into())
}

/// Disables an account, which ends its sessions, tokens and delegations for good, or enables it again. For administrators.
/// An account of the demo stays disabled where there are others.
pub async fn set_disabled(desk: &Desk<'_>, account: i64, disabled: bool) -> Result<()> {
    if !desk.by.principal.may(Act::KeepAccounts) {
        return Err(not_allowed(Act::KeepAccounts).into());
    }
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    let found = get(&transaction, account).await?;
    if !disabled && (found.erased_at.is_some() || (found.is_demo && any(&transaction).await?)) {
        let (zh, en) = (
            "已注销的账户，以及正式账户建立后的演示账户，不能再启用",
            "an erased account is not enabled again, nor one of the demo where there are others",
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "accountId"]).into());
    }
    let change = account::ActiveModel { id: Set(account), is_disabled: Set(disabled), ..Default::default() };
    change.update(&transaction).await?;
    if disabled {
        session::end_all(&transaction, account, desk.now).await?;
        link::end_all(&transaction, account).await?;
    }
    let act = if disabled { "ACCOUNT_DISABLED" } else { "ACCOUNT_ENABLED" };
    note(&transaction, desk.by, account, act, json!({ "isDisabled": disabled }), desk.now).await?;
    sign_in::log_change(desk.by, account, if disabled { "account-disabled" } else { "account-enabled" });
    Ok(transaction.commit().await?)
}

fn failed(what: &str) -> Error {
    Error::Database(sea_orm::DbErr::Custom(format!("{what} failed")))
}

/// 256 random bits, in hexadecimal.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| failed("asking for random numbers"))?;
    Ok(hex::encode(bytes))
}

/// A principal that stands for an account in the audit, before its rights are known.
pub(crate) fn of_account(account: i64) -> Principal {
    Principal { account: Some(account), delegate: None, is_read_only: false, is_token: false, reach: Reach::Nothing }
}

/// Whether anybody has an account beside those that the demo made: then nobody comes in without one.
pub async fn any<C: ConnectionTrait>(db: &C) -> Result<bool> {
    let found = account::Entity::find().select_only().column(account::Column::Id);
    let found: Option<i64> = found.filter(account::Column::IsDemo.eq(false)).into_tuple().one(db).await?;
    Ok(found.is_some())
}

/// Locks an account, so that its audit chain has one writer.
pub(crate) async fn hold(db: &Transaction, account: i64) -> Result<()> {
    let found = account::Entity::find_by_id(account).select_only().column(account::Column::Id).lock_exclusive();
    let found: Option<i64> = found.into_tuple().one(db).await?;
    found.map(|_| ()).ok_or_else(missing)
}

pub(crate) async fn note(
    db: &Transaction,
    by: &By,
    account: i64,
    act: &str,
    after: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<()> {
    note_change(db, by, account, act, (json!({}), after), now).await
}

async fn note_change(
    db: &Transaction,
    by: &By,
    account: i64,
    act: &str,
    (before, after): (serde_json::Value, serde_json::Value),
    now: DateTime<Utc>,
) -> Result<()> {
    let object = format!("account_{account}");
    let noted =
        Noted { chain: object.clone(), act: act.to_owned(), object, measure: None, assignment: None, before, after };
    audit::note(db, by, noted, now).await
}

/// Queues a mail about an account to its owner; the demo's have none.
pub(crate) async fn tell(
    db: &Transaction,
    account: &account::Model,
    (kind, subject, reason): (&'static str, &str, &str),
    desk: &Desk<'_>,
) -> Result<()> {
    if account.is_demo {
        return Ok(());
    }
    let notice = Notice {
        cause: format!("{kind}:{}:{}:{}", account.id, account.email, desk.now.timestamp_micros()),
        kind,
        recipient: account.email.clone(),
        unit: account.unit_id,
        subject: subject.to_owned(),
        reason: reason.to_owned(),
        items: Vec::new(),
        case: None,
    };
    outbox::notify(db, &notice, (desk.today(), desk.now)).await
}

/// A secret's hash. It has 80 random bits at least, so one round is enough.
pub(crate) fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}
