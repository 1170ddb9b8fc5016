//! Accounts: making them, signing in, and the sessions and tokens by which requests say whose they are. Secrets are shown
//! once and kept as hashes; passwords as argon2id.

use std::sync::LazyLock;

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::account::{self, Role};
use entity::session::{self, SessionKind};
use entity::{region, unit};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseConnection,
    DatabaseTransaction, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Statement,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::audit::{self, By, Noted};
use crate::fault::{self, Fault, FaultCode};
use crate::policy::{Act, Place, Principal, Reach, not_allowed};
use crate::{Error, Result, calendar, database};

/// The fewest letters of a password.
pub const MIN_PASSWORD: usize = 10;
/// The most; hashing more would only cost.
pub const MAX_PASSWORD: usize = 200;
/// How long a session lasts.
pub const SESSION: TimeDelta = TimeDelta::hours(12);
/// After so many wrong passwords in a row an account is locked.
pub const MAX_FAILURES: i32 = 5;
/// For so long.
pub const LOCK: TimeDelta = TimeDelta::minutes(15);
/// The longest life of a token, in days.
pub const MAX_TOKEN_DAYS: i64 = 366;

/// Each hash takes 19 MB for a moment; so many at once, the others wait.
static HASHING: Semaphore = Semaphore::const_new(4);
/// What a password is compared with where there is no account: an address that is unknown takes as long as one that is.
static NOBODY: LazyLock<String> = LazyLock::new(|| hashed("there is no such account").unwrap_or_default());

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
    /// The password; none for who signs in otherwise.
    pub password: Option<String>,
    /// The last local day on which it may be used.
    pub valid_until: Option<NaiveDate>,
    /// Made by the demo.
    pub is_demo: bool,
}

