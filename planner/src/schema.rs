//! Registers the described nouns with async-graphql as object types, connections, edges, aggregates and groups, and
//! defines the value that passes the database's JSON through it unparsed.

use std::borrow::Cow;
use std::marker::PhantomData;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::Field as Syntax;
use async_graphql::registry::{
    CacheControl, Deprecation, MetaEnumValue, MetaField, MetaInputValue, MetaType, MetaTypeId, Registry,
};
use async_graphql::{
    ContextSelectionSet, InputType, InputValueError, InputValueResult, Name, OutputType, Positioned, ServerResult,
    Value,
};
use async_graphql_value::RAW_VALUE_TOKEN;

use crate::group::{DEFAULT_GROUPS, MAX_DIMENSIONS, MAX_GROUPS};
use crate::noun::{Dimension, Field, FigureKind, Listed, Noun, Order, PageArguments, Sorting, Table};
use crate::{Condition, Filter, Refusal};

/// A type that a field may have, with or without null.
pub trait FieldType {
    /// Registers the type and returns it as written in the schema, such as `[Measure!]!`.
    fn register(registry: &mut Registry) -> String;
}

impl<T: OutputType> FieldType for T {
    fn register(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }
}

/// The JSON of a planned root field, whose type in the schema is `T`.
pub struct Planned<T>(Value, PhantomData<fn() -> T>);

impl<T> Planned<T> {
    /// Wraps JSON text, which is copied into the response verbatim. The text `null` becomes a GraphQL null.
    pub fn new(json: String) -> Self {
        let value = if json == "null" {
            Value::Null
        } else {
            Value::Object([(Name::new(RAW_VALUE_TOKEN), Value::String(json))].into_iter().collect())
        };
        Self(value, PhantomData)
    }

    /// Returns the value for the response.
    pub fn into_value(self) -> Value {
        self.0
    }
}

impl<T: OutputType> OutputType for Planned<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Syntax>) -> ServerResult<Value> {
        Ok(self.0.clone())
    }
}

/// Registers the object type `T` with the given fields and returns its name as a field's type. `implements` names the
/// interface that the type implements, if any.
pub fn object<T: OutputType>(
    registry: &mut Registry,
    description: &str,
    implements: Option<&str>,
    fields: impl FnOnce(&mut Registry) -> Vec<MetaField>,
) -> String {
    if let Some(interface) = implements {
        registry.add_implements(&T::type_name(), interface);
    }
    let mut fields = Some(fields);
    registry.create_output_type::<T, _>(MetaTypeId::Object, |registry| MetaType::Object {
        name: T::type_name().into_owned(),
        description: Some(dedented(description)),
        fields: fields
            .take()
            .map(|fields| fields(registry))
            .unwrap_or_default()
            .into_iter()
            .map(|field| (field.name.clone(), field))
            .collect(),
        cache_control: CacheControl::default(),
        extends: false,
        shareable: false,
        resolvable: true,
        keys: None,
        visible: None,
        inaccessible: false,
        interface_object: false,
        tags: Vec::new(),
        is_subscription: false,
        rust_typename: Some(std::any::type_name::<T>()),
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    })
}

/// Removes the leading space that each line of a doc comment has.
fn dedented(description: &str) -> String {
    description.replace("\n ", "\n")
}

