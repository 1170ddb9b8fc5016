//! The briefing of a month (通报): the paragraph of the report, the ranking of regions and units, and the cards.

use async_graphql::{Context, ID, Object, SimpleObject};
use ledger::statistics::briefing as rule;
use planner::Noun;
use sea_orm::Value;

use crate::context::Request;
use crate::error::{Code, coded, masked};
use crate::language::Language;
use crate::noun::region::{Region, region_id};
use crate::noun::statistics::{ItemFigures, StatisticsFigures};
use crate::noun::supervision::{SupervisionCause, SupervisionKind};
use crate::part::scalar::{Date, Moment};

/// Briefing of a month (通报): how far a region is, who is ahead and who is late, and the cards of the month.
#[derive(SimpleObject)]
pub(crate) struct Briefing {
    /// Month that the briefing is about, such as `2026-11`.
    month: String,
    /// Local date to which the figures apply: the last day of the month, or today while the month runs.
    as_of: Date,
    /// Global id of the region that the briefing is about, with all regions below it.
    region_id: ID,
    /// Name of that region, such as 白河县.
    region_name: String,
    /// Paragraph of the report with the figures, in the language of the request.
    paragraph: String,
    /// Sentences on what the figures do not tell, in the language of the request.
    notes: Vec<String>,
    /// Figures of the problems, as in `statistics`.
    problems: StatisticsFigures,
    /// Figures of the measures, as in `statistics`.
    measures: StatisticsFigures,
    /// Number of open measures that are ahead of schedule or on schedule (达到序时进度); null for a past day, of which
    /// the pace is not known.
    on_schedule: Option<i64>,
    /// Number of open measures that are behind schedule (未达序时进度) but not overdue; null for a past day.
    behind: Option<i64>,
    /// Number of assignments that owe the account of the month (月账): those of which their units have to report.
    expected_reports: i64,
    /// Number of them that have a report for the month.
    given_reports: i64,
    /// Ranking of the regions directly below the region, the best first.
    regions: Vec<BriefingRank>,
    /// Ranking of the units of the region and of those below it, the best first; at most 100.
    units: Vec<BriefingRank>,
    /// Numbers of yellow and red cards.
    card_counts: BriefingCardCounts,
    /// Cards that were given, lifted or in force in the month, the oldest first; at most 500.
    cards: Vec<BriefingCard>,
}

/// Place of a region or a unit in the ranking of a briefing, by the assignments that it answers itself.
#[derive(SimpleObject)]
pub(crate) struct BriefingRank {
    /// Place from 1; those that are equal share one. Null without a completion rate.
    rank: Option<i64>,
    /// Global id of the region or the unit.
    key: String,
    /// Name of the region or the unit.
    label: String,
    /// Progress figures of its assignments.
    #[graphql(flatten)]
    figures: ItemFigures,
    /// Number of open assignments that are ahead of schedule or on schedule (达到序时进度); null for a past day.
    on_schedule: Option<i64>,
    /// Number of open assignments that are behind schedule (未达序时进度) but not overdue; null for a past day.
    behind: Option<i64>,
    /// Number of assignments that owe the account of the month (月账).
    expected_reports: i64,
    /// Number of them that have a report for the month.
    given_reports: i64,
    /// Timeliness of reports as a fraction: `givenReports` ÷ `expectedReports`; null if nothing was expected.
    report_rate: Option<f64>,
}

/// Numbers of yellow and red cards of a month.
#[derive(SimpleObject)]
pub(crate) struct BriefingCardCounts {
    /// Yellow cards given in the month.
    yellow_issued: i64,
    /// Red cards given in the month.
    red_issued: i64,
    /// Yellow cards lifted in the month.
    yellow_lifted: i64,
    /// Red cards lifted in the month.
    red_lifted: i64,
    /// Yellow cards in force at the end of the month, or now.
    yellow_in_force: i64,
    /// Red cards in force at the end of the month, or now.
    red_in_force: i64,
}

