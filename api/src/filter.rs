//! The scalar parts that filters are made of, and the macro that gives a noun's filter its `and`, `or` and `not`.

use crate::scalar::Date;
use async_graphql::{ID, InputObject};
use chrono::{DateTime, Utc};
use planner::{Condition, Member, Table};
use sea_orm::Value;

/// Demands on a text.
#[derive(InputObject, Default)]
pub(crate) struct TextFilter {
    /// It contains these words, letter case aside. Chinese works from one character on.
    pub(crate) search: Option<String>,
    /// It is exactly this.
    pub(crate) eq: Option<String>,
    /// It is one of these.
    #[graphql(name = "in")]
    pub(crate) one_of: Option<Vec<String>>,
}

/// Demands on a date.
#[derive(InputObject, Default)]
pub(crate) struct DateFilter {
    /// On this day.
    eq: Option<Date>,
    /// Before this day.
    lt: Option<Date>,
    /// On or before this day.
    lte: Option<Date>,
    /// After this day.
    gt: Option<Date>,
    /// On or after this day.
    gte: Option<Date>,
    /// There is none (true), or there is one (false).
    is_null: Option<bool>,
}

/// Demands on a moment.
#[derive(InputObject, Default)]
pub(crate) struct DateTimeFilter {
    /// Before this moment.
    lt: Option<DateTime<Utc>>,
    /// At this moment or after.
    gte: Option<DateTime<Utc>>,
}

/// Demands on something that is referred to.
#[derive(InputObject, Default)]
pub(crate) struct IdFilter {
    /// It is this one.
    pub(crate) eq: Option<ID>,
    /// It is one of these.
    #[graphql(name = "in")]
    pub(crate) one_of: Option<Vec<ID>>,
}

/// Demands on where something is.
#[derive(InputObject, Default)]
pub(crate) struct RegionFilter {
    /// It concerns this region or one below it: issued there, or answered there.
    pub(crate) within: Option<ID>,
}

impl TextFilter {
    /// Over one column that is compared and several that are searched.
    pub(crate) fn condition(&self, column: &'static str, searched: &'static [&'static str]) -> Condition {
        let mut all = Vec::new();
        if let Some(words) = self.search.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
            // Every word has to be there, in whatever order.
            all.extend(words.split_whitespace().map(|word| Condition::Contains(searched, word.to_owned())));
        }
        all.extend(self.eq.as_ref().map(|text| Condition::Compare(column, "=", text.clone().into())));
        all.extend(
            self.one_of.as_ref().map(|texts| Condition::In(column, texts.iter().cloned().map(Into::into).collect())),
        );
        Condition::All(all)
    }
}

impl DateFilter {
    pub(crate) fn condition(&self, column: &'static str) -> Condition {
        let compared = [("=", self.eq), ("<", self.lt), ("<=", self.lte), (">", self.gt), (">=", self.gte)];
        let mut all: Vec<Condition> = compared
            .into_iter()
            .filter_map(|(operator, day)| Some(Condition::Compare(column, operator, day?.0.into())))
            .collect();
        all.extend(self.is_null.map(|absent| Condition::Null(column, absent)));
        Condition::All(all)
    }
}

impl DateTimeFilter {
    pub(crate) fn condition(&self, column: &'static str) -> Condition {
        let compared = [("<", self.lt), (">=", self.gte)];
        let parts =
            compared.into_iter().filter_map(|(operator, at)| Some(Condition::Compare(column, operator, at?.into())));
        Condition::All(parts.collect())
    }
}

impl IdFilter {
    /// Over a column that refers to the noun; an id of another noun matches nothing.
    pub(crate) fn condition(&self, column: &'static str, noun: &Table) -> Condition {
        let keys = |ids: &[ID]| -> Vec<Value> { ids.iter().filter_map(|id| noun.key(id)).collect() };
        let mut all = Vec::new();
        all.extend(self.eq.as_ref().map(|id| Condition::In(column, keys(std::slice::from_ref(id)))));
        all.extend(self.one_of.as_ref().map(|ids| Condition::In(column, keys(ids))));
        Condition::All(all)
    }
}

impl RegionFilter {
    /// Over a noun whose regions' lists are kept in order.
    pub(crate) fn listed(&self, table: &'static str, row: &'static str, total: &'static str) -> Condition {
        self.condition(|value| {
            Condition::Member(Member { table, list: "region_id", value, row, carries: &["due_order"], total })
        })
    }

    /// Over a noun with a region of its own.
    pub(crate) fn below(&self) -> Condition {
        self.condition(|value| {
            Condition::Matches(
                "{t}.region_id IN (SELECT below.id FROM region top \
                 JOIN region below ON substr(below.path, 1, length(top.path)) = top.path WHERE top.id = {})",
                value,
            )
        })
    }

    /// Nothing is asked where no region is given; another noun's id matches nothing.
    fn condition(&self, of: impl FnOnce(Value) -> Condition) -> Condition {
        let Some(id) = &self.within else { return Condition::always() };
        <crate::region::Region as planner::Noun>::table().key(id).map_or_else(Condition::never, of)
    }
}

/// Declares a filter: its own demands, plus `and`, `or` and `not`.
macro_rules! filter {
    (
        $(#[doc = $about:literal])+
        $name:ident { $( $(#[doc = $words:literal])+ $demand:ident: $type:ty = |$given:ident| $condition:expr, )+ }
    ) => {
        $(#[doc = $about])+
        #[derive(async_graphql::InputObject, Default)]
        pub(crate) struct $name {
            $( $(#[doc = $words])+ $demand: Option<$type>, )+
            /// All of these hold as well.
            and: Option<Vec<$name>>,
            /// At least one of these holds as well.
            or: Option<Vec<$name>>,
            /// This does not hold.
            not: Option<Box<$name>>,
        }

        impl planner::Filter for $name {
            fn condition(&self) -> planner::Condition {
                let all = |list: &[$name]| list.iter().map(planner::Filter::condition).collect::<Vec<_>>();
                let mut condition = planner::Condition::always();
                $( if let Some($given) = &self.$demand {
                    condition = condition.and($condition);
                } )+
                if let Some(list) = &self.and {
                    condition = condition.and(planner::Condition::All(all(list)));
                }
                if let Some(list) = &self.or {
                    condition = condition.and(planner::Condition::Any(all(list)));
                }
                if let Some(inner) = &self.not {
                    condition = condition.and(planner::Condition::Not(Box::new(inner.condition())));
                }
                condition
            }
        }
    };
}

pub(crate) use filter;
