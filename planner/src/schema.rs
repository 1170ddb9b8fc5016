//! The schema side of the descriptions: object types, connections and root fields registered with async-graphql, and the
//! value that carries the database's JSON through it untouched.

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

/// A type that a field may have: its registration, and whether the schema marks it non-null.
pub trait FieldType {
    /// Registers the type and returns its name as a field's type.
    fn register(registry: &mut Registry) -> String;
}

impl<T: OutputType> FieldType for T {
    fn register(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }
}

/// The JSON of a planned root field, shown in the schema as `T`.
pub struct Planned<T>(Value, PhantomData<fn() -> T>);

impl<T> Planned<T> {
    /// Wraps JSON text, which is copied into the response as it is; `null` becomes a true null.
    pub fn new(json: String) -> Self {
        let value = if json == "null" {
            Value::Null
        } else {
            Value::Object([(Name::new(RAW_VALUE_TOKEN), Value::String(json))].into_iter().collect())
        };
        Self(value, PhantomData)
    }

    /// The value for the response.
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

/// Registers an object type with the given fields; `implements` names its interface, if any.
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

/// Lines of a doc comment, each of which begins with a blank.
fn dedented(description: &str) -> String {
    description.replace("\n ", "\n")
}

/// A field of an object type.
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

/// An argument of a field.
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
    /// Registers the noun's object type.
    pub fn register<T: OutputType>(&self, registry: &mut Registry) -> String {
        let implements = self.prefix.map(|_| "Node");
        object::<T>(registry, self.description, implements, |registry| {
            self.fields.iter().map(|field| field.register(registry)).collect()
        })
    }
}

impl Field {
    /// The field as the schema has it.
    pub fn register(&self, registry: &mut Registry) -> MetaField {
        let ty = (self.register)(registry);
        let arguments = (self.arguments)(registry);
        field(self.name, self.description, ty, arguments)
    }
}

/// The arguments of a connection, and how they are read.
pub const fn page_arguments<N: Listed>() -> PageArguments {
    PageArguments { filter: read_filter::<N>, order: read_order::<N> }
}

fn read_filter<N: Listed>(value: Option<Value>) -> Result<Condition, Refusal> {
    let filter =
        Option::<N::Filter>::parse(value).map_err(|error| Refusal::plain(format!("filter: {}", worded(error))))?;
    Ok(filter.map_or_else(Condition::always, |filter| filter.condition()))
}

fn read_order<N: Listed>(value: Option<Value>) -> Result<Sorting, Refusal> {
    let order =
        Option::<Vec<N::Order>>::parse(value).map_err(|error| Refusal::plain(format!("orderBy: {}", worded(error))))?;
    Ok(order.unwrap_or_default().iter().map(|entry| (entry.key(), entry.descending())).collect())
}

fn worded<T: InputType>(error: async_graphql::InputValueError<T>) -> String {
    error.into_server_error(async_graphql::Pos::default()).message
}

/// Registers the arguments of a connection.
pub fn register_page_arguments<N: Listed>(registry: &mut Registry) -> Vec<MetaInputValue> {
    let size = "A page has 50 rows unless `first` or `last` says otherwise, and 200 at most.";
    vec![
        argument::<Option<i32>>(registry, "first", &format!("How many rows from the front. {size}"), None),
        argument::<Option<String>>(registry, "after", "Only rows after the one with this cursor.", None),
        argument::<Option<i32>>(registry, "last", &format!("How many rows from the back. {size}"), None),
        argument::<Option<String>>(registry, "before", "Only rows before the one with this cursor.", None),
        argument::<Option<N::Filter>>(registry, "filter", "Only rows that satisfy this.", None),
        argument::<Option<Vec<N::Order>>>(registry, "orderBy", "What to order by, most important first.", None),
    ]
}

