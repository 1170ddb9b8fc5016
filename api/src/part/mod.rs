//! What nouns are made of: filters, orders, groups, patches, payloads, scalars, and how rows are read.

pub(crate) mod filter;
pub(crate) mod group;
pub(crate) mod order;
pub(crate) mod patch;
pub(crate) mod payload;
pub(crate) mod read;
pub(crate) mod scalar;
