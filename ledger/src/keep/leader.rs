//! The leaders of a measure (牵头领导、包案领导、责任领导、责任人). Their names are personal data: the audit records
//! for which posts they changed, and never the names.

use entity::leader::{self, Post};
use sea_orm::{ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, Iterable, QueryFilter};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::record::database::Transaction;
use crate::rule;
use crate::{Error, Result};

/// A leader of a measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// What the leader answers for.
    pub post: Post,
    /// Office and name, such as 副市长 李某某.
    pub name: String,
}

/// Checks a list of leaders: at most one for each post, without telephone and identity card numbers.
pub(super) fn checked(given: Vec<Leader>) -> Result<Vec<Leader>> {
    let path = ["input", "leaders"];
    if given.iter().enumerate().any(|(place, one)| given[..place].iter().any(|other| other.post == one.post)) {
        let (zh, en) = ("同一类领导只能填写一项", "each post can be given only once");
        return Err(Fault::invalid(zh, en, &path).into());
    }
    let (mut checked, mut faults) = (Vec::new(), Vec::new());
    for (place, Leader { post, name }) in given.into_iter().enumerate() {
        let place = place.to_string();
        match rule::leader::name(&name, &["input", "leaders", &place, "name"]) {
            Ok(name) => checked.push(Leader { post, name }),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(checked) } else { Err(Error::Refused(faults)) }
}

/// Makes these the leaders of a measure, and returns the posts for which they changed.
pub(super) async fn write(db: &Transaction, measure: i64, given: &[Leader]) -> Result<Vec<Post>> {
    let there = leader::Entity::find().filter(leader::Column::MeasureId.eq(measure)).all(db).await?;
    let mut changed = Vec::new();
    for post in Post::iter() {
        let before = there.iter().find(|row| row.post == post);
        let now = given.iter().find(|one| one.post == post);
        match (before, now) {
            (None, None) => continue,
            (Some(row), Some(one)) if row.name == one.name => continue,
            (Some(row), Some(one)) => {
                let row = leader::ActiveModel { id: Set(row.id), name: Set(one.name.clone()), ..Default::default() };
                row.update(db).await?;
            }
            (Some(row), None) => {
                leader::Entity::delete_by_id(row.id).exec(db).await?;
            }
            (None, Some(one)) => {
                let row = leader::ActiveModel {
                    measure_id: Set(measure),
                    post: Set(post),
                    name: Set(one.name.clone()),
                    ..Default::default()
                };
                row.insert(db).await?;
            }
        }
        changed.push(post);
    }
    Ok(changed)
}

/// Returns what the audit records of a change of leaders: the posts, without the names.
pub(super) fn said_of(changed: &[Post]) -> Value {
    json!(changed.iter().map(ActiveEnum::to_value).collect::<Vec<_>>())
}