/// Pages of a noun's rows.
pub enum Connection<N> {
    /// Never made: connections are described, not built.
    #[doc(hidden)]
    Never(std::convert::Infallible, PhantomData<fn() -> N>),
}

/// One row of a page with its cursor.
pub enum Edge<N> {
    /// Never made: edges are described, not built.
    #[doc(hidden)]
    Never(std::convert::Infallible, PhantomData<fn() -> N>),
}

/// Where a page stands in its list.
pub enum PageInfo {}

/// What is reckoned over a list or a group.
enum Aggregate<N> {
    #[expect(dead_code, reason = "only described")]
    Never(std::convert::Infallible, PhantomData<fn() -> N>),
}

/// A group of a list.
enum Group<N> {
    #[expect(dead_code, reason = "only described")]
    Never(std::convert::Infallible, PhantomData<fn() -> N>),
}

/// What a group has in common.
enum GroupKey {}

enum DateRange {}
enum MomentRange {}
enum NumberSummary {}

/// One of the dimensions of a noun, by its name; the planner reads it from the description.
struct DimensionOf<N>(Name, PhantomData<fn() -> N>);

impl<N: Noun> InputType for DimensionOf<N> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Dimension", N::table().name))
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_input_type::<Self, _>(MetaTypeId::Enum, |_| MetaType::Enum {
            name: Self::type_name().into_owned(),
            description: Some(format!("What lists of `{}` can be grouped by.", N::table().name)),
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

/// Implements `OutputType` for a type that is only ever described.
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
    let of = format!("A page of the list of `{}`.", N::table().name);
    object::<Self>(registry, &of, None, |registry| {
        vec![
            field("edges", "The rows with their cursors.", Vec::<Edge<N>>::create_type_info(registry), Vec::new()),
            field("nodes", "The rows.", Vec::<N>::create_type_info(registry), Vec::new()),
            field("pageInfo", "Where the page stands in its list.", PageInfo::create_type_info(registry), Vec::new()),
            field("totalCount", "The number of rows on all pages.", <i32 as FieldType>::register(registry), Vec::new()),
            field("aggregate", "What is reckoned over all pages.", Aggregate::<N>::create_type_info(registry), Vec::new()),
        ]
        .into_iter()
        .chain((!N::table().dimensions.is_empty()).then(|| groups_field::<N>(registry)))
        .collect()
    })
});

fn groups_field<N: Noun + OutputType>(registry: &mut Registry) -> MetaField {
    let by = format!("What to group by, {MAX_DIMENSIONS} at most: rows that agree in all of them make a group.");
    let first = format!("How many groups, {DEFAULT_GROUPS} unless said otherwise, and {MAX_GROUPS} at most.");
    let arguments = vec![
        argument::<Vec<DimensionOf<N>>>(registry, "by", &by, None),
        argument::<Option<i32>>(registry, "first", &first, None),
    ];
    let words = "The rows of all pages in groups, the largest group first.";
    field("groups", words, Vec::<Group<N>>::create_type_info(registry), arguments)
}

described!(Edge<N>, [N: Noun + OutputType], format!("{}Edge", N::table().name), |registry| {
    let of = format!("One `{}` of a page.", N::table().name);
    object::<Self>(registry, &of, None, |registry| {
        vec![
            field("cursor", "Where the row stands: pass it as `after` or `before`.", <String as FieldType>::register(registry), Vec::new()),
            field("node", "The row.", N::create_type_info(registry), Vec::new()),
        ]
    })
});

described!(Aggregate<N>, [N: Noun + OutputType], format!("{}Aggregate", N::table().name), |registry| {
    let of = format!("What is reckoned over a list or a group of `{}`.", N::table().name);
    object::<Self>(registry, &of, None, |registry| {
        let count = field("count", "How many.", <i32 as FieldType>::register(registry), Vec::new());
        let figures = N::table().figures.iter().map(|figure| {
            let ty = match figure.kind {
                FigureKind::Date => DateRange::create_type_info(registry),
                FigureKind::Moment => MomentRange::create_type_info(registry),
                FigureKind::Number => NumberSummary::create_type_info(registry),
            };
            field(figure.name, figure.description, ty, Vec::new())
        });
        std::iter::once(count).chain(figures).collect()
    })
});

