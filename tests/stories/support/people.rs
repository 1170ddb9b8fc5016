//! Creates accounts of every role, each with a session. They are demo accounts, so the installation stays open.

use chrono::{DateTime, TimeDelta};
use entity::account::Role;
use entity::{region, unit};
use ledger::people::account::{self, New, NewSession};
use ledger::record::audit::By;
use ledger::record::database;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};

/// An account with an open session.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) account: i64,
    pub(crate) role: Role,
    /// The value of the `Authorization` header.
    pub(crate) bearer: String,
}

/// The roles that see a region and everything below it.
pub(crate) const OVERSEERS: [Role; 5] =
    [Role::RegionalOffice, Role::CityOffice, Role::CountyOffice, Role::Leader, Role::Inspector];

/// An account to create: its role, the name of its unit and the code of its region.
pub(crate) type Post = (Role, Option<&'static str>, Option<&'static str>);

/// Creates an account for each post and opens a session for it.
pub(crate) async fn employ(db: &DatabaseConnection, posts: &[Post]) -> Vec<Person> {
    // In the past, and valid for a hundred years: no story depends on the day on which it runs.
    let now = DateTime::from_timestamp(1_767_322_800, 123_456_000).unwrap();
    let mut people = Vec::new();
    for (index, (role, unit, region)) in posts.iter().enumerate() {
        let unit = match unit {
            Some(name) => {
                let found = unit::Entity::find().filter(unit::Column::Name.eq(*name)).one(db).await.unwrap();
                Some(found.unwrap_or_else(|| panic!("there is no {name}")).id)
            }
            None => None,
        };
        let region = match region {
            Some(code) => {
                let found = region::Entity::find().filter(region::Column::Code.eq(*code)).one(db).await.unwrap();
                Some(found.unwrap_or_else(|| panic!("there is no {code}")).id)
            }
            None => None,
        };
        let new = New {
            email: format!("person{index}@demo.example"),
            name: format!("{}某某", ["赵", "钱", "孙", "李"][index % 4]),
            phone: [Some("13900001234"), None, Some("0895-4567890"), Some("12369")][index % 4].map(str::to_owned),
            role: *role,
            language: None,
            unit,
            region,
            password: None,
            valid_until: (*role == Role::Inspector).then(|| (now + TimeDelta::days(36_500)).date_naive()),
            is_demo: true,
        };
        let transaction = database::begin(db).await.unwrap();
        let made = account::create(&transaction, &By::program(), new, now).await.unwrap();
        let wanted = NewSession::of(made.id, "故事", now + TimeDelta::days(36_500));
        let opened = account::open(&transaction, wanted, now).await.unwrap();
        transaction.commit().await.unwrap();
        people.push(Person { account: made.id, role: *role, bearer: format!("Bearer {}", opened.secret) });
    }
    people
}
