//! Reads a delivery status notification (RFC 3464): which mail was not delivered to whom, and what the server said.
//!
//! Anybody can send one, so it is taken apart by its outermost parts only: what is nested deeper is not looked at.

use ledger::keep::suppression::{Bounce, Undelivered};
use ledger::rule::wording::one_line;
use mail_parser::{ContentType, Message, MessageParser, MimeHeaders};

use crate::mail::status::Status;

/// The most parts and recipients of a notification, and the most Message-IDs, that are looked at.
const MAX_PARTS: usize = 50;

/// What servers say that give no code when there is no such mailbox, in lower case.
const NO_MAILBOX: &[&str] = &[
    "user unknown",
    "unknown user",
    "user not found",
    "no such user",
    "mailbox not found",
    "no such mailbox",
    "mailbox unavailable",
    "user does not exist",
    "account does not exist",
    "recipient not found",
];

/// Reads a notification that a mail was not delivered; none if a message is something else, or the server still tries.
pub(super) fn read(message: &[u8]) -> Option<Bounce> {
    let (head, body) = split(message);
    let headers = parsed(head)?;
    let kind = headers.content_type()?;
    let is_report = is(kind, "multipart", &["report"])
        && kind.attribute("report-type").is_some_and(|report| report.eq_ignore_ascii_case("delivery-status"));
    if !is_report {
        return None;
    }
    let (mut failures, mut message_ids) = (Vec::new(), Vec::new());
    for part in parts(body, kind.attribute("boundary")?) {
        let (head, body) = split(part);
        let Some(headers) = parsed(head) else { continue };
        let Some(kind) = headers.content_type() else { continue };
        if is(kind, "message", &["delivery-status", "global-delivery-status"]) {
            failures.extend(groups(body).filter_map(Failure::read));
        } else if is(kind, "message", &["rfc822", "global", "rfc822-headers", "global-headers"])
            || is(kind, "text", &["rfc822-headers"])
        {
            let original = parsed(split(body).0);
            message_ids.extend(original.and_then(|original| original.message_id().map(str::to_owned)));
        }
    }
    if message_ids.is_empty() {
        for values in [headers.in_reply_to(), headers.references()] {
            message_ids.extend(values.as_text_list().into_iter().flatten().map(ToString::to_string));
        }
    }
    message_ids.truncate(MAX_PARTS);
    if failures.is_empty() {
        return None;
    }
    let failures = failures.into_iter().take(MAX_PARTS).map(|failure| Undelivered {
        is_hard: failure.is_hard(),
        detail: failure.said(),
        addresses: failure.addresses,
    });
    Some(Bounce { message_ids, failures: failures.collect() })
}

/// A recipient to whom a mail was not delivered.
struct Failure {
    /// The address that the mail was sent to, and the one at which it arrived.
    addresses: Vec<String>,
    /// The status code as it is spelled.
    status: String,
    /// What the server that refused the mail said.
    diagnostic: String,
}

impl Failure {
    /// Reads the fields about a recipient; none if the mail was delivered, or the server still tries.
    fn read(fields: &[u8]) -> Option<Self> {
        let fields = parsed(fields)?;
        let field = |name: &'static str| fields.header_raw(name).map(one_line);
        // `rfc822; somebody@example.cn`, `smtp; 550 no such user`
        let typed = |name| field(name)?.split_once(';').map(|(_, value)| value.trim().to_owned());
        if !field("Action")?.eq_ignore_ascii_case("failed") {
            return None;
        }
        let address = |name| typed(name).map(|address| address.trim_matches(['<', '>']).to_owned());
        Some(Self {
            addresses: ["Original-Recipient", "Final-Recipient"].into_iter().filter_map(address).collect(),
            status: field("Status").unwrap_or_default(),
            diagnostic: typed("Diagnostic-Code").unwrap_or_default(),
        })
    }

    /// Whether there is no such mailbox. A refusal by policy, a full mailbox and a server that was away are not that.
    fn is_hard(&self) -> bool {
        let said = self.diagnostic.to_lowercase();
        // The reply begins with `550 5.1.1` or `550-5.1.1`, whose code is more exact than one that says nothing.
        let replied = said.get(4..).and_then(Status::at_start_of);
        let status = Status::at_start_of(&self.status);
        match status.filter(|status| !status.is_vague()).or(replied).or(status) {
            Some(status) if status.is_vague() => {
                status.is_final() && NO_MAILBOX.iter().any(|words| said.contains(words))
            }
            Some(status) => status.has_no_mailbox(),
            None => false,
        }
    }

    /// Returns what is said about it: the status code, and the server's words.
    fn said(&self) -> String {
        // PostgreSQL stores no NUL.
        let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
        format!("{} {}", self.status, self.diagnostic).chars().map(plain).collect::<String>().trim().to_owned()
    }
}

/// Parses headers.
fn parsed(head: &[u8]) -> Option<Message<'_>> {
    MessageParser::default().parse_headers(head)
}

fn is(kind: &ContentType<'_>, main: &str, sub: &[&str]) -> bool {
    let subtype = kind.subtype().unwrap_or_default();
    kind.ctype().eq_ignore_ascii_case(main) && sub.iter().any(|sub| subtype.eq_ignore_ascii_case(sub))
}

/// Splits a message or a part at its first blank line into its headers and its body.
fn split(message: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            return (&message[..end], &message[end + line.len()..]);
        }
        end += line.len();
    }
    (message, &[])
}

