//! The set-up: the first account, an administrator, is created with a code that the server prints when it starts.

use chrono::{DateTime, TimeDelta, Utc};
use entity::account::Role;
use entity::one_time_secret::{self, Purpose};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DatabaseConnection, EntityTrait, QueryFilter,
};
use serde_json::json;

use super::keep::{New, any, create};
use super::password::Hashed;
use super::secret::digest;
use super::security_log::log_failed_set_up;
use super::session::{NewSession, Opened, SESSION};
use super::sign_in;
use crate::fault::{Fault, FaultCode};
use crate::record::database;
use crate::work::Acting;
use crate::{Result, random};

/// The lifetime of a set-up code.
const LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Generates a set-up code, or returns `None` if there is already an account.
///
/// Every start of a server generates a code of its own, and each is valid for 24 hours or until the first account
/// is created.
pub async fn create_code(db: &DatabaseConnection, now: DateTime<Utc>) -> Result<Option<String>> {
    let transaction = database::begin(db).await?;
    if any(&transaction).await? {
        return Ok(None);
    }
    let over = Condition::all()
        .add(one_time_secret::Column::Purpose.eq(Purpose::SetUp))
        .add(one_time_secret::Column::ExpiresAt.lte(now));
    one_time_secret::Entity::delete_many().filter(over).exec(&transaction).await?;
    let code = hex::encode(random::bytes::<10>()?);
    let row = one_time_secret::ActiveModel {
        account_id: Set(None),
        purpose: Set(Purpose::SetUp),
        hash: Set(digest(&hashed(&code))),
        created_at: Set(now),
        expires_at: Set(Some(now + LIFETIME)),
        ..Default::default()
    };
    row.insert(&transaction).await?;
    transaction.commit().await?;
    let parts: Vec<&str> = (0..code.len()).step_by(5).map(|at| &code[at..at + 5]).collect();
    Ok(Some(parts.join("-")))
}

/// Returns the text of a set-up code that is hashed, independent of letter case and separators.
fn hashed(code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("set-up:{}", plain.to_ascii_lowercase())
}

/// The first administrator to create.
#[derive(Debug, Clone)]
pub struct First {
    /// The set-up code that the server printed when it started.
    pub code: String,
    /// The sign-in address (e-mail).
    pub email: String,
    /// The name shown to colleagues.
    pub name: String,
    /// The password.
    pub password: String,
}

/// Creates the first account, an administrator, with the set-up code, and opens a session of it.
pub async fn create_first(acting: &Acting<'_>, first: First) -> Result<Opened> {
    let password = Hashed::of(first.password, &first.email, &first.name).await?;
    let transaction = database::begin(acting.db).await?;
    let used = one_time_secret::Entity::delete_many()
        .filter(one_time_secret::Column::Purpose.eq(Purpose::SetUp))
        .filter(one_time_secret::Column::Hash.eq(digest(&hashed(&first.code))))
        .filter(one_time_secret::Column::ExpiresAt.gt(acting.now))
        .exec(&transaction)
        .await?;
    if used.rows_affected != 1 || any(&transaction).await? {
        log_failed_set_up(acting);
        let (zh, en) = (
            "初始化代码不正确或已失效：请查看服务启动时输出的代码，或在服务器上运行 rectify account create",
            "the set-up code is wrong or has expired: use the code that the server printed when it started, or run \
             `rectify account create` on the server",
        );
        return Err(Fault::new(FaultCode::SignInFailed, zh, en, &["input", "code"]).into());
    }
    let new = New {
        email: first.email,
        name: first.name,
        phone: None,
        language: None,
        role: Role::Administrator,
        unit: None,
        region: None,
        password: Some(password),
        valid_until: None,
        is_demo: false,
    };
    let made = create(&transaction, acting.by, new, acting.now).await?;
    let wanted = NewSession::of(made.id, "初始化", acting.now + SESSION);
    let opened = sign_in::begin(&transaction, acting, wanted, json!({ "means": "SET_UP" })).await?;
    transaction.commit().await?;
    Ok(opened)
}
