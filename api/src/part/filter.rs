//! Building blocks of filters: conditions on texts, codes, numbers, dates, moments, relations and lists, and the macro
//! `filter!`, which declares the filter of a noun with `and`, `or` and `not`.

use std::borrow::Cow;

use async_graphql::registry::{MetaType, MetaTypeId, Registry};
use async_graphql::resolver_utils::{EnumType, enum_value};
use async_graphql::{ID, InputObject, InputObjectType, InputType, InputValueError, InputValueResult, Name, Value};
use ledger::record::concern;
use planner::{Condition, Filter, Sql, Table, Texts, argument};
use sea_orm::ActiveEnum;

use crate::part::scalar::{Date, Moment};

/// Conditions on a text. The text must satisfy every condition that is given.
#[derive(InputObject, Default, Clone)]
pub(crate) struct TextFilter {
    /// Words separated by spaces, every one of which the text must contain, in any order, regardless of case and of
    /// full or half width, and whether characters are simplified or traditional. A word may be a single Chinese
    /// character; there are no wildcards. A blank string is no condition.
    pub(crate) search: Option<String>,
    /// The text equals this string exactly.
    pub(crate) eq: Option<String>,
    /// The text equals one of these strings exactly; an empty list matches nothing.
    #[graphql(name = "in")]
    pub(crate) one_of: Option<Vec<String>>,
    /// The text starts with this string; case matters.
    pub(crate) starts_with: Option<String>,
    /// True matches an absent text (null), false a present one.
    pub(crate) is_null: Option<bool>,
}

/// Conditions on a local date. The date must satisfy every condition that is given; an absent date satisfies only
/// `isNull: true`.
#[derive(InputObject, Default, Clone, Copy, PartialEq)]
pub(crate) struct DateFilter {
    /// The date equals this date.
    eq: Option<Date>,
    /// The date is before this date.
    lt: Option<Date>,
    /// The date is this date or before it.
    lte: Option<Date>,
    /// The date is after this date.
    gt: Option<Date>,
    /// The date is this date or after it.
    gte: Option<Date>,
    /// True matches an absent date (null), false a present one.
    is_null: Option<bool>,
}

/// Conditions on a number. The number must satisfy every condition that is given; an absent number satisfies only
/// `isNull: true`.
#[derive(InputObject, Default)]
pub(crate) struct NumberFilter {
    /// The number equals this number.
    eq: Option<f64>,
    /// The number is less than this number.
    lt: Option<f64>,
    /// The number is this number or less.
    lte: Option<f64>,
    /// The number is greater than this number.
    gt: Option<f64>,
    /// The number is this number or greater.
    gte: Option<f64>,
    /// True matches an absent number (null), false a present one.
    is_null: Option<bool>,
}

/// Conditions on a moment. The moment must satisfy every condition that is given; an absent moment satisfies only
/// `isNull: true`.
#[derive(InputObject, Default)]
pub(crate) struct DateTimeFilter {
    /// The moment is before this one.
    lt: Option<Moment>,
    /// The moment is this one or before it.
    lte: Option<Moment>,
    /// The moment is after this one.
    gt: Option<Moment>,
    /// The moment is this one or after it.
    gte: Option<Moment>,
    /// True matches an absent moment (null), false a present one.
    is_null: Option<bool>,
}

/// Declares a generic input object around the filter of a noun and names it after that filter: around `MeasureFilter`,
/// `RelationFilter` becomes `MeasureRelationFilter`. The derive macro of async-graphql needs a list of all concrete
/// types, which would make this module depend on every noun.
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
                    description: Some([$($about.trim()),+].join("\n")),
                    input_fields: [
                        $( argument::<Option<$type>>(registry, $key, &[$($words.trim()),+].join("\n"), None), )+
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
    /// Conditions on the referenced object, all to be satisfied; an object the caller may not see counts as absent.
    RelationFilter {
        /// The field refers to the object with this global id.
        eq ("eq"): ID,
        /// The field refers to one of the objects with these global ids.
        one_of ("in"): Vec<ID>,
        /// True matches a field that refers to nothing, false one that refers to an object.
        is_null ("isNull"): bool,
        /// The field refers to an object that satisfies this filter.
        is ("is"): Box<T>,
    }
}

filter_over! {
    /// Conditions on the objects of a list, all to be satisfied; objects the caller may not see are ignored.
    ListFilter {
        /// At least one object of the list satisfies this filter.
        some ("some"): Box<T>,
        /// Every object of the list satisfies this filter; true for an empty list.
        every ("every"): Box<T>,
        /// No object of the list satisfies this filter.
        none ("none"): Box<T>,
    }
}

