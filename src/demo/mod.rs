//! The demo: an invented ledger in three sizes, in which every status and every reminder occurs. Every run on the same
//! day produces the same ledger; its deadlines are set relative to the day of the run.

mod cases;
mod work;

pub(crate) use work::work;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::account::Role;
use entity::assignment::Status;
use entity::check::{CheckKind, CheckResult};
use entity::close_out::CloseOutState;
use entity::inspection_round::{RoundKind, RoundLevel};
use entity::region::Level;
use entity::reminder_rule::{self, ReminderKind};
use entity::responsible_party::Selector;
use entity::{
    assignment, check, close_out, inspection_round, measure, problem, problem_domain, progress_report, region,
    responsible_party, unit, unit_address,
};
use fastrand::Rng;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait,
    Iterable, PaginatorTrait, QueryFilter, QueryOrder, Statement,
};

use ledger::Result;
use ledger::fault::{Fault, FaultCode};
use ledger::people::account::{self, New};
use ledger::people::policy;
use ledger::record::audit::By;
use ledger::record::concern::{self, Concern};
use ledger::record::database;
use ledger::record::database::Transaction;
use ledger::rule::calendar::{Quarter, local_day, plus_days};
use ledger::rule::deadline::{self, Columns, Context, Deadline, GRACE_DAYS};
use ledger::rule::name_order::name_order;
use ledger::rule::sameness;
use ledger::rule::workflow::roll_up;
use ledger::statistics::kept;
use ledger::unit::{government_name, kind_of, sector_of};

/// Size of the demo ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// One invented city with three counties: 24 problems.
    Small,
    /// The same invented city after several years of inspections: 500 problems.
    County,
    /// All divisions of the nation: 50,000 problems and 200,000 measures.
    National,
}

/// Number of rows created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Made {
    /// Number of regions.
    pub regions: usize,
    /// Number of units.
    pub units: usize,
    /// Number of problems.
    pub problems: usize,
    /// Number of measures.
    pub measures: usize,
    /// Number of assignments.
    pub assignments: usize,
}

const ROUNDS: &[(&str, RoundLevel, RoundKind, i64)] = &[
    ("演示·第二轮生态环境保护督察", RoundLevel::Central, RoundKind::Routine, 520),
    ("演示·省级生态环境保护督察", RoundLevel::Province, RoundKind::Routine, 300),
    ("演示·督察“回头看”", RoundLevel::Central, RoundKind::LookBack, 120),
];
/// How many days ago the ledger was entered; a round that came later was entered with its feedback.
const ENTERED: i64 = 365;
const REGIONS_OF_NATION: usize = 3_400;
const MEASURES_PER_PROBLEM: usize = 4;
/// Number of problems inserted per batch.
const BATCH: usize = 500;
const DEPARTMENTS: &[&str] = &["生态环境局", "水利局", "林业和草原局"];
const TOPICS: &[(&str, &str, &str)] = &[
    ("水", "黑臭水体整治不彻底", "雨污分流管网"),
    ("水", "城镇污水处理设施运行不正常", "污水处理厂"),
    ("水", "饮用水水源保护区划定滞后", "集中式饮用水水源地"),
    ("大气", "扬尘管控不到位", "建筑工地和渣土运输"),
    ("大气", "燃煤锅炉淘汰进度缓慢", "燃煤锅炉"),
    ("固废", "生活垃圾填埋场渗滤液处理能力不足", "生活垃圾填埋场"),
    ("固废", "建筑垃圾随意倾倒", "建筑垃圾消纳场"),
    ("矿山", "历史遗留矿山生态修复滞后", "历史遗留矿山"),
    ("草原", "草原超载过牧问题突出", "退化草原"),
    ("自然保护地", "自然保护地内违规建设清理不彻底", "自然保护地内建设项目"),
    ("水电", "小水电生态流量泄放不足", "小水电站"),
    ("农业农村", "畜禽养殖粪污资源化利用率低", "规模养殖场"),
];
const STEPS: &[&str] = &[
    "全面排查{object}现状，建立问题清单、任务清单和责任清单，逐一明确整改措施",
    "制定{object}整改方案，落实资金和责任，按节点推进工程建设",
    "对{object}开展联合执法检查，依法查处违法违规行为，形成震慑",
    "建立{object}长效管护机制，定期开展巡查，防止问题反弹",
    "组织开展{object}整改成效评估，邀请专家和群众代表参与验收",
    "完善{object}在线监测和台账管理，每月调度整改进展",
];
const REPORTS: &[&str] = &[
    "已完成排查，建立问题清单，正在逐项落实整改。",
    "整改方案已印发，资金已落实，工程完成六成。",
    "开展联合执法检查3次，发现问题7个，已整改5个。",
    "已建立巡查制度，本月巡查4次，未发现反弹。",
    "整改任务已完成，正在准备销号材料。",
];
/// Statuses of assignments. Each problem gets one of them as its stage: its first assignment has that status, the
/// others the same or a later one in this list.
const STAGES: &[Status] = &[
    Status::InProgress,
    Status::Reopened,
    Status::Assigned,
    Status::NotApplicableProposed,
    Status::Returned,
    Status::InProgress,
    Status::Submitted,
    Status::Verified,
    Status::Publicised,
    Status::Closed,
];

