//! The desk: the pages of every role, the whole way of a measure by pages alone, links from mails, and what is refused.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::monthly_account::{CELLS, filled};
use crate::support::browser::Page;
use crate::support::{Answer, Server, World, eventually, stories};

stories!(
    every_page_is_there_for_every_role,
    a_measure_goes_its_whole_way_by_pages_without_scripts,
    an_office_keeps_measures_and_merges_them_by_pages,
    a_sheet_is_imported_by_pages,
    an_upload_with_scripts_says_what_became_of_it,
    a_report_that_is_refused_keeps_what_was_entered,
    a_form_that_was_overtaken_says_what_has_changed,
    a_wrong_answer_about_a_sheet_keeps_the_others,
    exports_have_the_dates_that_their_pages_show,
    an_unknown_address_has_a_page,
    a_unit_gives_the_months_account_by_pages,
    what_imports_remember_is_kept_by_pages,
    pages_have_no_fault_that_axe_finds,
    a_form_from_elsewhere_is_refused,
    a_link_in_a_mail_shows_its_item_and_leads_there,
    an_open_page_says_when_it_has_changed,
    an_administrator_rehearses_a_job_and_runs_it,
    behind_https_the_cookie_is_bound_to_its_host,
    the_desk_can_be_off,
);

/// A photograph: a green PNG of 4 by 3 pixels, in hexadecimal.
const PHOTO: &str = "89504e470d0a1a0a0000000d49484452000000040000000308020000003b9639910000001049444154789c63b0\
    a9888223069c1c00f58b0ca90a7e0e7c0000000049454e44ae426082";

/// Checks pages for faults that keep people from using them.
const AXE: &str = include_str!("../axe.min.js");
/// The most bytes of a page.
const MAX_PAGE_BYTES: usize = 60 << 10;

/// The pages without parameters, with whether they are for administrators.
const PAGES: &[(&str, bool)] = &[
    ("/", false),
    ("/ledger", false),
    ("/ledger/problems", false),
    ("/imports", false),
    ("/imports/decisions", false),
    ("/regions", false),
    ("/month", false),
    ("/queue", false),
    ("/queue?state=PUBLICISED", false),
    ("/cases", false),
    ("/wall", false),
    ("/briefings", false),
    ("/notices", false),
    ("/help", false),
    ("/me", false),
    ("/", true),
    ("/admin", true),
    ("/admin/accounts", true),
    ("/admin/units", true),
    ("/admin/schedules", true),
    ("/admin/outbox", true),
    ("/admin/webhooks", true),
    ("/admin/calendar", true),
    ("/admin/inspections", true),
    ("/admin/reminders", true),
    ("/admin/why?asks=true&kind=OVERDUE&on=2026-11-30&address=nobody%40gov.example", true),
    ("/admin/simulation?from=2026-11-30&to=2026-12-11&kind=", true),
    ("/admin/audit", true),
    ("/admin/health", true),
    ("/admin/security?day=2026-11-30", true),
    ("/admin/settings", true),
    ("/me", true),
];

/// Returns the real time, at which the demo is made.
#[expect(clippy::disallowed_methods, reason = "the demo's dates are those of the day on which it is made")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A person of the demo with the cookie of their session.
struct Person {
    role: String,
    cookie: String,
}

impl Person {
    fn is_administrator(&self) -> bool {
        self.role == "ADMINISTRATOR"
    }

    /// Opens a page.
    fn get(&self, server: &Server, path: &str, language: &str) -> Answer {
        let cookie = format!("rectify={}; rectify-language={language}", self.cookie);
        crate::support::asked(server, "GET", path, &[("cookie", &cookie)], b"")
    }
}

/// Signs in as everybody of the demo, by the form of the page.
fn people(server: &Server) -> Vec<Person> {
    let accounts = server.data("{ demoAccounts { accountId role } }", &json!({}))["demoAccounts"].clone();
    let origin = server.base.clone();
    let one = |account: &Value| {
        let form = format!("accountId={}", account["accountId"].as_str().unwrap());
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [kind, ("origin", origin.as_str())];
        let answer = crate::support::asked(server, "POST", "/sign-in", &headers, form.as_bytes());
        assert_eq!(answer.status, 303, "{}", answer.body);
        let cookie =
            answer.header("set-cookie").split(';').next().unwrap().strip_prefix("rectify=").unwrap().to_owned();
        assert!(answer.header("set-cookie").contains("HttpOnly; SameSite=Lax"), "{}", answer.header("set-cookie"));
        Person { role: account["role"].as_str().unwrap().to_owned(), cookie }
    };
    accounts.as_array().unwrap().iter().map(one).collect()
}

/// Returns the addresses of some objects of each noun that has a page.
fn objects(server: &Server) -> Vec<String> {
    let query = "{ problems(first: 2) { nodes { id } } measures(first: 3) { nodes { id } }
        inspectionCases(first: 3) { nodes { id } } assignments(first: 2) { nodes { id } }
        units(first: 2, filter: {name: {search: \"局\"}}) { nodes { id } } }";
    let data = server.data(query, &json!({}));
    let of = |noun: &str, path: &str| -> Vec<String> {
        let nodes = data[noun]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| format!("{path}{}", node["id"].as_str().unwrap())).collect()
    };
    [
        of("problems", "/problems/"),
        of("measures", "/measures/"),
        of("inspectionCases", "/cases/"),
        of("assignments", "/report/"),
        of("units", "/month/"),
    ]
    .concat()
}

fn every_page_is_there_for_every_role(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let objects = objects(&server);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for person in people(&server) {
        let pages = PAGES.iter().filter(|(_, of)| *of == person.is_administrator()).map(|(path, _)| (*path).to_owned());
        for path in pages.chain(objects.iter().cloned()) {
            for language in ["zh", "en"] {
                let what = format!("{} {path} {language}", person.role);
                let page = person.get(&server, &path, language);
                let is_object = objects.contains(&path);
                assert!(
                    page.status == 200 || (is_object && page.status == 404),
                    "{what}: {} {}",
                    page.status,
                    page.body
                );
                assert!(page.body.len() <= MAX_PAGE_BYTES, "{what}: {} bytes", page.body.len());
                assert!(page.body.contains("<main id=\"main\">") && page.body.ends_with("</html>"), "{what}");
                let policy = page.header("content-security-policy");
                assert!(policy.contains("script-src 'self'; style-src 'self'"), "{what}: {policy}");
                for never in ["style=\"", "<style", "<script>", "onclick=", "undefined", "{{", "\"None\""] {
                    assert!(!page.body.contains(never), "{what} has {never}");
                }
                let codes: Vec<&str> = page.body.split('>').filter_map(code_word).collect();
                assert_eq!(codes, [""; 0], "{what} shows codes");
                *seen.entry(path.clone()).or_default() += usize::from(page.status == 200);
            }
        }
    }
    for person in people(&server) {
        let home = person.get(&server, "/", "zh").body.replace("&#x2f;", "/");
        for link in home.split("href=\"/report/").skip(1) {
            let assignment = link.split(['?', '"']).next().unwrap();
            let page = person.get(&server, &format!("/report/{assignment}"), "zh").body;
            assert!(page.contains("name=\"input.text\""), "{} is led to a report that is refused: {page}", person.role);
        }
    }
    let unseen: Vec<_> = seen.iter().filter(|(_, times)| **times == 0).collect();
    assert!(unseen.is_empty(), "nobody sees {unseen:?}");
    let stranger = server.get("/ledger");
    assert!(stranger.body.contains("/sign-in") && stranger.body.contains("演示人员"), "{}", stranger.body);
}

/// Returns the code that a text between two tags is, such as `MAIL_ACKNOWLEDGED`.
fn code_word(text: &str) -> Option<&str> {
    let text = text.split('<').next()?.trim();
    // The page of the settings names the variables of the environment.
    let is_code = text.contains('_')
        && !text.starts_with("RECTIFY_")
        && text.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'_');
    is_code.then_some(text)
}

/// A clerk at a browser, who uses pages only.
struct Clerk {
    page: Page,
    base: String,
}

impl Clerk {
    fn go(&mut self, path: &str) {
        self.page.go(&format!("{}{path}", self.base));
    }

    /// Signs in as someone of the demo, whose button has this text.
    fn sign_in(&mut self, words: &str) {
        self.go("/sign-in");
        self.page.leave(&format!(
            "[...document.querySelectorAll('.demo-people button')]
                .find((one) => one.textContent.includes('{words}')).click()"
        ));
    }

    /// Follows the first link whose address has all of these parts.
    fn follow(&mut self, parts: &[&str]) {
        let selector = parts.iter().fold(String::new(), |all, part| all + "[href*=\"" + part + "\"]");
        self.page.leave(&format!("document.querySelector('a{selector}').click()"));
    }

    /// Fills in fields by their names, and sends the form of the page.
    fn send(&mut self, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            self.page.value(&format!(
                "(() => {{ const all = [...document.getElementsByName('{name}')];
                    const choice = all.find((one) => one.type === 'radio' && one.value === '{value}');
                    if (choice) choice.checked = true; else all[0].value = '{value}'; }})()"
            ));
        }
        self.page.leave("document.querySelector('main form button[type=submit]').click()");
        let wrong = self.page.value("document.querySelector('.error-summary')?.textContent ?? ''");
        assert_eq!(wrong, "", "the form was refused");
    }

    fn text(&mut self) -> String {
        self.page.value("document.body?.textContent ?? ''").as_str().unwrap().to_owned()
    }

    /// Asserts that the page says something.
    fn reads(&mut self, words: &str) {
        let text = self.text();
        assert!(text.contains(words), "no “{words}” in {text}");
    }
}

