//! Importing by pages: `POST /imports` uploads a file, and `POST /imports/{id}` answers the questions about it. The
//! pages `imports` and `import` show what waits, and acts import or discard it. The page `decisions` shows what is
//! remembered of imports; `GET /imports/decisions/mapping.toml` gives it out as a mapping file, and
//! `POST /imports/decisions` takes such a file over.

use actix_multipart::Multipart;
use actix_web::{HttpRequest, HttpResponse, web};
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::export::download;
use crate::multipart;
use crate::page::{State, Stopped, Visit, pairs, see_other, show_again, stop};
use crate::session::Banner;
use crate::variables::{self, Given};

/// The most bytes of a mapping file.
const MAX_MAPPING: usize = 512 << 10;
/// Finds a region by its name or code.
const REGION: &str = "query($text: String!) { \
    regions(first: 2, filter: {or: [{name: {eq: $text}}, {code: {eq: $text}}]}) { nodes { id } } }";
const DECIDE: &str = "mutation($input: DecideImportInput!) { \
    decideImport(input: $input) { errors { message path } } }";

const MAPPING: &str = "query($region: ID!) { importMapping(regionId: $region) }";
const TAKE_OVER: &str = "mutation($input: TakeOverImportDecisionsInput!) { \
    takeOverImportDecisions(input: $input) { takenCount leftOutCount errors { message } } }";

/// `POST /imports`: keeps the file of the form, whose text fields come first, and begins to read it.
pub(crate) async fn upload(request: HttpRequest, payload: web::Payload, desk: State) -> HttpResponse {
    let form = api::form(request.headers(), payload);
    let done = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        match take(&visit, form).await {
            Ok(id) => Ok(see_other(&format!("/imports/{id}")).finish()),
            Err(Untaken::Stopped(stopped)) => Err(stopped),
            Err(Untaken::Wrong(why)) => Ok(see_other("/imports").cookie(Banner::refused(why).cookie(&desk)).finish()),
        }
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// Why a file was not taken.
enum Untaken {
    /// The page stops.
    Stopped(Stopped),
    /// The form is wrong, for the reason that the next page says.
    Wrong(String),
}

impl From<Stopped> for Untaken {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

async fn take(visit: &Visit<'_>, mut form: Multipart) -> Result<String, Untaken> {
    let (given, file) = multipart::only_file(visit, &mut form).await?;
    let Some((file, mut field)) = file else {
        return Err(Untaken::Wrong(visit.words("请选择文件", "Choose a file")));
    };
    let value = |name: &str| variables::first(&given, name).map(|text| text.trim().to_owned());
    let wanted = |name: &str| value(name).filter(|text| !text.is_empty());
    let (Some(round), Some(region)) = (wanted("round"), wanted("region")) else {
        return Err(Untaken::Wrong(visit.words("请填写督察轮次和行政区", "Enter the inspection round and the region")));
    };
    let place = api::ImportPlace {
        round,
        region: region_of(visit, &region).await?,
        issued_by: match wanted("issuedBy") {
            Some(region) => Some(region_of(visit, &region).await?),
            None => None,
        },
        level: wanted("level"),
        as_of: wanted("asOf").and_then(|day| day.parse().ok()),
        creates_units: value("createsUnits").as_deref() == Some("true"),
    };
    let kept = visit.session.keep_import(place, file, &mut field).await;
    kept.map_err(|refusal| match visit.shown(&refusal) {
        Some(said) => Untaken::Wrong(said),
        None => Untaken::Stopped(refusal.into()),
    })
}

/// Returns the id of the region that a person named; the text itself if there is no such region, so that a code of the
/// built-in list is taken.
async fn region_of(visit: &Visit<'_>, text: &str) -> Result<String, Untaken> {
    let found = visit.ask(REGION, Map::from_iter([("text".to_owned(), json!(text))])).await?;
    let nodes = found["regions"]["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    match nodes {
        [one] => Ok(one["id"].as_str().unwrap_or(text).to_owned()),
        [] => Ok(text.to_owned()),
        _ => Err(Untaken::Wrong(visit.words(
            &format!("有几个行政区叫“{text}”，请填写代码"),
            &format!("several regions are called “{text}”: enter the code"),
        ))),
    }
}

/// A question with the answer that was entered.
#[derive(Serialize)]
struct Answered<'a> {
    topic: &'a str,
    printed: &'a str,
    answer: &'a str,
}

/// `POST /imports/{id}`: answers questions. The fields `topic`, `printed` and `answer` come once for each question, in
/// the same order; an empty answer leaves its question open.
pub(crate) async fn decide(
    request: HttpRequest,
    id: web::Path<String>,
    given: web::Form<Given>,
    desk: State,
) -> HttpResponse {
    let done = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        visit.check_form(&given)?;
        let all = |name: &str| -> Vec<&str> {
            given.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
        };
        let questions = all("topic").into_iter().zip(all("printed")).zip(all("answer"));
        let questions: Vec<Answered<'_>> =
            questions.map(|((topic, printed), answer)| Answered { topic, printed, answer: answer.trim() }).collect();
        let answered: Vec<&Answered<'_>> = questions.iter().filter(|one| !one.answer.is_empty()).collect();
        let mut input = json!({ "importId": *id, "answers": answered });
        if let Some(day) = variables::first(&given, "asOf").filter(|day| !day.is_empty()) {
            input["asOf"] = json!(day);
        }
        let mut data = visit.ask(DECIDE, Map::from_iter([("input".to_owned(), input)])).await?;
        let errors = data["decideImport"]["errors"].as_array_mut().map(std::mem::take).unwrap_or_default();
        if errors.is_empty() {
            let said = Banner::done(visit.words("已记下，正在重新读取", "Noted: the file is being read again"));
            return Ok(see_other(&format!("/imports/{id}")).cookie(said.cookie(&desk)).finish());
        }
        // Each error belongs to the question whose answer it is about, if it is about one.
        let wrong = |error: &Value| {
            let place = error["path"][2].as_str().and_then(|place| place.parse::<usize>().ok());
            let of = place.and_then(|place| answered.get(place));
            context! {
                message => error["message"].as_str(),
                topic => of.map(|one| one.topic),
                printed => of.map(|one| one.printed),
            }
        };
        let wrongs: Vec<_> = errors.iter().map(wrong).collect();
        show_again(&visit, "import", context! { answered => minijinja::Value::from(Serde(&questions)), wrongs }).await
    };
    done.await.unwrap_or_else(|stopped: Stopped| stop(&request, &desk, &stopped))
}

