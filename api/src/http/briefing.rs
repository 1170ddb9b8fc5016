//! `GET /export/briefing.docx` and `.xlsx`: the briefing of a month (通报) as a file. It is read by an operation of the
//! API, so that rights and limits are those of the API.

use actix_web::http::StatusCode;
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse, rt};
use async_graphql::Variables;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::Instrument;
use workbook::{Cell, Document, Section};

use crate::context::Caller;
use crate::error::Unserved;
use crate::graphql::params::Params;
use crate::graphql::ready::Manner;
use crate::http::export::{XLSX, refused, send};
use crate::http::files::{refuse, slot};
use crate::http::response::body;
use crate::http::state::AppState;
use crate::language::{Language, in_words};

/// A file format of briefings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BriefingFormat {
    /// A Word document (.docx).
    Docx,
    /// A workbook (.xlsx).
    Xlsx,
}

impl BriefingFormat {
    /// Returns the format of files with this ending.
    pub fn of_ending(ending: &str) -> Option<Self> {
        match ending {
            "docx" => Some(Self::Docx),
            "xlsx" => Some(Self::Xlsx),
            _ => None,
        }
    }

    /// Returns the ending and the media type of its files.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Docx => ("docx", DOCX),
            Self::Xlsx => ("xlsx", XLSX),
        }
    }
}

/// The media type of `.docx` files.
const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// What the file has.
const DOCUMENT: &str = "query BriefingFile($month: String, $region: ID) {
  briefing(month: $month, region: $region) {
    month asOf regionName paragraph notes
    regions { ...Rank }
    units { ...Rank }
    cards { kind reason issuedAt liftedAt unitName regionName measureNumber measureContent }
  }
  monthlyAccounts(
    month: $month
    first: 100
    filter: {state: [MISSING, PARTIAL], region: {within: $region}}
    orderBy: [{field: MISSING, direction: DESC}]
  ) {
    totalCount
    nodes { owedCount accountedCount missingCount lastReportedAt unit { name } region { name } }
  }
  publishedFigures(
    first: 100
    filter: {region: {within: $region}, isWithdrawn: false}
    orderBy: [{field: AS_OF, direction: DESC}]
  ) {
    nodes { counted topic label amount computed asOf source round { name } region { name } }
  }
}
fragment Rank on BriefingRank {
  rank label all completed completionRate onSchedule behind overdue overdueRate expectedReports givenReports reportRate
}";

/// The query parameters: the month, such as `2026-11`, and the global id of the region.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BriefingQuery {
    month: Option<String>,
    region: Option<String>,
}

/// `GET /export/briefing.docx?month=2026-11&region=region_4`: exports a briefing; that of the current month and of the
/// caller's own region if they are left out.
pub(crate) async fn export(
    request: HttpRequest,
    format: web::Path<String>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut caller = state.caller(&request);
    let given: Result<HttpResponse, Unserved> = async {
        state.admit_somebody(&request, &mut caller).await?;
        let wanted = web::Query::<BriefingQuery>::from_query(request.query_string())
            .map_err(|_| Unserved::malformed("参数应为 month、region", "expected parameters: month, region"))?;
        let format = BriefingFormat::of_ending(&format)
            .ok_or_else(|| missing("通报的格式应为 .docx 或 .xlsx", "briefings are exported as .docx or .xlsx"))?;
        let BriefingQuery { month, region } = wanted.into_inner();
        respond(&state, &caller, (month, region), format).await
    }
    .await;
    given.unwrap_or_else(|why| refuse(&why, &caller))
}

