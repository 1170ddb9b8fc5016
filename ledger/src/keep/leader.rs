//! The leaders of a measure (牵头领导、包案领导、责任领导、责任人). Their names and addresses are personal data: the
//! audit records for which posts they changed, and never what they are.

use std::collections::{BTreeMap, BTreeSet};

use entity::leader::{self, Post};
use entity::{account, mail, measure, problem, region, unit_address};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, Iterable, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Value, json};

use super::shared::{note, tell};
use crate::fault::{self, Fault, FaultCode};
use crate::patch::Patch;
use crate::people::account::prove;
use crate::people::policy::Principal;
use crate::record::audit::Entry;
use crate::record::database::{self, Transaction};
use crate::record::outbox;
use crate::reminder::escalation;
use crate::rule;
use crate::work::Acting;
use crate::{Error, Result};

/// What stands in place of the address of a leader in mails that were sent, once it is erased.
const ERASED: &str = "erased-leader@invalid";

/// A leader of a measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// What the leader answers for.
    pub post: Post,
    /// Office and name, such as 副市长 李某某.
    pub name: String,
    /// The mail address. It is kept only as long as the name stays the same, because another person has another one.
    pub email: Patch<Option<String>>,
}

/// Checks a list of leaders: at most one for each post, without telephone and identity card numbers.
pub(super) fn checked(given: Vec<Leader>) -> Result<Vec<Leader>> {
    let path = ["input", "leaders"];
    if given.iter().enumerate().any(|(place, one)| given[..place].iter().any(|other| other.post == one.post)) {
        let (zh, en) = ("同一类领导只能填写一项", "each post can be given only once");
        return Err(Fault::invalid(zh, en, &path).into());
    }
    let (mut checked, mut faults) = (Vec::new(), Vec::new());
    for (place, Leader { post, name, email }) in given.into_iter().enumerate() {
        let place = place.to_string();
        let name = rule::leader::name(&name, &["input", "leaders", &place, "name"]);
        let address = |given: String| rule::leader::address(&given, &["input", "leaders", &place, "email"]);
        let email = match email {
            Patch::Keep => Ok(Patch::Keep),
            Patch::Set(given) => given.map(address).transpose().map(Patch::Set),
        };
        match fault::all((name, email)) {
            Ok((name, email)) => checked.push(Leader { post, name, email }),
            Err(Error::Refused(found)) => faults.extend(found),
            Err(failure) => return Err(failure),
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
        let Some(now) = given.iter().find(|one| one.post == post) else {
            if let Some(row) = before {
                leader::Entity::delete_by_id(row.id).exec(db).await?;
                changed.push(post);
            }
            continue;
        };
        let kept = before.filter(|row| row.name == now.name).and_then(|row| row.email.clone());
        let (name, email) = (now.name.clone(), now.email.clone().or(kept));
        if before.is_some_and(|row| (&row.name, &row.email) == (&name, &email)) {
            continue;
        }
        let row = leader::ActiveModel {
            measure_id: Set(measure),
            post: Set(post),
            name: Set(name),
            email: Set(email),
            ..Default::default()
        };
        match before {
            Some(before) => leader::ActiveModel { id: Set(before.id), ..row }.update(db).await?,
            None => row.insert(db).await?,
        };
        changed.push(post);
    }
    Ok(changed)
}

/// Returns what the audit records of a change of leaders: the posts, without the names.
pub(super) fn said_of(changed: &[Post]) -> Value {
    json!(changed.iter().map(ActiveEnum::to_value).collect::<Vec<_>>())
}

/// A leader who is to be erased: by name, by mail address, or by either.
#[derive(Debug, Clone, Default)]
pub struct Erased {
    /// The name, with or without the office.
    pub name: Option<String>,
    /// The mail address.
    pub email: Option<String>,
}

impl Erased {
    fn check(self) -> Result<Self> {
        let (name, email) = fault::all((
            self.name.map(|name| rule::leader::person(&name, &["input", "name"])).transpose(),
            self.email.map(|email| rule::leader::address(&email, &["input", "email"])).transpose(),
        ))?;
        if name.is_none() && email.is_none() {
            let (zh, en) = ("请填写姓名或邮箱", "enter the name, the mail address, or both");
            return Err(Fault::invalid(zh, en, &["input", "name"]).into());
        }
        Ok(Self { name, email })
    }

    /// Returns what remains of the name of a row without the person; `None` if the row is not about them.
    fn rest_of(&self, row: &leader::Model) -> Option<String> {
        let by_name = self.name.as_deref().and_then(|person| rule::leader::without(&row.name, person));
        let is_by_address = self.email.is_some() && row.email == self.email;
        by_name.or_else(|| is_by_address.then(String::new))
    }
}

/// Erases the personal data of a leader for good, and returns of how many measures they were a leader.
///
/// Administrators erase them everywhere, and a regional office in what its region and those below it have issued; both
/// in person and with their current password. Name and address are removed from the measures, and the address from the
/// outbox if nobody else has it; mails to it that are still to be sent are cancelled.
///
/// Source: 个人信息保护法 (PIPL), article 47.
pub async fn erase(acting: &Acting<'_>, erased: Erased, current: Option<&str>) -> Result<usize> {
    acting.by.principal.may_erase_leaders()?;
    let erased = erased.check()?;
    prove(acting, current).await?;
    let transaction = database::begin(acting.db).await?;
    let found = found(&transaction, &acting.by.principal, &erased, None).await?;
    let problems: BTreeSet<i64> = found.iter().map(|(measure, _)| measure.problem_id).collect();
    let held = problem::Entity::find().select_only().column(problem::Column::Id);
    let held = held.filter(problem::Column::Id.is_in(problems.iter().copied())).order_by_asc(problem::Column::Id);
    held.lock_exclusive().into_tuple::<i64>().all(&transaction).await?;
    // Read again: it may have changed before the problems were locked.
    let found = self::found(&transaction, &acting.by.principal, &erased, Some(&problems)).await?;
    let mut addresses: BTreeSet<String> = erased.email.iter().cloned().collect();
    let mut measures: BTreeMap<i64, (measure::Model, Vec<Post>)> = BTreeMap::new();
    for (of, row) in found {
        let Some(rest) = erased.rest_of(&row) else { continue };
        if rest.is_empty() {
            leader::Entity::delete_by_id(row.id).exec(&transaction).await?;
        } else {
            let row = leader::ActiveModel { id: Set(row.id), name: Set(rest), email: Set(None), ..Default::default() };
            row.update(&transaction).await?;
        }
        addresses.extend(row.email);
        measures.entry(of.id).or_insert_with(|| (of, Vec::new())).1.push(row.post);
    }
    for (of, posts) in measures.values() {
        let grown = measure::ActiveModel {
            id: Set(of.id),
            // A form that was opened before must not bring the name back.
            version: Set(of.version + 1),
            updated_at: Set(acting.now),
            ..Default::default()
        };
        grown.update(&transaction).await?;
        let said = Entry::of("LEADER_ERASED", format!("measure_{}", of.id)).measure(Some(of.id));
        let said = said.changed(json!({}), json!({ "leaders": said_of(posts) }));
        note(&transaction, acting, of.problem_id, said).await?;
        tell(&transaction, acting, &[of.problem_id], Some(of.id)).await?;
    }
    let mut mails = 0;
    for address in addresses {
        if !is_used(&transaction, &address).await? {
            let of_person =
                Condition::all().add(mail::Column::Recipient.eq(address)).add(mail::Column::Kind.eq(escalation::KIND));
            mails += outbox::forget(&transaction, of_person, ERASED).await?;
        }
    }
    if measures.is_empty() && mails == 0 {
        let (zh, en) = (
            "没有找到这位领导，未删除任何内容，请核对姓名和邮箱",
            "there is no such leader, and nothing was erased: check the name and the address",
        );
        return Err(Fault::new(FaultCode::NotFound, zh, en, &["input", "name"]).into());
    }
    transaction.commit().await?;
    Ok(measures.len())
}

/// Returns the rows about a leader whom the caller may erase, each with its measure: of all problems, or of some.
async fn found(
    db: &Transaction,
    by: &Principal,
    erased: &Erased,
    problems: Option<&BTreeSet<i64>>,
) -> Result<Vec<(measure::Model, leader::Model)>> {
    let paths: Vec<(i64, String)> = region::Entity::find()
        .select_only()
        .columns([region::Column::Id, region::Column::Path])
        .into_tuple()
        .all(db)
        .await?;
    let own: BTreeSet<i64> =
        paths.into_iter().filter(|(_, path)| by.erases_leaders_of(path)).map(|(region, _)| region).collect();
    let rows = leader::Entity::find().order_by_asc(leader::Column::Id).all(db).await?;
    let rows: Vec<leader::Model> = rows.into_iter().filter(|row| erased.rest_of(row).is_some()).collect();
    let mut of = measure::Entity::find().filter(measure::Column::Id.is_in(rows.iter().map(|row| row.measure_id)));
    if let Some(problems) = problems {
        of = of.filter(measure::Column::ProblemId.is_in(problems.iter().copied()));
    }
    let of: BTreeMap<i64, measure::Model> = of.all(db).await?.into_iter().map(|row| (row.id, row)).collect();
    let with = |row: leader::Model| {
        let of = of.get(&row.measure_id).filter(|of| own.contains(&of.region_id))?;
        Some((of.clone(), row))
    };
    Ok(rows.into_iter().filter_map(with).collect())
}

/// Returns whether an address is that of a unit, of an account, or of a leader who remains.
async fn is_used(db: &Transaction, address: &str) -> Result<bool> {
    let of_units = unit_address::Entity::find().filter(unit_address::Column::Address.eq(address)).count(db).await?;
    let of_accounts = account::Entity::find().filter(account::Column::Email.eq(address)).count(db).await?;
    let of_leaders = leader::Entity::find().filter(leader::Column::Email.eq(address)).count(db).await?;
    Ok(of_units + of_accounts + of_leaders > 0)
}
