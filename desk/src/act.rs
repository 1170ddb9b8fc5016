//! Acts: the forms of mutations. `GET /acts/{act}` shows the form, with what the act is about; `POST /acts/{act}`
//! carries the mutation out and goes back to the page from which the user came, or shows the form again with what is
//! wrong.

use std::collections::{BTreeMap, HashSet};

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use minijinja::context;
use minijinja::value::Serde;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::form::{self, FieldWords, Now, Widget, Wrong};
use crate::page::{State, Stopped, Visit, back, pairs, see_other, show_again, stop, with_viewer};
use crate::schema::{Schema, base};
use crate::session::Banner;
use crate::state::Unbuilt;
use crate::variables::{self, Given};
use crate::{files, multipart, session, sign_in};

/// Reads what an act is about, by the global id of the object.
const ABOUT: &str = include_str!("../shared/about.graphql");
/// Reads the values of an object with which the forms that change it begin, by its global id.
const BEGIN: &str = include_str!("../shared/begin.graphql");
/// Reads the version of an object, and its newest changes, by its global id.
const CURRENT: &str = include_str!("../shared/current.graphql");
/// What stands before the name of a field in the name of the hidden field with the value with which it began.
const BEFORE: &str = "before.";
/// The most objects of one form.
const MAX_AT_ONCE: usize = 50;
/// The most files of one form. `pages/report/page.html` names the number.
const MAX_FILES: usize = 20;
/// The most reasons of which a banner tells, of several objects that were refused.
const MAX_REASONS: usize = 5;

/// How the form of a mutation is described in `acts.toml`.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the file")]
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    zh: String,
    en: String,
    /// The mutation, if the act is not named like it.
    #[serde(default)]
    mutation: String,
    /// The field of the input that names the object acted on.
    #[serde(default)]
    on: String,
    #[serde(default)]
    about_zh: String,
    #[serde(default)]
    about_en: String,
    /// Whether the object is no node of the API, so that the form does not say what the act is about.
    #[serde(default)]
    apart: bool,
    /// Whether the act is hard to undo.
    #[serde(default)]
    danger: bool,
    #[serde(default)]
    done_zh: String,
    #[serde(default)]
    done_en: String,
    /// Fields of the payload that are shown with all below them, such as a new token.
    #[serde(default)]
    shows: Vec<String>,
    /// Whether the payload has the token of a new session, which replaces that of the browser.
    #[serde(default)]
    session: bool,
    /// Where the browser goes afterwards instead of back: `{measure}` stands for the id of that object of the payload.
    #[serde(default)]
    to: String,
    /// Whether the act edits an object: a field that is emptied is cleared, and one that still has the value with which
    /// the form began is not sent.
    #[serde(default)]
    edits: bool,
    /// Whether the act is open to a session that has to set up its second factor first.
    #[serde(default)]
    limited: bool,
    #[serde(default)]
    fields: Vec<FieldWords>,
}

/// An act: the form of a mutation.
pub(crate) struct Act {
    /// The name in the address, which is that of the mutation unless `mutation` says otherwise.
    name: String,
    words: Words,
    input: String,
    has_version: bool,
    document: String,
}

/// The acts by their names.
pub(crate) struct Acts(BTreeMap<String, Act>);

impl Acts {
    /// Reads the forms, and checks them against the schema.
    pub(crate) fn read(schema: &Schema) -> Result<Self, Unbuilt> {
        let text = files::text("acts.toml").unwrap_or_default();
        let words: BTreeMap<String, Words> = toml::from_str(&text).map_err(|error| Unbuilt(error.to_string()))?;
        let act = |(name, words): (String, Words)| Ok((name.clone(), Act::read(name, words, schema)?));
        Ok(Self(words.into_iter().map(act).collect::<Result<_, Unbuilt>>()?))
    }

    fn get(&self, name: &str) -> Result<&Act, Stopped> {
        self.0.get(name).ok_or(Stopped::Missing)
    }
}

