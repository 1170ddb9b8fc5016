//! Who people are and what they may do: accounts, delegation, providers of sign-ins, and the policy.

pub mod account;
pub mod delegation;
pub mod identity;
pub mod policy;