/// Returns the first parts of a body.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let (mut parts, mut begun, mut at) = (Vec::new(), None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        if let Some(rest) = line.trim_ascii_end().strip_prefix(delimiter.as_bytes())
            && [b"".as_slice(), b"--"].contains(&rest)
        {
            parts.extend(begun.map(|begun| &body[begun..at]));
            begun = (parts.len() < MAX_PARTS && rest.is_empty()).then_some(at + line.len());
            if begun.is_none() {
                return parts;
            }
        }
        at += line.len();
    }
    // A message that was cut off ends within a part.
    parts.extend(begun.map(|begun| &body[begun..]));
    parts
}

/// Returns the first groups of fields, which blank lines separate.
fn groups(mut fields: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while !fields.is_empty() {
            let (group, rest) = split(fields);
            fields = rest;
            if !group.is_empty() {
                return Some(group);
            }
        }
        None
    })
    .take(MAX_PARTS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A notification as Postfix writes it, about one recipient.
    fn notification(fields: &str, original: &str) -> String {
        format!(
            "From: MAILER-DAEMON@mx.example.cn\r\nTo: ledger@gov.example\r\nSubject: Undelivered\r\n\
             Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report;\r\n\
             \treport-type=delivery-status; boundary=\"b=1/x\"\r\n\r\npreamble\r\n--b=1/x\r\n\
             Content-Type: text/plain\r\n\r\nI'm sorry.\r\n\r\n--b=1/x\r\n\
             Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.cn\r\n\r\n{fields}\r\n\
             --b=1/x\r\nContent-Type: {original}\r\nSubject: x\r\n\r\n--b=1/x--\r\n"
        )
    }

    fn about(status: &str, diagnostic: &str) -> Bounce {
        let fields = format!(
            "Final-Recipient: rfc822; A@county.example\r\nAction: failed\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; {diagnostic}\r\n"
        );
        let original = "text/rfc822-headers\r\n\r\nMessage-ID: <rectify-mail-1-2-ff@gov.example>";
        read(notification(&fields, original).as_bytes()).unwrap()
    }

    #[test]
    fn a_notification_says_which_mail_was_not_delivered_to_whom_and_why() {
        let found = about("5.1.1", "550 5.1.1 <A@county.example>:\r\n  User unknown");
        assert_eq!(found.message_ids, ["rectify-mail-1-2-ff@gov.example"]);
        let [failure] = &found.failures[..] else { panic!("{found:?}") };
        assert_eq!(failure.addresses, ["A@county.example"]);
        assert_eq!(failure.detail, "5.1.1 550 5.1.1 <A@county.example>: User unknown");
        assert!(failure.is_hard);
    }

    #[test]
    fn only_a_mailbox_that_does_not_exist_is_hard() {
        for (status, diagnostic) in [
            ("5.1.1", "550 no"),
            ("5.0.0", "550 5.1.1 no"),
            ("5.0.0", "550 Mailbox not found. http://service.mail.example"),
            ("5.4.4", "host not found"),
        ] {
            assert!(about(status, diagnostic).failures[0].is_hard, "{status} {diagnostic}");
        }
        for (status, diagnostic) in [
            ("4.4.7", "450 user unknown in the queue for too long"),
            ("5.2.2", "552 5.2.2 mailbox full"),
            ("5.7.1", "550 5.7.1 user unknown to our policy"),
            ("5.0.0", "550 5.7.1 blocked"),
            ("5.0.0", "550 Mail content denied"),
            ("", "no such user"),
            ("整", "整改台账"),
        ] {
            assert!(!about(status, diagnostic).failures[0].is_hard, "{status} {diagnostic}");
        }
    }

    #[test]
    fn what_is_no_failure_is_left_aside() {
        let original = "message/rfc822\r\n\r\nMessage-ID: <1@x>\r\n\r\nbody";
        let fields = "Final-Recipient: rfc822;a@b.example\r\nAction: ACTION\r\nStatus: 5.1.1\r\n";
        let of = |action: &str| notification(&fields.replace("ACTION", action), original);
        assert!(read(of("failed").as_bytes()).is_some());
        for action in ["delayed", "delivered", "relayed", "expanded", ""] {
            assert!(read(of(action).as_bytes()).is_none(), "{action}");
        }
        for other in ["multipart/mixed", "text/plain"] {
            assert!(read(of("failed").replace("multipart/report", other).as_bytes()).is_none(), "{other}");
        }
        assert!(read(of("failed").replace("=delivery-status", "=disposition-notification").as_bytes()).is_none());
        assert!(read(b"Subject: Re: x\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.").is_none());
    }

    #[test]
    fn messages_that_are_nested_deeply_or_cut_off_do_no_harm() {
        let nested = "Content-Type: message/rfc822\n\n".repeat(30_000);
        assert!(read(nested.as_bytes()).is_none());
        let original = format!("message/rfc822\r\n\r\nMessage-ID: <1@x>\r\n{nested}");
        let fields = "Final-Recipient: rfc822;a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n";
        let whole = notification(fields, &original);
        assert_eq!(read(&whole.as_bytes()[..whole.len() / 2]).unwrap().message_ids, ["1@x"]);
        let many = notification(&format!("{fields}\r\n").repeat(10_000), &original);
        assert!(read(many.as_bytes()).unwrap().failures.len() <= MAX_PARTS);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = read(&bytes);
        }

        #[test]
        fn any_fields_are_read_without_a_panic(
            name in "(Action|Status|Final-Recipient|Diagnostic-Code|[a-zA-Z-]{1,9})?",
            value in "(: ?)?(\\PC{0,40}|failed)?(\r?\n){0,2}",
            rest in "\\PC{0,60}",
            cut in 0..900_usize,
        ) {
            let original = "message/rfc822\r\n\r\nMessage-ID: <1@x>";
            let message = notification(&format!("{name}{value}Action: failed\r\n{rest}"), original);
            let _ = read(message.as_bytes());
            let _ = read(&message.as_bytes()[..cut.min(message.len())]);
        }
    }
}
