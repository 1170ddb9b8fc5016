//! The form of a month's account (月调度表): `GET /month/form.xlsx` gives it out, and `POST /month` takes it when a
//! unit has filled it in, and submits its reports.

use actix_multipart::Multipart;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::multipart;
use crate::page::{State, Stopped, Visit, back, pairs, see_other, stop};
use crate::session::Banner;
use crate::variables;

/// The most faults that the next page names.
const MAX_NAMED: usize = 5;

/// `GET /month/form.xlsx?month=2023-04&unit=unit_5`: the form of a unit for a month.
pub(crate) async fn form(request: HttpRequest, desk: State) -> HttpResponse {
    let given = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        let given = pairs(request.query_string());
        let of = |name: &str| variables::first(&given, name);
        Ok(visit.session.month_form(of("month"), of("unit")).await?)
    };
    given.await.unwrap_or_else(|stopped: Stopped| stop(&request, &desk, &stopped))
}

/// `POST /month`: submits the file of the form, whose text fields come first.
pub(crate) async fn upload(request: HttpRequest, payload: web::Payload, desk: State) -> HttpResponse {
    let form = api::form(request.headers(), payload);
    let done = async {
        let visit = Visit::begin(&request, &desk, false).await?;
        // On the heap: reading and reporting are large.
        let (said, to) = Box::pin(take(&visit, form)).await?;
        Ok(see_other(&to).cookie(said.cookie(&desk)).finish())
    };
    done.await.unwrap_or_else(|stopped: Stopped| stop(&request, &desk, &stopped))
}

/// Submits the reports of the file. Returns what the next page says, and its address.
async fn take(visit: &Visit<'_>, mut form: Multipart) -> Result<(Banner, String), Stopped> {
    let (given, file) = multipart::only_file(visit, &mut form).await?;
    let to = back(variables::first(&given, "back"));
    let Some((file, mut field)) = file else {
        return Ok((Banner::refused(visit.words("请选择文件", "Choose a file")), to));
    };
    match visit.session.report_sheet(file, &mut field).await {
        Ok(submitted) => Ok((told(visit, &submitted), to)),
        Err(refusal) => match visit.shown(&refusal) {
            Some(said) => Ok((Banner::refused(said), to)),
            None => Err(refusal.into()),
        },
    }
}

/// Says how many reports were submitted, and what is wrong with the other rows.
fn told(visit: &Visit<'_>, submitted: &api::Submitted) -> Banner {
    let taken = submitted.taken;
    let mut said = Banner::done(visit.words(&format!("已填报 {taken} 项"), &format!("Reports submitted: {taken}")));
    said.is_error = !submitted.wrong.is_empty();
    for (row, message) in submitted.wrong.iter().take(MAX_NAMED) {
        said.lines.push(visit.words(&format!("第 {row} 行：{}", message.zh), &format!("Row {row}: {}", message.en)));
    }
    let more = submitted.wrong.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        said.lines.push(visit.words(&format!("另有 {more} 行有误"), &format!("{more} more rows are wrong")));
    }
    said
}
