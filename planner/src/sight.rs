//! What the caller may see: a condition on the rows of each table, added to every statement wherever it reads one.

use crate::condition::{Condition, Member};
use crate::sql::Sql;

/// Says which rows of a table may be seen.
pub trait Sight: Send + Sync {
    /// What a row of the table must satisfy. A table that it knows nothing of is hidden: `Condition::never`.
    fn rows(&self, table: &str) -> Condition;

    /// Whether every row that may be seen stands in this list anyhow, so that it need not be asked.
    fn implies(&self, member: &Member) -> bool;

    /// What a row in this list must satisfy beside that, so that it does not stand there by what may not be seen.
    fn lists(&self, member: &Member) -> Condition;
}

/// Everything may be seen; for the program's own jobs and commands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everything;

impl Sight for Everything {
    fn rows(&self, _: &str) -> Condition {
        Condition::always()
    }

    fn implies(&self, _: &Member) -> bool {
        false
    }

    fn lists(&self, _: &Member) -> Condition {
        Condition::always()
    }
}

impl Sql<'_> {
    /// What a row `alias` of the table must satisfy to be seen; none where all are.
    pub fn seen(&mut self, table: &str, alias: &str) -> Option<String> {
        let condition = self.sight().rows(table);
        (!condition.is_always()).then(|| condition.to_sql(self, alias))
    }

    /// A source with its `{sees:table:alias}` marks put in.
    pub(crate) fn source(&mut self, source: &str) -> String {
        let mut rest = source;
        let mut whole = String::with_capacity(source.len());
        while let Some((before, after)) = rest.split_once("{sees:") {
            let Some((mark, behind)) = after.split_once('}') else { break };
            let (table, alias) = mark.split_once(':').unwrap_or((mark, mark));
            whole.push_str(before);
            whole.push_str(&self.seen(table, alias).unwrap_or_else(|| "TRUE".to_owned()));
            rest = behind;
        }
        whole.push_str(rest);
        whole
    }

    /// What a list's filter and the caller's sight come to. The filter's own list is walked, unless it holds everything
    /// that the caller sees anyhow.
    pub(crate) fn narrowed(&self, filter: &Condition, table: &str) -> Condition {
        let sight = self.sight();
        let seen = sight.rows(table);
        if seen.is_always() {
            return filter.clone();
        }
        let (member, rest) = filter.clone().split_member();
        match member {
            Some(member) if !sight.implies(&member) => {
                let listed = sight.lists(&member);
                Condition::Member(member).and(listed).and(rest).and(seen)
            }
            _ => seen.and(rest),
        }
    }
}