/// Returns a field of an object type. `ty` is its type as [`FieldType::register`] returns it.
pub fn field(name: &str, description: &str, ty: String, arguments: Vec<MetaInputValue>) -> MetaField {
    MetaField {
        name: name.to_owned(),
        description: Some(dedented(description)),
        args: arguments.into_iter().map(|argument| (argument.name.clone(), argument)).collect::<IndexMap<_, _>>(),
        ty,
        deprecation: Deprecation::NoDeprecated,
        cache_control: CacheControl::default(),
        external: false,
        provides: None,
        requires: None,
        shareable: false,
        inaccessible: false,
        tags: Vec::new(),
        override_from: None,
        visible: None,
        compute_complexity: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

/// Returns an argument of a field and registers its type. `default` is the default value as written in the schema.
pub fn argument<T: InputType>(
    registry: &mut Registry,
    name: &str,
    description: &str,
    default: Option<&str>,
) -> MetaInputValue {
    MetaInputValue {
        name: name.to_owned(),
        description: Some(dedented(description)),
        ty: T::create_type_info(registry),
        deprecation: Deprecation::NoDeprecated,
        default_value: default.map(str::to_owned),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        is_secret: false,
        directive_invocations: Vec::new(),
    }
}

impl Table {
    /// Registers the object type of the noun, which implements `Node` if the noun has global ids.
    pub fn register<T: OutputType>(&self, registry: &mut Registry) -> String {
        let implements = self.prefix.map(|_| "Node");
        object::<T>(registry, self.description, implements, |registry| {
            self.fields.iter().map(|field| field.register(registry)).collect()
        })
    }
}

impl Field {
    /// Registers the type and the arguments of the field and returns the field for the schema.
    pub fn register(&self, registry: &mut Registry) -> MetaField {
        let ty = (self.register)(registry);
        let arguments = (self.arguments)(registry);
        field(self.name, self.description, ty, arguments)
    }
}

/// Returns the readers of a connection's arguments `filter` and `orderBy`.
pub const fn page_arguments<N: Listed>() -> PageArguments {
    PageArguments { filter: read_filter::<N>, order: read_order::<N> }
}

/// Parses the argument `filter` into a condition, which is always satisfied if the argument is absent or null.
fn read_filter<N: Listed>(value: Option<Value>) -> Result<Condition, Refusal> {
    let filter =
        Option::<N::Filter>::parse(value).map_err(|error| Refusal::plain(format!("filter: {}", worded(error))))?;
    Ok(filter.map_or_else(Condition::always, |filter| filter.condition()))
}

/// Parses the argument `orderBy` into sort keys with their directions.
fn read_order<N: Listed>(value: Option<Value>) -> Result<Sorting, Refusal> {
    let order =
        Option::<Vec<N::Order>>::parse(value).map_err(|error| Refusal::plain(format!("orderBy: {}", worded(error))))?;
    Ok(order.unwrap_or_default().iter().map(|entry| (entry.key(), entry.descending())).collect())
}

/// Returns the message of an error in an input value.
fn worded<T: InputType>(error: async_graphql::InputValueError<T>) -> String {
    error.into_server_error(async_graphql::Pos::default()).message
}

/// Registers the arguments of a connection: `first`, `after`, `last`, `before`, `filter` and `orderBy`.
pub fn register_page_arguments<N: Listed>(registry: &mut Registry) -> Vec<MetaInputValue> {
    let size = "at most 200; a page has 50 unless `first` or `last` is given. The two exclude each other.";
    let first = format!("Number of items to return from the start of the list, {size}");
    let after = "Cursor of an item, from a page of the same list with the same `filter` and `orderBy`: returns only \
                 items after it.";
    let last = format!("Number of items to return from the end of the list, {size}");
    let before = "Cursor of an item, from a page of the same list with the same `filter` and `orderBy`: returns only \
                  items before it.";
    let filter = "Returns only items that satisfy this filter; all items if omitted.";
    let order_by = "Sort keys, the most important first; the default order of the list if omitted or empty.";
    vec![
        argument::<Option<i32>>(registry, "first", &first, None),
        argument::<Option<String>>(registry, "after", after, None),
        argument::<Option<i32>>(registry, "last", &last, None),
        argument::<Option<String>>(registry, "before", before, None),
        argument::<Option<N::Filter>>(registry, "filter", filter, None),
        argument::<Option<Vec<N::Order>>>(registry, "orderBy", order_by, None),
    ]
}

/// The connection type of a noun: one page of a list of its objects.
pub enum Connection<N> {
    /// Never constructed: the type exists only in the schema.
    #[doc(hidden)]
    Never(std::convert::Infallible, PhantomData<fn() -> N>),
}

/// The edge type of a noun: one object of a page, with its cursor.
pub enum Edge<N> {
    /// Never constructed: the type exists only in the schema.
    #[doc(hidden)]
    Never(std::convert::Infallible, PhantomData<fn() -> N>),
}

/// The position of a page in its list, as Relay's `PageInfo`.
pub enum PageInfo {}

/// The aggregate type of a noun: the count and the figures of a list or a group.
enum Aggregate<N> {
    #[expect(dead_code, reason = "never constructed: the type exists only in the schema")]
    Never(std::convert::Infallible, PhantomData<fn() -> N>),
}

/// The group type of a noun: the objects of a list that have the same values in the grouping dimensions.
enum Group<N> {
    #[expect(dead_code, reason = "never constructed: the type exists only in the schema")]
    Never(std::convert::Infallible, PhantomData<fn() -> N>),
}

/// The value of one dimension that the objects of a group have in common.
enum GroupKey {}

/// The earliest and the latest of several dates.
enum DateRange {}
/// The earliest and the latest of several moments.
enum MomentRange {}
/// The sum, the mean, the minimum and the maximum of several numbers.
enum NumberSummary {}

/// A dimension of a noun, by its name; the planner looks it up in the description of the noun.
struct DimensionOf<N>(Name, PhantomData<fn() -> N>);

impl<N: Noun> InputType for DimensionOf<N> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Dimension", N::table().name))
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_input_type::<Self, _>(MetaTypeId::Enum, |_| MetaType::Enum {
            name: Self::type_name().into_owned(),
            description: Some(format!("Dimensions by which lists of `{}` can be grouped.", N::table().name)),
            enum_values: N::table().dimensions.iter().map(|one| (one.name.to_owned(), enum_value(one))).collect(),
            visible: None,
            inaccessible: false,
            tags: Vec::new(),
            rust_typename: Some(std::any::type_name::<Self>()),
            directive_invocations: Vec::new(),
            requires_scopes: Vec::new(),
        })
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        match value {
            Some(Value::Enum(name)) => Ok(Self(name, PhantomData)),
            Some(Value::String(name)) => Ok(Self(Name::new(name), PhantomData)),
            other => Err(InputValueError::expected_type(other.unwrap_or_default())),
        }
    }

    fn to_value(&self) -> Value {
        Value::Enum(self.0.clone())
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

/// Returns the enum value of a dimension for the schema.
fn enum_value(dimension: &Dimension) -> MetaEnumValue {
    MetaEnumValue {
        name: dimension.name.to_owned(),
        description: Some(dimension.description.to_owned()),
        deprecation: Deprecation::NoDeprecated,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        directive_invocations: Vec::new(),
    }
}

/// Implements `OutputType` for a type that exists only in the schema and is never resolved.
macro_rules! described {
    ($type:ty, [$($generics:tt)*], $name:expr, |$registry:ident| $register:expr) => {
        impl<$($generics)*> OutputType for $type {
            fn type_name() -> Cow<'static, str> {
                Cow::Owned($name)
            }

            fn create_type_info($registry: &mut Registry) -> String {
                $register
            }

            async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Syntax>) -> ServerResult<Value> {
                Ok(Value::Null)
            }
        }
    };
}