described!(Group<N>, [N: Noun + OutputType], format!("{}Group", N::table().name), |registry| {
    let of = format!("The rows of a list of `{}` that agree in what it is grouped by.", N::table().name);
    object::<Self>(registry, &of, None, |registry| {
        let keys = "What they agree in, in the order of `by`.";
        vec![
            field("keys", keys, Vec::<GroupKey>::create_type_info(registry), Vec::new()),
            field("aggregate", "What is reckoned over them.", Aggregate::<N>::create_type_info(registry), Vec::new()),
        ]
    })
});

described!(GroupKey, [], "GroupKey".to_owned(), |registry| {
    object::<Self>(registry, "What the rows of a group agree in.", None, |registry| {
        let text = <Option<String> as FieldType>::register(registry);
        let key = "A global id, a code or a plain value; null where the rows have none.";
        vec![
            field("key", key, text.clone(), Vec::new()),
            field("label", "The name of what a global id stands for; null for other keys.", text, Vec::new()),
        ]
    })
});

described!(DateRange, [], "DateRange".to_owned(), |registry| {
    let date = "Date".to_owned();
    object::<Self>(registry, "From when to when; null where no row has a date.", None, |_| {
        vec![field("min", "The earliest.", date.clone(), Vec::new()), field("max", "The latest.", date, Vec::new())]
    })
});

described!(MomentRange, [], "MomentRange".to_owned(), |registry| {
    let moment = "DateTime".to_owned();
    object::<Self>(registry, "From when to when; null where there is no row.", None, |_| {
        vec![field("min", "The earliest.", moment.clone(), Vec::new()), field("max", "The latest.", moment, Vec::new())]
    })
});

described!(NumberSummary, [], "NumberSummary".to_owned(), |registry| {
    object::<Self>(registry, "Numbers of all rows that have one; null where none has.", None, |registry| {
        let number = <Option<f64> as FieldType>::register(registry);
        vec![
            field("sum", "Their sum.", number.clone(), Vec::new()),
            field("average", "Their mean.", number.clone(), Vec::new()),
            field("min", "The least.", number.clone(), Vec::new()),
            field("max", "The greatest.", number, Vec::new()),
        ]
    })
});

described!(PageInfo, [], "PageInfo".to_owned(), |registry| {
    object::<Self>(registry, "Where a page stands in its list.", None, |registry| {
        let flag = <bool as FieldType>::register(registry);
        let cursor = <Option<String> as FieldType>::register(registry);
        vec![
            field("hasNextPage", "Whether rows follow.", flag.clone(), Vec::new()),
            field("hasPreviousPage", "Whether rows come before.", flag, Vec::new()),
            field("startCursor", "The cursor of the first row; null on an empty page.", cursor.clone(), Vec::new()),
            field("endCursor", "The cursor of the last row; null on an empty page.", cursor, Vec::new()),
        ]
    })
});

/// Describes a noun: its fields with their words, types and places, once, for the schema and for the planner.
///
/// ```text
/// noun! {
///     /// What it is.
///     pub Measure from "measure" as "measure" { order: &[POSITION], total: None, filter: MeasureFilter, by: MeasureOrder }
///     /// What the field is.
///     content: String = Kind::Column("content");
///     /// A list that is paged through.
///     assignments(pages Assignment): Connection<Assignment> = Link::Column("measure_id");
/// }
/// ```
#[macro_export]
macro_rules! noun {
    (
        $(#[doc = $about:literal])+
        $visibility:vis $name:ident from $source:literal $(as $prefix:literal)?
        {
            order: $order:expr, total: $total:expr
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
