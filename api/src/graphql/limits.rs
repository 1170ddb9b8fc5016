//! Limits on what one request may ask for. The size of a document is measured on its syntax, with its fragments
//! expanded, before the library processes it. Its cost (fields times the rows of their pages) depends on the variables
//! of each request.

use std::collections::HashMap;

use async_graphql::Value;
use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection as Syntax, SelectionSet};
use async_graphql_value::Value as Syntactic;
use planner::{DEFAULT_GROUPS, DEFAULT_PAGE, MAX_GROUPS, MAX_PAGE, Selection};

use crate::context::Limits;
use crate::error::{Code, Refused};
use crate::graphql::credentials::CREDENTIALS;
use crate::graphql::document::REREAD;
use crate::graphql::types::Types;

/// The depth to which a document is measured. A deeper one counts as exceeding every limit.
const ABYSS: usize = 64;
/// The deepest nesting of brackets in the text of a document. The parser recurses into lists and objects without a
/// limit of its own, and could overflow the stack.
const BRACKETS: usize = 200;

/// The deepest nesting of lists and objects in a value. Each level of a filter becomes a level of the SQL statement.
const MEMBERS: usize = 40;

/// The size of a part of a document.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    fields: usize,
    aliases: usize,
    directives: usize,
    depth: usize,
    /// Fields at the top level, including those of fragments.
    top: usize,
    /// Fields of the query root that payloads read.
    reads: usize,
    /// Fields at the top level that check or set a secret.
    credentials: usize,
    /// The deepest nesting of lists and objects in an argument.
    members: usize,
    introspects: bool,
    /// Whether a fragment includes itself, directly or indirectly.
    circles: bool,
}

impl Size {
    fn add(&mut self, part: Self, deeper: usize) {
        self.fields = self.fields.saturating_add(part.fields);
        self.aliases = self.aliases.saturating_add(part.aliases);
        self.directives = self.directives.saturating_add(part.directives);
        self.depth = self.depth.max(part.depth.saturating_add(deeper));
        self.members = self.members.max(part.members);
        self.reads = self.reads.saturating_add(part.reads);
        self.introspects |= part.introspects;
        self.circles |= part.circles;
        if deeper == 0 {
            self.top = self.top.saturating_add(part.top);
            self.credentials = self.credentials.saturating_add(part.credentials);
        }
    }
}

/// Returns the nesting depth of lists and objects in a value of a document.
fn members(value: &Syntactic) -> usize {
    match value {
        Syntactic::List(list) => 1 + list.iter().map(members).max().unwrap_or(0),
        Syntactic::Object(object) => 1 + object.values().map(members).max().unwrap_or(0),
        _ => 0,
    }
}

/// Returns the nesting depth of lists and objects in a value without variables.
fn constant_members(value: &Value) -> usize {
    match value {
        Value::List(list) => 1 + list.iter().map(constant_members).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(constant_members).max().unwrap_or(0),
        _ => 0,
    }
}

fn too_much(what_zh: &str, what_en: &str, most: u64) -> Refused {
    Refused::new(
        Code::TooComplex,
        format!("{what_zh}超过 {most}，请拆分或缩小范围"),
        format!("{what_en}: more than {most}; split the document or request less data at once"),
    )
}

/// Makes the refusal of a request that checks or sets several secrets. Each takes much time and memory, and several at
/// once are a sign of guessing.
pub(crate) fn one_by_one() -> Refused {
    Refused::new(
        Code::TooComplex,
        "一个请求只能有一个登录或设置密码的操作，请逐个发送",
        "a request may contain only one operation that signs in or sets a password: send them one by one",
    )
}

/// The refusal to read in an operation on secrets: reading would hold its place in their queue, and tell by its time
/// how the secret was checked.
fn read_apart() -> Refused {
    Refused::new(
        Code::ValidationFailed,
        "登录、口令等操作不能同时用 query 读取，请另发查询",
        "an operation on secrets, such as signing in, cannot read `query`: send a query of its own",
    )
}

impl Limits {
    /// Refuses the text of a document with too many tokens, or with brackets that are nested too deeply for the parser.
    pub(crate) fn check_text(&self, text: &str) -> Result<(), Refused> {
        let (tokens, brackets) = tokens(text);
        if tokens > self.tokens {
            return Err(too_much("查询的词元", "tokens in the document", self.tokens as u64));
        }
        if brackets > BRACKETS {
            return Err(too_much("括号的嵌套层数", "nesting depth of brackets", BRACKETS as u64));
        }
        Ok(())
    }

