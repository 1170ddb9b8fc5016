//! Views of lists that people save for themselves. They are private conveniences: nobody else sees them, and they are
//! no part of the audit.

use entity::saved_view;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::Value;

use super::account::hold;
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::record::database;
use crate::work::Acting;

/// The most views of one account.
const MAX_VIEWS: u64 = 50;
/// The most bytes of a filter, and of an order.
const MAX_JSON: usize = 8_192;
/// The most characters of the columns.
const MAX_COLUMNS: usize = 2_000;

/// A view to save.
#[derive(Debug, Clone)]
pub struct New {
    /// The name, 1 to 60 characters.
    pub name: String,
    /// The name of the list, which the caller has checked.
    pub list: String,
    /// The filter, a JSON object.
    pub filter: Option<String>,
    /// The order, a JSON array.
    pub order_by: Option<String>,
    /// Paths of fields, separated by commas.
    pub columns: Option<String>,
}

/// Saves a view of the caller's account, in place of the one of the same name. Returns its key.
pub async fn save(acting: &Acting<'_>, new: New) -> Result<i64> {
    let own = own(acting)?;
    let (name, (), (), columns) = fault::all((
        fault::line(&new.name, 1..=60, ("名称", "the name"), &["input", "name"]),
        json(new.filter.as_deref(), Value::is_object, ("筛选应为 JSON 对象", "the filter is no JSON object"), "filter"),
        json(new.order_by.as_deref(), Value::is_array, ("排序应为 JSON 数组", "the order is no JSON array"), "orderBy"),
        line(new.columns.as_deref()),
    ))?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, own).await?;
    let of_account = saved_view::Entity::find().filter(saved_view::Column::AccountId.eq(own));
    let there = of_account.clone().filter(saved_view::Column::Name.eq(&name)).one(&transaction).await?;
    if there.is_none() && of_account.count(&transaction).await? >= MAX_VIEWS {
        let zh = format!("最多保存 {MAX_VIEWS} 个视图，请先删除不用的");
        let en = format!("at most {MAX_VIEWS} views are saved: delete one first");
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input", "name"]).into());
    }
    let mut row = saved_view::ActiveModel {
        account_id: Set(own),
        name: Set(name),
        list: Set(new.list),
        filter_json: Set(new.filter),
        order_json: Set(new.order_by),
        columns: Set(columns),
        saved_at: Set(acting.now),
        ..Default::default()
    };
    let saved = match there {
        Some(there) => {
            row.id = Set(there.id);
            row.update(&transaction).await?
        }
        None => row.insert(&transaction).await?,
    };
    transaction.commit().await?;
    Ok(saved.id)
}

/// Deletes a view of the caller's account. A view of another account is reported like one that does not exist.
pub async fn delete(acting: &Acting<'_>, view: Option<i64>) -> Result<i64> {
    let own = own(acting)?;
    let unknown = || fault::unknown(Thing::SavedView, &["input", "viewId"]);
    let view = view.ok_or_else(unknown)?;
    let transaction = database::begin(acting.db).await?;
    let of_own = saved_view::Entity::delete_by_id(view).filter(saved_view::Column::AccountId.eq(own));
    if of_own.exec(&transaction).await?.rows_affected == 0 {
        return Err(unknown().into());
    }
    transaction.commit().await?;
    Ok(view)
}

/// Returns the account whose views the caller keeps; refuses delegates and callers who can only read.
fn own(acting: &Acting<'_>) -> Result<i64, Fault> {
    let by = &acting.by.principal;
    let (zh, en) =
        ("登录后才能保存自己的视图，代办和只读会话不能", "sign in as yourself, able to write, to keep views");
    let refused = || Fault::new(FaultCode::NotAllowed, zh, en, &["input"]);
    by.own_account().filter(|_| !by.is_read_only).ok_or_else(refused)
}

/// Checks a text that has to be JSON of a form.
fn json(given: Option<&str>, is_of_form: fn(&Value) -> bool, (zh, en): (&str, &str), field: &str) -> Result<(), Fault> {
    let Some(given) = given else { return Ok(()) };
    let path = ["input", field];
    if given.len() > MAX_JSON {
        let (zh, en) = (format!("不能超过 {MAX_JSON} 字节"), format!("it has more than {MAX_JSON} bytes"));
        return Err(Fault::invalid(zh, en, &path));
    }
    match serde_json::from_str::<Value>(given) {
        Ok(value) if is_of_form(&value) => Ok(()),
        _ => Err(Fault::invalid(zh, en, &path)),
    }
}

/// Checks the columns; blank ones are none.
fn line(given: Option<&str>) -> Result<Option<String>, Fault> {
    let given = given.filter(|given| !fault::is_empty(given));
    given.map(|given| fault::line(given, 1..=MAX_COLUMNS, ("列", "the columns"), &["input", "columns"])).transpose()
}
