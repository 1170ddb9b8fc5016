//! Invents complaint cases (交办案件) in every state, accountability records (责任追究), and the ownership of problems
//! (主责、共性).

use chrono::{NaiveDate, TimeDelta};
use entity::accountability::{Consequence, Rank};
use entity::case_pollution::Pollution;
use entity::case_report::CaseStep;
use entity::inspection_case::{CaseState, Channel, Finding, Handling};
use entity::ownership::OwnershipKind;
use entity::{accountability, case_pollution, case_report, case_unit, inspection_case, ownership};
use sea_orm::ActiveValue::Set;

use super::{City, Maker, Round};
use ledger::Result;
use ledger::record::concern::{self, Concern};
use ledger::record::database;
use ledger::rule::calendar::plus_days;
use ledger::rule::case_flow;

/// Number of cases inserted per batch.
const BATCH: usize = 2_000;
/// Number of days over which the cases are handed over, the first case last.
const DAYS: usize = 40;
const COMPLAINTS: &[(&str, &[Pollution])] = &[
    ("沿河洗砂场废水直排，河水浑浊发白。", &[Pollution::Water]),
    ("混凝土搅拌站扬尘严重，夜间装卸噪声扰民。", &[Pollution::Air, Pollution::Noise]),
    ("草场内随意倾倒建筑垃圾，长期无人清运。", &[Pollution::Waste, Pollution::Ecology]),
    ("养殖场粪污渗入农田，附近水井有异味。", &[Pollution::Water, Pollution::Soil]),
    ("餐饮街油烟直排，居民无法开窗。", &[Pollution::Air]),
    ("采石场越界开采，植被破坏后未恢复。", &[Pollution::Ecology]),
    ("通信基站距住宅过近，担心电磁辐射。", &[Pollution::Radiation]),
    ("夜间施工噪声扰民，多次反映未解决。", &[Pollution::Noise, Pollution::Other]),
];
/// The steps that a case has gone through, from the handover to its present state.
const WAYS: &[&[CaseStep]] = &[
    &[],
    &[CaseStep::Accept, CaseStep::Report],
    &[CaseStep::Accept, CaseStep::Report, CaseStep::ResolvePartly],
    &[CaseStep::Accept, CaseStep::Resolve],
    &[CaseStep::Accept, CaseStep::Report, CaseStep::Resolve, CaseStep::Verify],
    &[CaseStep::Accept, CaseStep::ResolvePartly, CaseStep::Resolve, CaseStep::Verify, CaseStep::Close],
    &[CaseStep::Accept, CaseStep::Resolve, CaseStep::Return, CaseStep::Report],
    &[CaseStep::Accept, CaseStep::Resolve, CaseStep::Verify, CaseStep::Close, CaseStep::Reopen],
];

/// The batches (批次), from the latest day of handing over to the earliest: ten days each.
const BATCHES: [&str; 4] = ["第四批", "第三批", "第二批", "第一批"];

#[derive(Default)]
struct Batch {
    cases: Vec<inspection_case::ActiveModel>,
    pollution: Vec<case_pollution::ActiveModel>,
    units: Vec<case_unit::ActiveModel>,
    reports: Vec<case_report::ActiveModel>,
    concerns: Vec<Concern>,
}

