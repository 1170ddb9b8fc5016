//! How inputs say what is to become of a value: left out, it stays; null, it goes; given, it changes.

use async_graphql::MaybeUndefined;
use ledger::keep::Patch;

/// Of a value that is always there.
pub(crate) fn patch<T>(given: Option<T>) -> Patch<T> {
    given.map_or(Patch::Keep, Patch::Set)
}

/// Of a value that may be missing.
pub(crate) fn clearable<T>(given: MaybeUndefined<T>) -> Patch<Option<T>> {
    match given {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Set(None),
        MaybeUndefined::Value(value) => Patch::Set(Some(value)),
    }
}
