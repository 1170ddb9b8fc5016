//! Keeping accounts: creating, editing and disabling them.

use chrono::{DateTime, NaiveDate, Utc};
use entity::account::{self, Role};
use entity::language::Language;
use entity::{region, unit};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde_json::json;

use super::link;
use super::password::Hashed;
use super::proof::prove;
use super::row::{get, hold, missing, note, note_change, tell};
use super::secret::{end_links, end_set_up};
use super::security_log::log_change;
use super::session;
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::patch::Patch;
use crate::people::policy::{Act, needs_end, needs_region, needs_unit};
use crate::record::audit::{self, By};
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::name_order::name_order;
use crate::work::{self, Acting};

/// An account to create.
#[derive(Debug, Clone)]
pub struct New {
    /// The sign-in address (e-mail).
    pub email: String,
    /// The name shown to colleagues.
    pub name: String,
    /// The telephone number.
    pub phone: Option<String>,
    /// The language of mails to the user; `None` means that of the unit.
    pub language: Option<Language>,
    /// The role, which determines what the account may see and do.
    pub role: Role,
    /// The unit that the account works for; required for the roles of a unit.
    pub unit: Option<i64>,
    /// The region to which the role applies; `None` means the region of the unit.
    pub region: Option<i64>,
    /// The hashed password; `None` for an account that signs in by other means.
    pub password: Option<Hashed>,
    /// The last local date on which the account may be used; `None` means no limit. Required for inspectors.
    pub valid_until: Option<NaiveDate>,
    /// Whether the account belongs to the demo.
    pub is_demo: bool,
}

/// Creates an account within the caller's transaction.
///
/// The first account that does not belong to the demo ends the demo for good: its accounts are disabled and their
/// sessions end. It also ends the set-up codes.
pub async fn create(db: &Transaction, by: &By, new: New, now: DateTime<Utc>) -> Result<account::Model> {
    let place = Place { role: new.role, unit: new.unit, region: new.region, valid_until: new.valid_until };
    let (email, name, phone, place) = fault::all((
        email(&new.email),
        person_name(&new.name),
        new.phone.as_deref().map(telephone).transpose(),
        place.check(db).await,
    ))?;
    free(db, &email, None).await?;
    let row = account::ActiveModel {
        unit_id: Set(place.unit),
        name_order: Set(name_order(&name)),
        name: Set(name),
        email: Set(email),
        created_at: Set(now),
        role: Set(place.role),
        region_id: Set(place.region),
        phone: Set(phone),
        language: Set(new.language),
        password_hash: Set(new.password.map(|password| password.0)),
        is_demo: Set(new.is_demo),
        is_disabled: Set(false),
        valid_until: Set(place.valid_until),
        failures: Set(0),
        version: Set(1),
        ..Default::default()
    };
    let row = row.insert(db).await?;
    note(db, by, row.id, "ACCOUNT_CREATED", audit::kept::account(&row), now).await?;
    if !row.is_demo {
        log_change(by, row.id, "account-created");
        end_set_up(db).await?;
        end_demo(db, by, now).await?;
    }
    Ok(row)
}

/// Creates an account and, if `is_invited` is set, invites its owner by mail to set a password. For administrators.
///
/// A caller with a token can create neither an administrator nor an account with a password. The first account has to
/// be an administrator's: it ends the demo and the open installation, after which nobody else could create accounts.
pub async fn create_one(acting: &Acting<'_>, new: New, is_invited: bool) -> Result<account::Model> {
    acting.by.principal.may_create_account(new.role, new.password.is_some())?;
    let transaction = database::begin(acting.db).await?;
    if new.role != Role::Administrator && !has_administrator(&transaction).await? {
        let zh = "第一个正式账户应为系统管理员：它建立后演示账户随即停用，只有管理员能再建账户";
        let en = "the first account has to be an administrator's: it ends the demo accounts, and only an administrator \
                  can create further ones";
        return Err(Fault::invalid(zh, en, &["input", "role"]).into());
    }
    let made = create(&transaction, acting.by, new, acting.now).await?;
    if is_invited {
        link::queue_invitation(&transaction, acting, &made).await?;
    }
    transaction.commit().await?;
    Ok(made)
}

/// Returns whether there is an administrator who does not belong to the demo.
async fn has_administrator(db: &Transaction) -> Result<bool> {
    let administrators = account::Entity::find()
        .filter(account::Column::IsDemo.eq(false))
        .filter(account::Column::Role.eq(Role::Administrator));
    Ok(administrators.count(db).await? > 0)
}

/// Disables the accounts of the demo and ends their sessions.
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