impl Act {
    fn read(name: String, words: Words, schema: &Schema) -> Result<Self, Unbuilt> {
        let wrong = |why: String| Unbuilt(format!("acts.toml, {name}: {why}"));
        let mutation = if words.mutation.is_empty() { &name } else { &words.mutation };
        let input = schema.input_of(mutation).ok_or_else(|| wrong("no such mutation".to_owned()))?.to_owned();
        let has = |field: &str| schema.at(&input, field).is_some();
        for field in words.fields.iter().map(|field| field.name.as_str()).chain(Some(words.on.as_str())) {
            if !field.is_empty() && !has(field) {
                return Err(wrong(format!("no field {field}")));
            }
        }
        for field in schema.inputs(&input).unwrap_or_default() {
            let is_given = field.of.nullable || field.has_default || field.name == "version" || field.name == words.on;
            let within = format!("{}.", field.name);
            if !is_given && !words.fields.iter().any(|one| one.name == field.name || one.name.starts_with(&within)) {
                return Err(wrong(format!("{} is required", field.name)));
            }
        }
        let payload = schema.payload_of(mutation).unwrap_or_default();
        let mut read = vec!["errors { code message path }".to_owned()];
        if payload.iter().any(|field| field.name == "warnings") {
            read.push("warnings { message }".to_owned());
        }
        let session = ["token", "expiresAt"].map(str::to_owned);
        for field in words.shows.iter().chain(session.iter().filter(|_| words.session)) {
            let known = payload.iter().find(|known| known.name == *field);
            read.push(schema.selection(known.ok_or_else(|| wrong(format!("the payload has no {field}")))?));
        }
        if let Some(object) = object_of(&words.to) {
            if !payload.iter().any(|known| known.name == object) {
                return Err(wrong(format!("the payload has no {object}")));
            }
            read.push(format!("{object} {{ id }}"));
        }
        let document =
            format!("mutation ($input: {input}!) {{ done: {mutation}(input: $input) {{ {} }} }}", read.join(" "));
        Ok(Self { has_version: has("version"), name, words, input, document })
    }
}

/// Returns the object of the payload that an address such as `/measures/{measure}` names.
fn object_of(to: &str) -> Option<&str> {
    Some(to.split_once('{')?.1.split_once('}')?.0)
}

/// What the address or the hidden fields of a form say: what the act is on, and where to go back to.
struct Target {
    on: Option<String>,
    version: Option<String>,
    back: String,
    /// The fields that the form shows, separated by commas; all if it is absent.
    only: Option<String>,
}

impl Target {
    fn of(given: &Given) -> Self {
        let value = |name| variables::first(given, name).map(str::to_owned);
        Self { on: value("on"), version: value("version"), back: back(value("back").as_deref()), only: value("only") }
    }

    /// Adds what the act is on to what was given.
    fn complete(&self, act: &Act, given: &mut Given) {
        if let Some(on) = self.on.as_ref().filter(|_| !act.words.on.is_empty()) {
            given.push((format!("input.{}", act.words.on), on.clone()));
        }
        if let Some(version) = self.version.as_ref().filter(|_| act.has_version) {
            given.push(("input.version".to_owned(), version.clone()));
        }
    }
}

impl Act {
    /// Returns the fields that a form shows.
    fn fields(&self, target: &Target) -> Vec<FieldWords> {
        let is_shown = |field: &&FieldWords| {
            target.only.as_ref().is_none_or(|only| only.split(',').any(|name| name == field.name))
        };
        self.words.fields.iter().filter(is_shown).cloned().collect()
    }

    /// Returns where the browser goes after the act.
    fn next(&self, target: &Target, payload: &Value) -> String {
        let to = &self.words.to;
        let Some(object) = object_of(to) else {
            return if to.is_empty() { target.back.clone() } else { to.clone() };
        };
        match payload[object]["id"].as_str() {
            Some(id) => to.replace(&format!("{{{object}}}"), id),
            None => target.back.clone(),
        }
    }
}

/// Returns the values of the object that an act is on with which its fields begin.
async fn begin(visit: &Visit<'_>, fields: &[FieldWords], target: &Target) -> Result<Given, Stopped> {
    let has_beginning = fields.iter().any(FieldWords::has_beginning);
    let Some(on) = target.on.clone().filter(|_| has_beginning) else { return Ok(Vec::new()) };
    let data = visit.ask(BEGIN, Map::from_iter([("id".to_owned(), Value::String(on))])).await?;
    let object = &data["node"];
    // The list that the form sends is complete, so a form that showed a part of it would remove the rest.
    let is_cut = object["responsibleParties"]["pageInfo"]["hasNextPage"] == true;
    if is_cut && fields.iter().any(|field| field.kind == Widget::Parties) {
        let (zh, en) = (
            "责任单位超过 200 个，不能在网页上修改，请重新导入台账",
            "More than 200 units are responsible: change them by an import",
        );
        return Err(Stopped::Told(StatusCode::CONFLICT, visit.words(zh, en)));
    }
    Ok(form::beginnings(fields, object, &visit.desk.schema, visit.is_english))
}

