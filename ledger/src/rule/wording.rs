//! Texts where room is short: on one line, and no longer than there is room for.

/// A text on one line, with one blank where there were several, or a break.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first letters of a text on one line, with an ellipsis where more follow.
pub fn shortened(text: &str, letters: usize) -> String {
    let line = one_line(text);
    if line.chars().count() <= letters { line } else { line.chars().take(letters).collect::<String>() + "…" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_shows() {
        assert_eq!(shortened("完成\n整改", 5), "完成 整改");
        assert_eq!(shortened("完成\n整改", 4), "完成 整…");
    }
}
