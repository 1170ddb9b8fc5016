//! The audit: every change, with who made it, on whose behalf, when, from where, and the values before and after.
//!
//! Entries form chains, one for each problem, account and so on. Each entry contains the hash of the one before it, so
//! that a changed or missing entry breaks its chain. Writers of different problems do not wait for each other.
//!
//! [`seal()`] signs all entries of a day, so that entries missing from the end of a chain are found as well.
//! [`verify()`] checks entries, seals and signatures, and compares the ledger's rows with their last entries.

mod entry;
mod faults;
pub(crate) mod kept;
mod seal;
mod state;
mod verify;
pub mod words;

pub use entry::{By, Entry, address_digest, chain_of, hash, note, note_all, parts};
pub(crate) use entry::{End, MERGED, chains, end, entire, history, of_chain, of_end, write, write_holding};
pub use seal::{Anchor, Key, Keys, newest, seal};
pub use state::Compared;
pub use verify::{Asked, Verified, verify};