/// Fills an empty database with the demo ledger. Calls `progress` with the number of problems created and the total.
/// Fails if the database already contains units or problems.
pub(crate) async fn fill(
    db: &DatabaseConnection,
    scale: Scale,
    now: DateTime<Utc>,
    zone: Tz,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Made> {
    let transaction = database::begin(db).await?;
    transaction.without_time_limit().await?;
    if unit::Entity::find().count(&transaction).await? + problem::Entity::find().count(&transaction).await? > 0 {
        let zh = "数据库中已有台账，演示数据只能写入空数据库";
        let en = "the database has a ledger already: the demo's data is only written to an empty database";
        return Err(Fault::new(FaultCode::Conflict, zh, en, &[]).into());
    }
    let mut maker = Maker {
        db: &transaction,
        now,
        zone,
        today: local_day(now, zone),
        rng: Rng::with_seed(7),
        made: Made::default(),
    };
    let cities = match scale {
        Scale::Small | Scale::County => maker.invented_city().await?,
        Scale::National => maker.nation().await?,
    };
    let rounds = maker.rounds().await?;
    let (total, cases) = match scale {
        Scale::Small => (24, 16),
        Scale::County => (500, 300),
        Scale::National => (50_000, 100_000),
    };
    for first in (0..total).step_by(BATCH) {
        maker.problems(&cities, &rounds, first..total.min(first + BATCH)).await?;
        progress(total.min(first + BATCH), total);
    }
    maker.cases(&cities, &rounds, cases).await?;
    maker.accountability(&cities, &rounds, total).await?;
    if let Some(city) = cities.first() {
        maker.accounts(&city.region, &city.counties).await?;
    }
    maker.reminders().await?;
    let made = maker.made;
    after_explicit_keys(&transaction).await?;
    kept::rebuild(&transaction).await?;
    transaction.commit().await?;
    analyze(db).await?;
    Ok(made)
}

/// Counts how the values of all tables are spread, by which the database plans: of our tables only, because PostgreSQL
/// warns of each of its own that this role may not analyse.
async fn analyze(db: &DatabaseConnection) -> Result<()> {
    let mut tables = String::new();
    if db.get_database_backend() == DbBackend::Postgres {
        let question = "SELECT string_agg(quote_ident(tablename), ', ') AS tables FROM pg_tables \
            WHERE schemaname = current_schema()";
        let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, question)).await?;
        tables = row.map_or(Ok(None), |row| row.try_get("", "tables"))?.unwrap_or_default();
    }
    db.execute_unprepared(&format!("ANALYZE {tables}")).await?;
    Ok(())
}

/// A city, its lead units, and the counties that answer its measures, each with the id of its government.
struct City {
    region: region::Model,
    lead_units: Vec<i64>,
    counties: Vec<(region::Model, i64)>,
}

struct Round {
    id: i64,
    feedback_on: NaiveDate,
    /// When its problems were entered into the ledger.
    entered_at: DateTime<Utc>,
}

