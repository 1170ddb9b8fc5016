//! How inputs say what is to become of a value: left out, it stays; null, it goes; given, it changes.

use async_graphql::MaybeUndefined;
use ledger::fault::Fault;
use ledger::keep::Patch;

/// Of a member of the input that is always there: null is refused.
pub(crate) fn patch<T>(given: MaybeUndefined<T>, name: &str) -> ledger::Result<Patch<T>> {
    match given {
        MaybeUndefined::Undefined => Ok(Patch::Keep),
        MaybeUndefined::Null => {
            let (zh, en) = ("此项不能清空：不改请略去", "this is always there: leave it out to keep it");
            Err(Fault::invalid(zh, en, &["input", name]).into())
        }
        MaybeUndefined::Value(value) => Ok(Patch::Set(value)),
    }
}

/// Of a value that may be missing.
pub(crate) fn clearable<T>(given: MaybeUndefined<T>) -> Patch<Option<T>> {
    match given {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Set(None),
        MaybeUndefined::Value(value) => Patch::Set(Some(value)),
    }
}
