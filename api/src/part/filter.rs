//! The scalar parts that filters are made of, and the macro that gives a noun's filter its `and`, `or` and `not`.

use std::borrow::Cow;

use async_graphql::registry::{MetaType, MetaTypeId, Registry};
use async_graphql::{ID, InputObject, InputObjectType, InputType, InputValueError, InputValueResult, Name, Value};
use planner::{Condition, Filter, Table, argument};

use crate::part::scalar::{Date, Moment};

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

/// Declares an input object over the filter of a noun, and names it after that: `MeasureFilter` gives
/// `MeasureRelationFilter`. The library's derive would want a list of all nouns, so that filters knew every noun.
macro_rules! filter_over {
    (
        $(#[doc = $about:literal])+
        $name:ident { $( $(#[doc = $words:literal])+ $field:ident ($key:literal): $type:ty, )+ }
    ) => {
        $(#[doc = $about])+
        pub(crate) struct $name<T> {
            $( $(#[doc = $words])+ $field: Option<$type>, )+
        }

        impl<T: InputType> InputType for $name<T> {
            type RawValueType = Self;

            fn type_name() -> Cow<'static, str> {
                let noun = T::type_name();
                Cow::Owned(format!("{}{}", noun.strip_suffix("Filter").unwrap_or(&noun), stringify!($name)))
            }

            fn create_type_info(registry: &mut Registry) -> String {
                registry.create_input_type::<Self, _>(MetaTypeId::InputObject, |registry| MetaType::InputObject {
                    name: Self::type_name().into_owned(),
                    description: Some(concat!($($about, "\n"),+).trim().to_owned()),
                    input_fields: [
                        $( argument::<Option<$type>>(registry, $key, concat!($($words, "\n"),+), None), )+
                    ].into_iter().map(|field| (field.name.clone(), field)).collect(),
                    visible: None,
                    inaccessible: false,
                    tags: Vec::new(),
                    rust_typename: Some(std::any::type_name::<Self>()),
                    oneof: false,
                    directive_invocations: Vec::new(),
                })
            }

            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                let Some(Value::Object(given)) = value else {
                    return Err(InputValueError::expected_type(value.unwrap_or_default()));
                };
                Ok(Self {
                    $( $field: InputType::parse(given.get($key).cloned()).map_err(InputValueError::propagate)?, )+
                })
            }

            fn to_value(&self) -> Value {
                let members = [ $( (Name::new($key), InputType::to_value(&self.$field)), )+ ];
                Value::Object(members.into_iter().collect())
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }

        impl<T: InputType> InputObjectType for $name<T> {}
    };
}

filter_over! {
    /// Conditions on the object that a field refers to. All that are given have to hold.
    RelationFilter {
        /// The field refers to the object with this global id.
        eq ("eq"): ID,
        /// The field refers to one of the objects with these global ids.
        one_of ("in"): Vec<ID>,
        /// True: the field refers to nothing. False: it refers to something.
        is_null ("isNull"): bool,
        /// The field refers to an object that satisfies this filter.
        is ("is"): Box<T>,
    }
}

filter_over! {
    /// Conditions on the objects of a list. All that are given have to hold.
    ListFilter {
        /// At least one object of the list satisfies this filter.
        some ("some"): Box<T>,
        /// Every object of the list satisfies this filter; an empty list does, too.
        every ("every"): Box<T>,
        /// No object of the list satisfies this filter.
        none ("none"): Box<T>,
    }
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
        let keys = |ids: &[ID]| -> Vec<sea_orm::Value> { ids.iter().filter_map(|id| noun.key(id)).collect() };
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