described!(Connection<N>, [N: Noun + OutputType], format!("{}Connection", N::table().name), |registry| {
    let of = format!("One page of a list of `{}`.", N::table().name);
    object::<Self>(registry, &of, None, |registry| {
        vec![
            field(
                "edges",
                "Items of the page, each with its cursor.",
                Vec::<Edge<N>>::create_type_info(registry),
                Vec::new(),
            ),
            field(
                "nodes",
                "Items of the page, without their cursors.",
                Vec::<N>::create_type_info(registry),
                Vec::new(),
            ),
            field(
                "pageInfo",
                "Position of the page in the list: its first and last cursor, and whether there are more pages.",
                PageInfo::create_type_info(registry),
                Vec::new(),
            ),
            field(
                "totalCount",
                "Number of items on all pages together.",
                <i32 as FieldType>::register(registry),
                Vec::new(),
            ),
            field(
                "aggregate",
                "Count and figures over the items of all pages.",
                Aggregate::<N>::create_type_info(registry),
                Vec::new(),
            ),
        ]
        .into_iter()
        .chain((!N::table().dimensions.is_empty()).then(|| groups_field::<N>(registry)))
        .collect()
    })
});

/// Returns the field `groups` of a connection, for nouns that have dimensions.
fn groups_field<N: Noun + OutputType>(registry: &mut Registry) -> MetaField {
    let by = format!(
        "Dimensions to group by, 1 to {MAX_DIMENSIONS}: items with the same values in all of them form one group."
    );
    let first = format!("Number of groups to return, at most {MAX_GROUPS}; {DEFAULT_GROUPS} if omitted.");
    let arguments = vec![
        argument::<Vec<DimensionOf<N>>>(registry, "by", &by, None),
        argument::<Option<i32>>(registry, "first", &first, None),
    ];
    let words = "Items of all pages in groups, the largest group first.";
    field("groups", words, Vec::<Group<N>>::create_type_info(registry), arguments)
}

