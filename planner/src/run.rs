//! Running a planned statement: one round trip, then whatever only the program can compute.

use std::collections::HashMap;

use async_graphql::{Name, Value as Argument};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use serde_json::Value as Json;

use crate::plan::{Segment, Statement};

/// Functions of the program that turn what the database gave into a field's value, by name.
pub type Finishers = HashMap<&'static str, Box<dyn Fn(&Json, &[(Name, Argument)]) -> Json + Send + Sync>>;

/// Runs planned statements.
pub trait Run {
    /// The answer as JSON text; `null` when the root row does not exist.
    fn run<C: ConnectionTrait>(
        self,
        connection: &C,
        finishers: &Finishers,
    ) -> impl Future<Output = Result<String, DbErr>> + Send;
}

impl Run for Statement {
    async fn run<C: ConnectionTrait>(self, connection: &C, finishers: &Finishers) -> Result<String, DbErr> {
        let backend = connection.get_database_backend();
        let statement = sea_orm::Statement::from_sql_and_values(backend, self.sql, self.values);
        let row: Option<QueryResult> = connection.query_one_raw(statement).await?;
        let data: Option<String> = row.map(|row| row.try_get("", "data")).transpose()?.flatten();
        let data = data.unwrap_or_else(|| "null".to_owned());
        if self.finishes.is_empty() {
            return Ok(data);
        }
        let mut answer: Json = serde_json::from_str(&data).map_err(|error| DbErr::Custom(error.to_string()))?;
        for finish in &self.finishes {
            if let Some(finisher) = finishers.get(finish.finisher) {
                apply(&mut answer, &finish.path, &|value| *value = finisher(value, &finish.arguments));
            }
        }
        Ok(answer.to_string())
    }
}

fn apply(value: &mut Json, path: &[Segment], finish: &dyn Fn(&mut Json)) {
    match (path.split_first(), value) {
        (None, value) => finish(value),
        (Some((Segment::Key(key), rest)), Json::Object(members)) => {
            if let Some(member) = members.get_mut(key) {
                apply(member, rest, finish);
            }
        }
        (Some((Segment::Each, rest)), Json::Array(elements)) => {
            for element in elements {
                apply(element, rest, finish);
            }
        }
        _ => {}
    }
}
