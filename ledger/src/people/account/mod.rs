//! Accounts (填报人): creating, editing and disabling them.
//!
//! Submodules cover the first account ([`set_up`]), signing in ([`sign_in`]), passwords ([`new_password`]) and links to
//! set one ([`link`]), sessions and tokens ([`session`]), the rights that these give ([`authentication`]), the second
//! factor ([`second_factor`]), the export and erasure of personal data ([`erase`]), and the security log
//! ([`security_log`]).

pub mod authentication;
pub mod erase;
mod failures;
mod keep;
pub mod link;
pub mod new_password;
mod password;
mod proof;
mod row;
pub mod second_factor;
mod secret;
pub mod security_log;
pub mod session;
pub mod set_up;
pub mod sign_in;

pub use authentication::authenticate;
pub use keep::{Edit, New, any, create, create_one, edit, find, set_disabled};
pub use password::Hashed;
pub(crate) use proof::prove;
pub(crate) use row::{hold, note, of_account};
pub use secret::digest;
pub use session::{NewSession, Opened, SESSION, open};