/// Card that was given, lifted or in force in a month.
#[derive(SimpleObject)]
pub(crate) struct BriefingCard {
    /// Global id of the act of supervision, for example `supervision_3`.
    key: ID,
    /// Kind of the card: `YELLOW_CARD` or `RED_CARD`.
    kind: SupervisionKind,
    /// Why the system proposed it; null if a person gave it unasked.
    cause: Option<SupervisionCause>,
    /// Reason for the card, as the unit reads it.
    reason: String,
    /// Moment at which the card was given.
    issued_at: Moment,
    /// Moment at which the card was lifted; null if it was in force at the end of the month.
    lifted_at: Option<Moment>,
    /// Name of the unit that has the card.
    unit_name: String,
    /// Name of the unit's region.
    region_name: String,
    /// Global id of the measure that the card is about.
    measure_id: ID,
    /// Number of the measure as printed; null where none is printed.
    measure_number: Option<String>,
    /// Text of the measure.
    measure_content: String,
}

impl From<rule::Rank> for BriefingRank {
    fn from(row: rule::Rank) -> Self {
        Self {
            rank: row.rank.and_then(|rank| i64::try_from(rank).ok()),
            key: row.figures.key.clone().unwrap_or_default(),
            label: row.figures.label.clone().unwrap_or_default(),
            figures: (&row.figures).into(),
            on_schedule: row.on_schedule,
            behind: row.behind,
            expected_reports: row.reports.expected,
            given_reports: row.reports.reported,
            report_rate: row.reports.rate(),
        }
    }
}

impl From<rule::CardLine> for BriefingCard {
    fn from(line: rule::CardLine) -> Self {
        Self {
            key: ID(format!("supervision_{}", line.id)),
            kind: line.kind.into(),
            cause: line.cause.map(Into::into),
            reason: line.reason,
            issued_at: Moment(line.issued_at),
            lifted_at: line.lifted_at.map(Moment),
            unit_name: line.unit,
            region_name: line.region,
            measure_id: ID(format!("measure_{}", line.measure_id)),
            measure_number: line.number,
            measure_content: line.content,
        }
    }
}

impl Briefing {
    fn of(written: rule::Briefing, language: Language) -> Self {
        let rule::CardCounts { yellow_issued, red_issued, yellow_lifted, red_lifted, yellow_in_force, red_in_force } =
            written.cards;
        Self {
            month: written.span.first.format("%Y-%m").to_string(),
            as_of: Date(written.span.as_of),
            region_id: region_id(written.region.id),
            region_name: written.region.name.clone(),
            paragraph: language.of(&written.paragraph()).to_owned(),
            notes: written.notes().iter().map(|note| language.of(note).to_owned()).collect(),
            problems: (&written.problems).into(),
            measures: (&written.measures).into(),
            on_schedule: written.paced.map(|paced| paced.on_schedule),
            behind: written.paced.map(|paced| paced.behind),
            expected_reports: written.reports.expected,
            given_reports: written.reports.reported,
            regions: written.regions.into_iter().map(Into::into).collect(),
            units: written.units.into_iter().map(Into::into).collect(),
            card_counts: BriefingCardCounts {
                yellow_issued,
                red_issued,
                yellow_lifted,
                red_lifted,
                yellow_in_force,
                red_in_force,
            },
            cards: written.card_lines.into_iter().map(Into::into).collect(),
        }
    }
}

/// The query for briefings.
#[derive(Default)]
pub(crate) struct BriefingQuery;

#[Object]
impl BriefingQuery {
    /// Briefing of a month (通报) for a region, with everything below it: the paragraph of the report, the figures, the
    /// ranking of regions and units, and the yellow and red cards. Null for a region that does not exist or is not the
    /// caller's or below it, and for callers who are neither office, leader nor inspector.
    async fn briefing(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Month such as `2026-11`, which must have begun; the current one if omitted.")] month: Option<
            String,
        >,
        #[graphql(desc = "Global id of the region; the caller's own if omitted.")] region: Option<ID>,
    ) -> async_graphql::Result<Option<Briefing>> {
        let request = ctx.data::<Request>()?;
        let month = month.unwrap_or_else(|| request.today().format("%Y-%m").to_string());
        // An id that is not a region's is answered like a region that does not exist: no region has the key 0.
        let within = region.map(|id| match <Region as Noun>::table().key(&id.0) {
            Some(Value::BigInt(Some(key))) => key,
            _ => 0,
        });
        let span = rule::Span::of_month(&month, request.now, request.zone)
            .map_err(|fault| coded(Code::BadUserInput, fault.message))?;
        let written = rule::Briefing::write(&request.db, span, within, request.principal(), request.zone).await;
        let written = written.map_err(|failure| masked(&failure))?;
        Ok(written.map(|written| Briefing::of(written, request.language)))
    }
}
