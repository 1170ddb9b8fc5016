//! The argument `orderBy`: the macro `order!`, which declares the sort keys and the input object of a noun, and the
//! sort direction and sort keys that several nouns share.

use async_graphql::Enum;
use planner::{SortKey, SortType};

/// Sort key of lists ordered by workflow status: how far the work has advanced, not the code of the status.
pub(crate) const STATUS: SortKey = SortKey::expression(ledger::rule::workflow::RANK, SortType::Integer);

/// Direction in which a list is sorted.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum OrderDirection {
    /// 升序 · Ascending: the smallest or earliest value first, missing dates last.
    Asc,
    /// 降序 · Descending: the largest or latest value first, missing dates before all others.
    Desc,
}

/// Declares the sort keys of a noun and its entry of `orderBy`:
/// `order! { MeasureOrder by MeasureOrderField { /// … DueOn = KEY, } }`.
macro_rules! order {
    ($order:ident by $field:ident { $( $(#[doc = $words:literal])+ $key:ident = $sort:expr, )+ }) => {
        /// Sort keys by which the list can be ordered.
        #[derive(async_graphql::Enum, Copy, Clone, Eq, PartialEq)]
        pub(crate) enum $field {
            $( $(#[doc = $words])+ $key, )+
        }

        /// One entry of `orderBy`: a sort key and its direction.
        #[derive(async_graphql::InputObject)]
        pub(crate) struct $order {
            /// Sort key by which the list is ordered.
            field: $field,
            /// Direction of the sort key; ascending if omitted.
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