    /// Refuses a document that is too large, whose fragments form a cycle, that has several operations on secrets, or
    /// that uses introspection although it is disabled.
    pub(crate) fn check_document(&self, document: &ExecutableDocument, introspection: bool) -> Result<(), Refused> {
        let mut fragments = HashMap::new();
        for (_, operation) in document.operations.iter() {
            let set = &operation.node.selection_set.node;
            let mut size = measure(set, document, &mut fragments, 0);
            size.directives += operation.node.directives.len();
            let defaults = operation.node.variable_definitions.iter().filter_map(|one| one.node.default_value.as_ref());
            size.members = defaults.map(|default| constant_members(&default.node)).fold(size.members, usize::max);
            if size.circles {
                let (zh, en) = ("片段直接或间接引用了自身", "a fragment includes itself, directly or indirectly");
                return Err(Refused::new(Code::ValidationFailed, zh, en));
            }
            if size.introspects && !introspection {
                return Err(Refused::new(
                    Code::IntrospectionDisabled,
                    "本服务不提供接口定义的自查询，请使用随版本发布的接口定义文件",
                    "introspection is disabled: use the schema file that is published with the release",
                ));
            }
            if operation.node.ty == OperationType::Mutation && size.credentials > 1 {
                return Err(one_by_one());
            }
            if operation.node.ty == OperationType::Mutation && size.credentials > 0 && size.reads > 0 {
                return Err(read_apart());
            }
            let counted = [
                (size.depth, self.depth, "嵌套层数", "nesting depth of fields"),
                (size.fields, self.fields, "选取的字段", "fields"),
                (size.top.saturating_add(size.reads), self.roots, "根字段", "root fields"),
                (size.members, MEMBERS, "参数的嵌套层数", "nesting depth of an argument"),
                (size.aliases, self.aliases, "别名", "aliases"),
                (size.directives, self.directives, "指令", "directives"),
            ];
            for (counted, most, zh, en) in counted {
                if counted > most {
                    return Err(too_much(zh, en, most as u64));
                }
            }
        }
        Ok(())
    }

    /// Refuses an operation whose cost exceeds the limit.
    pub(crate) fn check_cost(&self, cost: u64) -> Result<(), Refused> {
        if cost > self.cost {
            return Err(too_much("查询所取的值", "values requested, counting full pages", self.cost));
        }
        Ok(())
    }
}

/// Refuses variables whose values are nested too deeply.
pub(crate) fn check_variables(variables: &Variables) -> Result<(), Refused> {
    if variables.values().any(|value| constant_members(value) > MEMBERS) {
        return Err(too_much("变量的嵌套层数", "nesting depth of a variable", MEMBERS as u64));
    }
    Ok(())
}

/// Computes the cost of an operation: each field counts once for every row that the pages around it may contain.
/// Without `variables`, a page whose size is given by a variable counts as a full one.
pub(crate) fn cost(types: &Types, owner: &str, selections: &[Selection], variables: Option<&Variables>) -> u64 {
    total(types, owner, selections, variables, &|_| 1)
}

/// Computes the load of an operation: its cost, and a surcharge for what makes the database read more than it returns.
pub(crate) fn load(types: &Types, owner: &str, selections: &[Selection], variables: &Variables) -> u64 {
    let surcharge = |name: &str, of: &[(&str, u64)]| of.iter().find(|(known, _)| *known == name).map_or(0, |one| one.1);
    total(types, owner, selections, Some(variables), &|selection| {
        // Here rather than at the fields themselves, which count once for a page and not for each of its rows.
        let of_page: u64 = selection.below().iter().map(|field| surcharge(field.name(), OF_PAGE)).sum();
        let filter = selection.given("filter").and_then(|filter| filter.with(variables));
        let of_search = if filter.is_some_and(|filter| searches(&filter)) { SEARCH } else { 0 };
        1 + surcharge(selection.name(), OF_FIELD) + of_page + of_search
    })
}

