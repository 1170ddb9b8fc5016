//! Conversion of input fields to patches: an omitted field keeps its value, null clears it, and a value replaces it.

use async_graphql::MaybeUndefined;
use ledger::fault::Fault;
use ledger::keep::Patch;

/// Returns the patch for a field that cannot be empty; null is refused. `name` is the field's name in the `input`.
pub(crate) fn patch<T>(given: MaybeUndefined<T>, name: &str) -> ledger::Result<Patch<T>> {
    match given {
        MaybeUndefined::Undefined => Ok(Patch::Keep),
        MaybeUndefined::Null => {
            let (zh, en) = ("此项不能清空：不改请略去", "this field cannot be null: leave it out to keep its value");
            Err(Fault::invalid(zh, en, &["input", name]).into())
        }
        MaybeUndefined::Value(value) => Ok(Patch::Set(value)),
    }
}

/// Returns the patch for a field that may be empty; null clears it.
pub(crate) fn clearable<T>(given: MaybeUndefined<T>) -> Patch<Option<T>> {
    match given {
        MaybeUndefined::Undefined => Patch::Keep,
        MaybeUndefined::Null => Patch::Set(None),
        MaybeUndefined::Value(value) => Patch::Set(Some(value)),
    }
}
