//! Building blocks of the nouns: filters, sort orders, groups, patches, payloads, scalars, and reading rows.

pub(crate) mod action;
pub(crate) mod filter;
pub(crate) mod group;
pub(crate) mod order;
pub(crate) mod patch;
pub(crate) mod payload;
pub(crate) mod read;
pub(crate) mod reread;
pub(crate) mod scalar;