/// The surcharges of fields of a page whose value depends on all rows rather than on those of the page.
const OF_PAGE: &[(&str, u64)] = &[("totalCount", 500), ("aggregate", 2_500), ("groups", 2_500)];
/// The surcharges of other fields.
const OF_FIELD: &[(&str, u64)] = &[("statistics", 1_000), ("monthlyStatistics", 5_000), ("search", 5_000)];
/// The surcharge of a filter that searches through texts.
const SEARCH: u64 = 5_000;

/// Returns whether a filter searches through texts.
fn searches(filter: &Value) -> bool {
    match filter {
        Value::Object(members) => {
            members.iter().any(|(name, value)| (name == "search" && *value != Value::Null) || searches(value))
        }
        Value::List(list) => list.iter().any(searches),
        _ => false,
    }
}

/// Adds up a number for each field of an operation, once for every row that the pages around it may contain.
fn total(
    types: &Types,
    owner: &str,
    selections: &[Selection],
    variables: Option<&Variables>,
    of_field: &dyn Fn(&Selection) -> u64,
) -> u64 {
    let of = |selection: &Selection| {
        let ty = types.of_field(selection.condition().unwrap_or(owner), selection.name());
        let below = total(types, ty, selection.below(), variables, of_field);
        below.saturating_mul(rows(selection, ty, variables)).saturating_add(of_field(selection))
    };
    selections.iter().map(of).fold(0, u64::saturating_add)
}

/// Returns the most rows that a field of this type may return.
fn rows(selection: &Selection, ty: &str, variables: Option<&Variables>) -> u64 {
    let size = |name, most: u64| match (selection.given(name)?, variables) {
        (given, Some(variables)) => given.with(variables).and_then(|given| length(&given, most)),
        (given, None) => given.constant().map_or(Some(most), |given| length(&given, most)),
    };
    let (found, most) = if ty.ends_with("Connection") {
        (size("first", MAX_PAGE).or_else(|| size("last", MAX_PAGE)).unwrap_or(DEFAULT_PAGE), MAX_PAGE)
    } else if ty.ends_with("Group") {
        (size("first", MAX_GROUPS).unwrap_or(DEFAULT_GROUPS), MAX_GROUPS)
    } else {
        (size("ids", MAX_PAGE).unwrap_or(1), MAX_PAGE)
    };
    found.clamp(1, most)
}

/// Returns the number itself, or the length of a list; `most` for a number that is not a whole number of at least 0.
fn length(given: &Value, most: u64) -> Option<u64> {
    match given {
        Value::Number(number) => Some(number.as_u64().unwrap_or(most)),
        Value::List(list) => Some(list.len() as u64),
        _ => None,
    }
}

/// Measures a selection set with its fragments expanded. Each fragment is measured once.
fn measure<'d>(
    set: &'d SelectionSet,
    document: &'d ExecutableDocument,
    fragments: &mut HashMap<&'d str, Option<Size>>,
    depth: usize,
) -> Size {
    // Stop here, and report a size that exceeds every limit.
    if depth > ABYSS {
        return Size { fields: usize::MAX, depth: usize::MAX, ..Size::default() };
    }
    let mut size = Size::default();
    for item in &set.items {
        size.directives = size.directives.saturating_add(item.node.directives().len());
        match &item.node {
            Syntax::Field(field) => {
                size.fields = size.fields.saturating_add(1);
                size.top = size.top.saturating_add(1);
                let deepest = field.node.arguments.iter().map(|(_, value)| members(&value.node)).max();
                size.members = size.members.max(deepest.unwrap_or(0));
                size.aliases = size.aliases.saturating_add(usize::from(field.node.alias.is_some()));
                let name = field.node.name.node.as_str();
                let is_credential = CREDENTIALS.contains(&name);
                size.credentials = size.credentials.saturating_add(usize::from(is_credential));
                size.introspects |= matches!(name, "__schema" | "__type");
                size.depth = size.depth.max(1);
                let below = measure(&field.node.selection_set.node, document, fragments, depth + 1);
                if name == REREAD {
                    size.reads = size.reads.saturating_add(below.top);
                }
                size.add(below, 1);
            }
            Syntax::InlineFragment(inline) => {
                size.add(measure(&inline.node.selection_set.node, document, fragments, depth + 1), 0);
            }
            Syntax::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                let part = match (fragments.get(name), document.fragments.get(name)) {
                    (Some(Some(known)), _) => *known,
                    // The fragment is being measured, so it includes itself.
                    (Some(None), _) => Size { circles: true, ..Size::default() },
                    (None, None) => Size::default(),
                    (None, Some(fragment)) => {
                        fragments.insert(name, None);
                        let part = measure(&fragment.node.selection_set.node, document, fragments, depth + 1);
                        fragments.insert(name, Some(part));
                        part
                    }
                };
                size.add(part, 0);
            }
        }
    }
    size
}