/// Makes an account.
pub async fn create<C: ConnectionTrait>(db: &C, by: &By, new: New, now: DateTime<Utc>) -> Result<account::Model> {
    let email = email(&new.email)?;
    let name = fault::text(&new.name, 1..=40, ("姓名", "name"), &["input", "name"])?;
    let phone = new.phone.map(|phone| fault::text(&phone, 1..=40, ("电话", "the telephone"), &["input", "phone"]));
    let unknown = |zh: &str, en: &str, field: &str| Fault::new(FaultCode::NotFound, zh, en, &["input", field]);
    let unit = match new.unit {
        Some(unit) => {
            let found = unit::Entity::find_by_id(unit).one(db).await?.filter(|unit| unit.retired_on.is_none());
            Some(found.ok_or_else(|| unknown("没有这个单位，或已撤销", "there is no such unit in use", "unitId"))?)
        }
        None => None,
    };
    if let Some(region) = new.region {
        let found = region::Entity::find_by_id(region).one(db).await?.filter(|region| region.retired_on.is_none());
        found.ok_or_else(|| unknown("没有这个行政区，或已撤销", "there is no such region in use", "regionId"))?;
    }
    let region = new.region.or(unit.as_ref().map(|unit| unit.region_id));
    if new.role != Role::Administrator && region.is_none() {
        return Err(Fault::invalid(
            "除系统管理员外，账户应属于一个单位或行政区",
            "every account but an administrator's belongs to a unit or a region",
            &["input", "unitId"],
        )
        .into());
    }
    if matches!(new.role, Role::LeadUnit | Role::ResponsibleUnit | Role::SupervisingUnit) && unit.is_none() {
        return Err(Fault::invalid(
            "牵头、责任、督导单位的账户应指明单位",
            "an account of a lead, responsible or supervising unit names the unit",
            &["input", "unitId"],
        )
        .into());
    }
    if new.role == Role::Inspector && new.valid_until.is_none() {
        let (zh, en) = ("督察组的账户应有截止日期", "an inspector's account is valid until a day: give it");
        return Err(Fault::invalid(zh, en, &["input", "validUntil"]).into());
    }
    if account::Entity::find().filter(account::Column::Email.eq(email.as_str())).one(db).await?.is_some() {
        return Err(Fault::new(
            FaultCode::Conflict,
            format!("{email} 已有账户"),
            format!("{email} has an account already"),
            &["input", "email"],
        )
        .into());
    }
    let password_hash = match new.password {
        Some(password) => Some(hash_password(password).await?),
        None => None,
    };
    let row = account::ActiveModel {
        unit_id: Set(unit.as_ref().map(|unit| unit.id)),
        name: Set(name),
        email: Set(email),
        created_at: Set(now),
        role: Set(new.role),
        region_id: Set(region),
        phone: Set(phone.transpose()?),
        password_hash: Set(password_hash),
        is_demo: Set(new.is_demo),
        is_disabled: Set(false),
        valid_until: Set(new.valid_until),
        failures: Set(0),
        locked_until: Set(None),
        signed_in_at: Set(None),
        ..Default::default()
    };
    let row = row.insert(db).await?;
    let after = json!({ "role": row.role.to_value(), "unit": row.unit_id, "region": row.region_id, "validUntil": row.valid_until });
    note(db, by, row.id, "ACCOUNT_CREATED", after, now).await?;
    Ok(row)
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

/// Sets a password and ends all sessions; tokens stay. Whoever was made to sign in otherwise does not give himself one.
pub async fn set_password(
    db: &DatabaseConnection,
    by: &By,
    account: i64,
    password: String,
    now: DateTime<Utc>,
) -> Result<()> {
    himself(by)?;
    let hash = hash_password(password).await?;
    let transaction = database::begin(db).await?;
    hold(&transaction, account).await?;
    let is_own = by.principal.account == Some(account) && !by.principal.may(Act::KeepAccounts);
    let found = account::Entity::find_by_id(account).one(&transaction).await?;
    if is_own && found.is_none_or(|found| found.password_hash.is_none()) {
        return Err(not_allowed(Act::KeepAccounts).into());
    }
    let change = account::ActiveModel {
        id: Set(account),
        password_hash: Set(Some(hash)),
        failures: Set(0),
        locked_until: Set(None),
        ..Default::default()
    };
    change.update(&transaction).await?;
    end_sessions(&transaction, account, now).await?;
    note(&transaction, by, account, "PASSWORD_SET", json!({}), now).await?;
    Ok(transaction.commit().await?)
}

/// Refuses who acts for somebody else: what outlasts a delegation is not a delegate's to make.
fn himself(by: &By) -> Result<()> {
    if by.principal.delegate.is_none() {
        return Ok(());
    }
    let (zh, en) = ("代办期间不能设置密码或创建令牌，须由本人办理", "a delegate sets no password and makes no token");
    Err(Fault::new(FaultCode::NotAllowed, zh, en, &["input"]).into())
}

/// Ends all sessions of an account; tokens stay.
pub(crate) async fn end_sessions<C: ConnectionTrait>(db: &C, account: i64, now: DateTime<Utc>) -> Result<()> {
    let signed_in = Condition::all()
        .add(session::Column::AccountId.eq(account))
        .add(session::Column::Kind.eq(SessionKind::Session));
    end(db, signed_in, now).await?;
    Ok(())
}

/// Ends everything that an account signed in with or acts by, its tokens too.
async fn end_all<C: ConnectionTrait>(db: &C, account: i64, now: DateTime<Utc>) -> Result<()> {
    let of_account =
        Condition::any().add(session::Column::AccountId.eq(account)).add(session::Column::ActorId.eq(account));
    end(db, of_account, now).await?;
    Ok(())
}

/// Ends the sessions and tokens that a condition names and that were not ended before; says how many.
pub(crate) async fn end<C: ConnectionTrait>(db: &C, which: Condition, now: DateTime<Utc>) -> Result<u64> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(now))
        .filter(which)
        .filter(session::Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(ended.rows_affected)
}

/// Lets an account in no more, which ends its sessions and tokens for good, or again.
pub async fn set_disabled(
    db: &DatabaseConnection,
    by: &By,
    account: i64,
    disabled: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let transaction = database::begin(db).await?;
    hold(&transaction, account).await?;
    let change = account::ActiveModel { id: Set(account), is_disabled: Set(disabled), ..Default::default() };
    change.update(&transaction).await?;
    if disabled {
        end_all(&transaction, account, now).await?;
    }
    let act = if disabled { "ACCOUNT_DISABLED" } else { "ACCOUNT_ENABLED" };
    note(&transaction, by, account, act, json!({ "isDisabled": disabled }), now).await?;
    Ok(transaction.commit().await?)
}

