//! Scenes that several stories play in: a city with its offices and counties, whose accounts act on a measure or a
//! case.

use ledger::file::storage::Stored;
use ledger::record::audit::By;
use ledger::work::{Acting, evidence};
use serde_json::{Value, json};

use crate::support::clocked::StoryClock;
use crate::support::ledgers::{CITY_ROWS, ROUND, city};
use crate::support::{Server, World, block_on};

const STEP: &str = "assignment { id status version completedOn measure { status } } errors { code message path }";

/// The server, its clock, a token of each account of the story, and the measure.
pub(crate) struct MeasureScene<'a> {
    pub(crate) world: &'a World,
    pub(crate) server: Server,
    pub(crate) clock: StoryClock,
    pub(crate) region: String,
    pub(crate) city: String,
    pub(crate) counties: [String; 3],
    pub(crate) inspector: String,
    pub(crate) measure: String,
}

impl<'a> MeasureScene<'a> {
    pub(crate) fn set(world: &'a World) -> Self {
        world.done(&["migrate"]);
        for code in ["540329", "540323", "540325"] {
            world.done(&["region", "load", code]);
        }
        let file = world.file("县.xlsx", &city(&CITY_ROWS));
        world.done(&["import", &file, "--round", ROUND, "--region", "540300", "--create-units"]);
        world.entered("2022-12-01");
        let units = [
            ("西藏自治区生态环境保护督察整改办", "540000"),
            ("昌都市生态环境保护督察整改办", "540300"),
            ("洛隆县人民政府", "540329"),
            ("类乌齐县人民政府", "540323"),
            ("察雅县人民政府", "540325"),
        ];
        for (unit, region) in units {
            world.done(&["unit", "add", unit, "--region", region, "--mail", &format!("u{region}@gov.example")]);
        }
        let region = world.account("region@gov.example", "regional-office", units[0].0);
        let city = world.account("city@gov.example", "city-office", units[1].0);
        let counties = [2, 3, 4].map(|unit| {
            let (name, code) = units[unit];
            world.account(&format!("c{code}@gov.example"), "responsible-unit", name)
        });
        world.done_with(
            &[
                "account",
                "create",
                "inspector@gov.example",
                "--role",
                "inspector",
                "--region",
                "540300",
                "--until",
                "2100-12-31",
                "--no-password",
            ],
            "",
        );
        let inspector = world.done(&["token", "create", "inspector@gov.example"]).trim().to_owned();
        let (server, clock) = world.serve_under_clock("2023-04-10T09:00");
        let found = server.data_as(
            &city,
            "{ measures(filter: {text: {search: \"拆除停运电站\"}}) { nodes { id } } }",
            &json!({}),
        );
        let measure = found["measures"]["nodes"][0]["id"].as_str().unwrap().to_owned();
        Self { world, server, clock, region, city, counties, inspector, measure }
    }

