//! What a read presumes about its caller, and checks in the statement that reads.

use sea_orm::{Statement, Value, Values};

use crate::sql::numbered;

/// What a read presumes, and checks in the same statement: that a query still gives what it gave before.
#[derive(Debug, Clone)]
pub struct Premise {
    /// The query, which gives one text or nothing. Each `?` stands for the next value.
    pub sql: &'static str,
    /// Its values.
    pub values: Vec<Value>,
    /// What it must give.
    pub expected: String,
}

impl Premise {
    /// Adds the query to a statement that gives one value, as a column before it.
    pub(crate) fn put_before(&self, asked: &mut Statement) {
        let values = &mut asked.values.get_or_insert_with(|| Values(Vec::new())).0;
        let sql = numbered(self.sql, values.len() + 1);
        values.extend(self.values.iter().cloned());
        asked.sql = format!("SELECT ({sql}) AS premise, ({}) AS data", asked.sql);
    }
}
