//! Fits texts into limited space, such as the subject of a mail: on one line, and shortened. Masks mail addresses.

/// Returns a text on one line: every run of whitespace and line breaks becomes one space.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the first `chars` characters of a text on one line, followed by an ellipsis if the text has more.
pub fn shortened(text: &str, chars: usize) -> String {
    let line = one_line(text);
    if line.chars().count() <= chars { line } else { line.chars().take(chars).collect::<String>() + "…" }
}

/// Returns a mail address without the name in it: `g***@county.example`.
pub(crate) fn masked_address(address: &str) -> String {
    let (local, domain) = address.split_once('@').unwrap_or((address, ""));
    format!("{}***@{domain}", local.chars().next().unwrap_or_default())
}

/// Returns a text in which every run of seven or more digits, such as a telephone or identity card number, is replaced
/// by three asterisks.
pub fn masked_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut digits = String::new();
    for letter in text.chars().map(Some).chain([None]) {
        match letter {
            Some(digit) if digit.is_ascii_digit() => digits.push(digit),
            other => {
                masked.push_str(if digits.len() < 7 { &digits } else { "***" });
                digits.clear();
                masked.extend(other);
            }
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_shows() {
        assert_eq!(shortened("完成\n整改", 5), "完成 整改");
        assert_eq!(shortened("完成\n整改", 4), "完成 整…");
        assert_eq!(masked_numbers("errcode 93000, 13800000000"), "errcode 93000, ***");
    }
}
