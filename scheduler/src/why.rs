//! Explains why someone gets no reminder on a day, from what the job would find.

use chrono::NaiveDate;
use ledger::Result;
use ledger::record::database;
use ledger::reminder::{Rules, Whom, WhyNot, kind_of, why_not};

use crate::context::Context;
use crate::jobs;

/// Says why someone gets no reminder of a job on a day, or which one they get; `None` if the job is no reminder.
pub async fn why_no_mail(context: &Context, job: &str, day: NaiveDate, whom: &Whom) -> Result<Option<Vec<WhyNot>>> {
    let Some((job, find, kind)) = jobs::find(job).and_then(|job| Some((job, job.reminder()?.find, kind_of(job.name)?)))
    else {
        return Ok(None);
    };
    let transaction = database::begin_to_read(&context.db).await?;
    let rules = Rules::read(&transaction, &context.timing).await?;
    let reasons = why_not(&transaction, (kind, job.name, find), &rules, (day, context.zone), whom).await?;
    transaction.rollback().await?;
    Ok(Some(reasons))
}