fn a_measure_goes_its_whole_way_by_pages_without_scripts(world: &World) {
    world.done(&["demo"]);
    let now = (now() + TimeDelta::hours(8)).format("%Y-%m-%dT%H:%M").to_string();
    let (server, clock) = world.serve_under_clock(&now);
    let accepted = people(&server).iter().find(|person| person.role == "RESPONSIBLE_UNIT").map(|person| {
        let query =
            "{ viewer { tasks(first: 1, filter: { kind: [ACCEPT] }) { nodes { assignment { id } measure { id } } } } }";
        server.data_as(&person.cookie, query, &json!({}))["viewer"]["tasks"]["nodes"][0].clone()
    });
    let task = accepted.unwrap();
    let (assignment, measure) = (task["assignment"]["id"].as_str().unwrap(), task["measure"]["id"].as_str().unwrap());
    let item = format!("/measures/{measure}");
    let photo = world.file("现场照片.png", &hex::decode(PHOTO).unwrap());
    let Some(mut page) = Page::open(&format!("{}/sign-in", server.base)) else { return };
    page.keep(&server.base, "rectify-language", "zh");
    page.without_scripts();
    page.widen(360);
    let mut clerk = Clerk { page, base: server.base.clone() };
    let unit = "县政府填报演示员 · 白河县";

    let report = |clerk: &mut Clerk| {
        clerk.sign_in(unit);
        clerk.go(&item);
        clerk.follow(&[&format!("/report/{assignment}")]);
        clerk.page.choose("input[type=file]", &photo);
        clerk.send(&[("input.text", "已完成管网排查并修复破损点位。")]);
        clerk.reads("进展已填报，上传了 1 个文件");
        clerk.go(&item);
        clerk.follow(&["recordCheck", assignment]);
        clerk.send(&[("input.result", "PASSED")]);
        clerk.go(&item);
        clerk.follow(&["applyForCloseOut", assignment]);
        clerk.send(&[("input.application", "整改任务已全部完成，现提请销号。")]);
        clerk.reads("提请销号");
    };
    let publicise = |clerk: &mut Clerk| {
        clerk.sign_in("市整改办演示员");
        clerk.go(&item);
        clerk.follow(&["verifyCloseOut", assignment]);
        clerk.send(&[("input.opinion", "现场核查属实，同意。")]);
        clerk.go(&item);
        clerk.follow(&["publiciseCloseOut", assignment]);
        clerk.send(&[("input.text", "经核查，该项整改任务已完成，现予公示。"), ("input.contact", "云溪市整改办")]);
        clerk.reads("公示中");
    };

    clerk.sign_in(unit);
    clerk.go("/?kind=ACCEPT");
    clerk.follow(&["acceptAssignment", assignment]);
    clerk.send(&[]);
    report(&mut clerk);

    clerk.sign_in("市整改办演示员");
    clerk.go(&item);
    clerk.follow(&["returnCloseOut", assignment]);
    clerk.send(&[("input.reason", "缺少验收记录，请补充。")]);
    clerk.sign_in(unit);
    clerk.go("/?kind=RETURNED");
    report(&mut clerk);
    publicise(&mut clerk);

    clerk.follow(&["raiseObjection", assignment]);
    clerk.send(&[("input.text", "附近居民反映仍有异味。")]);
    clerk.reads("附近居民反映仍有异味");
    clerk.follow(&["decideObjection"]);
    clerk.send(&[("input.isUpheld", "true"), ("input.answer", "情况属实，责成继续整改。")]);
    clerk.reads("整改中");

    report(&mut clerk);
    publicise(&mut clerk);
    clerk.sign_in("省整改办演示员");
    clerk.go(&item);
    clerk.reads("公示期至");
    clock.pass(TimeDelta::days(20));
    clerk.sign_in("省整改办演示员");
    clerk.go(&item);
    clerk.follow(&["closeAssignment", assignment]);
    clerk.send(&[("input.decision", "公示期满无异议，同意销号。")]);
    clerk.reads("已销号");
    clerk.follow(&["reopenAssignment", assignment]);
    clerk.send(&[("input.reason", "回头看发现污水再次直排。")]);
    clerk.reads("反弹");
    clerk.sign_in(unit);
    clerk.go("/?kind=RELAPSED");
    clerk.follow(&[&format!("/report/{assignment}")]);
    clerk.go(&item);
    let drawn = clerk.page.value("[...document.querySelectorAll('.gallery img')].map((one) => one.naturalWidth)");
    assert_eq!(drawn, json!([4, 4, 4]), "the photographs are shown");
    assert_eq!(clerk.page.said, Vec::<String>::new(), "the browser has nothing to complain about");
}