/// The rights of an account: what it may see and do, and until when.
struct Place {
    role: Role,
    unit: Option<i64>,
    region: Option<i64>,
    valid_until: Option<NaiveDate>,
}

impl Place {
    /// Checks that unit and region are in use, and that the role has the unit, region or last date that it requires.
    ///
    /// Fills in the unit's region if none is named.
    async fn check<C: ConnectionTrait>(self, db: &C) -> Result<Self> {
        let unit = match self.unit {
            Some(unit) => {
                let found = unit::Entity::find_by_id(unit).one(db).await?.filter(|unit| unit.retired_on.is_none());
                Some(found.ok_or_else(|| fault::unknown(Thing::LiveUnit, &["input", "unitId"]))?)
            }
            None => None,
        };
        if let Some(region) = self.region {
            let found = region::Entity::find_by_id(region).one(db).await?.filter(|region| region.retired_on.is_none());
            found.ok_or_else(|| fault::unknown(Thing::LiveRegion, &["input", "regionId"]))?;
        }
        let region = self.region.or(unit.as_ref().map(|unit| unit.region_id));
        if needs_region(self.role) && region.is_none() {
            return Err(Fault::invalid(
                "除系统管理员外，账户应属于一个单位或行政区",
                "every account except an administrator's must belong to a unit or a region",
                &["input", "unitId"],
            )
            .into());
        }
        if needs_unit(self.role) && unit.is_none() {
            return Err(Fault::invalid(
                "牵头、责任、督导单位的账户应指明单位",
                "an account of a lead, responsible or supervising unit must name the unit",
                &["input", "unitId"],
            )
            .into());
        }
        if needs_end(self.role) && self.valid_until.is_none() {
            let (zh, en) = ("督察组的账户应有截止日期", "an inspector's account must have a last date of validity");
            return Err(Fault::invalid(zh, en, &["input", "validUntil"]).into());
        }
        Ok(Self { unit: unit.map(|unit| unit.id), region, ..self })
    }
}

/// Changes to an account.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The version that the caller saw.
    pub version: Option<i32>,
    /// The sign-in address (e-mail).
    pub email: Patch<String>,
    /// The name shown to colleagues.
    pub name: Patch<String>,
    /// The telephone number.
    pub phone: Patch<Option<String>>,
    /// The language of mails to the user.
    pub language: Patch<Option<Language>>,
    /// Whether digests of deadlines to the user bring a calendar of them.
    pub attaches_calendar: Patch<bool>,
    /// The role, which determines what the account may see and do.
    pub role: Patch<Role>,
    /// The unit that the account works for.
    pub unit: Patch<Option<i64>>,
    /// The region to which the role applies; if kept while the unit changes, it becomes the region of the new unit.
    pub region: Patch<Option<i64>>,
    /// The last local date on which the account may be used.
    pub valid_until: Patch<Option<NaiveDate>>,
}

impl Edit {
    /// Checks whether the edit changes the rights of the account, which only an administrator may do.
    fn concerns_rights(&self) -> bool {
        !matches!(
            (&self.role, &self.unit, &self.region, &self.valid_until),
            (Patch::Keep, Patch::Keep, Patch::Keep, Patch::Keep)
        )
    }
}

/// Edits an account.
///
/// Users edit their own name, telephone number and address; administrators edit everything of any account.
/// A new address requires the caller's current password, and both addresses are notified by mail. A change of rights or
/// of the address ends the sessions and tokens of the account.
pub async fn edit(acting: &Acting<'_>, account: i64, edit: Edit, current: Option<&str>) -> Result<i64> {
    let by = &acting.by.principal;
    if !by.may_edit_account(account) {
        return Err(missing());
    }
    if edit.concerns_rights() {
        by.require(Act::KeepAccounts)?;
    }
    let moves = matches!(edit.email, Patch::Set(_));
    if moves || edit.concerns_rights() {
        by.in_person()?;
    }
    if moves {
        prove(acting, current).await?;
    }
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let before = get(&transaction, account).await?;
    if before.erased_at.is_some() {
        let (zh, en) = ("账户已注销，不能更改", "the account has been erased and cannot be edited");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "accountId"]).into());
    }
    work::current(edit.version, before.version, ("账户", "account"))?;
    let unit = edit.unit.clone().or(before.unit_id);
    // An account that moves to another unit gets its region, unless the edit names another one.
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
    let language = edit.language.or(before.language);
    let attaches_calendar = edit.attaches_calendar.or(before.attaches_calendar);
    // The audit names the personal fields that changed, but never their values.
    let changed: Vec<&str> = [
        ("email", is_moved),
        ("name", name != before.name),
        ("phone", phone != before.phone),
        ("language", language != before.language),
        ("hasCalendar", attaches_calendar != before.attaches_calendar),
    ]
    .into_iter()
    .filter_map(|(part, is_changed)| is_changed.then_some(part))
    .collect();
    let change = account::ActiveModel {
        id: Set(account),
        email: Set(email),
        name_order: Set(name_order(&name)),
        name: Set(name),
        phone: Set(phone),
        language: Set(language),
        attaches_calendar: Set(attaches_calendar),
        role: Set(place.role),
        unit_id: Set(place.unit),
        region_id: Set(place.region),
        valid_until: Set(place.valid_until),
        version: Set(before.version + 1),
        ..Default::default()
    };
    let after = change.update(&transaction).await?;
    let (was, is) = (audit::kept::account(&before), audit::kept::account(&after));
    if was != is || is_moved {
        session::end_all(&transaction, account, acting.now).await?;
        end_links(&transaction, account).await?;
    }
    let (mut said, mut now) = (was.clone(), is.clone());
    (said["version"], now["version"], now["changed"]) = (before.version.into(), after.version.into(), changed.into());
    note_change(&transaction, acting.by, account, "ACCOUNT_EDITED", (said, now), acting.now).await?;
    if was != is {
        log_change(acting.by, account, "rights-changed");
    }
    if is_moved {
        for one in [&before, &after] {
            tell(&transaction, one, ("address-changed", json!({})), acting).await?;
        }
    }
    transaction.commit().await?;
    Ok(account)
}