described!(Edge<N>, [N: Noun + OutputType], format!("{}Edge", N::table().name), |registry| {
    let of = format!("One `{}` of a page, with its cursor.", N::table().name);
    object::<Self>(registry, &of, None, |registry| {
        vec![
            field(
                "cursor",
                "Opaque position of the item in the list, to be passed as `after` or `before` of the same list.",
                <String as FieldType>::register(registry),
                Vec::new(),
            ),
            field("node", "Object at this position in the list.", N::create_type_info(registry), Vec::new()),
        ]
    })
});

described!(Aggregate<N>, [N: Noun + OutputType], format!("{}Aggregate", N::table().name), |registry| {
    let of = format!("Count and figures over a list or a group of `{}`.", N::table().name);
    object::<Self>(registry, &of, None, |registry| {
        let count = "Number of items in the list or group.";
        let count = field("count", count, <i32 as FieldType>::register(registry), Vec::new());
        let figures = N::table().figures.iter().map(|figure| {
            let ty = match figure.kind {
                FigureKind::Date => DateRange::create_type_info(registry),
                FigureKind::Moment => MomentRange::create_type_info(registry),
                FigureKind::Number => NumberSummary::create_type_info(registry),
                FigureKind::Count => <i32 as FieldType>::register(registry),
                FigureKind::Share => <Option<f64> as FieldType>::register(registry),
                FigureKind::Parts(_, register) => register(registry),
            };
            field(figure.name, figure.description, ty, Vec::new())
        });
        std::iter::once(count).chain(figures).collect()
    })
});

described!(Group<N>, [N: Noun + OutputType], format!("{}Group", N::table().name), |registry| {
    let of = format!("Items of a list of `{}` that have the same values in the grouping dimensions.", N::table().name);
    object::<Self>(registry, &of, None, |registry| {
        let keys = "Values that the items have in common, one for each dimension, in the order of `by`.";
        let count = "Number of groups that the list has; greater than the number returned if `first` cut some off.";
        vec![
            field("keys", keys, Vec::<GroupKey>::create_type_info(registry), Vec::new()),
            field("groupCount", count, <i32 as FieldType>::register(registry), Vec::new()),
            field(
                "aggregate",
                "Count and figures over the items of the group.",
                Aggregate::<N>::create_type_info(registry),
                Vec::new(),
            ),
        ]
    })
});

described!(GroupKey, [], "GroupKey".to_owned(), |registry| {
    object::<Self>(registry, "Value of one dimension that the items of a group have in common.", None, |registry| {
        let text = <Option<String> as FieldType>::register(registry);
        let key = "Global id, code or plain value, such as `unit_13` or `IN_PROGRESS`; null if the items have none, or \
                   refer to an object that the caller may not see.";
        let label = "Name of the object whose global id is the key, such as 生态环境局; null for other keys.";
        let code = "Official code of the region whose id is the key, as in GB/T 2260; null for other keys, and where \
                    the region has none.";
        vec![
            field("key", key, text.clone(), Vec::new()),
            field("label", label, text.clone(), Vec::new()),
            field("code", code, text, Vec::new()),
        ]
    })
});

described!(DateRange, [], "DateRange".to_owned(), |registry| {
    let date = "Date".to_owned();
    object::<Self>(registry, "Earliest and latest local date of the items that have one.", None, |_| {
        vec![
            field("min", "Earliest date; null if no item has a date.", date.clone(), Vec::new()),
            field("max", "Latest date; null if no item has a date.", date, Vec::new()),
        ]
    })
});

described!(MomentRange, [], "MomentRange".to_owned(), |registry| {
    let moment = "DateTime".to_owned();
    object::<Self>(registry, "Earliest and latest moment of the items that have one.", None, |_| {
        vec![
            field("min", "Earliest moment; null if no item has one.", moment.clone(), Vec::new()),
            field("max", "Latest moment; null if no item has one.", moment, Vec::new()),
        ]
    })
});

described!(NumberSummary, [], "NumberSummary".to_owned(), |registry| {
    object::<Self>(registry, "Summary of a number over the items that have one.", None, |registry| {
        let number = <Option<f64> as FieldType>::register(registry);
        vec![
            field("sum", "Sum of the numbers; null if no item has one.", number.clone(), Vec::new()),
            field("average", "Arithmetic mean of the numbers; null if no item has one.", number.clone(), Vec::new()),
            field("min", "Smallest number; null if no item has one.", number.clone(), Vec::new()),
            field("max", "Largest number; null if no item has one.", number, Vec::new()),
        ]
    })
});

