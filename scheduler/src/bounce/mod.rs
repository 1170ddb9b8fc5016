//! Mails that come back: reads the notifications of mail servers that a mail could not be delivered, from a mailbox or
//! one at a time, and records what they say about mails that this installation has sent.

mod mailbox;
mod notification;

use ledger::Result;
use ledger::keep::suppression::{self, Bounced};
use ledger::record::audit::By;

pub(crate) use self::mailbox::read_mailbox;
use crate::context::Context;

/// The most bytes of a message that are read. What a notification has to say comes first; the mail that it returns
/// follows, and may be cut off.
pub const MAX_BYTES: usize = 1 << 20;

/// Records what a message says about a mail that came back. Only the beginning of the message is looked at, up to
/// [`MAX_BYTES`].
///
/// A message that is no such notification, such as an automatic reply, changes nothing.
pub async fn read_bounce(context: &Context, message: &[u8]) -> Result<Bounced> {
    let beginning = message.get(..MAX_BYTES).unwrap_or(message);
    let Some(bounce) = notification::read(beginning) else { return Ok(Bounced::Unknown) };
    let by = By::program();
    let acting = context.acting(&by, context.now());
    let done = context.answered(suppression::mail_came_back(&acting, context.writer.key(), &bounce)).await?;
    if let Bounced::Hard(mail) | Bounced::Soft(mail) = done {
        tracing::info!(mail, is_hard = matches!(done, Bounced::Hard(_)), "a mail came back");
    }
    Ok(done)
}
