//! The calendars of working days, of the whole country and of regions, by which the periods of public notices (公示)
//! are counted and reminders are sent.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use ledger::keep::calendar as keep;
use ledger::rule::holiday;

use crate::context::Request;
use crate::error::masked;
use crate::noun::region::{Region, region_id};
use crate::part::payload::{UserError, key_of, outcome};
use crate::part::reread::Reread;
use crate::part::scalar::Date;

/// A day for which the rule of the week (Monday to Friday are worked) is replaced: a holiday or a worked weekend day.
#[derive(SimpleObject)]
pub(crate) struct CalendarDay {
    /// Local date that the entry is about.
    day: Date,
    /// Whether the day is worked (调休上班); otherwise it is a holiday.
    is_working: bool,
    /// Name of the day, for example `国庆节`; null if it has none.
    name: Option<String>,
    /// Whether the day was set in this installation; otherwise it was announced by the State Council (国务院办公厅).
    is_set: bool,
    /// Global id of the region for which the day is set, which is the one asked for or one above it; null if it holds
    /// for the whole country.
    region_id: Option<ID>,
}

impl From<holiday::Special> for CalendarDay {
    fn from(special: holiday::Special) -> Self {
        Self {
            day: Date(special.day),
            is_working: special.is_working,
            name: Some(special.name).filter(|name| !name.is_empty()),
            is_set: special.is_set,
            region_id: special.region.map(region_id),
        }
    }
}

/// Input of `setCalendarDay`: a day, and whether it is worked.
#[derive(InputObject)]
pub(crate) struct SetCalendarDayInput {
    /// Local date to set, in the years 1990 to 2100.
    day: Date,
    /// Global id of the region in which it holds, with the regions below; without it, for the whole country.
    region_id: Option<ID>,
    /// Whether the day is worked. If left out, what is set there is removed, and the calendar of the region above or
    /// the announced one applies again.
    is_working: Option<bool>,
    /// Name of the day, at most 20 characters, for example `藏历新年`.
    name: Option<String>,
}

/// Result of `setCalendarDay`: the calendar of the year, in the region, after the change.
#[derive(SimpleObject)]
pub(crate) struct CalendarPayload {
    /// Holidays and worked weekend days of that year as they are now, in order; null if the mutation was refused.
    days: Option<Vec<CalendarDay>>,
    /// Reasons why the mutation was refused; empty if it was carried out.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

async fn days(request: &Request, year: i32, region: Option<i64>) -> async_graphql::Result<Vec<CalendarDay>> {
    let days = holiday::of_year(&request.db, year, region).await.map_err(|failure| masked(&failure))?;
    Ok(days.into_iter().map(Into::into).collect())
}

/// Queries on the calendar.
#[derive(Default)]
pub(crate) struct CalendarQuery;

#[Object]
impl CalendarQuery {
    /// Lists the holidays of a year and the weekend days worked instead, in order, as they hold in a region: a day that
    /// the region sets goes before that of the region above, and that before the whole country's. On all other days the
    /// rule of the week applies. Empty for years before 1990 and after 2100.
    async fn calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Calendar year, for example `2026`.")] year: i32,
        #[graphql(desc = "Global id of the region; without it, the calendar of the whole country.")] region_id: Option<
            ID,
        >,
    ) -> async_graphql::Result<Vec<CalendarDay>> {
        let region = region_id.and_then(|id| key_of::<Region>(&id));
        days(ctx.data::<Request>()?, year, region).await
    }
}

/// Mutations on the calendar.
#[derive(Default)]
pub(crate) struct CalendarMutation;

#[Object]
impl CalendarMutation {
    /// Sets whether a day is worked in a region and below it, or in the whole country, whatever was announced for it.
    /// Public notices that are already running keep their last day. Administrators set days everywhere, regional and
    /// city offices those of their region and below.
    async fn set_calendar_day(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Day, and whether it is worked.")] input: SetCalendarDayInput,
    ) -> async_graphql::Result<CalendarPayload> {
        use chrono::Datelike;
        let request = ctx.data::<Request>()?;
        let said = input.is_working.map(|works| (works, input.name));
        let region = input.region_id.as_ref().map(key_of::<Region>);
        let done = keep::set(&request.acting(), (input.day.0, region), said).await;
        let (done, errors) = outcome(done, request.language)?;
        let days = match done {
            Some(()) => Some(days(request, input.day.0.year(), region.flatten()).await?),
            None => None,
        };
        Ok(CalendarPayload { days, errors, reread: Reread })
    }
}