fn an_office_keeps_measures_and_merges_them_by_pages(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let query =
        "{ measures(first: 40) { nodes { id number problem { id } assignments(first: 9) { nodes { status } } } }
        problems(first: 9) { nodes { id number round { id } } } }";
    let data = server.data(query, &json!({}));
    let nodes = |noun: &str| data[noun]["nodes"].as_array().unwrap().clone();
    // A measure with a proposal to decide is not merged.
    let is_settled = |measure: &&Value| !measure["assignments"].to_string().contains("NOT_APPLICABLE_PROPOSED");
    let (measures, problems) = (nodes("measures"), nodes("problems"));
    let stays = measures.iter().find(is_settled).unwrap();
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    let (stays, number, problem) = (text(&stays["id"]), text(&stays["number"]), text(&stays["problem"]["id"]));
    let Some(mut page) = Page::open(&format!("{}/sign-in", server.base)) else { return };
    page.keep(&server.base, "rectify-language", "zh");
    page.without_scripts();
    page.widen(360);
    let mut clerk = Clerk { page, base: server.base.clone() };
    clerk.sign_in("省整改办演示员");

    // A new measure, for a unit and a collective term.
    clerk.go(&format!("/problems/{problem}"));
    clerk.follow(&["createMeasure", &problem]);
    clerk.send(&[
        ("input.number", "补1"),
        ("input.content", "建立巡查台账，按月调度。"),
        ("input.deadline", "2031年12月31日"),
        ("input.leadUnitId", "云溪市水利局"),
        ("input.parties", "白河县人民政府\\n各县（区）"),
    ]);
    clerk.reads("整改措施已建立");
    clerk.page.leave(
        "[...document.querySelectorAll('main table a')].find((one) => one.textContent.includes('巡查台账')).click()",
    );
    clerk.reads("白河县人民政府、各县（区）");
    let item = text(&clerk.page.value("location.pathname"));
    let id = item.strip_prefix("/measures/").unwrap().to_owned();
    let read = || {
        let query = "query($id: ID!) { measure(id: $id) { number budget leadUnit { name } checkPlans { kind every }
            leaders { post name } responsibleParties { nodes { raw } } } }";
        server.data(query, &json!({ "id": id }))["measure"].clone()
    };

    // An edit begins with the values of the measure, and changes what was changed.
    clerk.follow(&["editMeasure", &id]);
    assert_eq!(clerk.page.value("document.getElementsByName('input.leadUnitId')[0].value"), "云溪市水利局");
    clerk.send(&[("input.budget", "12.5")]);
    let edited = read();
    assert_eq!((&edited["number"], &edited["budget"]), (&json!("补1"), &json!(12.5)), "{edited}");

    // Its leaders: two, then one of them.
    clerk.follow(&["editMeasure", &id]);
    clerk.send(&[("input.leaders.LEAD", "副市长 李某某"), ("input.leaders.PERSON", "张某")]);
    clerk.reads("副市长 李某某");
    clerk.follow(&["editMeasure", &id]);
    assert_eq!(clerk.page.value("document.getElementsByName('input.leaders.LEAD')[0].value"), "副市长 李某某");
    clerk.send(&[("input.leaders.LEAD", "")]);
    assert_eq!(read()["leaders"], json!([{ "post": "PERSON", "name": "张某" }]));

    // The responsible units: one is not known, then they are right, then there are none.
    let field = "document.getElementsByName('input.parties')[0].value";
    clerk.follow(&["setParties", &id]);
    assert_eq!(clerk.page.value(field), "白河县人民政府\n各县（区）");
    clerk.page.value(&format!("{field} = '各县（区）\\n云溪市盐务局'"));
    clerk.page.leave("document.querySelector('main form button[type=submit]').click()");
    clerk.reads("没有找到“云溪市盐务局”");
    assert_eq!(clerk.page.value(field), "各县（区）\n云溪市盐务局", "what was entered stays");
    clerk.send(&[("input.parties", "各县（区）\\n云溪市生态环境局")]);
    clerk.reads("各县（区）、云溪市生态环境局");
    clerk.follow(&["setParties", &id]);
    clerk.send(&[("input.parties", "")]);
    assert_eq!(read()["responsibleParties"]["nodes"], json!([]), "an emptied list is empty");

    // The plan of its checks: one kind differs, then none.
    clerk.follow(&["planChecks", &id]);
    clerk.send(&[("input.plans.SPOT_CHECK", "NEVER")]);
    clerk.reads("抽查：不检查");
    assert_eq!(read()["checkPlans"], json!([{ "kind": "SPOT_CHECK", "every": "NEVER" }]));
    clerk.follow(&["planChecks", &id]);
    assert_eq!(clerk.page.value("document.getElementsByName('input.plans.SPOT_CHECK')[0].value"), "NEVER");
    clerk.send(&[("input.plans.SPOT_CHECK", "")]);
    assert_eq!(read()["checkPlans"], json!([]));

    // Merging leads to the measure that stays; so it does for problems.
    clerk.follow(&["mergeMeasures", &id]);
    clerk.reads("保留所填的措施");
    clerk.send(&[("input.intoId", number.as_str())]);
    clerk.reads("措施已合并");
    assert_eq!(clerk.page.value("location.pathname"), json!(format!("/measures/{stays}")));
    assert_eq!(read(), Value::Null, "the merged measure is gone");
    let of_round = |one: &&Value| one["round"] == problems[0]["round"] && one["id"] != problems[0]["id"];
    let (gone, stays) = (&problems[0], problems.iter().find(of_round).unwrap());
    clerk.go(&format!("/problems/{}", text(&gone["id"])));
    clerk.follow(&["mergeProblems"]);
    clerk.send(&[("input.intoId", text(&stays["number"]).as_str())]);
    clerk.reads("问题已合并");
    assert_eq!(clerk.page.value("location.pathname"), json!(format!("/problems/{}", text(&stays["id"]))));
    let left = server.data("query($id: ID!) { problem(id: $id) { id } }", &json!({ "id": gone["id"] }));
    assert_eq!(left["problem"], Value::Null, "the merged problem is gone");

    // Who may not keep the ledger is not offered any of it.
    clerk.sign_in("市整改办演示员");
    clerk.go(&format!("/problems/{}", text(&stays["id"])));
    assert!(!clerk.text().contains("并入其他问题"), "a city office merges no problems");
    // The browser remarks on the form that was refused.
    clerk.page.said.retain(|said| !said.contains("422"));
    assert_eq!(clerk.page.said, Vec::<String>::new(), "the browser has nothing to complain about");
}

/// Without scripts, the page of an import that is being read asks for itself again.
fn a_sheet_is_imported_by_pages(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let sheet = format!("{}/tests/ledgers/offices/1c-one-row-heading.xlsx", env!("CARGO_MANIFEST_DIR"));
    let Some(mut page) = Page::open(&format!("{}/sign-in", server.base)) else { return };
    page.keep(&server.base, "rectify-language", "zh");
    page.without_scripts();
    page.widen(360);
    let mut clerk = Clerk { page, base: server.base.clone() };
    clerk.sign_in("省整改办");
    clerk.go("/ledger");
    clerk.follow(&["/imports"]);
    clerk.page.choose("input[type=file]", &sheet);
    clerk.send(&[("round", "导入的轮次"), ("region", "云溪市"), ("asOf", "2024-06-30")]);
    let settle = |clerk: &mut Clerk| {
        let is_busy = |clerk: &mut Clerk| {
            ["正在读取，请稍候", "正在导入，请稍候"].iter().any(|words| clerk.text().contains(words))
        };
        eventually("the import is still being processed", || {
            let busy = is_busy(clerk);
            if busy {
                clerk.follow(&["/imports/import_"]);
            }
            !busy
        });
    };
    settle(&mut clerk);
    clerk.reads("要您确认的");
    clerk.reads("K");
    clerk.reads("同一问题各行不同");
    for _ in 0..5 {
        if !clerk.text().contains("要您确认的") {
            break;
        }
        clerk.send(&[]);
        settle(&mut clerk);
    }
    clerk.reads("会改动什么");
    clerk.follow(&["/acts/runImport"]);
    clerk.send(&[]);
    settle(&mut clerk);
    clerk.reads("已导入台账");
    clerk.go("/ledger");
    clerk.reads("导入的轮次");
    clerk.go("/imports");
    clerk.follow(&["/imports/import_"]);
    clerk.follow(&["/acts/discardImport"]);
    clerk.send(&[]);
    clerk.reads("还没有上传过文件");
}

/// Returns the responsible unit of the demo, with an assignment on which it may report and its version.
fn reporter(server: &Server) -> (Person, String, i64) {
    let person = people(server).into_iter().find(|person| person.role == "RESPONSIBLE_UNIT").unwrap();
    let query = "{ viewer { tasks(filter: { kind: [OVERDUE, DUE_SOON, RETURNED] }) { nodes { assignment { id version \
        availableActions { action isAvailable } } } } } }";
    let tasks = server.data_as(&person.cookie, query, &json!({}))["viewer"]["tasks"]["nodes"].clone();
    let may_report = |task: &&Value| {
        let actions = task["assignment"]["availableActions"].as_array().unwrap();
        actions.iter().any(|one| one["action"] == "REPORT_PROGRESS" && one["isAvailable"] == true)
    };
    let task = tasks.as_array().unwrap().iter().find(may_report).unwrap();
    let assignment = task["assignment"]["id"].as_str().unwrap().to_owned();
    (person, assignment, task["assignment"]["version"].as_i64().unwrap())
}

