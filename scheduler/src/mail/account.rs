//! The facts of a mail about the monthly account (月账): for a unit, what it has not yet reported on, with the form to
//! fill in; for leaders and offices, the figures of the month that has ended.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::NaiveDate;
use entity::language::Language;
use entity::region::{self, Level};
use entity::{unit, unit_address};
use ledger::monthly_account::{self, Account, Among};
use ledger::people::policy::Principal;
use ledger::region::lineage;
use ledger::reminder::monthly_account::KIND;
use ledger::rule::calendar::{Month, local_day};
use minijinja::value::Serde;
use minijinja::{Value, context};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, Statement};
use serde::Serialize;
use workbook::FormOf;

use super::{Attached, Reading, Source, Unwritten, digest};

/// The most rows of a ranking, and the most units that are named because they have not accounted.
const MAX_LINES: usize = 60;
/// The media type of `.xlsx` files.
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Figures of a month's account: of some units together.
#[derive(Debug, Default, Serialize)]
struct Figures {
    owed: i64,
    accounted: i64,
    /// The share that is accounted for, from 0 to 1; none where nothing is owed.
    share: Option<f64>,
    completed: i64,
    overdue: i64,
}

impl Figures {
    fn of<'a>(accounts: impl Iterator<Item = &'a Account>) -> Self {
        let mut sum = Self::default();
        for account in accounts {
            sum.owed += account.owed;
            sum.accounted += account.accounted;
            sum.completed += account.completed;
            sum.overdue += account.overdue;
        }
        Self { share: (sum.owed > 0).then(|| sum.accounted as f64 / sum.owed as f64), ..sum }
    }
}

/// One place of a ranking: a region with all below it, or a unit.
#[derive(Debug, Serialize)]
struct Ranked {
    /// The place, from 1; those with the same share have the same.
    place: usize,
    name: String,
    /// Whether they are the units of the region itself, rather than of one below it.
    is_own: bool,
    figures: Figures,
}

/// A unit that has not accounted for everything.
#[derive(Debug, Serialize)]
struct Late {
    name: String,
    owed: i64,
    missing: i64,
    /// Its mail addresses.
    contacts: Vec<String>,
}

/// The figures of a region, or of the measures that the recipient leads.
#[derive(Debug, Serialize)]
struct Part {
    /// The name of the region; none for the measures that the recipient leads.
    region: Option<String>,
    figures: Figures,
    /// The regions or units, the best first.
    ranking: Vec<Ranked>,
    /// How many places of the ranking are not listed.
    more: usize,
    /// The units that have not accounted, those that have not begun first.
    missing: Vec<Late>,
    /// How many units have not accounted, with those that are not listed.
    missing_count: usize,
}

/// What the items of a mail are about: the form, whose items are assignments; figures; or both, where one day brings
/// both.
#[derive(Default, FromQueryResult)]
struct About {
    /// The last day of the month of the form; none without a form.
    form_end: Option<NaiveDate>,
    /// The last day of the month of the figures; none without figures.
    figures_end: Option<NaiveDate>,
    /// How many items are measures that the recipient leads.
    led: i64,
}

async fn about(source: &Source<'_>) -> Result<About, Unwritten> {
    let statement = Statement::from_sql_and_values(
        source.db.get_database_backend(),
        "SELECT max(CASE WHEN assignment_id IS NOT NULL THEN due_on END) AS form_end, \
         max(CASE WHEN assignment_id IS NULL THEN due_on END) AS figures_end, \
         count(measure_id) - count(assignment_id) AS led FROM mail_item WHERE mail_id = $1",
        [source.mail.id.into()],
    );
    Ok(About::find_by_statement(statement).one(source.db).await?.unwrap_or_default())
}

/// The facts of a mail about a month's account.
pub(crate) fn facts<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move {
        let about = about(source).await?;
        let form = match about.form_end {
            Some(end) => digest::unaccounted(source).map(|facts| (Month::of(end), facts)),
            None => None,
        };
        let figures = match about.figures_end.map(Month::of) {
            Some(month) => Some((month, Box::pin(parts(source, month, about.led > 0)).await?)),
            None => None,
        };
        let figures = figures.filter(|(_, parts)| !parts.is_empty()).map(|(month, parts)| {
            let (month, path) = named(month);
            context! { figures_month => month, figures_path => path, parts => Value::from(Serde(parts)) }
        });
        let form = form.map(|(month, facts)| {
            let (month, path) = named(month);
            context! { month, path, ..facts }
        });
        Ok(match (form, figures) {
            (Some(form), Some(figures)) => Some(context! { ..form, ..figures }),
            (form, figures) => form.or(figures),
        })
    })
}

/// Returns a month as templates take it, by its first day, and the path of its page.
fn named(month: Month) -> (String, String) {
    (month.first_day().to_string(), format!("/month?month={}", month.name()))
}

/// Returns the form to fill in, if the mail asks a unit for the account of a month.
pub(super) async fn form(source: &Source<'_>, language: Language) -> Result<Option<Attached>, Unwritten> {
    if source.mail.kind != KIND {
        return Ok(None);
    }
    let Some(end) = about(source).await?.form_end else { return Ok(None) };
    let (month, at) = (Month::of(end), (source.now, source.zone));
    let of = FormOf::Mail(source.mail.id);
    let content = workbook::month_form(source.db, &Principal::local(), of, month, at).await?;
    let name = match language {
        Language::Zh => format!("月调度表-{}.xlsx", month.name()),
        Language::En => format!("monthly-account-{}.xlsx", month.name()),
    };
    Ok(content.map(|content| Attached { name, media_type: XLSX, content }))
}