/// Refuses an address that another account already has.
async fn free(db: &Transaction, email: &str, of: Option<i64>) -> Result<()> {
    let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(db).await?;
    if found.is_some_and(|found| Some(found.id) != of) {
        return Err(Fault::new(
            FaultCode::Conflict,
            format!("{email} 已有账户"),
            format!("there is already an account with the address {email}"),
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

/// Returns an e-mail address in lower case, if it has the form `name@domain`.
fn email(given: &str) -> Result<String, Fault> {
    let email = given.trim().to_lowercase();
    let is_one = email.split_once('@').is_some_and(|(who, place)| {
        !who.is_empty() && place.len() > 2 && !place.starts_with('.') && !place.contains('@')
    });
    if !is_one || email.len() > 200 || email.chars().any(|letter| letter.is_whitespace() || fault::is_hidden(letter)) {
        return Err(Fault::invalid(
            "登录邮箱应形如 name@example.gov.cn",
            "the address must have the form name@example.org",
            &["input", "email"],
        ));
    }
    Ok(email)
}

/// Returns the account with this sign-in address.
pub async fn find<C: ConnectionTrait>(db: &C, email: &str) -> Result<account::Model> {
    let email = email.trim().to_lowercase();
    let found = account::Entity::find().filter(account::Column::Email.eq(email.as_str())).one(db).await?;
    found.ok_or_else(|| {
        let zh = format!("没有登录邮箱为 {email} 的账户");
        let en = format!("there is no account with the address {email}");
        Fault::new(FaultCode::NotFound, zh, en, &["email"]).into()
    })
}

/// Disables an account or enables it again. For administrators.
///
/// Disabling ends the account's sessions, tokens and delegations for good. An erased account cannot be enabled again,
/// nor can a demo account once other accounts exist.
pub async fn set_disabled(acting: &Acting<'_>, account: i64, disabled: bool) -> Result<()> {
    acting.by.principal.require(Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let found = get(&transaction, account).await?;
    if !disabled && (found.erased_at.is_some() || (found.is_demo && any(&transaction).await?)) {
        let (zh, en) = (
            "已注销的账户，以及正式账户建立后的演示账户，不能再启用",
            "an erased account cannot be enabled again, nor can a demo account once other accounts exist",
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "accountId"]).into());
    }
    let change = account::ActiveModel { id: Set(account), is_disabled: Set(disabled), ..Default::default() };
    change.update(&transaction).await?;
    if disabled {
        session::end_all(&transaction, account, acting.now).await?;
        end_links(&transaction, account).await?;
    }
    let act = if disabled { "ACCOUNT_DISABLED" } else { "ACCOUNT_ENABLED" };
    note(&transaction, acting.by, account, act, json!({ "isDisabled": disabled }), acting.now).await?;
    log_change(acting.by, account, if disabled { "account-disabled" } else { "account-enabled" });
    Ok(transaction.commit().await?)
}

/// Checks whether there is an account that does not belong to the demo; if so, everyone has to sign in.
pub async fn any<C: ConnectionTrait>(db: &C) -> Result<bool> {
    let found = account::Entity::find().select_only().column(account::Column::Id);
    let found: Option<i64> = found.filter(account::Column::IsDemo.eq(false)).into_tuple().one(db).await?;
    Ok(found.is_some())
}