impl Maker<'_> {
    /// Creates `count` cases, spread over the counties of all cities.
    pub(super) async fn cases(&mut self, cities: &[City], rounds: &[Round], count: usize) -> Result<()> {
        let Some(round) = rounds.last() else { return Ok(()) };
        for first in (0..count).step_by(BATCH) {
            let mut batch = Batch::default();
            for index in first..count.min(first + BATCH) {
                let Some(city) = cities.get(index % cities.len().max(1)) else { continue };
                let earlier = repeated(index, cities.len(), count.min(first + BATCH));
                self.case(&mut batch, city, (round.id, earlier), index);
            }
            // A case that another one repeats comes before it.
            batch.cases.reverse();
            database::insert_all(self.db, batch.cases).await?;
            database::insert_all(self.db, batch.pollution).await?;
            database::insert_all(self.db, batch.units).await?;
            database::insert_all(self.db, batch.reports).await?;
            concern::cases(self.db, &batch.concerns).await?;
        }
        Ok(())
    }

    /// Creates the case `index`, which repeats the case `earlier` if there is one: the same complaint in the same
    /// county.
    fn case(&self, batch: &mut Batch, city: &City, (round, earlier): (i64, Option<usize>), index: usize) {
        let about = earlier.unwrap_or(index);
        let Some((county, government)) = city.counties.get(about / 3 % city.counties.len()) else { return };
        let id = index as i64 + 1;
        let way = WAYS[index % WAYS.len()];
        let (summary, pollution) = COMPLAINTS[(about + about / WAYS.len()) % COMPLAINTS.len()];
        let handed_over_on = plus_days(self.today, -(index as i64 % DAYS as i64) - 6);
        // Some of the cases are overdue.
        let due_on = plus_days(handed_over_on, [10, 15, 12, 60][index % 4]);
        // For every fourth case, a department of the city is the lead unit and the county assists.
        let department = city.lead_units.last().copied().filter(|_| index % 4 == 2);
        let day = |step: usize| plus_days(handed_over_on, (step as i64 + 1).min(5));
        let handling = match way {
            [] => None,
            way if way.contains(&CaseStep::ResolvePartly) => Some(Handling::LongTerm),
            _ => Some(Handling::Immediate),
        };
        let mut state = CaseState::HandedOver;
        let mut finding = None;
        let (mut resolved_on, mut closed_on): (Option<NaiveDate>, Option<NaiveDate>) = (None, None);
        for (place, step) in way.iter().enumerate() {
            state = case_flow::next(state, *step).unwrap_or(state);
            let found = [Finding::True, Finding::PartlyTrue, Finding::Untrue][index % 3];
            let is_finding = matches!(step, CaseStep::Resolve | CaseStep::ResolvePartly);
            match step {
                CaseStep::Resolve => (finding, resolved_on) = (Some(found), Some(day(place))),
                CaseStep::ResolvePartly => finding = Some(found),
                CaseStep::Return => resolved_on = None,
                CaseStep::Close => closed_on = Some(day(place)),
                CaseStep::Reopen => (finding, resolved_on, closed_on) = (None, None, None),
                _ => {}
            }
            batch.reports.push(case_report::ActiveModel {
                case_id: Set(id),
                step: Set(*step),
                text: Set(words(*step).map(str::to_owned)),
                finding: Set(is_finding.then_some(found)),
                written_at: Set(self.now - TimeDelta::days((self.today - day(place)).num_days())),
                ..Default::default()
            });
        }
        batch.cases.push(inspection_case::ActiveModel {
            id: Set(id),
            round_id: Set(round),
            region_id: Set(county.id),
            number: Set(format!("D3SX{}{id:04}", handed_over_on.format("%Y%m%d"))),
            channel: Set(if index.is_multiple_of(3) { Channel::Letter } else { Channel::Call }),
            is_key: Set(index.is_multiple_of(5)),
            batch: Set((index % 11 != 10).then(|| BATCHES[index % DAYS / 10].to_owned())),
            handling: Set(handling),
            repeat_of_id: Set(earlier.map(|earlier| earlier as i64 + 1)),
            summary: Set(format!("{}{summary}", county.name)),
            lead_unit_id: Set(department.unwrap_or(*government)),
            handed_over_on: Set(handed_over_on),
            due_on: Set(due_on),
            state: Set(state),
            finding: Set(finding),
            resolved_on: Set(resolved_on),
            resolver_id: Set(None),
            resolver_actor_id: Set(None),
            closed_on: Set(closed_on),
            version: Set(way.len() as i32 + 1),
            created_at: Set(self.now - TimeDelta::days((self.today - handed_over_on).num_days())),
            updated_at: Set(self.now),
        });
        let kinds = pollution.iter().map(|kind| case_pollution::ActiveModel { case_id: Set(id), kind: Set(*kind) });
        batch.pollution.extend(kinds);
        let assisting = department.map(|_| *government);
        batch.units.extend(assisting.map(|unit| case_unit::ActiveModel { case_id: Set(id), unit_id: Set(unit) }));
        batch.concerns.push(Concern { id, due_order: due_on, lineage: ledger::region::lineage(&county.path) });
    }

    /// Creates accountability records for every fourth problem, some of them withdrawn, and the ownership of each
    /// problem.
    pub(super) async fn accountability(&self, cities: &[City], rounds: &[Round], problems: usize) -> Result<()> {
        let ranks = [Rank::CountyDivision, Rank::TownshipSection, Rank::Below, Rank::DepartmentBureau];
        let consequences = [
            Consequence::Organisational,
            Consequence::Administrative,
            Consequence::PartyDiscipline,
            Consequence::Judicial,
        ];
        let mut records = Vec::new();
        let mut owners = Vec::new();
        for index in 0..problems {
            let (Some(city), Some(round)) = (cities.get(index % cities.len().max(1)), rounds.get(index % rounds.len()))
            else {
                continue;
            };
            let problem_id = index as i64 + 1;
            for turn in 0..2 {
                let place = index / 4 + turn;
                let is_withdrawn = place % 5 == 4;
                let decided_on = plus_days(round.feedback_on, 90 + place as i64 % 20).min(self.today);
                if index % 4 == 0 {
                    records.push(accountability::ActiveModel {
                        problem_id: Set(problem_id),
                        round_id: Set(round.id),
                        region_id: Set(city.region.id),
                        rank: Set(ranks[place % ranks.len()]),
                        consequence: Set(consequences[place / 2 % consequences.len()]),
                        people: Set(place as i32 % 7 + 1),
                        decided_on: Set(decided_on),
                        recorded_at: Set(self.now),
                        withdrawn_at: Set(is_withdrawn.then_some(self.now)),
                        withdraw_reason: Set(is_withdrawn.then(|| "重复登记。".to_owned())),
                        version: Set(if is_withdrawn { 2 } else { 1 }),
                        updated_at: Set(self.now),
                        ..Default::default()
                    });
                }
            }
            // One county is principal, another shares the problem; both answer it.
            for (turn, kind) in [OwnershipKind::Principal, OwnershipKind::Shared].into_iter().enumerate() {
                if turn < city.counties.len()
                    && let Some((county, _)) = city.counties.get((index + turn) % city.counties.len())
                {
                    owners.push(ownership::ActiveModel {
                        problem_id: Set(problem_id),
                        region_id: Set(county.id),
                        kind: Set(kind),
                    });
                }
            }
        }
        database::insert_all(self.db, records).await?;
        Ok(database::insert_all(self.db, owners).await?)
    }
}

/// Returns the case that the case `index` repeats: the next one of the same city, which was handed over earlier. Every
/// sixteenth case repeats one, if that is among the first `end`.
fn repeated(index: usize, cities: usize, end: usize) -> Option<usize> {
    let earlier = index + cities;
    let repeats = index % 16 == 9 && earlier < end && earlier % DAYS > index % DAYS;
    repeats.then_some(earlier)
}

/// Returns the text that is recorded with a step; `None` for the acceptance of a case.
fn words(step: CaseStep) -> Option<&'static str> {
    match step {
        CaseStep::Accept => None,
        CaseStep::Report => Some("已组织现场核查，责令限期整改。"),
        CaseStep::ResolvePartly => Some("已停止违法行为，生态恢复工程正在实施。"),
        CaseStep::Resolve => Some("经核查，所反映问题已整改到位，已向群众公开办理结果。"),
        CaseStep::Return => Some("佐证材料不足以证明整改到位，请补充。"),
        CaseStep::Verify => Some("经现场核查，整改到位。"),
        CaseStep::Close => Some("同意销号。"),
        CaseStep::Reopen => Some("回访发现问题反弹。"),
    }
}