/// Reads the figures of each region that the mail is about, and of the measures that the recipient leads.
async fn parts(source: &Source<'_>, month: Month, has_led: bool) -> Result<Vec<Part>, Unwritten> {
    #[derive(FromQueryResult)]
    struct OfRegion {
        region_id: i64,
    }
    let statement = Statement::from_sql_and_values(
        source.db.get_database_backend(),
        "SELECT region_id FROM mail_item WHERE mail_id = $1 AND region_id IS NOT NULL AND due_on = $2 \
         ORDER BY region_id",
        [source.mail.id.into(), month.last_day().into()],
    );
    let regions = OfRegion::find_by_statement(statement).all(source.db).await?;
    let at = (local_day(source.now, source.zone), source.zone);
    let tree: HashMap<i64, region::Model> =
        region::Entity::find().all(source.db).await?.into_iter().map(|row| (row.id, row)).collect();
    let mut parts = Vec::new();
    for OfRegion { region_id } in regions {
        let accounts = monthly_account::accounts(source.db, month, at, Among::Region(region_id)).await?;
        parts.extend(part(source, &accounts, tree.get(&region_id), &tree).await?);
    }
    if has_led {
        let accounts = monthly_account::accounts(source.db, month, at, Among::Mail(source.mail.id)).await?;
        parts.extend(part(source, &accounts, None, &tree).await?);
    }
    Ok(parts)
}

/// Makes the part of a region, or of what the recipient leads; none where nothing is owed.
async fn part(
    source: &Source<'_>,
    accounts: &[Account],
    of: Option<&region::Model>,
    tree: &HashMap<i64, region::Model>,
) -> Result<Option<Part>, Unwritten> {
    let figures = Figures::of(accounts.iter());
    if figures.owed == 0 {
        return Ok(None);
    }
    let keys = |accounts: &[&Account]| accounts.iter().map(|account| account.unit_id).collect::<Vec<_>>();
    let mut late: Vec<&Account> = accounts.iter().filter(|account| account.accounted < account.owed).collect();
    late.sort_by_key(|account| (account.accounted > 0, Reverse(account.owed - account.accounted), account.unit_id));
    let missing_count = late.len();
    late.truncate(MAX_LINES);
    let below = of.filter(|region| !matches!(region.level, Level::County | Level::Township));
    let mut groups: HashMap<i64, Vec<&Account>> = HashMap::new();
    for account in accounts.iter().filter(|account| account.owed > 0) {
        let key = match below {
            // The region directly below, or the region itself for its own units.
            Some(region) => tree.get(&account.region_id).map_or(region.id, |place| {
                let line = lineage(&place.path);
                let at = line.iter().position(|key| *key == region.id);
                at.and_then(|at| line.get(at + 1)).copied().unwrap_or(region.id)
            }),
            None => account.unit_id,
        };
        groups.entry(key).or_default().push(account);
    }
    let mut ranking: Vec<(i64, Figures)> =
        groups.into_iter().map(|(key, accounts)| (key, Figures::of(accounts.into_iter()))).collect();
    ranking.sort_by(|(one, a), (other, b)| {
        let share = |figures: &Figures| figures.share.unwrap_or_default();
        share(b).total_cmp(&share(a)).then(b.owed.cmp(&a.owed)).then(one.cmp(other))
    });
    let more = ranking.len().saturating_sub(MAX_LINES);
    ranking.truncate(MAX_LINES);
    let mut named = keys(&late);
    if below.is_none() {
        named.extend(ranking.iter().map(|(key, _)| *key));
    }
    let units = unit::Entity::find().filter(unit::Column::Id.is_in(named)).all(source.db).await?;
    let units: HashMap<i64, String> = units.into_iter().map(|unit| (unit.id, unit.name)).collect();
    let mut contacts: HashMap<i64, Vec<String>> = HashMap::new();
    let addresses = unit_address::Entity::find().filter(unit_address::Column::UnitId.is_in(keys(&late)));
    for row in addresses.all(source.db).await? {
        contacts.entry(row.unit_id).or_default().push(row.address);
    }
    let name = |key: i64| match below {
        Some(_) => tree.get(&key).map(|region| region.name.clone()).unwrap_or_default(),
        None => units.get(&key).cloned().unwrap_or_default(),
    };
    let shares: Vec<Option<f64>> = ranking.iter().map(|(_, figures)| figures.share).collect();
    let ranked = |(key, figures): (i64, Figures)| {
        let is_own = below.is_some_and(|region| region.id == key);
        // Those with the same share stand together, so the first of them says their place.
        let place = 1 + shares.iter().position(|share| *share == figures.share).unwrap_or_default();
        Ranked { place, name: name(key), is_own, figures }
    };
    let missing = late.iter().map(|account| Late {
        name: units.get(&account.unit_id).cloned().unwrap_or_default(),
        owed: account.owed,
        missing: account.owed - account.accounted,
        contacts: contacts.remove(&account.unit_id).unwrap_or_default(),
    });
    Ok(Some(Part {
        region: of.map(|region| region.name.clone()),
        missing: missing.collect(),
        ranking: ranking.into_iter().map(ranked).collect(),
        figures,
        more,
        missing_count,
    }))
}