struct Maker<'a> {
    db: &'a Transaction,
    now: DateTime<Utc>,
    zone: Tz,
    today: NaiveDate,
    rng: Rng,
    made: Made,
}

impl Maker<'_> {
    async fn invented_city(&mut self) -> Result<Vec<City>> {
        let nation = ledger::region::ensure(self.db, ledger::region::NATION, &[]).await?;
        let province = ledger::region::add(self.db, Some("990000"), "云川省", &nation).await?;
        let city = ledger::region::add(self.db, Some("990100"), "云溪市", &province).await?;
        let mut regions = vec![nation, province, city.clone()];
        for (code, name) in [("990121", "白河县"), ("990122", "青坪县"), ("990123", "东岭县")] {
            regions.push(ledger::region::add(self.db, Some(code), name, &city).await?);
        }
        self.cities(regions).await
    }

    /// Loads the built-in divisions, and adds invented townships until there are [`REGIONS_OF_NATION`] regions.
    async fn nation(&mut self) -> Result<Vec<City>> {
        ledger::region::load_all(self.db).await?;
        let mut regions = region::Entity::find().all(self.db).await?;
        let counties: Vec<region::Model> =
            regions.iter().filter(|region| region.level == Level::County).cloned().collect();
        for (index, county) in counties.iter().enumerate().take(REGIONS_OF_NATION.saturating_sub(regions.len())) {
            let code = format!("{}901", county.code.as_deref().unwrap_or_default());
            let name = ["城关镇", "青山乡", "河口镇", "新桥乡"].get(index % 4).copied().unwrap_or("城关镇");
            regions.push(ledger::region::add(self.db, Some(&code), name, county).await?);
        }
        self.cities(regions).await
    }

    /// Creates five units in each region, two thirds of them with a mail address. Returns the cities that have
    /// counties.
    async fn cities(&mut self, regions: Vec<region::Model>) -> Result<Vec<City>> {
        let mut units = Vec::new();
        let mut addresses = Vec::new();
        let mut of_region: HashMap<i64, Vec<i64>> = HashMap::new();
        for region in &regions {
            let names = [government_name(&region.name), format!("{}生态环境保护督察整改办", region.name)]
                .into_iter()
                .chain(DEPARTMENTS.iter().map(|department| format!("{}{department}", region.name)));
            for (place, name) in names.enumerate() {
                let id = units.len() as i64 + 1;
                of_region.entry(region.id).or_default().push(id);
                if (region.id + place as i64) % 3 != 2 {
                    let word = ["gov", "zgb", "sthj", "slj", "lcj"].get(place).copied().unwrap_or("unit");
                    addresses.push(unit_address::ActiveModel {
                        unit_id: Set(id),
                        address: Set(format!("{word}-{}@demo.example", region.id)),
                        ..Default::default()
                    });
                }
                units.push(unit::ActiveModel {
                    version: Set(1),
                    retired_on: Set(None),
                    merged_into_id: Set(None),
                    id: Set(id),
                    region_id: Set(region.id),
                    kind: Set(kind_of(&name)),
                    sector: Set(sector_of(&name).map(str::to_owned)),
                    language: Set(None),
                    attaches_calendar: Set(false),
                    name_order: Set(name_order(&name)),
                    name: Set(name),
                });
            }
        }
        self.made.regions = regions.len();
        self.made.units = units.len();
        database::insert_all(self.db, units).await?;
        database::insert_all(self.db, addresses).await?;
        let first = |region: &region::Model| of_region.get(&region.id).and_then(|units| units.first()).copied();
        let mut cities = Vec::new();
        for city in regions.iter().filter(|region| matches!(region.level, Level::Prefecture | Level::Province)) {
            let counties: Vec<(region::Model, i64)> = regions
                .iter()
                .filter(|region| region.parent_id == Some(city.id) && region.level == Level::County)
                .filter_map(|county| Some((county.clone(), first(county)?)))
                .collect();
            if !counties.is_empty() {
                let lead_units = of_region.get(&city.id).map(|units| units[2..].to_vec()).unwrap_or_default();
                cities.push(City { region: city.clone(), lead_units, counties });
            }
        }
        Ok(cities)
    }

    /// Creates an account of every role for a city and two of its counties. The accounts have no password: on a local
    /// demo, users sign in to them with one click.
    async fn accounts(&self, city: &region::Model, counties: &[(region::Model, i64)]) -> Result<()> {
        let above = region::Entity::find_by_id(city.parent_id.unwrap_or(city.id)).one(self.db).await?;
        let above = above.map_or(city.id, |above| above.id);
        let of = async |region: i64, kind: unit::Kind| -> Result<Option<i64>> {
            let found = unit::Entity::find()
                .filter(unit::Column::RegionId.eq(region))
                .filter(unit::Column::Kind.eq(kind))
                .order_by_asc(unit::Column::Id)
                .one(self.db)
                .await?;
            Ok(found.map(|unit| unit.id))
        };
        let office = unit::Kind::RectificationOffice;
        let mut wanted = vec![
            (Role::RegionalOffice, "省整改办演示员", above, of(above, office).await?),
            (Role::CityOffice, "市整改办演示员", city.id, of(city.id, office).await?),
            (Role::LeadUnit, "市级牵头单位演示员", city.id, self.lead_unit(city.id).await?),
            (Role::SupervisingUnit, "市级督导单位演示员", city.id, of(city.id, unit::Kind::Department).await?),
            (Role::Leader, "市领导演示账户", city.id, of(city.id, unit::Kind::Government).await?),
            (Role::Inspector, "督察组演示账户", above, None),
            (Role::Administrator, "系统管理员演示账户", above, None),
        ];
        for (county, government) in counties.iter().take(2) {
            wanted.push((Role::CountyOffice, "县整改办演示员", county.id, of(county.id, office).await?));
            wanted.push((Role::ResponsibleUnit, "县政府填报演示员", county.id, Some(*government)));
        }
        for (place, (role, name, region, unit)) in wanted.into_iter().enumerate() {
            let new = New {
                email: format!("demo{:02}@demo.example", place + 1),
                name: name.to_owned(),
                phone: Some(format!("139000000{:02}", place + 1)),
                language: None,
                role,
                unit,
                region: Some(region),
                password: None,
                valid_until: policy::needs_end(role).then(|| plus_days(self.today, 180)),
                is_demo: true,
            };
            account::create(self.db, &By::program(), new, self.now).await?;
        }
        Ok(())
    }

    /// Returns the last department of a city, to be a lead unit; the first is the supervising unit.
    /// Lets reminders be sent on every day and at any time, so that a demo shows some whenever it is looked at.
    async fn reminders(&self) -> Result<()> {
        let rows = ReminderKind::iter().map(|kind| reminder_rule::ActiveModel {
            kind: Set(kind),
            working_days_only: Set(Some(false)),
            quiet_from: Set(Some(NaiveTime::MIN)),
            quiet_until: Set(Some(NaiveTime::MIN)),
            reason: Set("演示：休息日和夜间也发送".to_owned()),
            set_at: Set(self.now),
            ..Default::default()
        });
        Ok(database::insert_all(self.db, rows).await?)
    }

    async fn lead_unit(&self, city: i64) -> Result<Option<i64>> {
        let found = unit::Entity::find()
            .filter(unit::Column::RegionId.eq(city))
            .filter(unit::Column::Kind.eq(unit::Kind::Department))
            .order_by_desc(unit::Column::Id)
            .one(self.db)
            .await?;
        Ok(found.map(|unit| unit.id))
    }

    async fn rounds(&mut self) -> Result<Vec<Round>> {
        let mut rounds: Vec<Round> = Vec::new();
        for (name, level, kind, days_ago) in ROUNDS.iter().copied() {
            let feedback_on = plus_days(self.today, -days_ago);
            let row = inspection_round::ActiveModel {
                name: Set(name.to_owned()),
                level: Set(level),
                kind: Set(kind),
                entered_on: Set(Some(plus_days(feedback_on, -60))),
                feedback_on: Set(Some(feedback_on)),
                looks_back_at_id: Set(rounds.first().filter(|_| kind == RoundKind::LookBack).map(|round| round.id)),
                ..Default::default()
            };
            let entered_at = self.now - TimeDelta::days(days_ago.min(ENTERED));
            rounds.push(Round { id: row.insert(self.db).await?.id, feedback_on, entered_at });
        }
        Ok(rounds)
    }

    async fn problems(&mut self, cities: &[City], rounds: &[Round], indexes: std::ops::Range<usize>) -> Result<()> {
        let mut batch = Batch::default();
        for index in indexes {
            let (Some(city), Some(round)) = (cities.get(index % cities.len()), rounds.get(index % rounds.len())) else {
                continue;
            };
            self.problem(&mut batch, city, round, index);
        }
        self.made.problems += batch.problems.len();
        self.made.measures += batch.measures.len();
        self.made.assignments += batch.assignments.len();
        database::insert_all(self.db, batch.problems).await?;
        database::insert_all(self.db, batch.domains).await?;
        database::insert_all(self.db, batch.measures).await?;
        database::insert_all(self.db, batch.parties).await?;
        database::insert_all(self.db, batch.assignments).await?;
        database::insert_all(self.db, batch.reports).await?;
        database::insert_all(self.db, batch.checks).await?;
        database::insert_all(self.db, batch.close_outs).await?;
        concern::problems(self.db, &batch.problem_concerns).await?;
        concern::measures(self.db, &batch.measure_concerns).await
    }

    fn problem(&mut self, batch: &mut Batch, city: &City, round: &Round, index: usize) {
        let id = index as i64 + 1;
        let number = index / 3 + 1;
        let (domain, title, object) = TOPICS[index % TOPICS.len()];
        let mut statuses = Vec::new();
        let mut completed = Vec::new();
        let mut lineage = ledger::region::lineage(&city.region.path);
        for place in 0..MEASURES_PER_PROBLEM {
            let measure = self.measure(batch, city, round, (index, place), object);
            statuses.push(measure.status);
            completed.push(measure.completed_on);
            lineage.extend(measure.lineage);
        }
        let deadline = self.deadline(index, round.feedback_on);
        let columns = Columns::of(Some(&deadline), round.feedback_on, GRACE_DAYS);
        let completed: Option<Vec<NaiveDate>> = completed.into_iter().collect();
        batch.problem_concerns.push(Concern { id, due_order: concern::due_order(columns.on), lineage });
        batch.domains.push(problem_domain::ActiveModel { problem_id: Set(id), domain: Set(domain.to_owned()) });
        batch.problems.push(problem::ActiveModel {
            id: Set(id),
            round_id: Set(round.id),
            region_id: Set(city.region.id),
            identity: Set(number.to_string()),
            number: Set(Some(number.to_string())),
            position: Set(number as i32),
            title: Set(format!("{}{title}", city.region.name)),
            description: Set(Some(format!(
                "督察发现，{}部分区域{title}，{object}整改推进不力，群众反映强烈。",
                city.region.name
            ))),
            category: Set(None),
            source: Set(None),
            looks_back_at_id: Set(None),
            goal: Set(Some(format!("{object}问题整改到位，长效机制建立健全。"))),
            due_raw: Set(columns.raw),
            due_immediate: Set(columns.immediate),
            due_on: Set(columns.on),
            due_ongoing: Set(columns.ongoing),
            due_by: Set(columns.by),
            rated_progress: Set(None),
            status: Set(roll_up(statuses).unwrap_or(Status::Assigned)),
            status_stated_on: Set(None),
            completed_on: Set(completed.and_then(|days| days.into_iter().max())),
            is_completed_by: Set(false),
            stated_pace: Set(None),
            stated_pace_on: Set(None),
            issued_on: Set(round.feedback_on),
            version: Set(1),
            created_at: Set(round.entered_at),
            updated_at: Set(self.now),
        });
    }

    fn measure(&mut self, batch: &mut Batch, city: &City, round: &Round, at: (usize, usize), object: &str) -> Answered {
        let (index, place) = at;
        let key = index * MEASURES_PER_PROBLEM + place;
        let id = key as i64 + 1;
        let deadline = self.deadline(key, round.feedback_on);
        let columns = Columns::of(Some(&deadline), round.feedback_on, GRACE_DAYS);
        let lead = city.lead_units.get(key % city.lead_units.len().max(1)).copied();
        let mut lineage = ledger::region::lineage(&city.region.path);
        let mut statuses = Vec::new();
        let mut completed = Vec::new();
        let mut reported = Vec::new();
        for turn in 0..city.counties.len().min(3) {
            let Some((county, government)) = city.counties.get((index + turn) % city.counties.len()) else { continue };
            lineage.extend(ledger::region::lineage(&county.path));
            let assignment = self.assignment(
                batch,
                id,
                (county, *government),
                round,
                &columns,
                (index % STAGES.len(), place + turn == 0),
            );
            statuses.push(assignment.0);
            completed.push(assignment.1);
            reported.push(assignment.2);
        }
        batch.parties.push(responsible_party::ActiveModel {
            measure_id: Set(id),
            position: Set(1),
            raw: Set("各县（区）委、政府".to_owned()),
            selector: Set(Some(Selector::AllCounties)),
            region_id: Set(Some(city.region.id)),
            ..Default::default()
        });
        let status = roll_up(statuses.iter().copied()).unwrap_or(Status::Assigned);
        let completed: Option<Vec<NaiveDate>> = completed.into_iter().collect();
        let completed_on = completed.and_then(|days| days.into_iter().max());
        let reported: Option<Vec<NaiveDate>> = reported.into_iter().collect();
        let content = STEPS[(index + place) % STEPS.len()].replace("{object}", object);
        batch.measure_concerns.push(Concern {
            id,
            due_order: concern::due_order(columns.on),
            lineage: lineage.clone(),
        });
        let number = format!("{}-{}", index / 3 + 1, place + 1);
        batch.measures.push(measure::ActiveModel {
            id: Set(id),
            problem_id: Set(index as i64 + 1),
            round_id: Set(round.id),
            region_id: Set(city.region.id),
            task_id: Set(None),
            accepting_unit_id: Set(None),
            outcome: Set(None),
            stated_close_out: Set(None),
            remark: Set(None),
            budget: Set((id % 3 != 0).then_some((id % 40 + 1) * 125_000)),
            identity: Set(sameness::measure(Some(&number), &content)),
            number: Set(Some(number)),
            position: Set(place as i32 + 1),
            content: Set(content),
            due_raw: Set(columns.raw),
            due_immediate: Set(columns.immediate),
            due_on: Set(columns.on),
            due_ongoing: Set(columns.ongoing),
            due_by: Set(columns.by),
            plan_due_on: Set(columns.on),
            plan_due_by: Set(columns.by),
            lead_unit_id: Set(lead),
            supervising_unit_id: Set(city.lead_units.first().copied().filter(|unit| Some(*unit) != lead)),
            status: Set(status),
            status_stated_on: Set(None),
            stated_progress: Set(None),
            completed_on: Set(completed_on),
            is_completed_by: Set(false),
            stated_pace: Set(None),
            stated_pace_on: Set(None),
            issued_on: Set(round.feedback_on),
            reported_on: Set(reported.and_then(|days| days.into_iter().min())),
            quantity_done: Set(None),
            quantity_target: Set(None),
            pace_override: Set(None),
            pace_reason: Set(None),
            version: Set(1),
            created_at: Set(round.entered_at),
            updated_at: Set(self.now),
        });
        Answered { status, completed_on, lineage }
    }

    fn assignment(
        &mut self,
        batch: &mut Batch,
        measure: i64,
        (county, government): (&region::Model, i64),
        round: &Round,
        columns: &Columns,
        (stage, first): (usize, bool),
    ) -> (Status, Option<NaiveDate>, Option<NaiveDate>) {
        let key = self.made.assignments + batch.assignments.len();
        let id = key as i64 + 1;
        // The first assignment has the problem's stage; the others are as advanced or more.
        let stage = if first { stage } else { (stage + self.rng.usize(0..4)).min(STAGES.len() - 1) };
        let status = match STAGES[stage] {
            Status::Closed if columns.ongoing => Status::ClosedOngoing,
            Status::InProgress if !first && key.is_multiple_of(13) => Status::NotApplicable,
            status => status,
        };
        let since = (self.today - round.feedback_on).num_days();
        let past = |rng: &mut Rng, most: i64| rng.i64(1..most.max(2));
        let completed = matches!(
            status,
            Status::Submitted | Status::Verified | Status::Publicised | Status::Closed | Status::ClosedOngoing
        );
        let completed_on = completed.then(|| plus_days(self.today, -past(&mut self.rng, since)));
        let reported_on = (status != Status::Assigned).then(|| plus_days(self.today, -past(&mut self.rng, 80)));
        // To limit the size of large demos, only the first 1,000 assignments and every third one after them get a
        // report and a close-out cycle.
        if let (Some(day), true) = (reported_on, key.is_multiple_of(3) || key < 1_000) {
            let text = REPORTS[key % REPORTS.len()];
            batch.reports.push(progress_report::ActiveModel {
                assignment_id: Set(id),
                period: Set(day.format("%Y-%m").to_string()),
                text: Set(text.to_owned()),
                submitted_at: Set(self.now - TimeDelta::days((self.today - day).num_days())),
                ..Default::default()
            });
        }
        if key.is_multiple_of(3) || key < 1_000 {
            batch.close_outs.extend(self.close_out(id, status, completed_on));
        }
        let last = Quarter::of(self.today).previous();
        let first = Quarter::after(local_day(round.entered_at, self.zone));
        let owed = std::iter::successors(Some(last), |quarter| Some(quarter.previous()));
        // The last self-inspection of every third assignment is missing.
        let is_made = |quarter: &Quarter| *quarter != last || key % 3 != 1;
        for quarter in owed.take_while(|quarter| *quarter >= first).filter(is_made) {
            if status == Status::NotApplicable {
                break;
            }
            let failed = quarter == last && key.is_multiple_of(17);
            batch.checks.push(check::ActiveModel {
                assignment_id: Set(id),
                kind: Set(CheckKind::SelfInspection),
                period: Set(quarter.name()),
                due_on: Set(quarter.last_day()),
                result: Set(if failed { CheckResult::Failed } else { CheckResult::Passed }),
                findings: Set(failed.then(|| "现场发现问题尚未整改到位，已责成立即整改。".to_owned())),
                checked_on: Set(plus_days(quarter.last_day(), -past(&mut self.rng, 20))),
                checker_id: Set(Some(government)),
                ..Default::default()
            });
        }
        batch.assignments.push(assignment::ActiveModel {
            id: Set(id),
            measure_id: Set(measure),
            unit_id: Set(government),
            region_id: Set(county.id),
            due_on: Set(columns.on),
            due_by: Set(columns.by),
            status: Set(status),
            completed_on: Set(completed_on),
            is_completed_by: Set(false),
            stated_pace: Set(None),
            stated_pace_on: Set(None),
            reported_on: Set(reported_on),
            quantity_done: Set(None),
            quantity_target: Set(None),
            pace_override: Set(None),
            pace_reason: Set(None),
            version: Set(1),
            created_at: Set(round.entered_at),
            updated_at: Set(self.now),
            accepted_at: Set(None),
            declined_at: Set(None),
            decline_reason: Set(None),
            proposer_id: Set(None),
            proposer_actor_id: Set(None),
        });
        (status, completed_on, reported_on)
    }

    /// Returns the close-out cycle (销号) that matches a status; `None` for a status without one.
    fn close_out(&self, assignment: i64, status: Status, day: Option<NaiveDate>) -> Option<close_out::ActiveModel> {
        let state = match status {
            Status::Submitted => CloseOutState::Applied,
            Status::Returned => CloseOutState::Returned,
            Status::Verified => CloseOutState::Verified,
            Status::Publicised => CloseOutState::Publicised,
            Status::Closed | Status::ClosedOngoing => CloseOutState::Closed,
            Status::Reopened => CloseOutState::Reopened,
            _ => return None,
        };
        let is_verified = !matches!(state, CloseOutState::Applied);
        let is_noticed = matches!(state, CloseOutState::Publicised | CloseOutState::Closed | CloseOutState::Reopened);
        let is_closed = matches!(state, CloseOutState::Closed | CloseOutState::Reopened);
        let day = day.unwrap_or(self.today);
        // A current public notice began yesterday; that of a closed cycle began 14 days before it closed.
        let from = if is_closed { plus_days(day, -14) } else { plus_days(self.today, -1) };
        Some(close_out::ActiveModel {
            assignment_id: Set(assignment),
            cycle: Set(1),
            state: Set(state),
            application: Set("整改任务已完成，佐证材料齐全，申请销号。".to_owned()),
            applied_at: Set(self.now - TimeDelta::days(20)),
            opinion: Set(is_verified.then(|| match state {
                CloseOutState::Returned => "佐证材料不足以证明整改到位，请补充后重新申请。".to_owned(),
                _ => "经现场核查，整改到位。".to_owned(),
            })),
            verified_at: Set(is_verified.then(|| self.now - TimeDelta::days(15))),
            notice: Set(is_noticed.then(|| "整改完成情况公示，公示期内如有异议请向受理单位反映。".to_owned())),
            contact: Set(is_noticed.then(|| "市生态环境保护督察整改办（演示）".to_owned())),
            notice_from: Set(is_noticed.then_some(from)),
            notice_until: Set(is_noticed.then(|| plus_days(from, 7))),
            decision: Set(is_closed.then(|| "同意销号。".to_owned())),
            closed_on: Set(is_closed.then_some(day)),
            relapse: Set((state == CloseOutState::Reopened).then(|| "巡查发现问题反弹。".to_owned())),
            reopened_at: Set((state == CloseOutState::Reopened).then(|| self.now - TimeDelta::days(3))),
            ..Default::default()
        })
    }

    /// Returns a deadline, cycling through all printed forms. Dates lie around the day of the run, so that every
    /// reminder has something due.
    fn deadline(&mut self, key: usize, feedback_on: NaiveDate) -> Deadline {
        const AROUND: &[i64] = &[-3, 30, -40, 7, 90, 1, 200, -12, 20, 400];
        let day = plus_days(self.today, AROUND[key % AROUND.len()] + if key > 200 { self.rng.i64(0..60) } else { 0 });
        let day = day.max(plus_days(feedback_on, 30)).format("%Y年%-m月%-d日");
        let printed = match key % 7 {
            0 | 1 | 4 => day.to_string(),
            2 => format!("{day}前完成，长期坚持"),
            3 => "长期坚持".to_owned(),
            5 => format!("立行立改，{day}"),
            _ if key.is_multiple_of(2) => "立行立改".to_owned(),
            _ => format!("{day}前完成"),
        };
        match Deadline::parse(&printed, &Context::new(self.today)) {
            Ok(deadline::Answer::Read(reading)) => reading.deadline,
            _ => Deadline { raw: printed, ongoing: true, ..Deadline::default() },
        }
    }
}

/// The roll-up of a measure's assignments.
struct Answered {
    status: Status,
    completed_on: Option<NaiveDate>,
    lineage: Vec<i64>,
}

#[derive(Default)]
struct Batch {
    problems: Vec<problem::ActiveModel>,
    domains: Vec<problem_domain::ActiveModel>,
    measures: Vec<measure::ActiveModel>,
    parties: Vec<responsible_party::ActiveModel>,
    assignments: Vec<assignment::ActiveModel>,
    reports: Vec<progress_report::ActiveModel>,
    checks: Vec<check::ActiveModel>,
    close_outs: Vec<close_out::ActiveModel>,
    problem_concerns: Vec<Concern>,
    measure_concerns: Vec<Concern>,
}

/// Sets PostgreSQL's sequences to continue after the explicitly assigned keys.
async fn after_explicit_keys(db: &Transaction) -> Result<()> {
    if db.get_database_backend() == DbBackend::Postgres {
        for table in ["unit", "problem", "measure", "assignment", "inspection_case"] {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 1) FROM {table}))"
            );
            db.execute_unprepared(&sql).await?;
        }
    }
    Ok(())
}