    /// Executes a mutation with a token and returns its payload.
    pub(crate) fn act(&self, token: &str, name: &str, kind: &str, input: &Value) -> Value {
        let payload = if name == "assignMeasure" || name == "commentOnMeasure" {
            "measure { id version status } errors { code message path }"
        } else {
            STEP
        };
        let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ {payload} }} }}");
        self.server.data_as(token, &query, &json!({ "input": input }))[name].clone()
    }

    /// Executes a mutation that must succeed; returns the assignment's status after it.
    pub(crate) fn done(&self, token: &str, name: &str, kind: &str, input: &Value) -> String {
        let given = self.act(token, name, kind, input);
        assert_eq!(given["errors"], json!([]), "{name} {input}");
        given["assignment"]["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Executes a mutation that must succeed, whose input is named after it.
    pub(crate) fn stepped(&self, token: &str, name: &str, input: &Value) {
        self.done(token, name, &format!("{}Input", name[..1].to_uppercase() + &name[1..]), input);
    }

    /// Executes a mutation that must be refused; returns the error's code.
    pub(crate) fn refused(&self, token: &str, name: &str, kind: &str, input: &Value) -> String {
        let given = self.act(token, name, kind, input);
        assert!(given["assignment"].is_null() && given["measure"].is_null(), "{name} {input}: {given:#}");
        given["errors"][0]["code"].as_str().unwrap().to_owned()
    }

    /// Returns the id and the version of a county's assignment, as the city office sees it.
    pub(crate) fn of(&self, county: &str) -> (String, i64) {
        let query =
            "query($id: ID!) { measure(id: $id) { assignments(first: 50) { nodes { id version unit { name } } } } }";
        let data = self.server.data_as(&self.city, query, &json!({ "id": self.measure }));
        let nodes = data["measure"]["assignments"]["nodes"].as_array().unwrap().clone();
        let one = nodes.iter().find(|one| one["unit"]["name"].as_str().is_some_and(|name| name.starts_with(county)));
        let one = one.unwrap_or_else(|| panic!("{county} in {nodes:?}"));
        (one["id"].as_str().unwrap().to_owned(), one["version"].as_i64().unwrap())
    }

    /// Returns an input `{assignmentId, version, …}` with the current version of a county's assignment.
    pub(crate) fn on(&self, county: &str, more: impl Into<Value>) -> Value {
        let (id, version) = self.of(county);
        let mut input = json!({ "assignmentId": id, "version": version });
        input.as_object_mut().unwrap().extend(more.into().as_object().unwrap().clone());
        input
    }

    /// Returns an input `{assignmentId, …}` of a county's assignment, for mutations that name no version.
    pub(crate) fn beside(&self, county: &str, more: impl Into<Value>) -> Value {
        let mut input = self.on(county, more);
        input.as_object_mut().unwrap().remove("version");
        input
    }

    /// Returns the figures of all assignments that an account sees: all, completed, closed, not applicable.
    pub(crate) fn figures(&self, token: &str) -> (i64, i64, i64, i64) {
        let query = "{ statistics(by: STATUS, count: ASSIGNMENTS) { total { all completed closed notApplicable } } }";
        let total = self.server.data_as(token, query, &json!({}))["statistics"]["total"].clone();
        let number = |name: &str| total[name].as_i64().unwrap();
        (number("all"), number("completed"), number("closed"), number("notApplicable"))
    }

    /// Adds evidence and a passed self-inspection to a county's assignment.
    pub(crate) fn prove(&self, token: &str, county: &str) {
        let (id, _) = self.of(county);
        add_evidence(self.world, &self.clock, &id);
        self.done(
            token,
            "recordCheck",
            "RecordCheckInput",
            &self.beside(county, json!({"kind": "SELF_INSPECTION", "result": "PASSED"})),
        );
    }

    /// Reports completion, adds evidence and a self-inspection, and applies for close-out.
    pub(crate) fn apply(&self, token: &str, county: &str) {
        let report = json!({"period": "2023-04", "text": "电站已拆除，河道已恢复。", "completedOn": "2023-04-09"});
        self.done(token, "reportProgress", "ReportProgressInput", &self.on(county, report));
        self.prove(token, county);
        let application = json!({"application": "整改任务已全部完成，申请销号。"});
        assert_eq!(
            self.done(token, "applyForCloseOut", "ApplyForCloseOutInput", &self.on(county, application)),
            "SUBMITTED"
        );
    }

    pub(crate) fn mails(&self, kind: &str) -> usize {
        self.world.done(&["mail", "list"]).lines().filter(|line| line.contains(kind)).count()
    }
}

/// Adds a photograph to an assignment, by its global id.
pub(crate) fn add_evidence(world: &World, clock: &StoryClock, assignment: &str) {
    let key: i64 = assignment.trim_start_matches("assignment_").parse().unwrap();
    block_on(async {
        let db = world.db().await;
        let by = By::program();
        let acting = Acting {
            db: &db,
            by: &by,
            now: clock.now(),
            zone: chrono_tz::Asia::Shanghai,
            grace_days: 30,
            reader: None,
        };
        let file = Stored {
            name: "验收照片.jpg".to_owned(),
            media_type: "image/jpeg".to_owned(),
            size: 3,
            sha256: "00".repeat(32),
            place: "none".to_owned(),
        };
        evidence::add(&acting, Some(key), &file).await.unwrap();
        db.close().await.unwrap();
    });
}

/// The server, its clock, and a token of each account of the story.
pub(crate) struct CaseScene {
    pub(crate) server: Server,
    pub(crate) clock: StoryClock,
    pub(crate) region: String,
    pub(crate) city: String,
    /// Tokens of the county that leads the case, of one that assists, and of one that is not involved.
    pub(crate) lead: String,
    pub(crate) assisting: String,
    pub(crate) sibling: String,
}

impl CaseScene {
    pub(crate) fn set(world: &World) -> Self {
        world.done(&["migrate"]);
        for code in ["540329", "540323", "540325", "540102"] {
            world.done(&["region", "load", code]);
        }
        let file = world.file("县.xlsx", &city(&CITY_ROWS));
        world.done(&["import", &file, "--round", ROUND, "--region", "540300", "--create-units"]);
        for (unit, region) in [
            ("西藏自治区生态环境保护督察整改办", "540000"),
            ("昌都市生态环境保护督察整改办", "540300"),
            ("洛隆县人民政府", "540329"),
            ("类乌齐县人民政府", "540323"),
            ("察雅县人民政府", "540325"),
            ("城关区人民政府", "540102"),
        ] {
            world.done(&["unit", "add", unit, "--region", region, "--mail", &format!("u{region}@gov.example")]);
        }
        let account = |code: &str, role: &str, unit: &str| world.account(&format!("a{code}@gov.example"), role, unit);
        let region = account("540000", "regional-office", "西藏自治区生态环境保护督察整改办");
        let city = account("540300", "city-office", "昌都市生态环境保护督察整改办");
        let lead = account("540329", "responsible-unit", "洛隆县人民政府");
        let assisting = account("540323", "responsible-unit", "类乌齐县人民政府");
        let sibling = account("540325", "responsible-unit", "察雅县人民政府");
        let (server, clock) = world.serve_under_clock("2025-05-28T09:00");
        Self { server, clock, region, city, lead, assisting, sibling }
    }

    /// Returns the id of the row with a name in a list of the API.
    pub(crate) fn named(&self, list: &str, name: &str) -> String {
        let query = format!("query($name: String) {{ {list}(filter: {{name: {{eq: $name}}}}) {{ nodes {{ id }} }} }}");
        let found = self.server.data_as(&self.region, &query, &json!({ "name": name }));
        found[list]["nodes"][0]["id"].as_str().unwrap_or("none_1").to_owned()
    }

    /// Returns the input of `handOverCase`, with some members replaced.
    pub(crate) fn wanted(&self, changes: impl Into<Value>) -> Value {
        let mut input = json!({
            "number": "D3SX202505280018", "roundId": self.named("inspectionRounds", ROUND),
            "regionId": self.named("regions", "洛隆县"), "channel": "CALL", "pollution": ["WATER", "NOISE"],
            "isKey": true, "summary": "洗砂场废水直排，夜间噪声扰民。", "leadUnitId": self.named("units",
            "洛隆县人民政府"),
            "assistingUnitIds": [self.named("units", "类乌齐县人民政府")], "dueOn": "2025-06-07"
        });
        input.as_object_mut().unwrap().extend(changes.into().as_object().unwrap().clone());
        input
    }

    /// Executes a mutation with a token and returns its payload.
    pub(crate) fn act(&self, token: &str, name: &str, input: &Value) -> Value {
        let ty = name[..1].to_uppercase() + &name[1..] + "Input";
        let query = format!(
            "mutation($input: {ty}!) {{ {name}(input: $input) {{ inspectionCase {{ id state version dueOn resolvedOn \
             closedOn finding isOverdue }} errors {{ code message path }} }} }}"
        );
        self.server.data_as(token, &query, &json!({ "input": input }))[name].clone()
    }

    /// Executes a mutation that must succeed and returns the case after it.
    pub(crate) fn done(&self, token: &str, name: &str, input: &Value) -> Value {
        let given = self.act(token, name, input);
        assert_eq!(given["errors"], json!([]), "{name} {input}");
        given["inspectionCase"].clone()
    }

    /// Executes a mutation that must be refused; returns the error's code and the last element of its path.
    pub(crate) fn refused(&self, token: &str, name: &str, input: &Value) -> (String, String) {
        let given = self.act(token, name, input);
        assert!(given["inspectionCase"].is_null(), "{name} {input}: {given:#}");
        let error = &given["errors"][0];
        let last = error["path"].as_array().unwrap().last().unwrap().as_str().unwrap();
        (error["code"].as_str().unwrap().to_owned(), last.to_owned())
    }

    /// Returns an input with the case's id, its current version, and further members.
    pub(crate) fn on(&self, case: &str, more: impl Into<Value>) -> Value {
        let query = "query($id: ID!) { inspectionCase(id: $id) { version } }";
        let found = self.server.data_as(&self.region, query, &json!({ "id": case }));
        let mut input = json!({ "caseId": case, "version": found["inspectionCase"]["version"] });
        input.as_object_mut().unwrap().extend(more.into().as_object().unwrap().clone());
        input
    }
}
