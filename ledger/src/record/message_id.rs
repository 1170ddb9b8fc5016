//! The Message-ID of a mail: `rectify-mail-12-1680000000-SIGNATURE@domain`. It follows from the mail, so that a second
//! copy after a crash can be recognised as one, and it is signed: who knows it has seen the mail, or a report about it.

use entity::mail;

use super::link_key::LinkKey;

/// The beginning of every id.
const PREFIX: &str = "rectify-mail-";

/// Returns the part of a mail's Message-ID before the `@`.
pub fn of(key: &LinkKey, mail: &mail::Model) -> String {
    let said = said(mail);
    format!("{PREFIX}{said}-{}", key.sign_message_id(&said))
}

/// Returns the key of the mail that a Message-ID claims to be of; [`is_of`] checks the claim.
pub(crate) fn mail_of(id: &str) -> Option<i64> {
    id.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// Checks whether a Message-ID, with or without a domain, is that of a mail.
pub(crate) fn is_of(key: &LinkKey, mail: &mail::Model, id: &str) -> bool {
    let local = id.split('@').next().unwrap_or_default();
    let signed = local.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('-'));
    signed.is_some_and(|(given, signature)| given == said(mail) && key.has_signed_message_id(given, signature))
}

fn said(mail: &mail::Model) -> String {
    format!("{}-{}", mail.id, mail.created_at.timestamp())
}