/// `GET /acts/{act}`: the form of an act.
pub(crate) async fn form(request: HttpRequest, name: web::Path<String>, desk: State) -> HttpResponse {
    let shown = async {
        let act = desk.acts.get(&name)?;
        let visit = Visit::begin(&request, &desk, act.words.limited).await?;
        let given = pairs(request.query_string());
        show(&visit, act, &given, None).await
    };
    shown.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// Why a form is shown again.
struct Refused {
    wrongs: Vec<Wrong>,
    /// What others have changed since the form was shown, the newest first.
    news: Vec<Value>,
}

impl Refused {
    /// Describes what is wrong for a template.
    fn errors(&self) -> Vec<minijinja::Value> {
        self.wrongs.iter().map(|wrong| context! { field => &wrong.field, message => &wrong.message }).collect()
    }
}

/// Returns the values with which the fields of a form began, as its hidden fields say.
fn before(given: &Given) -> Given {
    given.iter().filter_map(|(name, value)| Some((name.strip_prefix(BEFORE)?.to_owned(), value.clone()))).collect()
}

/// Brings a form up to date that the change of someone else has overtaken: it gets the current version, and the current
/// values of the fields that the user left as they were. What is wrong then names the fields that both have changed.
async fn refresh(visit: &Visit<'_>, act: &Act, given: &mut Given, mut wrongs: Vec<Wrong>) -> Result<Refused, Stopped> {
    let target = Target::of(given);
    let on = target.on.as_ref().filter(|_| !act.words.apart && wrongs.iter().any(|wrong| wrong.is_stale));
    let Some(on) = on else { return Ok(Refused { wrongs, news: Vec::new() }) };
    let mut data = visit.ask(CURRENT, Map::from_iter([("id".to_owned(), Value::String(on.clone()))])).await?;
    let mut node = data["node"].take();
    let Some(version) = node["version"].as_u64() else { return Ok(Refused { wrongs, news: Vec::new() }) };
    let seen = target.version.as_ref().and_then(|version| version.parse().ok()).unwrap_or(version);
    let fields = act.fields(&target);
    let (current, before) = (begin(visit, &fields, &target).await?, before(given));
    for field in fields.iter().filter(|field| field.has_beginning()) {
        let (now, own) = (field.said(&current), field.said(given));
        if own == field.said(&before) {
            given.retain(|(name, _)| !field.has(name));
            given.extend(current.iter().filter(|(name, _)| field.has(name)).cloned());
        } else if now != field.said(&before) && now != own {
            let now = now.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(visit.words_of("、", ", "));
            let message = visit.words(
                &format!("已被他人改为“{now}”，请核对您填写的内容"),
                &format!("Someone else has changed this to “{now}”: check what you have entered"),
            );
            wrongs.push(Wrong::of(format!("input.{}", field.name), message));
        }
    }
    given.retain(|(name, _)| name != "version" && !name.starts_with(BEFORE));
    given.push(("version".to_owned(), version.to_string()));
    given.extend(current.into_iter().map(|(name, value)| (format!("{BEFORE}{name}"), value)));
    let words = (
        "您填写期间，他人已更新此事项。下面是最新情况，您填写的内容还在，请核对后再提交",
        "Someone else has changed this meanwhile. What you have entered is kept: review it and submit again",
    );
    for wrong in wrongs.iter_mut().filter(|wrong| wrong.is_stale) {
        wrong.message = visit.words(words.0, words.1);
    }
    let entries = node["audit"]["nodes"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let count = usize::try_from(version.saturating_sub(seen)).unwrap_or_default();
    Ok(Refused { wrongs, news: entries.into_iter().take(count).collect() })
}

/// Writes the form of an act, with what is wrong if it was refused.
async fn show(visit: &Visit<'_>, act: &Act, given: &Given, refused: Option<&Refused>) -> Result<HttpResponse, Stopped> {
    let target = Target::of(given);
    let words = act.fields(&target);
    let on = target.on.clone().filter(|_| !act.words.on.is_empty());
    let is_node = on.is_some() && !act.words.apart;
    let variables = on.iter().filter(|_| is_node).map(|on| ("id".to_owned(), Value::String(on.clone()))).collect();
    let document = match (is_node, visit.has_viewer()) {
        (true, _) => with_viewer(ABOUT),
        (false, true) => with_viewer("query { viewer { id } }"),
        (false, false) => "query { installation { isOpen } }".to_owned(),
    };
    // The form is read like a page, even when it is shown again after it was sent.
    let data = visit.ask(&document, variables).await?;
    if is_node && data["node"].is_null() {
        return Err(Stopped::Missing);
    }
    let mut given = given.clone();
    let before = if refused.is_some() {
        before(&given)
    } else {
        let begun = begin(visit, &words, &target).await?;
        let own: Given =
            begun.iter().filter(|(name, _)| !given.iter().any(|(known, _)| known == name)).cloned().collect();
        given.extend(own);
        begun
    };
    let wrongs = refused.map_or(&[][..], |refused| &refused.wrongs);
    let now = (visit.desk.options.clock)().with_timezone(&visit.desk.options.zone);
    let now = Now { today: now.date_naive().to_string(), month: now.format("%Y-%m").to_string() };
    let fields = form::fields(&words, (&visit.desk.schema, &act.input), (&given, wrongs), visit.is_english, &now);
    let own = context! {
        act => &act.name,
        title => visit.words(&act.words.zh, &act.words.en),
        lead => visit.words(&act.words.about_zh, &act.words.about_en),
        is_dangerous => act.words.danger,
        fields,
        given => given.iter().cloned().collect::<BTreeMap<_, _>>(),
        before,
        errors => refused.map(Refused::errors),
        news => refused.map(|refused| minijinja::Value::from(Serde(&refused.news))),
        on => &target.on,
        version => &target.version,
        back => &target.back,
        only => &target.only,
        data => minijinja::Value::from(Serde(&data)),
        viewer => minijinja::Value::from(Serde(&data["viewer"])),
        mail_outage => minijinja::Value::from(Serde(&data["mailOutage"])),
    };
    let status = if refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    visit.write(status, "shared/act.html", own)
}

/// `POST /acts/{act}`: carries out an act.
pub(crate) async fn carry_out(
    request: HttpRequest,
    name: web::Path<String>,
    given: web::Form<Given>,
    desk: State,
) -> HttpResponse {
    let done = async {
        let act = desk.acts.get(&name)?;
        let visit = Visit::begin(&request, &desk, act.words.limited).await?;
        visit.check_form(&given)?;
        let target = Target::of(&given);
        match run(&visit, act, &given).await? {
            Ok(payload) if act.words.session => Ok(sign_in::enter(&visit, &payload, &target.back)),
            Ok(payload) if act.words.shows.iter().any(|name| !payload[name].is_null()) => {
                shown(&visit, act, &target, &payload)
            }
            Ok(payload) => {
                let banner = banner(&visit, act, &payload);
                Ok(see_other(&act.next(&target, &payload)).cookie(banner.cookie(&desk)).finish())
            }
            Err(wrongs) => {
                let mut given = given.into_inner();
                let refused = refresh(&visit, act, &mut given, wrongs).await?;
                show(&visit, act, &given, Some(&refused)).await
            }
        }
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// `POST /several/{act}`: carries out an act on several objects, one after the other. `each` has the id of an object
/// and its version. What is refused does not keep the others back; the banner says why.
pub(crate) async fn carry_out_several(
    request: HttpRequest,
    name: web::Path<String>,
    given: web::Form<Given>,
    desk: State,
) -> HttpResponse {
    let done = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        visit.check_form(&given)?;
        let act = desk.acts.get(&name)?;
        let each = given.iter().filter(|(known, _)| known == "each").map(|(_, value)| value.as_str());
        let chosen: Vec<&str> = each.collect();
        let shared: Given = given.iter().filter(|(known, _)| known != "each").cloned().collect();
        let (mut carried_out, mut refused) = (0_usize, Vec::new());
        for one in chosen.iter().take(MAX_AT_ONCE) {
            let (on, version) = one.split_once(' ').unwrap_or((one, ""));
            let mut given = shared.clone();
            given.push(("on".to_owned(), on.to_owned()));
            given.push(("version".to_owned(), version.to_owned()));
            match run(&visit, act, &given).await? {
                Ok(_) => carried_out += 1,
                Err(wrongs) => refused.extend(wrongs.into_iter().map(|wrong| wrong.message)),
            }
        }
        let mut seen = HashSet::new();
        refused.retain(|why| seen.insert(why.clone()));
        let mut banner = if chosen.is_empty() {
            Banner::refused(visit.words("请先选中要办理的事项", "Select the items first"))
        } else {
            Banner::done(visit.words(&format!("已办理 {carried_out} 项"), &format!("Done: {carried_out}")))
        };
        for why in refused.iter().take(MAX_REASONS) {
            banner.lines.push(visit.words(&format!("未办理：{why}"), &format!("Not done: {why}")));
        }
        let more = refused.len().saturating_sub(MAX_REASONS);
        if more > 0 {
            banner.lines.push(visit.words(&format!("另有 {more} 种原因"), &format!("{more} more reasons")));
        }
        let left = chosen.len().saturating_sub(MAX_AT_ONCE);
        if left > 0 {
            banner.lines.push(visit.words(
                &format!("一次最多办理 {MAX_AT_ONCE} 项，还有 {left} 项没有办理，请再选中办理"),
                &format!("At most {MAX_AT_ONCE} items are done at once: {left} are left, select them again"),
            ));
        }
        banner.is_error |= !refused.is_empty() || left > 0;
        let back = Target::of(&given).back;
        Ok(see_other(&back).cookie(banner.cookie(&desk)).finish())
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// Runs the mutation of an act, and returns its payload or what is wrong.
async fn run(visit: &Visit<'_>, act: &Act, given: &Given) -> Result<Result<Value, Vec<Wrong>>, Stopped> {
    let mut given = given.clone();
    let target = Target::of(&given);
    target.complete(act, &mut given);
    let mut fields = act.fields(&target);
    if act.words.edits {
        let before = begin(visit, &fields, &target).await?;
        let is_same = |field: &FieldWords| field.has_beginning() && field.said(&given) == field.said(&before);
        let (same, changed): (Vec<_>, Vec<_>) = fields.into_iter().partition(is_same);
        given.retain(|(name, _)| !same.iter().any(|field| field.has(name)));
        fields = changed;
    }
    let (mut input, mut wrongs) = form::input(visit, &fields, &act.input, &given).await?;
    let place = |wrong: &Wrong| fields.iter().position(|field| field.has(&wrong.field));
    // What cannot be read is not missing as well.
    let unread: Vec<_> = wrongs.iter().map(place).collect();
    wrongs.extend(missing(visit, act, &fields, &input).into_iter().filter(|one| !unread.contains(&place(one))));
    if !wrongs.is_empty() {
        wrongs.sort_by_key(place);
        return Ok(Err(wrongs));
    }
    if act.words.edits {
        form::clear(&visit.desk.schema, &fields, &act.input, &given, &mut input);
    }
    let variables = Map::from_iter([("input".to_owned(), Value::Object(input))]);
    let mut data = visit.ask(&act.document, variables).await?;
    let payload = data["done"].take();
    let wrongs = form::errors(&payload, &act.words.fields);
    Ok(if wrongs.is_empty() { Ok(payload) } else { Err(wrongs) })
}

/// Returns the fields that are required and missing, and the lists with a row that lacks a required part: the API would
/// refuse the whole document for them.
fn missing(visit: &Visit<'_>, act: &Act, fields: &[FieldWords], input: &Map<String, Value>) -> Vec<Wrong> {
    let schema = &visit.desk.schema;
    let is_missing = |field: &&FieldWords| {
        let is_required = schema.at(&act.input, &field.name).is_some_and(|of| !of.of.nullable && !of.has_default);
        let mut value = Some(input);
        let mut is_there = false;
        for part in field.name.split('.') {
            let found = value.and_then(|fields| fields.get(part));
            is_there = found.is_some();
            value = found.and_then(Value::as_object);
        }
        is_required && !is_there
    };
    let is_partial = |field: &&FieldWords| {
        let of = schema.at(&act.input, &field.name).and_then(|of| schema.inputs(&base(&of.of.base)));
        let needed = || of.unwrap_or_default().iter().filter(|part| !part.of.nullable && !part.has_default);
        let rows = input.get(&field.name).and_then(Value::as_array).into_iter().flatten();
        rows.filter_map(Value::as_object).any(|row| needed().any(|part| !row.contains_key(&part.name)))
    };
    let label = |field: &FieldWords| field.label(visit.is_english).to_owned();
    let wrong = |field: &FieldWords, (zh, en): (String, String)| {
        Wrong::of(format!("input.{}", field.name), visit.words(&zh, &en))
    };
    let absent = fields.iter().filter(is_missing).map(|field| {
        let (label, verb) = (label(field), if field.kind.is_chosen() { "请选择" } else { "请填写" });
        wrong(field, (format!("{verb}{label}"), format!("{label}: this is required")))
    });
    let partial = fields.iter().filter(is_partial).map(|field| {
        let label = label(field);
        let zh = format!("{label}：有一行没有填完整，请补充或清空这一行");
        wrong(field, (zh, format!("{label}: a row is incomplete: complete it or clear it")))
    });
    absent.chain(partial).collect()
}

/// Returns what the next page says: that the act was done, and what could not be done in addition.
fn banner(visit: &Visit<'_>, act: &Act, payload: &Value) -> Banner {
    let done = visit.words(&act.words.done_zh, &act.words.done_en);
    let mut banner = Banner::done(if done.is_empty() { visit.words("已办理", "Done") } else { done });
    let warnings = payload["warnings"].as_array().into_iter().flatten();
    banner.lines.extend(warnings.filter_map(|one| Some(one["message"].as_str()?.to_owned())));
    banner
}

/// Shows what an act returned, such as a new token, which nothing will show again.
fn shown(visit: &Visit<'_>, act: &Act, target: &Target, payload: &Value) -> Result<HttpResponse, Stopped> {
    let own = context! {
        act => &act.name,
        title => visit.words(&act.words.zh, &act.words.en),
        done => visit.words(&act.words.done_zh, &act.words.done_en),
        payload => minijinja::Value::from(Serde(payload)),
        shows => &act.words.shows,
        back => &target.back,
    };
    let template = match act.words.shows.first().map(String::as_str) {
        Some("report") => "shared/job-report.html",
        Some("rehearsal") => "shared/rule-rehearsal.html",
        _ => "shared/shown.html",
    };
    visit.write(StatusCode::OK, template, own)
}

/// `POST /report/{id}`: a progress report with its files, in one form. The text fields come first; the report is
/// written, then the files are kept one by one.
pub(crate) async fn report(
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
    desk: State,
) -> HttpResponse {
    let form = api::form(request.headers(), payload);
    let done = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        take_report(&visit, &id, form).await
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// What became of a form with a report and files.
enum Report {
    /// The report was written.
    Written,
    /// The form has no report, only files.
    OnlyFiles,
    /// The report was refused, and so are its files.
    Refused(Vec<Wrong>),
}

/// What became of the files of a form.
#[derive(Default)]
struct Files {
    /// How many were kept.
    kept: usize,
    /// Those that were refused, each with the reason.
    refused: Vec<String>,
    /// The names of those beyond the most that one form may have.
    left: Vec<String>,
}

impl Files {
    fn count(&self) -> usize {
        self.kept + self.refused.len() + self.left.len()
    }

    /// Returns what the next page says of a report and its files.
    fn banner(&self, visit: &Visit<'_>, report: &Report) -> Banner {
        let kept = self.kept;
        let text = match (report, kept) {
            (Report::OnlyFiles, 0) => visit.words("没有上传任何文件", "No file was uploaded"),
            (Report::OnlyFiles, _) => visit.words(&format!("上传了 {kept} 个文件"), &format!("Files uploaded: {kept}")),
            (_, 0) => visit.words("进展已填报", "The report was submitted"),
            _ => visit.words(
                &format!("进展已填报，上传了 {kept} 个文件"),
                &format!("The report was submitted, with {kept} files"),
            ),
        };
        let mut banner = Banner { is_error: !self.refused.is_empty() || !self.left.is_empty(), lines: vec![text] };
        for why in &self.refused {
            banner.lines.push(visit.words(&format!("未能上传{why}"), &format!("Not uploaded: {why}")));
        }
        if !self.left.is_empty() {
            let names = self.left.join(visit.words_of("、", ", "));
            banner.lines.push(visit.words(
                &format!("一次最多上传 {MAX_FILES} 个文件，以下文件没有上传，请再次上传：{names}"),
                &format!("At most {MAX_FILES} files are taken at once. Upload these again: {names}"),
            ));
        }
        banner
    }
}

async fn take_report(visit: &Visit<'_>, id: &str, mut form: Multipart) -> Result<HttpResponse, Stopped> {
    let act = visit.desk.acts.get("reportProgress")?;
    let mut given: Given = vec![("on".to_owned(), id.to_owned())];
    let mut files = Files::default();
    let mut report = None;
    // The form itself reads what is left of a field that is not read to its end.
    while let Some((file, mut field)) = multipart::next_file(&mut form, &mut given).await? {
        // A browser sends one empty file if none was chosen.
        if file.is_empty() {
            continue;
        }
        if report.is_none() {
            report = Some(write_report(visit, act, &given, true).await?);
        }
        if matches!(report, Some(Report::Refused(_))) || files.count() >= MAX_FILES {
            files.left.push(file);
            continue;
        }
        match visit.session.keep_evidence(id, &file, &mut field).await {
            Ok(()) => files.kept += 1,
            Err(refusal) => {
                let why = (&refusal.message.zh, &refusal.message.en);
                files.refused.push(visit.words(&format!("“{file}”：{}", why.0), &format!("“{file}”: {}", why.1)));
            }
        }
    }
    let report = match report {
        Some(report) => report,
        None => write_report(visit, act, &given, false).await?,
    };
    if let Report::Refused(wrongs) = report {
        if wrongs.iter().any(|wrong| wrong.is_stale) {
            // What the user left as it was begins anew, with what the other report says.
            let began = before(&given);
            given.retain(|field| !began.contains(field));
        }
        let refused = refresh(visit, act, &mut given, wrongs).await?;
        let own = context! {
            errors => refused.errors(),
            news => minijinja::Value::from(Serde(&refused.news)),
            given => given.into_iter().collect::<BTreeMap<_, _>>(),
            lost_files => files.count() > 0,
        };
        return show_again(visit, "report", own).await;
    }
    let to = Target::of(&given).back;
    Ok(see_other(&to).cookie(files.banner(visit, &report).cookie(visit.desk)).finish())
}

/// Writes the report of a form, if it has one. A form in which files were chosen and nothing was typed has none.
async fn write_report(visit: &Visit<'_>, act: &Act, given: &Given, has_files: bool) -> Result<Report, Stopped> {
    visit.check_form(given)?;
    let before = before(given);
    let began = |name: &str| variables::first(&before, name).unwrap_or_default();
    let is_blank = |name: &str, value: &str| value.trim().is_empty() || value.trim() == began(name).trim();
    // A month alone is no report.
    let mut typed = given.iter().filter(|(name, _)| name.starts_with("input.") && name != "input.period");
    if has_files && typed.all(|(name, value)| is_blank(name, value)) {
        return Ok(Report::OnlyFiles);
    }
    if variables::first(given, "only-files").is_some() {
        return Ok(Report::Refused(vec![Wrong::of("file", visit.words("请选择文件", "Choose a file"))]));
    }
    Ok(match run(visit, act, given).await? {
        Ok(_) => Report::Written,
        Err(wrongs) => Report::Refused(wrongs),
    })
}

impl Visit<'_> {
    /// Refuses a form that was not sent by a page of this site in this session.
    pub(crate) fn check_form(&self, given: &Given) -> Result<(), Stopped> {
        let token = variables::first(given, "token").unwrap_or_default();
        let is_own = self.secret.as_deref().is_some_and(|secret| session::is_own_form(secret, token));
        if is_own && session::is_from_here(self.request) { Ok(()) } else { Err(Stopped::Foreign) }
    }

    /// Returns a text in the language of the page.
    pub(crate) fn words(&self, zh: &str, en: &str) -> String {
        if self.is_english { en } else { zh }.to_owned()
    }

    /// Returns what a refusal says where the person can do something about it on the same page; none if not, such as
    /// where the person has to sign in again.
    pub(crate) fn shown(&self, refusal: &api::Refusal) -> Option<String> {
        let is_shown = refusal.status.is_client_error() && refusal.code != "UNAUTHENTICATED";
        is_shown.then(|| self.words(&refusal.message.zh, &refusal.message.en))
    }

    fn words_of(&self, zh: &'static str, en: &'static str) -> &'static str {
        if self.is_english { en } else { zh }
    }
}
