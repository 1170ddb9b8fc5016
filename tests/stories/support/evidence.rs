//! Accounts of counties that upload evidence, and helpers for uploads.

use serde_json::{Value, json};

use super::{Answer, Server, World};

pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";
pub(crate) const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n";
/// The `Content-Type` header of [`form`].
pub(crate) const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=edge");

/// A demo ledger with accounts of two counties and their offices: the token of each, and an assignment.
pub(crate) struct Counties {
    /// 白河县人民政府, the unit of `assignment`.
    pub(crate) mine: String,
    /// 青坪县人民政府, which has another assignment of the same measure.
    pub(crate) sibling: String,
    /// 白河县整改办, which sees the assignment but does not report on it.
    pub(crate) office: String,
    /// 云溪市整改办, which sees both counties.
    pub(crate) city: String,
    /// A unit without assignments.
    pub(crate) elsewhere: String,
    pub(crate) assignment: String,
    pub(crate) version: i64,
    pub(crate) measure: String,
}

fn account(world: &World, email: &str, arguments: &[&str]) -> String {
    world.done(&[&["account", "create", email, "--no-password", "--name", "张三"], arguments].concat());
    world.done(&["token", "create", email]).trim().to_owned()
}

impl Counties {
    /// Starts a server with the demo ledger and picks an open assignment of 白河县 to a measure that is also assigned
    /// to
    /// 青坪县.
    pub(crate) fn open(world: &World, settings: &[(&str, &str)]) -> (Server, Self) {
        world.done(&["demo", "--bare"]);
        let unit = |email, name| account(world, email, &["--role", "responsible-unit", "--unit", name]);
        let mine = unit("a@example.cn", "白河县人民政府");
        let sibling = unit("b@example.cn", "青坪县人民政府");
        let elsewhere = unit("e@example.cn", "云溪市水利局");
        let office = account(world, "c@example.cn", &["--role", "county-office", "--region", "990121"]);
        let city = account(world, "d@example.cn", &["--role", "city-office", "--region", "990100"]);
        let server = world.serve_with(settings);
        let query = "{ assignments(filter: {status: [ASSIGNED, IN_PROGRESS], measure: {is: {assignments: {some: {
            unit: {is: {name: {search: \"青坪县人民政府\"}}}, status: [ASSIGNED, IN_PROGRESS]}}}},
            unit: {is: {name: {search: \"白河县人民政府\"}}}}, first: 1) {
            nodes { id version unit { name } measure { id } } } }";
        let found = as_whom(&server, &city, query);
        let node = &found["data"]["assignments"]["nodes"][0];
        assert_eq!(node["unit"]["name"], "白河县人民政府", "{found}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (assignment, measure) = (text(&node["id"]), text(&node["measure"]["id"]));
        let version = node["version"].as_i64().unwrap();
        (server, Self { mine, sibling, office, city, elsewhere, assignment, version, measure })
    }
}

pub(crate) fn as_whom(server: &Server, token: &str, query: &str) -> Value {
    server.ask(&json!({ "query": query }), &[("authorization", &format!("Bearer {token}"))]).json()
}

/// Returns the body of a multipart form with one file.
pub(crate) fn form(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; \
         filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n--edge--\r\n"].concat()
}

pub(crate) fn upload(server: &Server, token: &str, assignment: &str, name: &str, content: &[u8]) -> Answer {
    let bearer = format!("Bearer {token}");
    let path = format!("/evidence?assignment={assignment}");
    server.put(&path, &[FORM, ("authorization", &bearer)], &form(name, content))
}

/// Returns the status and the error code of a refused upload; asserts that it has a message.
pub(crate) fn refusal(answer: &Answer) -> (u16, String) {
    let error = &answer.json()["errors"][0];
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", answer.body);
    (answer.status, error["code"].as_str().unwrap_or_default().to_owned())
}