impl TextFilter {
    /// Returns the condition on `column`; `search` looks for its words in the columns of `searched` instead.
    pub(crate) fn condition(&self, column: &'static str, searched: impl Into<Texts>) -> Condition {
        let searched = searched.into();
        let mut all = Vec::new();
        if let Some(words) = self.search.as_deref().map(str::trim).filter(|words| !words.is_empty()) {
            // Every word must occur, in any order and in any of the searched columns: one condition per word.
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
    /// Returns the condition on `column`, a local date.
    pub(crate) fn condition(&self, column: &'static str) -> Condition {
        let compared = [("=", self.eq), ("<", self.lt), ("<=", self.lte), (">", self.gt), (">=", self.gte)];
        let mut all: Vec<Condition> = compared
            .into_iter()
            .filter_map(|(operator, day)| Some(Condition::Compare(column, operator, day?.0.into())))
            .collect();
        all.extend(self.is_null.map(|absent| Condition::Null(column, absent)));
        Condition::All(all)
    }

    /// Returns the condition on a deadline, for a table whose column `due_order` has it, and a late date in place of
    /// none. Its indexes are of that column, so `due_on` is left alone.
    pub(crate) fn due(&self) -> Condition {
        const ORDER: &str = "due_order";
        let none = concern::due_order(None);
        if *self == Self::default() {
            return Condition::always();
        }
        let has_deadline = Condition::Compare(ORDER, "<", none.into());
        let bounds = Self { is_null: None, ..*self };
        let is_bound = bounds != Self::default();
        match self.is_null {
            Some(true) if is_bound => Condition::never(),
            Some(true) => Condition::Holds(has_no_deadline, true),
            Some(false) | None => has_deadline.and(bounds.condition(ORDER)),
        }
    }
}

/// Writes that a row has no deadline. The date is text of the statement, not a bound value, so that the database knows
/// how many such rows there are, which is many.
fn has_no_deadline(_: &mut Sql<'_>, row: &str) -> String {
    format!("{row}.due_order = '{}'", concern::due_order(None))
}

impl NumberFilter {
    /// Returns the condition on `column`, a number.
    pub(crate) fn condition(&self, column: &'static str) -> Condition {
        self.scaled(column, 1.0)
    }

    /// Returns the condition on `column`, which stores the number multiplied by `scale`.
    pub(crate) fn scaled(&self, column: &'static str, scale: f64) -> Condition {
        // Whole numbers are stored where there is a scale: 123.4567 × 10,000 is not one in binary.
        let stored = |number: f64| if scale > 1.0 { (number * scale).round() } else { number };
        let compared = [("=", self.eq), ("<", self.lt), ("<=", self.lte), (">", self.gt), (">=", self.gte)];
        let mut all: Vec<Condition> = compared
            .into_iter()
            .filter_map(|(operator, number)| Some(Condition::Compare(column, operator, stored(number?).into())))
            .collect();
        all.extend(self.is_null.map(|absent| Condition::Null(column, absent)));
        Condition::All(all)
    }
}

impl DateTimeFilter {
    /// Returns the condition on `column`, a moment.
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
    /// Returns the condition on `column`, which refers to a row of the noun; an id of another noun matches no row.
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
    /// Returns the condition on the list of the noun's rows whose `column` equals the key of the row at hand.
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

/// Returns the condition that `column` has one of the codes of the schema's enum; an empty list matches no row.
pub(crate) fn codes_in<E: EnumType + Copy>(column: &'static str, given: &[E]) -> Condition {
    Condition::In(column, given.iter().map(|code| code_of(*code).into()).collect())
}

/// Returns an enum value as the schema spells it.
pub(crate) fn code_of<E: EnumType>(value: E) -> String {
    match enum_value(value) {
        Value::Enum(name) => name.to_string(),
        _ => String::new(),
    }
}

/// Returns the condition that `column` has one of the `given` codes; an empty list matches no row. `E` is the enum of
/// the schema, `T` the enum whose codes the column stores.
pub(crate) fn one_of<E, T>(column: &'static str, given: &[E]) -> Condition
where
    E: Copy + Into<T>,
    T: ActiveEnum<Value = String>,
{
    let stored = |code: &E| -> sea_orm::Value {
        let code: T = (*code).into();
        code.to_value().into()
    };
    Condition::In(column, given.iter().map(stored).collect())
}

/// Returns the condition that `table` has a row whose `column` equals `key` of the row at hand and which satisfies
/// `condition`.
fn related(table: &'static str, column: &'static str, key: &'static str, condition: Condition) -> Condition {
    Condition::Exists { table, column, key, condition: Box::new(condition) }
}

/// Declares the filter of a noun: its own conditions, plus `and`, `or` and `not`.
macro_rules! filter {
    (
        $(#[doc = $about:literal])+
        $name:ident { $( $(#[doc = $words:literal])+ $demand:ident: $type:ty = |$given:ident| $condition:expr, )+ }
    ) => {
        $(#[doc = $about])+
        #[derive(async_graphql::InputObject, Default)]
        pub(crate) struct $name {
            $( $(#[doc = $words])+ $demand: Option<$type>, )+
            /// Every one of these filters must be satisfied as well; an empty list is no condition.
            and: Option<Vec<$name>>,
            /// At least one of these filters must be satisfied as well; an empty list matches nothing.
            or: Option<Vec<$name>>,
            /// This filter must not be satisfied.
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
