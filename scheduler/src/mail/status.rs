//! Enhanced status codes of mail servers (RFC 3463), such as `5.1.1`: what a refusal is about.

/// An enhanced status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// 2: success, 4: for now, 5: for good.
    class: u16,
    /// What it is about: 1 the address, 2 the mailbox, 7 policy, and so on.
    subject: u16,
    detail: u16,
}

impl Status {
    /// Reads the code at the beginning of a text; none if there is none.
    pub(crate) fn at_start_of(text: &str) -> Option<Self> {
        let word = text.split_whitespace().next()?;
        let mut numbers = word.splitn(3, '.');
        let (class, subject, rest) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let (class, subject) = (class.parse().ok()?, subject.parse().ok()?);
        // Servers write `5.7.1:` and `5.7.x`, too.
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let detail = rest.get(..digits)?.parse().unwrap_or_default();
        [2, 4, 5].contains(&class).then_some(Self { class, subject, detail })
    }

    /// Whether a server refuses by its policy, which may be about this installation rather than about the recipient.
    pub(crate) fn is_policy(self) -> bool {
        self.class == 5 && self.subject == 7
    }

    /// Whether the mail will never be delivered.
    pub(crate) fn is_final(self) -> bool {
        self.class == 5
    }

    /// Whether it says nothing but its class.
    pub(crate) fn is_vague(self) -> bool {
        matches!((self.subject, self.detail), (0 | 1 | 5, 0))
    }

    /// Whether there is no such mailbox: the address is unknown or invalid, the mailbox has moved or is disabled, or
    /// its domain does not exist or takes no mail.
    pub(crate) fn has_no_mailbox(self) -> bool {
        self.is_final() && matches!((self.subject, self.detail), (1, 1 | 2 | 3 | 6 | 10) | (2, 1) | (4, 4))
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn codes_say_what_a_refusal_is_about() {
        let of = |text: &str| Status::at_start_of(text).unwrap();
        for gone in ["5.1.1", "5.1.10 (null MX)", " 5.2.1 disabled", "5.4.4"] {
            assert!(of(gone).has_no_mailbox() && !of(gone).is_policy(), "{gone}");
        }
        for other in ["4.1.1", "5.2.2 full", "5.7.1", "5.1.8 bad sender", "5.0.0", "2.1.5"] {
            assert!(!of(other).has_no_mailbox(), "{other}");
        }
        assert!(of("5.7.1 spam").is_policy() && !of("4.7.1 greylisted").is_policy() && of("5.0.0").is_vague());
        assert!(of("5.7.1: blocked").is_policy() && of("5.7.x").is_policy());
        for none in ["", "550", "5.1", "9.1.1", "no such user"] {
            assert_eq!(Status::at_start_of(none), None, "{none}");
        }
    }
}