/// `GET /imports/decisions/mapping.toml?region=…`: what is remembered of the files that a region issues, as a mapping
/// file. The region is named by its name, its code or its id.
pub(crate) async fn mapping(request: HttpRequest, desk: State) -> HttpResponse {
    let given = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        let given = pairs(request.query_string());
        let region = match region_of(&visit, variables::first(&given, "region").unwrap_or_default().trim()).await {
            Ok(region) => region,
            Err(Untaken::Stopped(stopped)) => return Err(stopped),
            Err(Untaken::Wrong(why)) => return Ok(to_decisions(&desk, &Banner::refused(why))),
        };
        let data = visit.ask(MAPPING, Map::from_iter([("region".to_owned(), json!(region))])).await?;
        let Some(text) = data["importMapping"].as_str() else {
            let why =
                visit.words("没有这个行政区，或您不为它导入", "There is no such region, or you do not import for it");
            return Ok(to_decisions(&desk, &Banner::refused(why)));
        };
        Ok(download(&desk, "mapping", "toml", "application/toml; charset=utf-8").body(text.to_owned()))
    };
    given.await.unwrap_or_else(|stopped: Stopped| stop(&request, &desk, &stopped))
}

/// `POST /imports/decisions`: takes over the mapping file of the form, whose text fields come first.
pub(crate) async fn take_over(request: HttpRequest, payload: web::Payload, desk: State) -> HttpResponse {
    let form = api::form(request.headers(), payload);
    let done = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        match take_mapping(&visit, form).await {
            Ok(said) => Ok(to_decisions(&desk, &said)),
            Err(Untaken::Wrong(why)) => Ok(to_decisions(&desk, &Banner::refused(why))),
            Err(Untaken::Stopped(stopped)) => Err(stopped),
        }
    };
    done.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
}

/// Sends the browser back to the page of decisions, which says something.
fn to_decisions(desk: &State, said: &Banner) -> HttpResponse {
    see_other("/imports/decisions").cookie(said.cookie(desk)).finish()
}

/// Takes over a mapping file, and returns what the next page says.
async fn take_mapping(visit: &Visit<'_>, mut form: Multipart) -> Result<Banner, Untaken> {
    let (given, file) = multipart::only_file(visit, &mut form).await?;
    let Some((_, mut field)) = file else {
        return Err(Untaken::Wrong(visit.words("请选择文件", "Choose a file")));
    };
    let bytes = multipart::bytes_of(&mut field, MAX_MAPPING).await?;
    let no_text = || Untaken::Wrong(visit.words("读法文件应是文本文件", "A mapping file is a text file"));
    let text = api::decoded(&bytes).ok_or_else(no_text)?;
    let region = variables::first(&given, "region").unwrap_or_default().trim();
    let mut input = json!({ "regionId": region_of(visit, region).await?, "mapping": text });
    if let Some(round) = variables::first(&given, "round") {
        input["roundId"] = json!(round);
    }
    let data = visit.ask(TAKE_OVER, Map::from_iter([("input".to_owned(), input)])).await?;
    let done = &data["takeOverImportDecisions"];
    if let Some(message) = done["errors"][0]["message"].as_str() {
        return Err(Untaken::Wrong(message.to_owned()));
    }
    let (taken, left_out) = (&done["takenCount"], &done["leftOutCount"]);
    let mut said = Banner::done(
        visit.words(&format!("已记下 {taken} 条新的或不同的读法"), &format!("Taken over: {taken} decisions")),
    );
    if left_out.as_i64().is_some_and(|count| count > 0) {
        said.lines.push(visit.words(
            &format!("另有 {left_out} 条是单位的写法，请加为单位的别名"),
            &format!("{left_out} about units were left out: add them as aliases of the units"),
        ));
    }
    Ok(said)
}