described!(PageInfo, [], "PageInfo".to_owned(), |registry| {
    object::<Self>(registry, "Position of a page in its list.", None, |registry| {
        let flag = <bool as FieldType>::register(registry);
        let cursor = <Option<String> as FieldType>::register(registry);
        let next = "Whether items follow the page. Walking backward with `last`: whether `before` was given.";
        let previous = "Whether items precede the page. Walking forward with `first`: whether `after` was given.";
        vec![
            field("hasNextPage", next, flag.clone(), Vec::new()),
            field("hasPreviousPage", previous, flag, Vec::new()),
            field("startCursor", "Cursor of the first item; null if the page is empty.", cursor.clone(), Vec::new()),
            field("endCursor", "Cursor of the last item; null if the page is empty.", cursor, Vec::new()),
        ]
    })
});

/// Declares a noun: its object type and its fields, each with its description in the schema, its type, and where its
/// value comes from in the database. Both the schema and the planner use the declaration.
///
/// ```text
/// noun! {
///     /// A measure (整改措施) against a problem.
///     pub Measure from "measure" as "measure" {
///         order: &[POSITION],
///         total: None,
///         filter: MeasureFilter,
///         by: MeasureOrder
///     }
///     /// Text of the measure.
///     content: String = Kind::Column("content");
///     /// Assignments of the measure, a list with pages.
///     assignments(pages Assignment): Connection<Assignment> = Link::Column("measure_id");
/// }
/// ```
#[macro_export]
macro_rules! noun {
    (
        $(#[doc = $about:literal])+
        $visibility:vis $name:ident from $source:tt $(as $prefix:literal)?
        {
            order: $order:expr, total: $total:expr $(, parts: $parts:expr)?
            $(, filter: $filter:ty, by: $by:ty $(, groups: $groups:expr)? $(, figures: $figures:expr)?)?
        }
        $( $(#[doc = $words:literal])+ $field:ident $(($($arguments:tt)+))? : $type:ty = $kind:expr; )+
    ) => {
        $(#[doc = $about])+
        $visibility enum $name {}

        impl $crate::Noun for $name {
            fn table() -> &'static $crate::Table {
                static TABLE: std::sync::LazyLock<$crate::Table> = std::sync::LazyLock::new(|| $crate::Table {
                    name: stringify!($name),
                    description: concat!($($about, "\n"),+).trim(),
                    source: $source,
                    parts: $crate::noun!(@slice $($parts)?),
                    prefix: None$(.or(Some($prefix)))?,
                    order: const { $order },
                    total: $total,
                    dimensions: $crate::noun!(@slice $($($groups)?)?),
                    figures: $crate::noun!(@slice $($($figures)?)?),
                    fields: vec![$($crate::Field {
                        name: stringify!($field),
                        description: concat!($($words, "\n"),+).trim(),
                        register: <$type as $crate::FieldType>::register,
                        arguments: $crate::noun!(@arguments $($($arguments)+)?),
                        kind: $crate::noun!(@kind $kind $(, $($arguments)+)?),
                    }),+],
                });
                &TABLE
            }
        }

        $(impl $crate::Listed for $name {
            type Filter = $filter;
            type Order = $by;
        })?

        impl async_graphql::OutputType for $name {
            fn type_name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }

            fn create_type_info(registry: &mut async_graphql::registry::Registry) -> String {
                <Self as $crate::Noun>::table().register::<Self>(registry)
            }

            async fn resolve(
                &self,
                _: &async_graphql::ContextSelectionSet<'_>,
                _: &async_graphql::Positioned<async_graphql::parser::types::Field>,
            ) -> async_graphql::ServerResult<async_graphql::Value> {
                match *self {}
            }
        }
    };
    (@slice) => { &[] };
    (@slice $slice:expr) => { $slice };
    (@arguments) => { |_| Vec::new() };
    (@arguments pages $of:ty) => { $crate::register_page_arguments::<$of> };
    (@arguments $arguments:expr) => { $arguments };
    (@kind $kind:expr, pages $of:ty) => {
        $crate::Kind::Many(<$of as $crate::Noun>::table, $kind, $crate::page_arguments::<$of>())
    };
    (@kind $kind:expr $(, $($rest:tt)+)?) => { $kind };
}
