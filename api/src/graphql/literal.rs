//! Literals of documents. Clients that write values into the text instead of sending variables would send a new
//! document with each request. Strings and whole numbers are therefore replaced by variables, so that documents which
//! differ in nothing else are read and validated once.

use std::fmt::Write as _;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Type, VariableDefinition};
use async_graphql::{Name, Positioned, Value};

use crate::graphql::limits::Strings;
use crate::graphql::position;
use crate::graphql::types::Types;

/// The most different literals that are replaced in one document. A text with more stays as it is.
const MAX_LITERALS: usize = 100;

/// A document with variables in place of its literals.
pub(crate) struct Lifted {
    /// The text, in which the variables are not declared.
    pub(crate) text: String,
    /// The values of the variables, in the order of their numbers. Equal literals share a variable, because fields of
    /// one response key must have the same arguments.
    pub(crate) values: Vec<Value>,
}

/// Replaces the strings and whole numbers of a document by variables. None if it has none, if the variables could be
/// taken for its own, or if a string could break off its line.
///
/// Defaults of variables stay, because they must be constant; so do strings with escapes and numbers with a fraction.
pub(crate) fn lift(document: &str) -> Option<Lifted> {
    if document.contains("$_") {
        return None;
    }
    let mut lifted = Lifted { text: String::with_capacity(document.len()), values: Vec::new() };
    let (mut depth, mut rest, mut strings) = (0_usize, document, Strings::default());
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => strings.length(rest),
            'a'..='z' | 'A'..='Z' | '_' | '0'..='9' | '-' => {
                let is_part = |other: char| other.is_ascii_alphanumeric() || "_.+-".contains(other);
                rest.find(|other| !is_part(other)).unwrap_or(rest.len())
            }
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match value(token).filter(|_| depth > 0) {
            Some(value) => lifted.put(value)?,
            None => lifted.text.push_str(token),
        }
        rest = after;
    }
    (!lifted.values.is_empty()).then_some(lifted)
}

/// Returns the value of a literal that is replaced; none for other tokens.
fn value(token: &str) -> Option<Value> {
    if let Some(text) = token.strip_prefix('"').and_then(|token| token.strip_suffix('"')) {
        let is_plain = !text.starts_with('"') && !text.contains(['\\', '\n', '\r']);
        return is_plain.then(|| Value::String(text.to_owned()));
    }
    let number: i64 = token.parse().ok()?;
    // Only the usual form: `-0`, `+1` and `01` are for the parser to judge.
    (number.to_string() == token).then(|| Value::Number(number.into()))
}

/// Returns the name of a variable by its number.
fn name(number: usize) -> Name {
    Name::new(format!("_{number}"))
}

impl Lifted {
    /// Writes the variable of a value. None if there are too many.
    fn put(&mut self, value: Value) -> Option<()> {
        let known = self.values.iter().position(|known| *known == value);
        let number = known.unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        });
        // What follows a literal without a blank must not become part of the name.
        let _ = write!(self.text, "${} ", name(number));
        (self.values.len() <= MAX_LITERALS).then_some(())
    }

    /// Parses the text, and declares the variables by the types of their places. None if that is not possible.
    pub(crate) fn parse(&self, types: &Types) -> Option<ExecutableDocument> {
        let mut document = async_graphql::parser::parse_query(&self.text).ok()?;
        let places = position::undeclared(&document, types)?;
        let operation = match &mut document.operations {
            DocumentOperations::Single(one) => one,
            DocumentOperations::Multiple(all) if all.len() == 1 => all.values_mut().next()?,
            DocumentOperations::Multiple(_) => return None,
        };
        let at = operation.pos;
        for number in 0..self.values.len() {
            let name = name(number);
            let (_, ty) = places.iter().find(|(place, _)| *place == name)?;
            operation.node.variable_definitions.push(Positioned::new(
                VariableDefinition {
                    name: Positioned::new(name, at),
                    // A literal that is replaced is never null.
                    var_type: Positioned::new(Type { nullable: false, ..ty.clone() }, at),
                    directives: Vec::new(),
                    default_value: None,
                },
                at,
            ));
        }
        position::check(&document, types).ok()?;
        Some(document)
    }

    /// Returns the values with the names of their variables.
    pub(crate) fn variables(self) -> impl Iterator<Item = (Name, Value)> {
        self.values.into_iter().enumerate().map(|(number, value)| (name(number), value))
    }
}

#[cfg(test)]
mod tests {
    use super::lift;

    #[test]
    fn strings_and_whole_numbers_become_variables() {
        let text = |document: &str| lift(document).map(|lifted| lifted.text);
        assert_eq!(text("{ a(b: \"x\", c: [1, -2, 1]) }").as_deref(), Some("{ a(b: $_0 , c: [$_1 , $_2 , $_1 ]) }"));
        assert_eq!(text("{ a(b: \"\"c: 5d: 3) }").as_deref(), Some("{ a(b: $_0 c: 5d: $_1 ) }"));
        assert_eq!(text("query ($n: Int = 5) { a1(b: $n) } # \"x\" 1"), None, "defaults, names and comments stay");
        assert_eq!(text("{ a(b: 1.5, c: 01, d: -0, e: 1e3, f: 99999999999999999999) }"), None);
        assert_eq!(text(r#"{ a(b: "\"", c: """x""") }"#), None, "escapes and blocks stay");
        assert_eq!(text("{ a(b: \"x"), None, "a string without an end is for the parser to refuse");
        assert_eq!(text("{ a(b: \"x\ny\") }"), None);
        assert_eq!(text("{ a(b: $_0, c: 1) }"), None, "such a name may be the document's own");
    }
}