async fn hash_password(password: String) -> Result<String> {
    let letters = password.chars().count();
    if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&letters) {
        return Err(Fault::invalid(
            format!("密码应为 {MIN_PASSWORD} 至 {MAX_PASSWORD} 个字符"),
            format!("a password has {MIN_PASSWORD} to {MAX_PASSWORD} letters"),
            &["input", "password"],
        )
        .into());
    }
    beside(move || hashed(&password)).await?.ok_or_else(|| failed("hashing a password"))
}

fn hashed(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Does slow work beside the threads that answer, a few at a time.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _place = HASHING.acquire().await.map_err(|_| failed("waiting to hash"))?;
    tokio::task::spawn_blocking(work).await.map_err(|_| failed("hashing"))
}

fn failed(what: &str) -> Error {
    Error::Database(sea_orm::DbErr::Custom(format!("{what} failed")))
}

/// A session that was opened, with its secret, which is nowhere else.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What to send as `Authorization: Bearer …`.
    pub secret: String,
    /// The session.
    pub session: session::Model,
}

/// Opens a session for an address and a password. Whatever is wrong, the answer and the time that it takes are the same,
/// except that too many wrong passwords lock the account for a while.
pub async fn sign_in(
    db: &DatabaseConnection,
    email: &str,
    password: &str,
    address: Option<String>,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<Opened> {
    let email = email.trim().to_lowercase();
    let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(db).await?;
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    let has_password = hash.is_some();
    let given: String = password.chars().take(MAX_PASSWORD + 1).collect();
    let tried = hash.clone();
    let is_right = beside(move || matches(&given, tried.as_deref().unwrap_or(&NOBODY))).await? && has_password;
    let Some(found) = found else { return Err(wrong()) };
    let transaction = database::begin(db).await?;
    hold(&transaction, found.id).await?;
    // Read again: of many guesses at once, those after the one that locks are not tried.
    let Some(found) = account::Entity::find_by_id(found.id).one(&transaction).await? else { return Err(wrong()) };
    // While it is locked, a right password says nothing more than a wrong one; nor is it told that there is an account to lock.
    if found.locked_until.is_some_and(|until| until > now) {
        return Err(wrong());
    }
    if !is_right || found.password_hash != hash {
        return fail(transaction, &found, (now, zone)).await;
    }
    if found.is_disabled || found.valid_until.is_some_and(|day| day < calendar::local_day(now, zone)) {
        return Err(wrong());
    }
    let change = account::ActiveModel {
        id: Set(found.id),
        failures: Set(0),
        locked_until: Set(None),
        signed_in_at: Set(Some(now)),
        ..Default::default()
    };
    change.update(&transaction).await?;
    let opened = open(&transaction, Wanted::of(found.id, "密码登录", now + SESSION).from(address.clone()), now).await?;
    let by = By { principal: of_account(found.id), address, request_id: None };
    note(&transaction, &by, found.id, "SIGNED_IN", json!({ "session": opened.session.id }), now).await?;
    transaction.commit().await?;
    Ok(opened)
}

/// Counts a wrong password of an account that is held; the last one allowed locks it and tells its owner.
async fn fail(
    transaction: DatabaseTransaction,
    found: &account::Model,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<Opened> {
    let failures = found.failures + 1;
    let locks = failures >= MAX_FAILURES;
    let change = account::ActiveModel {
        id: Set(found.id),
        failures: Set(if locks { 0 } else { failures }),
        locked_until: Set(locks.then(|| now + LOCK)),
        ..Default::default()
    };
    change.update(&transaction).await?;
    if locks {
        note(&transaction, &By::program(), found.id, "ACCOUNT_LOCKED", json!({ "until": now + LOCK }), now).await?;
        crate::outbox::notify(
            &transaction,
            &crate::outbox::Notice {
                cause: format!("account-locked:{}:{}", found.id, now.timestamp()),
                kind: "account-locked",
                recipient: found.email.clone(),
                unit: found.unit_id,
                subject: "【账户安全】登录密码连续输错，账户已临时锁定".to_owned(),
                reason: format!("连续 {MAX_FAILURES} 次密码错误"),
                items: Vec::new(),
                case: None,
            },
            (calendar::local_day(now, zone), now),
        )
        .await?;
    }
    transaction.commit().await?;
    Err(wrong())
}

/// One answer to whatever is wrong, so that nobody learns which addresses have accounts; the owner hears of a lock by mail.
fn wrong() -> Error {
    let minutes = LOCK.num_minutes();
    Fault::new(
        FaultCode::SignInFailed,
        format!("邮箱或密码不正确，或账户已停用；连续输错 {MAX_FAILURES} 次会锁定 {minutes} 分钟"),
        format!(
            "address or password are wrong, or the account is not in use; {MAX_FAILURES} wrong passwords in a row lock it for \
             {minutes} minutes"
        ),
        &["input"],
    )
    .into()
}

/// A principal that stands for an account in the audit, before its rights are known.
pub(crate) fn of_account(account: i64) -> Principal {
    Principal { account: Some(account), delegate: None, is_read_only: false, reach: Reach::Nothing }
}

/// A session to be opened.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// With whose rights.
    pub account: i64,
    /// Who really acts.
    pub actor: Option<i64>,
    /// How it came to be.
    pub kind: SessionKind,
    /// What it is for.
    pub name: String,
    /// Whether nothing may be changed with it.
    pub is_read_only: bool,
    /// From where.
    pub address: Option<String>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

impl Wanted {
    /// A session of somebody who signed in.
    pub fn of(account: i64, name: &str, expires_at: DateTime<Utc>) -> Self {
        let kind = SessionKind::Session;
        Self { account, actor: None, kind, name: name.to_owned(), is_read_only: false, address: None, expires_at }
    }

    /// From an address.
    #[must_use]
    pub fn from(self, address: Option<String>) -> Self {
        Self { address, ..self }
    }
}

/// Opens a session or makes a token.
pub async fn open<C: ConnectionTrait>(db: &C, wanted: Wanted, now: DateTime<Utc>) -> Result<Opened> {
    let random = random()?;
    let prefix = if wanted.kind == SessionKind::Token { "rct" } else { "rcs" };
    let secret = format!("{prefix}_{random}");
    let row = session::ActiveModel {
        account_id: Set(wanted.account),
        actor_id: Set(wanted.actor),
        kind: Set(wanted.kind),
        name: Set(wanted.name),
        hash: Set(digest(&secret)),
        is_read_only: Set(wanted.is_read_only),
        address: Set(wanted.address),
        created_at: Set(now),
        expires_at: Set(wanted.expires_at),
        revoked_at: Set(None),
        ..Default::default()
    };
    Ok(Opened { secret, session: row.insert(db).await? })
}

/// 256 random bits, in hexadecimal.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| failed("asking for random numbers"))?;
    Ok(hex::encode(bytes))
}

/// Makes a token for an integration: it has the account's rights, or only those to read.
pub async fn make_token(
    db: &DatabaseConnection,
    by: &By,
    account: i64,
    (name, days, is_read_only): (&str, i64, bool),
    now: DateTime<Utc>,
) -> Result<Opened> {
    himself(by)?;
    if !(1..=MAX_TOKEN_DAYS).contains(&days) {
        return Err(Fault::invalid(
            format!("令牌的有效期应为 1 至 {MAX_TOKEN_DAYS} 天"),
            format!("a token lasts 1 to {MAX_TOKEN_DAYS} days"),
            &["input", "days"],
        )
        .into());
    }
    let name = fault::text(name, 1..=60, ("令牌用途", "what the token is for"), &["input", "name"])?;
    let transaction = database::begin(db).await?;
    hold(&transaction, account).await?;
    let wanted =
        Wanted { kind: SessionKind::Token, is_read_only, ..Wanted::of(account, &name, now + TimeDelta::days(days)) };
    let opened = open(&transaction, wanted, now).await?;
    let after =
        json!({ "session": opened.session.id, "expiresAt": opened.session.expires_at, "isReadOnly": is_read_only });
    note(&transaction, by, account, "TOKEN_CREATED", after, now).await?;
    transaction.commit().await?;
    Ok(opened)
}

/// Opens a session of an account of the demo, which has no password.
pub async fn open_demo(
    db: &DatabaseConnection,
    account: i64,
    address: Option<String>,
    now: DateTime<Utc>,
) -> Result<Opened> {
    let transaction = database::begin(db).await?;
    hold(&transaction, account).await?;
    let opened =
        open(&transaction, Wanted::of(account, "演示账户一键登录", now + SESSION).from(address.clone()), now).await?;
    let by = By { principal: of_account(account), address, request_id: None };
    note(&transaction, &by, account, "SIGNED_IN", json!({ "session": opened.session.id }), now).await?;
    transaction.commit().await?;
    Ok(opened)
}

/// Ends a session or token of an account; false where there is none that is open.
pub async fn revoke(db: &DatabaseConnection, by: &By, account: i64, session: i64, now: DateTime<Utc>) -> Result<bool> {
    let transaction = database::begin(db).await?;
    hold(&transaction, account).await?;
    let own = Condition::all().add(session::Column::Id.eq(session)).add(session::Column::AccountId.eq(account));
    if end(&transaction, own, now).await? == 0 {
        return Ok(false);
    }
    note(&transaction, by, account, "SESSION_REVOKED", json!({ "session": session }), now).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Whoever a secret stands for, and the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The session or token.
    pub session: i64,
    /// Who asks.
    pub principal: Principal,
}

#[derive(FromQueryResult)]
struct Row {
    session: i64,
    actor_id: Option<i64>,
    is_read_only: bool,
    account: i64,
    role: Role,
    valid_until: Option<NaiveDate>,
    delegate_until: Option<NaiveDate>,
    unit_id: Option<i64>,
    region: Option<i64>,
    path: Option<String>,
    government: Option<i64>,
}

/// Whom a secret stands for, by one statement; none when it is unknown, over, revoked, or its account is not in use.
pub async fn authenticate<C: ConnectionTrait>(
    db: &C,
    secret: &str,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<Option<Authenticated>> {
    // The party committee and the government of a county answer together.
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT s.id AS session, s.actor_id, s.is_read_only, a.id AS account, a.role, a.valid_until, d.valid_until AS delegate_until, a.unit_id, \
                r.id AS region, r.path, \
                (SELECT min(g.id) FROM unit g WHERE g.region_id = u.region_id AND g.kind = 'GOVERNMENT' \
                   AND u.kind = 'PARTY_COMMITTEE' AND u.name IN (r.name || '委', '中共' || r.name || '委员会')) AS government \
         FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN unit u ON u.id = a.unit_id \
         LEFT JOIN region r ON r.id = a.region_id LEFT JOIN account d ON d.id = s.actor_id \
         WHERE s.hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND NOT a.is_disabled \
         AND NOT coalesce(d.is_disabled, FALSE)",
        [digest(secret).into(), now.into()],
    );
    let Some(row) = Row::find_by_statement(statement).one(db).await? else { return Ok(None) };
    let today = calendar::local_day(now, zone);
    if [row.valid_until, row.delegate_until].into_iter().flatten().any(|day| day < today) {
        return Ok(None);
    }
    let place = row.region.zip(row.path).map(|(region, path)| Place { region, path });
    let answers = row.unit_id.into_iter().chain(row.government).collect();
    let principal = Principal {
        account: Some(row.account),
        delegate: row.actor_id,
        is_read_only: row.is_read_only,
        reach: Reach::Role { role: row.role, place, unit: row.unit_id, answers },
    };
    Ok(Some(Authenticated { session: row.session, principal }))
}

/// Whether anybody has an account beside those that the demo made: then nobody comes in without one.
pub async fn any<C: ConnectionTrait>(db: &C) -> Result<bool> {
    let found = account::Entity::find().select_only().column(account::Column::Id);
    let found: Option<i64> = found.filter(account::Column::IsDemo.eq(false)).into_tuple().one(db).await?;
    Ok(found.is_some())
}

/// Locks an account, so that its audit chain has one writer.
pub(crate) async fn hold<C: ConnectionTrait>(db: &C, account: i64) -> Result<()> {
    let found = account::Entity::find_by_id(account).select_only().column(account::Column::Id).lock_exclusive();
    let found: Option<i64> = found.into_tuple().one(db).await?;
    found
        .map(|_| ())
        .ok_or_else(|| Fault::new(FaultCode::NotFound, "没有这个账户", "there is no such account", &["input"]).into())
}

pub(crate) async fn note<C: ConnectionTrait>(
    db: &C,
    by: &By,
    account: i64,
    act: &str,
    after: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let object = format!("account_{account}");
    let noted = Noted {
        chain: object.clone(),
        act: act.to_owned(),
        object,
        measure: None,
        assignment: None,
        before: json!({}),
        after,
    };
    audit::note(db, by, noted, now).await
}

/// A secret's hash. It has 256 random bits, so one round is enough.
pub(crate) fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}