/// Counts the tokens of a text, and returns the nesting depth of its brackets too. A string counts as one token;
/// comments and commas do not count.
fn tokens(text: &str) -> (usize, usize) {
    let (mut count, mut open, mut deepest) = (0, 0_usize, 0);
    let mut strings = Strings::default();
    let mut rest = text.trim_start_matches(is_blank);
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '#' => {
                rest = rest.split_once(['\n', '\r']).map_or("", |(_, after)| after).trim_start_matches(is_blank);
                continue;
            }
            '(' | '[' | '{' => {
                open += 1;
                deepest = deepest.max(open);
                1
            }
            ')' | ']' | '}' => {
                open = open.saturating_sub(1);
                1
            }
            '"' => strings.length(rest),
            'a'..='z' | 'A'..='Z' | '_' | '0'..='9' | '-' => {
                let word = |other: char| other.is_ascii_alphanumeric() || "_.+-".contains(other);
                1 + rest[1..].find(|other| !word(other)).unwrap_or(rest.len() - 1)
            }
            '.' => rest.find(|other| other != '.').unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        count += 1;
        rest = rest[length..].trim_start_matches(is_blank);
    }
    (count, deepest)
}

fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || letter == ',' || letter == '\u{feff}'
}

/// Measures the string literals of a document, from its beginning to its end.
#[derive(Default)]
pub(crate) struct Strings {
    /// Whether three quotes were found that are never closed. Then no later ones are, and looking for their end again
    /// would take time that grows with the square of the text.
    is_open: bool,
}

impl Strings {
    /// Returns the length in bytes of the string literal that the rest of the document begins with.
    pub(crate) fn length(&mut self, rest: &str) -> usize {
        if !rest.starts_with("\"\"\"") {
            return closed(rest, "\"", "\\").unwrap_or(rest.len());
        }
        let length = if self.is_open { None } else { closed(rest, "\"\"\"", "\\\"\"\"") };
        self.is_open |= length.is_none();
        // Three quotes that are never closed are an empty string, followed by the start of another one.
        length.unwrap_or(2)
    }
}

/// Returns the length of the string literal that a text begins with, between two fences; none if it is never closed.
fn closed(text: &str, fence: &str, escape: &str) -> Option<usize> {
    let mut at = fence.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(escape) {
            at += escape.len();
            // The character after a single backslash is part of the escape.
            at += if escape.len() == 1 { text[at..].chars().next().map_or(0, char::len_utf8) } else { 0 };
        } else if rest.starts_with(fence) {
            return Some(at + fence.len());
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn tokens_are_words_and_signs() {
        let count = |text| tokens(text).0;
        assert_eq!(count(""), 0);
        assert_eq!(count("{ a }"), 3);
        assert_eq!(count("query Q($x: Int! = -1.5) { a(b: \"c \\\" d\", e: [1, 2]) ...F } # comment\n"), 27);
        assert_eq!(count("{ a(b: \"\"\"x \" \\\"\"\" y\"\"\") }"), 8);
        assert_eq!(count("\"中"), 1);
        assert_eq!(count("{一 二}"), 4);
        assert_eq!(count("# comment\r{ a }"), 3, "a carriage return ends a comment, too");
        assert_eq!(count("\"\"\" a b"), 2);
    }

    #[test]
    fn brackets_count_where_the_parser_would_see_them() {
        let depth = |text| tokens(text).1;
        assert_eq!(depth("{ a(b: [[1]]) { c } }"), 4);
        assert_eq!(depth("{ a(b: \"[[[[\") } # [[[[[[\n"), 2);
        assert_eq!(depth("{ a(b: [\"\"\"[[\" [[1]]]) }"), 5);
        assert_eq!(depth("{ a(b: [\"\"\" [[[1]]]]) }"), 3, "what is not closed is a string to the end");
        assert_eq!(depth("}}}}{"), 1);
    }
}
