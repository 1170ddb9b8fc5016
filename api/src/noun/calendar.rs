//! The calendar of working days, in which the periods of public notices (公示) are counted.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use ledger::keep::calendar as keep;
use ledger::rule::holiday;

use crate::context::Request;
use crate::error::masked;
use crate::part::payload::{UserError, outcome};
use crate::part::scalar::Date;

/// A day for which the rule of the week (Monday to Friday are worked) is replaced: a holiday or a worked weekend day.
#[derive(SimpleObject)]
pub(crate) struct CalendarDay {
    /// Local date that the entry is about.
    day: Date,
    /// Whether the day is worked (调休上班); otherwise it is a holiday.
    is_working: bool,
    /// Whether an administrator set the day; otherwise it was announced by the State Council (国务院办公厅).
    is_set: bool,
}

impl From<holiday::Special> for CalendarDay {
    fn from(special: holiday::Special) -> Self {
        Self { day: Date(special.day), is_working: special.is_working, is_set: special.is_set }
    }
}

/// Input of `setCalendarDay`: a day, and whether it is worked.
#[derive(InputObject)]
pub(crate) struct SetCalendarDayInput {
    /// Local date to set, in the years 1990 to 2100.
    day: Date,
    /// Whether the day is worked. If left out, the administrator's entry is removed and the announced calendar applies
    /// again.
    is_working: Option<bool>,
    /// Name of the day, at most 20 characters, for example `藏历新年`.
    name: Option<String>,
}

/// Result of `setCalendarDay`: the calendar of the year after the change.
#[derive(SimpleObject)]
pub(crate) struct CalendarPayload {
    /// Holidays and worked weekend days of that year as they are now, in order; null if the mutation was refused.
    days: Option<Vec<CalendarDay>>,
    /// Reasons why the mutation was refused; empty if it was carried out.
    errors: Vec<UserError>,
}

async fn days(request: &Request, year: i32) -> async_graphql::Result<Vec<CalendarDay>> {
    let days = holiday::of_year(&request.db, year).await.map_err(|failure| masked(&failure))?;
    Ok(days.into_iter().map(Into::into).collect())
}

/// Queries on the calendar.
#[derive(Default)]
pub(crate) struct CalendarQuery;

#[Object]
impl CalendarQuery {
    /// Lists the holidays of a year and the weekend days worked instead, in order. On all other days the rule of the
    /// week applies. Empty for years before 1990 and after 2100.
    async fn calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Calendar year, for example `2026`.")] year: i32,
    ) -> async_graphql::Result<Vec<CalendarDay>> {
        days(ctx.data::<Request>()?, year).await
    }
}

/// Mutations on the calendar.
#[derive(Default)]
pub(crate) struct CalendarMutation;

#[Object]
impl CalendarMutation {
    /// Sets whether a day is worked, whatever was announced for it. Public notices that are already running keep their
    /// last day. For administrators.
    async fn set_calendar_day(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Day, and whether it is worked.")] input: SetCalendarDayInput,
    ) -> async_graphql::Result<CalendarPayload> {
        use chrono::Datelike;
        let request = ctx.data::<Request>()?;
        let said = input.is_working.map(|works| (works, input.name));
        let (done, errors) = outcome(keep::set(&request.acting(), input.day.0, said).await, request.language)?;
        let days = match done {
            Some(()) => Some(days(request, input.day.0.year()).await?),
            None => None,
        };
        Ok(CalendarPayload { days, errors })
    }
}