/// With scripts, the page that an upload leads to is shown in place, with what it says for this once.
fn an_upload_with_scripts_says_what_became_of_it(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let (_, assignment, _) = reporter(&server);
    let sheet = format!("{}/tests/ledgers/offices/1c-one-row-heading.xlsx", env!("CARGO_MANIFEST_DIR"));
    let program = world.file("bad.exe", b"MZ\x90\x00 this is no picture");
    let photo = world.file("现场照片.png", &hex::decode(PHOTO).unwrap());
    let Some(mut page) = Page::open(&format!("{}/sign-in", server.base)) else { return };
    page.keep(&server.base, "rectify-language", "zh");
    let mut clerk = Clerk { page, base: server.base.clone() };
    let submit = |clerk: &mut Clerk, fields: &[(&str, &str)], until: &str| {
        for (name, value) in fields {
            clerk.page.value(&format!("document.getElementsByName('{name}')[0].value = '{value}'"));
        }
        let click = "document.querySelector('form[data-upload] button[type=submit]').click()";
        clerk.page.run(&format!("{click}; until(() => {until})"));
    };

    clerk.sign_in("省整改办");
    clerk.go("/imports");
    clerk.page.choose("input[type=file]", &sheet);
    let at_import = "location.pathname.startsWith('/imports/import_') && document.readyState === 'complete'";
    submit(&mut clerk, &[("round", "导入的轮次"), ("region", "云溪市"), ("asOf", "2024-06-30")], at_import);
    clerk.go("/imports");
    // The page of the import may still be written.
    clerk.page.run("until(() => document.body && document.body.textContent.includes('云溪市'))");

    // A report with a file of a kind that is refused: the report is written, and the page says both.
    clerk.sign_in("县政府填报演示员 · 白河县");
    clerk.go(&format!("/report/{assignment}"));
    clerk.page.choose("input[type=file]", &program);
    let said = "document.querySelector('.banner[role=alert]')";
    submit(&mut clerk, &[("input.text", "已完成管网排查。")], said);
    clerk.reads("进展已填报");
    clerk.reads("未能上传“bad.exe”：");
    assert!(!clerk.page.value("location.pathname").as_str().unwrap().starts_with("/report/"), "it leads on");

    // What is wrong with the fields is said at once, and the form is the same.
    clerk.go(&format!("/report/{assignment}"));
    clerk.page.choose("input[type=file]", &photo);
    let wrong = [("input.text", ""), ("input.quantities.0.label", "管网"), ("input.quantities.0.done", "三点二")];
    submit(&mut clerk, &wrong, "document.querySelector('.error-summary')");
    for words in ["请填写进展情况", "第 1 行：“三点二”不是数字", "请重新选择文件"] {
        clerk.reads(words);
    }
    assert_eq!(clerk.page.value("document.getElementsByName('input.quantities.0.label')[0].value"), "管网");
    clerk.page.choose("input[type=file]", &photo);
    submit(
        &mut clerk,
        &[("input.text", "完成三成。"), ("input.quantities.0.done", "３．２")],
        "!document.querySelector('form[data-upload]')",
    );
    clerk.reads("进展已填报，上传了 1 个文件");

    // Files alone are no report, also where quantities of the last one stand in the form.
    clerk.go(&format!("/report/{assignment}"));
    assert_eq!(clerk.page.value("document.getElementsByName('input.quantities.0.done')[0].value"), "3.2");
    clerk.page.choose("input[type=file]", &photo);
    submit(&mut clerk, &[], "!document.querySelector('form[data-upload]')");
    clerk.reads("上传了 1 个文件");
    assert!(!clerk.text().contains("进展已填报"), "{}", clerk.text());
    clerk.page.said.retain(|said| !said.contains("422"));
    assert_eq!(clerk.page.said, Vec::<String>::new(), "the browser has nothing to complain about");
}

