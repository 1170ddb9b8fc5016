//! The calendar of working days, by which notice periods are counted.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use ledger::keep::calendar as keep;
use ledger::rule::holiday;

use crate::context::Request;
use crate::error::masked;
use crate::part::payload::{UserError, outcome};
use crate::part::scalar::Date;

/// A day on which the rule of the week does not hold.
#[derive(SimpleObject)]
pub(crate) struct CalendarDay {
    /// The day.
    day: Date,
    /// Whether it is worked (调休上班); otherwise it is a holiday.
    is_working: bool,
    /// Whether an administrator set it; otherwise it was announced.
    is_set: bool,
}

impl From<holiday::Special> for CalendarDay {
    fn from(special: holiday::Special) -> Self {
        Self { day: Date(special.day), is_working: special.is_working, is_set: special.is_set }
    }
}

/// What a day is to be.
#[derive(InputObject)]
pub(crate) struct SetCalendarDayInput {
    /// The day.
    day: Date,
    /// Whether it is worked; left out, what is announced holds again.
    is_working: Option<bool>,
    /// What it is, at most 20 letters: 藏历新年.
    name: Option<String>,
}

/// What came of setting a day.
#[derive(SimpleObject)]
pub(crate) struct CalendarPayload {
    /// The special days of its year as they are now; null when nothing was done.
    days: Option<Vec<CalendarDay>>,
    /// Why nothing was done; empty when it was.
    errors: Vec<UserError>,
}

async fn days(request: &Request, year: i32) -> async_graphql::Result<Vec<CalendarDay>> {
    let days = holiday::of_year(&request.db, year).await.map_err(|failure| masked(&failure))?;
    Ok(days.into_iter().map(Into::into).collect())
}

/// Asking for the calendar.
#[derive(Default)]
pub(crate) struct CalendarQuery;

#[Object]
impl CalendarQuery {
    /// The holidays of a year and the weekends worked instead, in order. On all other days the week's rule holds.
    async fn calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The year.")] year: i32,
    ) -> async_graphql::Result<Vec<CalendarDay>> {
        days(ctx.data::<Request>()?, year).await
    }
}

/// Setting the calendar.
#[derive(Default)]
pub(crate) struct CalendarMutation;

#[Object]
impl CalendarMutation {
    /// Says of a day whether it is worked, whatever is announced. By an administrator. Notices that run keep their end.
    async fn set_calendar_day(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day.")] input: SetCalendarDayInput,
    ) -> async_graphql::Result<CalendarPayload> {
        use chrono::Datelike;
        let request = ctx.data::<Request>()?;
        let said = input.is_working.map(|works| (works, input.name));
        let (done, errors) = outcome(keep::set(&request.desk(), input.day.0, said).await, request.language)?;
        let days = match done {
            Some(()) => Some(days(request, input.day.0.year()).await?),
            None => None,
        };
        Ok(CalendarPayload { days, errors })
    }
}
