//! The scalar parts that filters are made of, and the macro that gives a noun's filter its `and`, `or` and `not`.

use crate::scalar::{Date, Moment};
use async_graphql::{ID, InputObject, InputType};
use planner::{Condition, Filter, Member, Table};
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
    /// It begins with this.
    pub(crate) starts_with: Option<String>,
    /// There is none (true), or there is one (false).
    pub(crate) is_null: Option<bool>,
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
    lt: Option<Moment>,
    /// At this moment or before.
    lte: Option<Moment>,
    /// After this moment.
    gt: Option<Moment>,
    /// At this moment or after.
    gte: Option<Moment>,
    /// There is none (true), or there is one (false).
    is_null: Option<bool>,
}

/// Demands on something that is referred to.
#[derive(InputObject)]
#[graphql(
    concrete(name = "AccountRelationFilter", params(crate::account::AccountFilter)),
    concrete(name = "AssignmentRelationFilter", params(crate::assignment::AssignmentFilter)),
    concrete(name = "InspectionCaseRelationFilter", params(crate::case::InspectionCaseFilter)),
    concrete(name = "InspectionRoundRelationFilter", params(crate::round::InspectionRoundFilter)),
    concrete(name = "MeasureRelationFilter", params(crate::measure::MeasureFilter)),
    concrete(name = "ProblemRelationFilter", params(crate::problem::ProblemFilter)),
    concrete(name = "RegionRelationFilter", params(crate::region::RegionsFilter)),
    concrete(name = "UnitRelationFilter", params(crate::unit::UnitFilter))
)]
pub(crate) struct RelationFilter<T: InputType> {
    /// It is the one with this id.
    eq: Option<ID>,
    /// It is one of these.
    #[graphql(name = "in")]
    one_of: Option<Vec<ID>>,
    /// There is none (true), or there is one (false).
    is_null: Option<bool>,
    /// There is one that satisfies this.
    is: Option<Box<T>>,
}

/// Demands on what belongs to something.
#[derive(InputObject)]
#[graphql(
    concrete(name = "AccountabilityListFilter", params(crate::accountability::AccountabilityFilter)),
    concrete(name = "AssignmentListFilter", params(crate::assignment::AssignmentFilter)),
    concrete(name = "CaseReportListFilter", params(crate::case_report::CaseReportFilter)),
    concrete(name = "CheckListFilter", params(crate::check::CheckFilter)),
    concrete(name = "MeasureListFilter", params(crate::measure::MeasureFilter)),
    concrete(name = "ProgressReportListFilter", params(crate::progress_report::ProgressReportFilter))
)]
pub(crate) struct ListFilter<T: InputType> {
    /// At least one satisfies this.
    some: Option<Box<T>>,
    /// All satisfy this; also where there is none.
    every: Option<Box<T>>,
    /// None satisfies this.
    none: Option<Box<T>>,
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
        all.extend(self.starts_with.as_ref().map(|text| Condition::StartsWith(column, text.clone())));
        all.extend(self.is_null.map(|absent| Condition::Null(column, absent)));
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
        let compared = [("<", self.lt), ("<=", self.lte), (">", self.gt), (">=", self.gte)];
        let mut all: Vec<Condition> = compared
            .into_iter()
            .filter_map(|(operator, at)| Some(Condition::Compare(column, operator, at?.0.into())))
            .collect();
        all.extend(self.is_null.map(|absent| Condition::Null(column, absent)));
        Condition::All(all)
    }
}

impl<T: InputType + Filter> RelationFilter<T> {
    /// Over a column that refers to the noun; an id of another noun matches nothing.
    pub(crate) fn condition(&self, column: &'static str, noun: &'static Table) -> Condition {
        let keys = |ids: &[ID]| -> Vec<Value> { ids.iter().filter_map(|id| noun.key(id)).collect() };
        let mut all = Vec::new();
        let refers = |ids: &[ID]| Condition::Refers(noun.source, column, keys(ids));
        all.extend(self.eq.as_ref().map(|id| refers(std::slice::from_ref(id))));
        all.extend(self.one_of.as_ref().map(|ids| refers(ids)));
        all.extend(self.is_null.map(|absent| Condition::Lacks(noun.source, column, absent)));
        all.extend(self.is.as_ref().map(|other| related(noun.source, "id", column, other.condition())));
        Condition::All(all)
    }
}

impl<T: InputType + Filter> ListFilter<T> {
    /// Over the noun's rows whose `column` holds this row's key.
    pub(crate) fn condition(&self, noun: &'static Table, column: &'static str) -> Condition {
        let exists = |condition| related(noun.source, column, "id", condition);
        let not = |condition| Condition::Not(Box::new(condition));
        let mut all = Vec::new();
        all.extend(self.some.as_ref().map(|some| exists(some.condition())));
        all.extend(self.every.as_ref().map(|every| not(exists(not(every.condition())))));
        all.extend(self.none.as_ref().map(|none| not(exists(none.condition()))));
        Condition::All(all)
    }
}

fn related(table: &'static str, column: &'static str, key: &'static str, condition: Condition) -> Condition {
    Condition::Exists { table, column, key, condition: Box::new(condition) }
}

impl RegionFilter {
    /// Over a noun whose regions' lists are kept in order.
    pub(crate) fn listed(&self, list: fn(Value) -> Member) -> Condition {
        self.condition(|value| Condition::Member(list(value)))
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
