//! The people of the stories: accounts of every role, each with a session, made as the demo's are so that the installation
//! stays open.

use chrono::{DateTime, TimeDelta};
use entity::account::Role;
use entity::{region, unit};
use ledger::people::account::{self, New, Wanted};
use ledger::record::audit::By;
use ledger::record::database;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};

/// Somebody with a session.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) account: i64,
    pub(crate) role: Role,
    /// What to send as `Authorization`.
    pub(crate) bearer: String,
}

/// The roles that see a region with what lies below it.
pub(crate) const OVERSEERS: [Role; 5] =
    [Role::RegionalOffice, Role::CityOffice, Role::CountyOffice, Role::Leader, Role::Inspector];

/// Somebody who is wanted: the role, the unit by its name and the region by its code.
pub(crate) type Post = (Role, Option<&'static str>, Option<&'static str>);

/// Makes an account for each post and signs it in.
pub(crate) async fn employ(db: &DatabaseConnection, posts: &[Post]) -> Vec<Person> {
    // Long ago, and for long: nothing here depends on the day.
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
            unit,
            region,
            password: None,
            valid_until: (*role == Role::Inspector).then(|| (now + TimeDelta::days(36_500)).date_naive()),
            is_demo: true,
        };
        let transaction = database::begin(db).await.unwrap();
        let made = account::create(&transaction, &By::program(), new, now).await.unwrap();
        let wanted = Wanted::of(made.id, "故事", now + TimeDelta::days(36_500));
        let opened = account::open(&transaction, wanted, now).await.unwrap();
        transaction.commit().await.unwrap();
        people.push(Person { account: made.id, role: *role, bearer: format!("Bearer {}", opened.secret) });
    }
    people
}
