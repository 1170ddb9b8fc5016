//! Users and their rights: accounts, delegations (委托), identities of external providers, digests
//! that they have switched off, and the access policy.

pub mod account;
pub mod delegation;
pub mod identity;
pub mod muted;
pub mod policy;
pub mod saved_view;
