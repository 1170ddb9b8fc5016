//! The rule that a member of an input object is given once (GraphQL specification, 5.6.3). The library's parser keeps
//! the last of several members of one name, so the rule is checked in the text.

use std::collections::HashSet;

use async_graphql::Pos;

use crate::error::Refused;
use crate::graphql::limits::Strings;
use crate::graphql::position::refused;

/// An open bracket of a document.
enum Open<'d> {
    /// A selection set.
    Selection,
    /// Arguments, declarations of variables, or a list.
    Values,
    /// An input object, with the names of its members so far.
    Object(HashSet<&'d str>),
}

/// Refuses a document with an input object that gives a member more than once.
pub(crate) fn check(document: &str) -> Result<(), Refused> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let (mut rest, mut strings) = (document, Strings::default());
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => strings.length(rest),
            'a'..='z' | 'A'..='Z' | '_' | '0'..='9' => {
                rest.find(|other: char| !other.is_ascii_alphanumeric() && other != '_').unwrap_or(rest.len())
            }
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        match (letter, open.last_mut()) {
            ('(' | '[', _) => open.push(Open::Values),
            ('{', None | Some(Open::Selection)) => open.push(Open::Selection),
            ('{', _) => open.push(Open::Object(HashSet::new())),
            (')' | ']' | '}', _) => drop(open.pop()),
            ('a'..='z' | 'A'..='Z' | '_', Some(Open::Object(members))) if is_named(after) => {
                if members.insert(token) {
                    rest = after;
                    continue;
                }
                let at = position(&document[..document.len() - rest.len()]);
                let zh = format!("输入对象的成员 {token} 写了两次，请只写一次");
                return Err(refused(at, &zh, &format!("an input object gives the member {token} twice: give it once")));
            }
            _ => {}
        }
        rest = after;
    }
    Ok(())
}

/// Returns whether a text that follows a name makes it that of a member: whether a colon comes next.
fn is_named(after: &str) -> bool {
    let mut rest = after;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ',', '\u{feff}']);
        match rest.strip_prefix('#') {
            Some(comment) => rest = comment.trim_start_matches(|letter| !matches!(letter, '\n' | '\r')),
            None => return rest.starts_with(':'),
        }
    }
}

/// Returns the position after a text.
fn position(before: &str) -> Pos {
    let lines = before.replace("\r\n", "\n").replace('\r', "\n");
    let column = lines.rsplit('\n').next().map_or(0, |line| line.chars().count());
    Pos { line: lines.matches('\n').count() + 1, column: column + 1 }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn members_are_given_once_in_each_object() {
        for document in [
            "{ a(b: {c: 1, d: {c: 2}}, e: [{c: 1}, {c: 2}]) { c c } c: a c: a }",
            "query ($f: F = {a: X, b: $a}) @d(if: {a: 1}) { a(b: {a: \"{a: 1, a: 2}\" b: a}) } # {a: 1, a: 2}",
            "{ a(b: {c: $c d: c}) }",
        ] {
            assert!(check(document).is_ok(), "{document}");
        }
        for (document, (line, column)) in [
            ("{ a(b: {c: 1 c: 2}) }", (1, 14)),
            ("{ a(b: [{c: {d: 1}, e: [1], c: 2}]) }", (1, 29)),
            ("query ($f: F = {a: 1, a: 2}) { a(b: $f) }", (1, 23)),
            ("{ a(b: {水: 1\r\nc: \"}\" c # :\n : 2}) }", (2, 8)),
            ("mutation { a(b: {c: null, c,: 2}) }", (1, 27)),
        ] {
            let at = check(document).err().map(|refused| refused.locations);
            let at = at.and_then(|at| at.first().map(|at| (at.line, at.column)));
            assert_eq!(at, Some((line, column)), "{document}");
        }
    }
}