/// Answers with the briefing of a month and a region as a file.
pub(crate) async fn respond(
    state: &web::Data<AppState>,
    caller: &Caller,
    (month, region): (Option<String>, Option<String>),
    format: BriefingFormat,
) -> Result<HttpResponse, Unserved> {
    let leaving = slot(&state.files.exports, caller)?;
    let working = slot(&state.files.workbooks, caller)?;
    let asked = Params {
        query: Some(DOCUMENT.to_owned()),
        variables: Variables::from_json(json!({ "month": month, "region": region })),
        ..Params::default()
    };
    let answered = state.engine.answer(asked, Manner::Safe, caller).instrument(caller.span());
    let (answer, _) = body(answered.await?);
    let answer: Value = serde_json::from_str(&answer).map_err(|failure| Unserved::masked(&failure))?;
    if let Some(error) = answer["errors"].get(0) {
        return Err(refused(error));
    }
    let data = &answer["data"];
    if data["briefing"].is_null() {
        return Err(missing(
            "没有这个行政区，或您不能查看它的通报",
            "there is no such region, or its briefing is not for you",
        ));
    }
    let words = Words { state, language: caller.language };
    let (document, name) = (words.document(data), words.either("通报", "briefing"));
    let (ending, media_type) = format.names();
    let name = format!("{name}-{}.{ending}", text(&data["briefing"]["month"]));
    let first = words.either("通报", "Briefing").to_owned();
    // Packing takes a while, so it must not block the threads that serve requests.
    let pack = move || match format {
        BriefingFormat::Docx => document.docx(),
        BriefingFormat::Xlsx => document.xlsx(&first),
    };
    let packed = rt::task::spawn_blocking(pack).await;
    let bytes = packed.map_err(|failure| Unserved::masked(&failure))??;
    drop(working);
    Ok(send((&name, media_type), bytes, leaving))
}

fn missing(zh: &str, en: &str) -> Unserved {
    Unserved::new(StatusCode::NOT_FOUND, ledger::fault::FaultCode::NotFound.as_str(), zh, en)
}

/// Turns the answer of the API into the words of a file.
struct Words<'a> {
    state: &'a AppState,
    language: Language,
}

