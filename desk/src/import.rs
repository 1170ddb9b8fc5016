//! Importing by pages: `POST /imports` uploads a file, and `POST /imports/{id}` answers the questions about it. The
//! pages `imports` and `import` show what waits, and acts import or discard it.

use actix_multipart::{Field, Multipart};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use serde_json::{Map, Value, json};

use crate::page::{State, Stopped, Visit, see_other, stop};
use crate::session;
use crate::variables::{self, Given};

/// The most bytes of a text field of the form.
const MOST_TEXT: usize = 4 << 10;
/// Finds a region by its name or code.
const REGION: &str = "query($text: String!) { \
    regions(first: 2, filter: {or: [{name: {eq: $text}}, {code: {eq: $text}}]}) { nodes { id } } }";
const DECIDE: &str = "mutation($input: DecideImportInput!) { \
    decideImport(input: $input) { errors { message } } }";

/// `POST /imports`: keeps the file of the form, whose text fields come first, and begins to read it.
pub(crate) async fn upload(request: HttpRequest, payload: web::Payload, desk: State) -> HttpResponse {
    let form = api::form(request.headers(), payload);
    let done = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        match take(&visit, form).await {
            Ok(id) => Ok(see_other(&format!("/imports/{id}")).finish()),
            Err(Untaken::Stopped(stopped)) => Err(stopped),
            Err(Untaken::Wrong(why)) => Ok(see_other("/imports").cookie(session::banner(&why, &desk)).finish()),
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
    let mut given: Given = Vec::new();
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|_| Stopped::Foreign)?;
        let said = field.content_disposition();
        let name = said.and_then(|said| said.get_name()).unwrap_or_default().to_owned();
        let file = said.and_then(|said| said.get_filename()).unwrap_or_default().to_owned();
        if name != "file" {
            let text = text_of(&mut field).await?;
            given.push((name, text));
            continue;
        }
        visit.check_form(&given)?;
        if file.is_empty() {
            return Err(Untaken::Wrong(visit.words("请选择文件", "Choose a file")));
        }
        let value = |name: &str| variables::first(&given, name).map(|text| text.trim().to_owned());
        let wanted = |name: &str| value(name).filter(|text| !text.is_empty());
        let (Some(round), Some(region)) = (wanted("round"), wanted("region")) else {
            return Err(Untaken::Wrong(
                visit.words("请填写督察轮次和行政区", "Enter the inspection round and the region"),
            ));
        };
        let place = api::ImportPlace {
            round,
            region: region_of(visit, &region).await?,
            issued_by: match wanted("issuedBy") {
                Some(region) => Some(region_of(visit, &region).await?),
                None => None,
            },
            as_of: wanted("asOf").and_then(|day| day.parse().ok()),
            creates_units: value("createsUnits").as_deref() == Some("true"),
        };
        return visit.session.keep_import(place, file, &mut field).await.map_err(|refusal| {
            if refusal.status.is_client_error() && refusal.code != "UNAUTHENTICATED" {
                Untaken::Wrong(visit.words(&refusal.message.zh, &refusal.message.en))
            } else {
                Untaken::Stopped(refusal.into())
            }
        });
    }
    Err(Untaken::Wrong(visit.words("请选择文件", "Choose a file")))
}

async fn text_of(field: &mut Field) -> Result<String, Stopped> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| Stopped::Foreign)?);
        if bytes.len() > MOST_TEXT {
            return Err(Stopped::Foreign);
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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
        let answers: Vec<Value> = all("topic")
            .into_iter()
            .zip(all("printed"))
            .zip(all("answer"))
            .filter(|(_, answer)| !answer.trim().is_empty())
            .map(|((topic, printed), answer)| json!({ "topic": topic, "printed": printed, "answer": answer.trim() }))
            .collect();
        let mut input = json!({ "importId": *id, "answers": answers });
        if let Some(day) = variables::first(&given, "asOf").filter(|day| !day.is_empty()) {
            input["asOf"] = json!(day);
        }
        let mut data = visit.ask(DECIDE, Map::from_iter([("input".to_owned(), input)])).await?;
        let errors = data["decideImport"]["errors"].take();
        let text = match errors[0]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => visit.words("已记下，正在重新读取", "Noted: the file is being read again"),
        };
        Ok(see_other(&format!("/imports/{id}")).cookie(session::banner(&text, &desk)).finish())
    };
    done.await.unwrap_or_else(|stopped: Stopped| stop(&request, &desk, &stopped))
}
