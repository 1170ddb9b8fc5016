//! `orderBy`: a macro that gives each noun its enum of sort keys and its input object, and the direction they share.

use async_graphql::Enum;

/// Which way to order.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum OrderDirection {
    /// Smallest, earliest first. Dates that are missing come last.
    Asc,
    /// Largest, latest first. Dates that are missing come first.
    Desc,
}

/// Declares the sort keys of a noun: `order! { MeasureOrder by MeasureOrderField { /// … DueOn = KEY, } }`.
macro_rules! order {
    ($order:ident by $field:ident { $( $(#[doc = $words:literal])+ $key:ident = $sort:expr, )+ }) => {
        /// What the list can be ordered by.
        #[derive(async_graphql::Enum, Copy, Clone, Eq, PartialEq)]
        pub(crate) enum $field {
            $( $(#[doc = $words])+ $key, )+
        }

        /// One entry of `orderBy`.
        #[derive(async_graphql::InputObject)]
        pub(crate) struct $order {
            /// What to order by.
            field: $field,
            /// Which way.
            #[graphql(default_with = "crate::part::order::OrderDirection::Asc")]
            direction: crate::part::order::OrderDirection,
        }

        impl planner::Order for $order {
            fn key(&self) -> planner::SortKey {
                match self.field { $( $field::$key => $sort, )+ }
            }

            fn descending(&self) -> bool {
                self.direction == crate::part::order::OrderDirection::Desc
            }
        }
    };
}

pub(crate) use order;