/// Returns the value of the first field with a name in a page.
fn value_in(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("{name}: {page}"));
    let (tag, _) = rest.split_once('>').unwrap();
    tag.split_once("value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

impl Person {
    /// Sends a form with files; returns the answer.
    fn upload(&self, server: &Server, path: &str, fields: &[(&str, &str)], files: &[&str]) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        for file in files {
            let head = format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{file}\"\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(&hex::decode(PHOTO).unwrap());
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--x--\r\n");
        let cookie = format!("rectify={}; rectify-language=zh", self.cookie);
        let kind = ("content-type", "multipart/form-data; boundary=x");
        let headers = [kind, ("origin", server.base.as_str()), ("cookie", cookie.as_str())];
        crate::support::asked(server, "POST", path, &headers, &body)
    }

    /// Opens the page to which an answer leads, with the banner that it left.
    fn next(&self, server: &Server, answer: &Answer) -> String {
        assert_eq!(answer.status, 303, "{}", answer.body);
        let banner = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let cookie = format!("rectify={}; rectify-language=zh; {banner}", self.cookie);
        let path = answer.header("location").split('#').next().unwrap();
        crate::support::asked(server, "GET", path, &[("cookie", &cookie)], b"").body
    }
}

fn a_report_that_is_refused_keeps_what_was_entered(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let (unit, assignment, version) = reporter(&server);
    let path = format!("/report/{assignment}");
    let page = unit.get(&server, &path, "zh").body;
    let token = value_in(&page, "token");
    let (month, old) = (value_in(&page, "input.period"), version.to_string());
    let send = |version: &str, text: &str, files: &[&str]| {
        let text = [("token", token.as_str()), ("version", version), ("input.period", &month), ("input.text", text)];
        unit.upload(&server, &path, &text, files)
    };

    assert_eq!(send(&old, "完成四成。", &[]).status, 303);

    // Someone else was faster: the page says so, has the current version, and the same form is taken then.
    let overtaken = send(&old, "完成五成。", &["1.png"]);
    assert_eq!(overtaken.status, 422, "{}", overtaken.body);
    for words in ["他人已更新此事项", "他人的更新：", "完成五成。", "请重新选择文件", "type=\"file\""]
    {
        assert!(overtaken.body.contains(words), "no {words}: {}", overtaken.body);
    }
    let current = value_in(&overtaken.body, "version");

    // Of more files than a form may have, those that were not kept are named.
    let names: Vec<String> = (1..=22).map(|number| format!("{number}.png")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let done = unit.next(&server, &send(&current, "完成五成。", &names));
    assert!(done.contains("进展已填报，上传了 20 个文件"), "{done}");
    assert!(done.contains("一次最多上传 20 个文件，以下文件没有上传，请再次上传：21.png、22.png"), "{done}");
    assert!(done.contains("class=\"banner error\" role=\"alert\""), "{done}");
}

fn a_form_that_was_overtaken_says_what_has_changed(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let office = people(&server).into_iter().find(|person| person.role == "REGIONAL_OFFICE").unwrap();
    let query = "{ measures(first: 1) { nodes { id version number content } } }";
    let measure = server.data_as(&office.cookie, query, &json!({}))["measures"]["nodes"][0].clone();
    let (id, version) = (measure["id"].as_str().unwrap(), measure["version"].as_i64().unwrap());
    let form = office.get(&server, &format!("/acts/editMeasure?on={id}&version={version}"), "zh").body;
    assert!(form.contains("name=\"before.input.number\""), "{form}");

    // Someone else changes two fields, of which this form changes one to something else.
    let input = json!({ "measureId": id, "version": version, "number": "甲1", "budget": 7.5 });
    let edit = "mutation($input: EditMeasureInput!) { editMeasure(input: $input) { errors { message } } }";
    let edited = server.data_as(&office.cookie, edit, &json!({ "input": input }));
    assert_eq!(edited["editMeasure"]["errors"], json!([]));
    let number = measure["number"].as_str().unwrap();
    let content = measure["content"].as_str().unwrap();
    let fields = format!(
        "on={id}&version={version}&only=number,content,budget&before.input.number={number}&input.number=乙2\
         &before.input.content={content}&input.content={content}&input.budget="
    );
    let refused = office.act(&server, "editMeasure", &fields);
    assert_eq!(refused.status, 422, "{}", refused.body);
    for words in ["他人已更新此事项", "他人的更新：", "已被他人改为“甲1”", "value=\"乙2\""] {
        assert!(refused.body.contains(words), "no {words}: {}", refused.body);
    }
    assert_eq!(value_in(&refused.body, "version"), (version + 1).to_string());
    assert!(refused.body.contains("name=\"input.budget\" type=\"text\" inputmode=\"decimal\" value=\"7.5\""));
    let fields = format!("on={id}&version={}&only=number&input.number=乙2", version + 1);
    let done = office.act(&server, "editMeasure", &fields);
    assert_eq!(done.status, 303, "{}", done.body);

    // A field that is missing is named, and a number that is none is not dropped in silence.
    let both = office.act(&server, "editMeasure", &format!("on={id}&version={}&input.budget=很多", version + 2));
    assert!(both.status == 422 && both.body.contains("“很多”不是数字"), "{}", both.body);
    let empty = office.act(&server, "commentOnMeasure", &format!("on={id}"));
    assert!(empty.status == 422 && empty.body.contains("请填写意见"), "{}", empty.body);
}

fn a_wrong_answer_about_a_sheet_keeps_the_others(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let office = people(&server).into_iter().find(|person| person.role == "REGIONAL_OFFICE").unwrap();
    let sheet = "序号,反馈问题,整改措施,整改时限,牵头单位\n1,水库淤积。,1.清淤。,6月底前,市水利局\n\
        2,堤防渗漏。,1.加固。,9月底前,市水利局\n";
    let path = read_files(&server, &office, &[sheet.to_owned()]).remove(0);
    let page = office.get(&server, &path, "zh").body;
    let topics = page.matches("name=\"topic\" value=\"deadlines\"").count();
    assert!(topics == 2 && page.contains("value=\"6月底前\"") && page.contains("value=\"9月底前\""), "{page}");
    let fields = [("6月底前", "看情况"), ("9月底前", "2027年9月30日")]
        .map(|(printed, answer)| format!("topic=deadlines&printed={printed}&answer={answer}"));
    let body = format!("token={}&{}", value_in(&page, "token"), fields.join("&"));
    let cookie = format!("rectify={}; rectify-language=zh", office.cookie);
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let headers = [kind, ("origin", server.base.as_str()), ("cookie", cookie.as_str())];
    let refused = crate::support::asked(&server, "POST", &path, &headers, body.as_bytes());
    assert_eq!(refused.status, 422, "{}", refused.body);
    for kept in ["value=\"看情况\"", "value=\"2027年9月30日\"", "href=\"#answer-1\""] {
        assert!(refused.body.contains(kept), "no {kept}: {}", refused.body);
    }
    assert_eq!(refused.body.matches("class=\"field has-error\"").count(), 1, "{}", refused.body);
    assert_eq!(office.get(&server, &path, "zh").body.matches("name=\"topic\"").count(), 2, "nothing is decided yet");
}

fn exports_have_the_dates_that_their_pages_show(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let people = people(&server);
    let office = people.iter().find(|person| person.role == "CITY_OFFICE").unwrap();
    let column = |path: &str, heading: &str| -> (String, Vec<String>) {
        let file = office.get(&server, path, "zh");
        assert_eq!(file.status, 200, "{}", file.body);
        let mut lines = file.body.trim_start_matches('\u{feff}').lines();
        let place = lines.next().unwrap().split(',').position(|name| name.trim_matches('"') == heading).unwrap();
        let cells = lines.filter_map(|line| line.split("\",\"").nth(place));
        let cells = cells.map(|cell| cell.trim_matches('"').to_owned()).collect();
        (file.header("content-disposition").to_owned(), cells)
    };
    let (name, days) = column("/ledger/problems.csv", "到期日");
    assert!(days.iter().any(|day| day.parse::<chrono::NaiveDate>().is_ok()), "{days:?}");
    assert!(name.contains("%E6%95%B4%E6%94%B9%E9%97%AE%E9%A2%98"), "整改问题: {name}");
    let (_, moments) = column("/month.csv", "最近填报");
    let told: Vec<&String> = moments.iter().filter(|moment| !moment.is_empty()).collect();
    assert!(!told.is_empty() && told.iter().all(|moment| !moment.contains('T')), "local time: {moments:?}");
}

fn an_unknown_address_has_a_page(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let ask = |path: &str, accepted: &str| {
        let headers = [("accept", accepted), ("cookie", "rectify-language=zh")];
        crate::support::asked(&server, "GET", path, &headers, b"")
    };
    let page = ask("/nirgends", "text/html,application/xhtml+xml,*/*;q=0.8");
    assert_eq!(page.status, 404);
    assert!(page.body.contains("没有这个页面") && page.body.contains("<a href=\"/\">"), "{}", page.body);
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    assert_eq!(ask("/nirgends", "application/json").body, "", "programs get no page");
}

fn a_unit_gives_the_months_account_by_pages(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let people = people(&server);
    let of = |role: &str| people.iter().find(|person| person.role == role).unwrap();
    let (unit, office) = (of("RESPONSIBLE_UNIT"), of("CITY_OFFICE"));
    let cookie = format!("rectify={}", unit.cookie);
    let (answer, form) = server.fetch("/month/form.xlsx", &[("cookie", &cookie)]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let (lines, file) = filled(form, CELLS);
    let owed = lines.len() - 2;
    let home = unit.get(&server, "/", "zh");
    assert!(home.body.contains("本月未交账") && home.body.contains("href=\"/month\""), "{}", home.body);
    let page = unit.get(&server, "/month", "zh");
    assert!(page.body.contains("name=\"input.text\"") && page.body.contains("form.xlsx?month="));
    let list = office.get(&server, "/month?state=PARTIAL", "zh");
    assert!(!list.body.contains("name=\"input.text\"") && list.body.contains("unit_"), "{}", list.body);

    // One is reported in place, the others by the form, of which that one is refused.
    let value = |name: &str| {
        let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let fields = ["token", "on", "version", "input.period"].map(|name| format!("{name}={}", value(name)));
    let body = format!("{}&back=/month&input.text=done&input.nextSteps=more", fields.join("&"));
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let headers = [kind, ("origin", server.base.as_str()), ("cookie", cookie.as_str())];
    let done = crate::support::asked(&server, "POST", "/acts/reportProgress", &headers, body.as_bytes());
    assert_eq!((done.status, done.header("location")), (303, "/month"), "{}", done.body);
    let mut body = Vec::new();
    for (name, value) in [("token", value("token")), ("back", "/month".to_owned())] {
        let part = format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.xlsx\"\r\n\r\n");
    body.extend_from_slice(&file);
    body.extend_from_slice(b"\r\n--x--\r\n");
    let kind = ("content-type", "multipart/form-data; boundary=x");
    let headers = [kind, ("origin", server.base.as_str()), ("cookie", cookie.as_str())];
    let sent = crate::support::asked(&server, "POST", "/month", &headers, &body);
    assert_eq!((sent.status, sent.header("location")), (303, "/month"), "{}", sent.body);
    let banner = sent.header("set-cookie").split(';').next().unwrap().to_owned();
    let headers = [("cookie", format!("{cookie}; rectify-language=zh; {banner}"))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let page = crate::support::asked(&server, "GET", "/month", &headers, b"");
    assert!(page.body.contains(&format!("<p>已填报 {} 项</p><ul><li>第", owed - 1)), "{}", page.body);
    assert!(page.body.contains("class=\"banner error\" role=\"alert\""), "one row is wrong: {}", page.body);
    assert!(page.body.contains("未交账 0 项"), "{}", page.body);
    let foreign = [kind, ("origin", "https://elsewhere.example"), ("cookie", cookie.as_str())];
    assert_eq!(crate::support::asked(&server, "POST", "/month", &foreign, &body).status, 403);
}

fn what_imports_remember_is_kept_by_pages(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let office = people(&server).into_iter().find(|person| person.role == "REGIONAL_OFFICE").unwrap();
    let sheet = "序号,反馈问题,整改措施,整改时限,牵头单位,完成情况\n1,甲一。,1.做甲一。,2031年底前,市水利局,已完成\n\
        2,甲二。,1.做甲二。,6月底前,市水利局,未完成\n";
    let path = "/import?round=R&region=990100&asOf=2031-03-31&createUnits=true&name=a.csv";
    let bearer = format!("Bearer {}", office.cookie);
    let import = |how: &str| {
        let headers = [("authorization", bearer.as_str())];
        crate::support::asked(&server, "POST", &format!("{path}{how}"), &headers, sheet.as_bytes())
    };
    let taken = import("&acceptProposals=true");
    assert_eq!(taken.status, 200, "{}", taken.body);
    assert_eq!(import("").status, 200, "what was decided is remembered");
    let Some(mut page) = Page::open(&format!("{}/sign-in", server.base)) else { return };
    page.keep(&server.base, "rectify-language", "zh");
    page.widen(360);
    let mut clerk = Clerk { page, base: server.base.clone() };
    clerk.sign_in("省整改办");
    clerk.go("/imports");
    clerk.follow(&["/imports/decisions"]);
    clerk.reads("“完成情况”列是什么？");
    clerk.reads("“6月底前”是什么时候？");
    clerk.reads("2031年6月30日");
    assert_eq!(axe(&mut clerk.page), json!([]));
    clerk.follow(&["topic=DEADLINES"]);
    assert!(!clerk.text().contains("“完成情况”列是什么"), "only deadlines");

    // An answer is changed; what cannot be read is refused, and the form keeps it.
    clerk.follow(&["/acts/changeImportDecision"]);
    clerk.reads("现在的决定");
    assert_eq!(clerk.page.value("document.getElementsByName('input.answer')[0].value"), "2031年6月30日");
    clerk.page.value("document.getElementsByName('input.answer')[0].value = '尽快'");
    clerk.page.leave("document.querySelector('main form button[type=submit]').click()");
    clerk.reads("请更正后再提交");
    clerk.send(&[("input.answer", "2031年7月31日")]);
    clerk.reads("导入读法已修改");
    clerk.reads("2031年7月31日");

    // The file of all that was decided serves another region.
    let file = office.get(&server, "/imports/decisions/mapping.toml?region=990100", "zh");
    assert!(file.status == 200 && file.header("content-disposition").contains("mapping-"), "{}", file.body);
    assert!(file.body.contains("\"6月底前\" = \"2031年7月31日\"") && file.body.contains("\"完成情况\" = \"status\""));
    let path = world.file("mapping.toml", file.body.as_bytes());
    clerk.go("/imports/decisions");
    let upload = |clerk: &mut Clerk| {
        clerk.page.choose("form[enctype] input[type=file]", &path);
        clerk.page.leave("document.querySelector('form[enctype] button[type=submit]').click()");
    };
    clerk.page.value("document.getElementById('region').value = '白河县'");
    upload(&mut clerk);
    clerk.reads("请选择轮次");
    clerk.page.value("document.getElementById('region').value = '白河县'");
    clerk.page.value("document.getElementById('round').selectedIndex = 1");
    upload(&mut clerk);
    clerk.reads("已记下 2 条新的或不同的读法");
    clerk.reads("各种表头");
    let none = office.get(&server, "/imports/decisions/mapping.toml?region=%E6%B2%A1%E6%9C%89", "zh");
    assert_eq!(none.header("location"), "/imports/decisions");

    // What is forgotten is asked about again.
    clerk.go("/imports/decisions?text=%E5%AE%8C%E6%88%90%E6%83%85%E5%86%B5");
    clerk.reads("表头：");
    clerk.page.leave(
        "[...document.querySelectorAll('.card')].find((one) => one.textContent.includes('表头：'))
            .querySelector('a[href*=forgetImportDecision]').click()",
    );
    clerk.send(&[]);
    clerk.reads("下次导入会重新询问");
    let again = import("");
    assert_eq!(
        (again.status, again.body.contains("是每条措施的完成情况，还是整个问题的？")),
        (422, true),
        "{}",
        again.body
    );
    assert_eq!(clerk.page.refused(), json!([]));
}

/// Returns what axe finds wrong with a page, and whether the page is wider than the window.
fn axe(page: &mut Page) -> Value {
    page.value(AXE);
    let found = page.run(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}).then((done) =>
            done.violations.map((one) =>
                `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html).join(' | ')}`))",
    );
    let over = page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    let mut found = found.as_array().unwrap().clone();
    if over.as_i64() != Some(0) {
        found.push(json!(format!("{over} pixels too wide")));
    }
    found.into()
}

/// Uploads files for an import, and returns their pages once they are read.
fn read_files(server: &Server, person: &Person, files: &[String]) -> Vec<String> {
    let bearer = format!("Bearer {}", person.cookie);
    let upload = |content: &String| {
        let path = "/import?round=R&region=990100&asOf=2026-03-31&createUnits=true&keep=true&name=a.csv";
        let kept = crate::support::asked(server, "POST", path, &[("authorization", &bearer)], content.as_bytes());
        assert_eq!(kept.status, 202, "{}", kept.body);
        format!("/imports/{}", kept.json()["importId"].as_str().unwrap())
    };
    let paths: Vec<String> = files.iter().map(upload).collect();
    let is_read = |path: &String| !person.get(server, path, "zh").body.contains("http-equiv=\"refresh\"");
    eventually("the files are still being read", || paths.iter().all(is_read));
    paths
}

/// Uploads files, and returns their pages once they are read: one with questions, one with questions and faults, one
/// that can be imported, and one that is no ledger.
fn read_imports(server: &Server, person: &Person) -> Vec<String> {
    let headings = "序号,反馈问题,整改措施,整改时限,牵头单位,奇怪的列";
    let row = |deadline: &str| format!("{headings}\n1,水库淤积。,1.清淤。,{deadline},市水利局,甲\n合计,,1,,,\n");
    let both = format!("{}2,堤防渗漏。,1.加固。,等通知,市水利局,乙\n", row("6月底前"));
    let files = [row("6月底前"), both, row("2031年12月31日"), "甲,乙\n1,2\n".to_owned()];
    let paths = read_files(server, person, &files);
    let page = |place: usize| person.get(server, &paths[place], "zh").body;
    assert!(page(0).contains("要您确认的") && page(1).contains("看不懂的单元格"), "{}", page(1));
    assert!(page(2).contains("会改动什么") && page(3).contains("没有找到台账"), "{}", page(3));
    paths
}

fn pages_have_no_fault_that_axe_finds(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let objects = objects(&server);
    let people = people(&server);
    let Some(mut page) = Page::open(&format!("{}/sign-in", server.base)) else { return };
    let of_mail = format!("/m/{}", link_of_a_mail(world));
    let mut faults = Vec::new();
    let mut look = |page: &mut Page, what: &str, path: &str| {
        for width in [1280, 360] {
            page.widen(width);
            page.go(&format!("{}{path}", server.base));
            for fault in axe(page).as_array().unwrap() {
                faults.push(format!("{what} {path} at {width}: {}", fault.as_str().unwrap()));
            }
            assert_eq!(page.refused(), json!([]), "{what} {path}");
        }
    };
    for language in ["zh", "en"] {
        page.keep(&server.base, "rectify-language", language);
        page.keep(&server.base, "rectify", "");
        for path in ["/sign-in", "/forgotten", "/set-up", "/notices", "/help", &of_mail] {
            look(&mut page, language, path);
        }
        for role in ["RESPONSIBLE_UNIT", "CITY_OFFICE", "LEADER", "ADMINISTRATOR"] {
            let person = people.iter().find(|person| person.role == role).unwrap();
            page.keep(&server.base, "rectify", &person.cookie);
            let own = PAGES.iter().filter(|(_, of)| *of == person.is_administrator()).map(|(path, _)| *path);
            let objects =
                objects.iter().map(String::as_str).filter(|_| role == "CITY_OFFICE" || role == "RESPONSIBLE_UNIT");
            for path in own.chain(objects) {
                look(&mut page, &format!("{role} {language}"), path);
            }
        }
        let person = people.iter().find(|person| person.role == "CITY_OFFICE").unwrap();
        page.keep(&server.base, "rectify", &person.cookie);
        let queue = person.get(&server, "/queue", language).body.replace("&#x2f;", "/").replace("&amp;", "&");
        for act in ["verifyCloseOut", "returnCloseOut"] {
            let start = queue.find(&format!("/acts/{act}")).unwrap();
            let path = queue[start..].split('"').next().unwrap();
            look(&mut page, &format!("CITY_OFFICE {language}"), path);
        }
        let person = people.iter().find(|person| person.role == "REGIONAL_OFFICE").unwrap();
        page.keep(&server.base, "rectify", &person.cookie);
        let measure = objects.iter().find_map(|path| path.strip_prefix("/measures/")).unwrap();
        for act in ["editMeasure", "setParties", "planChecks", "mergeMeasures"] {
            look(&mut page, &format!("REGIONAL_OFFICE {language}"), &format!("/acts/{act}?on={measure}"));
        }
        for path in read_imports(&server, person) {
            look(&mut page, &format!("REGIONAL_OFFICE {language}"), &path);
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn a_form_from_elsewhere_is_refused(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let person = people(&server).into_iter().find(|person| person.role == "CITY_OFFICE").unwrap();
    let page = person.get(&server, "/queue", "zh").body;
    let token = page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let cookie = format!("rectify={}", person.cookie);
    let send = |headers: &[(&str, &str)], token: &str| {
        let form = format!("token={token}&on=assignment_1&version=1&input.reason=不准&back=/queue");
        let all =
            [&[("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded")], headers].concat();
        crate::support::asked(&server, "POST", "/acts/returnCloseOut", &all, form.as_bytes())
    };
    let own = ("origin", server.base.as_str());
    for (headers, token) in [
        (&[][..], token),
        (&[("origin", "https://attacker.example")], token),
        (&[("origin", "null")], token),
        (&[own, ("sec-fetch-site", "cross-site")], token),
        (&[own], ""),
        (&[own], "00000000000000000000000000000000"),
    ] {
        let answer = send(headers, token);
        assert_eq!(answer.status, 403, "{headers:?} {token}: {}", answer.body);
        assert!(answer.header("content-type").starts_with("text/html"), "{headers:?}");
    }
    // The same form from the page itself is heard: the assignment is in another state, and the page says so.
    let heard = send(&[own], token);
    assert!(heard.status == 422 && heard.body.contains("error-summary"), "{} {}", heard.status, heard.body);
    // The cookie of the desk does not open the API.
    let query = json!({ "query": "{ viewer { name } }" }).to_string();
    let json = [("cookie", cookie.as_str()), ("content-type", "application/json")];
    let answer = crate::support::asked(&server, "POST", "/graphql", &json, query.as_bytes());
    assert_eq!(answer.json()["data"]["viewer"], Value::Null, "{}", answer.body);
    // A way back leads to this site only.
    for back in ["//attacker.example", "https://attacker.example", "/\\attacker.example"] {
        let page = person.get(&server, &format!("/acts/commentOnMeasure?on=measure_1&back={back}"), "zh");
        let body = page.body.replace("&#x2f;", "/");
        assert!(page.status == 200 && !body.contains(&format!("=\"{back}")), "{back}: {body}");
    }
}

/// Sends the mails about what is overdue in the demo, and returns the token of a link in one of them.
fn link_of_a_mail(world: &World) -> String {
    world.done(&["job", "run", "overdue"]);
    world.done(&["job", "run", "deliver-mail"]);
    let mut mails = std::fs::read_dir(world.dir.path().join("data/mail")).unwrap().map(|file| file.unwrap().path());
    let html = mails.find(|path| path.extension().is_some_and(|end| end == "html")).unwrap();
    let html = std::fs::read_to_string(html).unwrap().replace("&#x2f;", "/");
    html.split("/m/").nth(1).unwrap().split(['"', '<']).next().unwrap().to_owned()
}

fn a_link_in_a_mail_shows_its_item_and_leads_there(world: &World) {
    world.done(&["demo"]);
    let link = link_of_a_mail(world);
    let id = link.split('.').next().unwrap();
    let server = world.serve();
    let stranger = server.get(&format!("/m/{link}"));
    assert!(stranger.status == 200 && stranger.body.contains("整改时限"), "{}", stranger.body);
    let measure = stranger.body.replace("&#x2f;", "/");
    let measure = measure.split("/measures/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(!stranger.body.contains("责任分解") && measure.starts_with("measure_"), "{}", stranger.body);
    let person = people(&server).into_iter().find(|person| person.role == "REGIONAL_OFFICE").unwrap();
    let known = person.get(&server, &format!("/m/{link}"), "zh");
    assert_eq!((known.status, known.header("location")), (303, format!("/measures/{id}").as_str()));
    let changed = link.replacen(&format!("{id}."), "measure_2.", 1);
    let forged = server.get(&format!("/m/{}", if id == "measure_2" { format!("{link}0") } else { changed }));
    assert!(forged.status == 404 && forged.body.contains("链接不完整或有误"), "{}", forged.body);
    drop(server);
    let later = (now() + TimeDelta::days(40)).format("%Y-%m-%dT%H:%M").to_string();
    let (server, _) = world.serve_under_clock(&later);
    let foreign = server.get(&format!("/m/{link}"));
    assert!(foreign.status == 404, "a key of another installation");
    let old = ledger::record::link_key::LinkKey::new("story").sign("measure_1.mail_1", now());
    let old = server.get(&format!("/m/{old}"));
    assert!(old.status == 404 && old.body.contains("链接已过期"), "{}", old.body);
}

impl Person {
    /// Sends the form of an act with this browser's token; returns the answer.
    fn act(&self, server: &Server, act: &str, fields: &str) -> Answer {
        let page = self.get(server, "/me", "zh").body;
        let token = page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let cookie = format!("rectify={}; rectify-language=zh", self.cookie);
        let headers = [
            ("cookie", cookie.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", server.base.as_str()),
        ];
        let form = format!("token={token}&{fields}");
        crate::support::asked(server, "POST", &format!("/acts/{act}"), &headers, form.as_bytes())
    }
}

fn an_open_page_says_when_it_has_changed(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let people = people(&server);
    let city = people.iter().find(|person| person.role == "CITY_OFFICE").unwrap();
    let shown = server.data_as(&city.cookie, "{ measures(first: 2) { nodes { id } } }", &json!({}));
    let id = |place: usize| shown["measures"]["nodes"][place]["id"].as_str().unwrap();
    let Some(mut page) = Page::open(&format!("{}/sign-in", server.base)) else { return };
    page.keep(&server.base, "rectify-language", "zh");
    page.keep(&server.base, "rectify", &city.cookie);
    page.go(&format!("{}/measures/{}", server.base, id(0)));
    page.run("until(() => performance.getEntriesByType('resource').some((one) => one.name.endsWith('/desk.js')))");
    let comment = |of: &str| {
        let done = city.act(&server, "commentOnMeasure", &format!("on={of}&input.text=请抓紧办理。&back=/"));
        assert_eq!(done.status, 303, "{}", done.body);
    };
    // The watch begins after the page has loaded; a comment before that is on the page or told.
    let told = "document.querySelector('[data-live]').textContent";
    comment(id(1));
    comment(id(0));
    page.run(&format!(
        "until(() => {told}.includes('内容有更新') || document.body.textContent.includes('请抓紧办理'))"
    ));
    comment(id(0));
    page.run(&format!("until(() => {told}.includes('内容有更新'))"));
    page.leave("document.querySelector('[data-live] button').click()");
    assert_eq!(page.value(told), "", "the page is new");
    assert!(page.value("document.body?.textContent ?? ''").as_str().unwrap().contains("请抓紧办理"));
    // The pages of a list load without their frame, and the way back shows the page before.
    page.go(&format!("{}/ledger", server.base));
    page.value("window.kept = true; document.querySelector('.pager a[rel=next]').click()");
    page.run("until(() => location.search.includes('after=') && document.querySelector('.pager a[rel=prev]'))");
    page.value("history.back()");
    page.run("until(() => !location.search && !document.querySelector('.pager a[rel=prev]'))");
    assert_eq!(page.value("window.kept"), true, "the frame stays");
    assert_eq!(page.refused(), json!([]));
    let stranger = crate::support::asked(&server, "GET", "/live", &[], b"");
    assert_eq!(stranger.header("location"), "/sign-in?to=%2Flive", "nothing is told without signing in");
}

fn an_administrator_rehearses_a_job_and_runs_it(world: &World) {
    world.done(&["demo"]);
    // Lists the jobs, and enters their schedules where no scheduler has run yet.
    world.done(&["job", "list"]);
    let server = world.serve();
    let people = people(&server);
    let person = |role: &str| people.iter().find(|person| person.role == role).unwrap();
    let (administrator, city) = (person("ADMINISTRATOR"), person("CITY_OFFICE"));
    let query = "{ schedules { id name runs(first: 5) { nodes { mailsQueued } } } mails(first: 1) { totalCount } }";
    let state = || server.data_as(&administrator.cookie, query, &json!({}));
    let schedule = |name: &str| {
        let all = state()["schedules"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["name"] == name).unwrap()
    };
    let id = schedule("overdue")["id"].as_str().unwrap().to_owned();
    let before = state()["mails"]["totalCount"].as_i64().unwrap();
    for (language, rehearse, run) in [("zh", "演练", "立即运行"), ("en", "Rehearse", "Run now")] {
        let form = administrator.get(&server, &format!("/acts/runJob?on={id}"), language).body;
        let button = |value: &str, label: &str| {
            form.contains(&format!("name=\"input.isRehearsal\" value=\"{value}\">{label}</button>"))
        };
        assert!(button("true", rehearse) && button("false", run), "{form}");
        assert!(language != "zh" || form.contains("逾期提醒"), "which job: {form}");
    }

    let rehearsed = administrator.act(&server, "runJob", &format!("on={id}&input.isRehearsal=true"));
    assert!(rehearsed.status == 200 && rehearsed.body.contains("未写入任何内容"), "{}", rehearsed.body);
    assert!(rehearsed.body.contains("逾期提醒：演练结果"), "which job: {}", rehearsed.body);
    assert!(rehearsed.body.contains('@'), "who would be told: {}", rehearsed.body);
    assert_eq!(state()["mails"]["totalCount"], before, "a rehearsal writes nothing");
    let far = administrator.act(&server, "runJob", &format!("on={id}&input.isRehearsal=true&input.on=2099-01-01"));
    assert!(far.status == 422 && far.body.contains("前后一年之内"), "{}", far.body);
    let dated = administrator.act(&server, "runJob", &format!("on={id}&input.isRehearsal=false&input.on=2099-01-01"));
    assert!(dated.status == 422 && dated.body.contains("只有演练才能指定日期"), "{}", dated.body);

    let ran = administrator.act(&server, "runJob", &format!("on={id}&input.isRehearsal=false"));
    assert!(ran.status == 200 && ran.body.contains("已写入发件箱"), "{}", ran.body);
    let queued = schedule("overdue")["runs"]["nodes"][0]["mailsQueued"].as_i64().unwrap();
    assert!(queued > 0, "the demo has something overdue");
    assert_eq!(state()["mails"]["totalCount"], before + queued);
    // Why one of the mails is sent, and why another does not come; both name items.
    let query = "{ mails(first: 1, filter: { kind: { eq: \"overdue\" } }) { nodes { id to localDay } } }";
    let mail = server.data_as(&administrator.cookie, query, &json!({}))["mails"]["nodes"][0].clone();
    let of = |name: &str| mail[name].as_str().unwrap().replace('@', "%40");
    for language in ["zh", "en"] {
        let asked = format!("&asks=true&kind=OVERDUE&on={}&address={}", of("localDay"), of("to"));
        let why = administrator.get(&server, &format!("/admin/why?mail={}{asked}", of("id")), language);
        assert_eq!(why.status, 200, "{}", why.body);
        assert!(why.body.contains("<ol><li>"), "what the mail lists: {}", why.body);
        assert!(why.body.contains("<br>"), "what was told before: {}", why.body);
    }
    let again = administrator.act(&server, "runJob", &format!("on={id}&input.isRehearsal=false"));
    assert!(again.body.contains("已写入发件箱 0 封邮件"), "no one is told twice: {}", again.body);
    let audit = administrator.get(&server, "/admin/audit", "zh").body;
    assert_eq!(audit.matches("手动运行任务").count() - audit.matches("手动运行任务</option>").count(), 2, "{audit}");

    let delivery = schedule("deliver-mail")["id"].as_str().unwrap().to_owned();
    let refused = administrator.act(&server, "runJob", &format!("on={delivery}&input.isRehearsal=false"));
    assert!(refused.status == 422 && refused.body.contains("自行运行"), "{}", refused.body);
    let foreign = city.act(&server, "runJob", &format!("on={id}&input.isRehearsal=false"));
    assert!(matches!(foreign.status, 404 | 422), "{} {}", foreign.status, foreign.body);
    assert_eq!(state()["mails"]["totalCount"], before + queued);
}

fn behind_https_the_cookie_is_bound_to_its_host(world: &World) {
    world.done(&["migrate"]);
    world.done(&["demo"]);
    world.employ("office@city.example", "city-office", "云溪市生态环境保护督察整改办");
    let server = world.serve_with(&[("RECTIFY_PUBLIC_URL", "https://ledger.example")]);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", "ledger.example"),
        ("origin", "https://ledger.example"),
    ];
    let form = format!("email=office@city.example&password={}", crate::support::PASSWORD.replace(' ', "+"));
    let answer = crate::support::asked(&server, "POST", "/sign-in", &headers, form.as_bytes());
    assert_eq!(answer.status, 303, "{}", answer.body);
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-rectify=") && set.contains("; Secure") && set.contains("Path=/"), "{set}");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && !set.contains("Domain"), "{set}");
    let secret = set.split(';').next().unwrap().split_once('=').unwrap().1;
    let page = |cookie: &str| {
        let headers = [("cookie", cookie), ("host", "ledger.example")];
        crate::support::asked(&server, "GET", "/ledger", &headers, b"").status
    };
    assert_eq!(page(&format!("__Host-rectify={secret}")), 200);
    assert_eq!(page(&format!("rectify={secret}")), 303, "a cookie that another host could set is not read");
}

fn the_desk_can_be_off(world: &World) {
    world.done(&["migrate"]);
    let server = world.serve_with(&[("RECTIFY_DESK", "off")]);
    let answer = crate::support::asked(&server, "GET", "/", &[], b"");
    assert_eq!((answer.status, answer.header("location")), (307, "/graphiql"));
    assert_eq!(server.get("/ledger").status, 404);
}
