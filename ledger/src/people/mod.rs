//! Users and their rights: accounts, delegations (委托), identities of external providers, and the access policy.

pub mod account;
pub mod delegation;
pub mod identity;
pub mod policy;