impl Words<'_> {
    fn either<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        if self.language == Language::Chinese { zh } else { en }
    }

    fn label(&self, of: &str, value: &Value) -> String {
        let code = value.as_str().unwrap_or_default();
        match (self.state.engine.types().label(of, code), self.language) {
            (Some(label), Language::Chinese) => label.to_owned(),
            _ => in_words(code),
        }
    }

    fn document(&self, data: &Value) -> Document {
        let briefing = &data["briefing"];
        let (region, month) = (text(&briefing["regionName"]), text(&briefing["month"]));
        let title = match self.language {
            Language::Chinese => {
                let month = month.replacen('-', "年", 1);
                format!("{region}督察整改情况通报（{month}月）")
            }
            Language::English => format!("Briefing on rectification: {region}, {month}"),
        };
        let notes = briefing["notes"].as_array().into_iter().flatten();
        let paragraphs = std::iter::once(&briefing["paragraph"]).chain(notes).map(text).collect();
        let sections = vec![
            self.ranking(self.either("各地排名", "Ranking of regions"), &briefing["regions"]),
            self.ranking(self.either("责任单位排名", "Ranking of units"), &briefing["units"]),
            self.unaccounted(&data["monthlyAccounts"]),
            self.cards(&briefing["cards"]),
            self.published(&data["publishedFigures"]["nodes"]),
        ];
        Document { title, paragraphs, sections }
    }

    fn ranking(&self, heading: &str, rows: &Value) -> Section {
        let columns = [
            ("名次", "Rank"),
            ("名称", "Name"),
            ("责任分解", "Assignments"),
            ("已完成", "Completed"),
            ("完成率", "Completion"),
            ("达到序时", "On schedule"),
            ("未达序时", "Behind"),
            ("逾期", "Overdue"),
            ("逾期率", "Overdue rate"),
            ("应填报", "To report"),
            ("已填报", "Reported"),
            ("及时率", "Timeliness"),
        ];
        let row = |row: &Value| {
            vec![
                number(&row["rank"]),
                Cell::Text(text(&row["label"])),
                number(&row["all"]),
                number(&row["completed"]),
                share(&row["completionRate"]),
                number(&row["onSchedule"]),
                number(&row["behind"]),
                number(&row["overdue"]),
                share(&row["overdueRate"]),
                number(&row["expectedReports"]),
                number(&row["givenReports"]),
                share(&row["reportRate"]),
            ]
        };
        self.section(heading, &columns, rows, row, ("没有可排名的。", "There is nothing to rank."))
    }

    fn unaccounted(&self, accounts: &Value) -> Section {
        let (rows, total) = (&accounts["nodes"], accounts["totalCount"].as_u64().unwrap_or_default());
        let shown = rows.as_array().map_or(0, Vec::len) as u64;
        let heading = match self.language {
            Language::Chinese if total > shown => format!("未交齐账的单位（共{total}家，列前{shown}家）"),
            Language::Chinese => "未交齐账的单位".to_owned(),
            Language::English if total > shown => format!("Units with reports missing ({shown} of {total})"),
            Language::English => "Units with reports missing".to_owned(),
        };
        let columns = [
            ("单位", "Unit"),
            ("行政区", "Region"),
            ("应交", "Owed"),
            ("已交", "Given"),
            ("未交", "Missing"),
            ("最近填报", "Last report"),
        ];
        let row = |row: &Value| {
            vec![
                Cell::Text(text(&row["unit"]["name"])),
                Cell::Text(text(&row["region"]["name"])),
                number(&row["owedCount"]),
                number(&row["accountedCount"]),
                number(&row["missingCount"]),
                self.day(&row["lastReportedAt"]),
            ]
        };
        let nothing = ("各单位均已交账。", "Every unit has given its account.");
        self.section(&heading, &columns, rows, row, nothing)
    }

    fn cards(&self, rows: &Value) -> Section {
        let columns = [
            ("类别", "Card"),
            ("单位", "Unit"),
            ("行政区", "Region"),
            ("措施", "Measure"),
            ("事由", "Reason"),
            ("发出", "Given"),
            ("解除", "Lifted"),
        ];
        let row = |row: &Value| {
            let number = text(&row["measureNumber"]);
            let measure = format!("{number} {}", text(&row["measureContent"]));
            vec![
                Cell::Text(self.label("SupervisionKind", &row["kind"])),
                Cell::Text(text(&row["unitName"])),
                Cell::Text(text(&row["regionName"])),
                Cell::Text(measure.trim().to_owned()),
                Cell::Text(text(&row["reason"])),
                self.day(&row["issuedAt"]),
                self.day(&row["liftedAt"]),
            ]
        };
        let nothing = ("本月没有发出、解除或仍在生效的红黄牌。", "No card was given, lifted or in force in the month.");
        self.section(self.either("红黄牌", "Cards"), &columns, rows, row, nothing)
    }

    fn published(&self, rows: &Value) -> Section {
        let columns = [
            ("督察轮次", "Round"),
            ("行政区", "Region"),
            ("统计对象", "Counted"),
            ("内容", "Topic"),
            ("公布数", "Published"),
            ("台账今日统计数", "Counted today"),
            ("截至", "As of"),
            ("来源", "Source"),
        ];
        let row = |row: &Value| {
            let topic = self.label("PublishedFigureTopic", &row["topic"]);
            let topic = row["label"].as_str().map_or(topic, str::to_owned);
            vec![
                Cell::Text(text(&row["round"]["name"])),
                Cell::Text(text(&row["region"]["name"])),
                Cell::Text(self.label("PublishedFigureCounted", &row["counted"])),
                Cell::Text(topic),
                number(&row["amount"]),
                number(&row["computed"]),
                Cell::Text(text(&row["asOf"])),
                Cell::Text(text(&row["source"])),
            ]
        };
        let nothing = ("没有登记公布数。", "No published figures are recorded.");
        self.section(self.either("公布数对照", "Published and counted"), &columns, rows, row, nothing)
    }

    fn section(
        &self,
        heading: &str,
        columns: &[(&str, &str)],
        rows: &Value,
        row: impl Fn(&Value) -> Vec<Cell>,
        nothing: (&str, &str),
    ) -> Section {
        Section {
            heading: heading.to_owned(),
            columns: columns.iter().map(|(zh, en)| self.either(zh, en).to_owned()).collect(),
            rows: rows.as_array().into_iter().flatten().map(row).collect(),
            nothing: self.either(nothing.0, nothing.1).to_owned(),
        }
    }

    /// Returns the local date of a moment.
    fn day(&self, moment: &Value) -> Cell {
        let moment = moment.as_str().and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
        let zone = self.state.files.services.zone;
        moment.map_or(Cell::Blank, |moment| Cell::Day(moment.with_timezone(&zone).date_naive()))
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn number(value: &Value) -> Cell {
    value.as_f64().map_or(Cell::Blank, Cell::Number)
}

fn share(value: &Value) -> Cell {
    value.as_f64().map_or(Cell::Blank, |share| Cell::Text(format!("{:.1}%", share * 100.0)))
}
