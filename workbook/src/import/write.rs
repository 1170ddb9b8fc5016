//! Compares the rows of a file with the database, and writes what is new.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use entity::assignment::{StatedPace, Status};
use entity::check::{CheckKind, CheckResult};
use entity::close_out::CloseOutState;
use entity::leader::Post;
use entity::{
    assignment, check, close_out, leader, measure, milestone, problem, problem_domain, progress_report, quantity,
    region, responsible_party, task, unit,
};
use planner::Bilingual;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveEnum, ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, DerivePartialModel, EntityTrait, FromQueryResult, IntoActiveModel, ModelTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde_json::json;

use super::{PartyRow, Resolved, Row, Writer};
use crate::field::Field;
use crate::layout::Layout;
use crate::plain::PLAIN;
use crate::reading::{ReadMeasure, fault};
use ledger::Result;
use ledger::record::audit::{self, Entry};
use ledger::record::change::{self, ChangeKind, Changed};
use ledger::record::concern::{self, Concern};
use ledger::record::database::{self, Transaction};
use ledger::rule::calendar;
use ledger::rule::deadline::{Columns, Deadline, Stated};
use ledger::rule::leader::is_masked;
use ledger::rule::roll_up;
use ledger::rule::sameness::normalised;
use ledger::rule::wording::shortened;
use ledger::rule::workflow::{self, Step, is_settled};
use ledger::statistics::kept;
use ledger::work::progress;

/// Number of rows per INSERT. With at most 40 columns each, this is within SQLite's limit of 32,766 variables.
const CHUNK: usize = 200;

impl Writer<'_> {
    /// Compares the rows with the database and writes what is new. Stops without writing the rest if it finds faults.
    pub(super) async fn write(&mut self, rows: Vec<Row<'_>>) -> Result<()> {
        let total: usize = rows.iter().map(|row| row.measures.len()).sum();
        self.summary.problems = rows.len();
        self.summary.measures = total;
        (self.import.progress)(0, total);
        let problems = self.problems(&rows).await?;
        let touched: Vec<i64> = problems.models().map(|problem| problem.id).collect();
        let tasks = self.tasks(&rows, &problems).await?;
        let measures = self.measures(&rows, &problems, &tasks).await?;
        if !self.faults.is_empty() {
            return Ok(());
        }
        kept::around(self.db, &touched, async {
            self.parties(&rows, &problems, &measures).await?;
            let answered = self.assignments(&rows, &problems, &measures).await?;
            self.reports(&rows, &problems, &measures, &answered).await?;
            self.close_outs(&rows, &problems, &measures, &answered).await?;
            self.state(&rows, &problems, &measures).await?;
            self.concerns(&problems, &measures, &answered).await?;
            // What follows reads the problems again, part by part.
            drop((measures, answered));
            roll_up::problems(self.db, &touched, self.import.now).await?;
            Ok(())
        })
        .await?;
        let read = rows.iter().filter_map(|row| Some((problems.get(&row.problem.identity())?.id, row.as_of))).collect();
        self.note(&read).await?;
        (self.import.progress)(total, total);
        Ok(())
    }

    /// Records the file's problems in the change feed and the audit, unless the import changed nothing.
    async fn note(&self, problems: &BTreeMap<i64, NaiveDate>) -> Result<()> {
        if self.summary.changes_nothing() {
            return Ok(());
        }
        let whole = |problem: &i64| Changed { problem: *problem, measure: None, assignment: None };
        let changed: Vec<Changed> = problems.keys().map(whole).collect();
        change::note(self.db, ChangeKind::Imported, &changed, self.import.now).await?;
        let round = self.round.id;
        let noted = problems.iter().map(|(problem, as_of)| {
            Entry::of(ChangeKind::Imported.to_value(), format!("problem_{problem}"))
                .in_problem(*problem)
                .changed(json!({}), json!({ "round": round, "region": self.region.id, "asOf": as_of }))
        });
        audit::note_all(self.db, self.import.by, noted.collect(), self.import.now).await
    }

    async fn problems(&mut self, rows: &[Row<'_>]) -> Result<Problems> {
        let known = problem::Entity::find()
            .filter(problem::Column::RoundId.eq(self.round.id))
            .filter(problem::Column::RegionId.eq(self.issuer.id))
            // Every change of an assignment locks its problem first, so that concurrent roll-ups see each other's
            // result.
            .order_by_asc(problem::Column::Id)
            .lock_exclusive()
            .all(self.db)
            .await?;
        let mut position = known.iter().map(|problem| problem.position).max().unwrap_or_default();
        let mut known = Known::of(known, |problem| problem.identity.clone());
        let mut new = Vec::new();
        let mut domains = Vec::new();
        let mut seen = HashSet::new();
        for Row { problem: read, as_of, .. } in rows {
            let identity = read.identity();
            if let Some(there) = known.get(&identity) {
                if normalised(&there.title) != normalised(&read.title) {
                    let (row, title) = (read.row + 1, shortened(&read.title, 20));
                    let known = shortened(&there.title, 20);
                    self.summary.remarks.push(Bilingual::new(
                        format!("第 {row} 行的问题与台账中编号相同，标题不同：“{title}”/“{known}”"),
                        format!(
                            "row {row}: the ledger's problem of this number has another title: “{title}”/“{known}”"
                        ),
                    ));
                }
                continue;
            }
            if !seen.insert(identity.clone()) {
                continue;
            }
            position += 1;
            domains.extend(read.domains.iter().map(|domain| (identity.clone(), domain.clone())));
            let stated = read.rating.as_ref().map(|(_, stated)| *stated);
            let from = self.grace_from(*as_of);
            let deadline = Columns::of(read.deadline.as_ref(), from, self.import.options.grace_days);
            new.push(problem::ActiveModel {
                round_id: Set(self.round.id),
                region_id: Set(self.issuer.id),
                identity: Set(identity),
                number: Set(read.number.clone()),
                position: Set(position),
                title: Set(read.title.clone()),
                description: Set(read.description.clone()),
                goal: Set(read.goal.clone()),
                category: Set(read.category.clone()),
                source: Set(read.source.clone()),
                due_raw: Set(deadline.raw),
                due_immediate: Set(deadline.immediate),
                due_on: Set(deadline.on),
                due_ongoing: Set(deadline.ongoing),
                due_by: Set(deadline.by),
                rated_progress: Set(read.rating.as_ref().map(|(printed, _)| printed.clone())),
                status: Set(stated.map_or(Status::Assigned, |stated| stated.status)),
                status_stated_on: Set(Some(*as_of)),
                completed_on: Set(stated.filter(|stated| stated.completed).map(|_| *as_of)),
                is_completed_by: Set(stated.is_some_and(|stated| stated.completed)),
                stated_pace: Set(stated.and_then(pace_of)),
                stated_pace_on: Set(stated.and_then(pace_of).map(|_| *as_of)),
                issued_on: Set(from),
                version: Set(1),
                created_at: Set(self.import.now),
                updated_at: Set(self.import.now),
                ..Default::default()
            });
        }
        self.summary.new_problems = new.len();
        for chunk in new.chunks(CHUNK) {
            let written = problem::Entity::insert_many(chunk.to_vec()).exec_with_returning(self.db).await?;
            known.extend(written);
        }
        let domains: Vec<problem_domain::ActiveModel> = domains
            .into_iter()
            .filter_map(|(identity, domain)| {
                let problem_id = Set(known.get(&identity)?.id);
                Some(problem_domain::ActiveModel { problem_id, domain: Set(domain) })
            })
            .collect();
        for chunk in domains.chunks(CHUNK) {
            problem_domain::Entity::insert_many(chunk.to_vec())
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .exec_without_returning(self.db)
                .await?;
        }
        let fresh: HashSet<&str> = new.iter().filter_map(|row| row.identity.try_as_ref().map(String::as_str)).collect();
        let steps = rows
            .iter()
            .filter(|row| fresh.contains(row.problem.identity().as_str()))
            .filter_map(|row| Some((row.problem.deadline.as_ref()?, known.get(&row.problem.identity())?.id)))
            .flat_map(|(deadline, id)| deadline.steps(Some(id), None))
            .collect();
        self.milestones(steps).await?;
        Ok(known)
    }

    /// Creates the missing tasks. Returns the key of each task by its problem and identity.
    async fn tasks(&self, rows: &[Row<'_>], problems: &Problems) -> Result<Tasks> {
        let mut wanted = Vec::new();
        for row in rows {
            let Some(problem) = problems.get(&row.problem.identity()) else { continue };
            wanted.extend(row.measures.iter().filter_map(|(read, _)| Some((problem.id, read.task.as_ref()?))));
        }
        let mut known = Tasks::new();
        if wanted.is_empty() {
            return Ok(known);
        }
        let of: Vec<i64> = wanted.iter().map(|(problem, _)| *problem).collect::<BTreeSet<i64>>().into_iter().collect();
        let mut last: HashMap<i64, i32> = HashMap::new();
        for chunk in of.chunks(CHUNK) {
            let there = task::Entity::find().filter(task::Column::ProblemId.is_in(chunk.iter().copied()));
            for there in there.all(self.db).await? {
                let position = last.entry(there.problem_id).or_default();
                *position = there.position.max(*position);
                known.insert((there.problem_id, there.identity), there.id);
            }
        }
        let mut seen = HashSet::new();
        let mut new = Vec::new();
        for (problem_id, read) in wanted {
            let identity = read.identity();
            let key = (problem_id, identity.clone());
            if known.contains_key(&key) || !seen.insert(key) {
                continue;
            }
            let position = last.entry(problem_id).or_default();
            *position += 1;
            new.push(task::ActiveModel {
                problem_id: Set(problem_id),
                identity: Set(identity),
                number: Set(read.number.clone()),
                position: Set(*position),
                content: Set(read.content.clone()),
                ..Default::default()
            });
        }
        while !new.is_empty() {
            let written = insert_first(self.db, &mut new).await?;
            known.extend(written.into_iter().map(|row| ((row.problem_id, row.identity), row.id)));
        }
        Ok(known)
    }

    async fn measures(&mut self, rows: &[Row<'_>], problems: &Problems, tasks: &Tasks) -> Result<Measures> {
        let known = measure::Entity::find()
            .filter(measure::Column::RoundId.eq(self.round.id))
            .filter(measure::Column::RegionId.eq(self.issuer.id))
            .into_partial_model::<KnownMeasure>()
            .all(self.db)
            .await?;
        let mut positions: HashMap<i64, i32> = HashMap::new();
        for there in &known {
            let position = positions.entry(there.problem_id).or_default();
            *position = there.position.max(*position);
        }
        let numbered: HashSet<(i64, String)> =
            known.iter().filter_map(|there| Some((there.problem_id, there.number.clone()?))).collect();
        let mut known = Known::of(known, |measure| (measure.problem_id, measure.identity.clone()));
        let mut new = Vec::new();
        let mut steps = Vec::new();
        let mut leaders = Vec::new();
        let mut masked = 0;
        for row in rows {
            let Some(problem) = problems.get(&row.problem.identity()) else { continue };
            for (read, resolved) in &row.measures {
                let identity = read.identity();
                if let Some(there) = known.get(&(problem.id, identity.clone())) {
                    let changed = changed_deadline(read, there);
                    if let Some(expected) = changed {
                        let problem = Bilingual::new("时限与台账不同", "the deadline differs from the ledger's");
                        self.faults.push(fault(
                            row.sheet,
                            &row.read.layout,
                            read.row,
                            Field::Deadline,
                            problem,
                            expected,
                        ));
                    }
                    continue;
                }
                let alike = read.number.clone().map(|number| (problem.id, number));
                if alike.is_some_and(|number| numbered.contains(&number)) {
                    self.summary.remarks.push(numbered_alike(read.row + 1, &shortened(&read.content, 20)));
                }
                let position = positions.entry(problem.id).or_default();
                *position += 1;
                let from = self.grace_from(row.as_of);
                let deadline = Columns::of(Some(&read.deadline), from, self.import.options.grace_days);
                let task = read.task.as_ref().and_then(|task| tasks.get(&(problem.id, task.identity())).copied());
                let (hidden, full): (Vec<_>, Vec<_>) = read.leaders.iter().partition(|(_, name)| is_masked(name));
                masked += hidden.len();
                leaders.extend(full.into_iter().map(|leader| (problem.id, identity.clone(), leader)));
                let Deadline { milestones, checks, change, .. } = &read.deadline;
                if !milestones.is_empty() || checks.is_some() || change.is_some() {
                    steps.push((problem.id, identity.clone(), &read.deadline));
                }
                self.summary.new_measures += 1;
                let is_stated = self.names_nobody(resolved);
                let state = Stating::of_new(row, read, is_stated);
                new.push(measure::ActiveModel {
                    problem_id: Set(problem.id),
                    round_id: Set(self.round.id),
                    region_id: Set(self.issuer.id),
                    identity: Set(identity),
                    number: Set(read.number.clone()),
                    position: Set(*position),
                    content: Set(read.content.clone()),
                    due_raw: Set(deadline.raw),
                    due_immediate: Set(deadline.immediate),
                    due_on: Set(deadline.on),
                    due_ongoing: Set(deadline.ongoing),
                    due_by: Set(deadline.by),
                    plan_due_on: Set(deadline.on),
                    plan_due_by: Set(deadline.by),
                    lead_unit_id: Set(resolved.lead),
                    supervising_unit_id: Set(resolved.supervising),
                    accepting_unit_id: Set(resolved.accepting),
                    task_id: Set(task),
                    status_stated_on: Set(is_stated.then_some(row.as_of)),
                    stated_progress: Set(read.progress.clone().filter(|_| is_stated)),
                    issued_on: Set(from),
                    version: Set(1),
                    created_at: Set(self.import.now),
                    updated_at: Set(self.import.now),
                    ..state.put_on(plain_fields(read, &row.read.layout), row.as_of)
                });
                if new.len() == CHUNK {
                    known.extend(insert_first(self.db, &mut new).await?.into_iter().map(KnownMeasure::from));
                    (self.import.progress)(self.summary.new_measures / 2, self.summary.measures);
                }
            }
        }
        known.extend(insert_first(self.db, &mut new).await?.into_iter().map(KnownMeasure::from));
        if masked > 0 {
            self.summary.remarks.push(names_left_out(masked));
        }
        self.details(&known, leaders, steps).await?;
        Ok(known)
    }

    /// Writes what new measures have in rows of their own: leaders, check plans, extensions and milestones.
    async fn details(
        &self,
        known: &Measures,
        leaders: Vec<(i64, String, &(Post, String))>,
        steps: Vec<(i64, String, &Deadline)>,
    ) -> Result<()> {
        let leaders = leaders.into_iter().filter_map(|(problem, identity, (post, name))| {
            let measure_id = Set(known.get(&(problem, identity))?.id);
            Some(leader::ActiveModel { measure_id, post: Set(*post), name: Set(name.clone()), ..Default::default() })
        });
        database::insert_all(self.db, leaders.collect::<Vec<_>>()).await?;
        let printed: Vec<(i64, &Deadline)> = steps
            .into_iter()
            .filter_map(|(problem, identity, deadline)| Some((known.get(&(problem, identity))?.id, deadline)))
            .collect();
        let plans = printed.iter().filter_map(|(id, deadline)| deadline.plan(*id));
        database::insert_all(self.db, plans).await?;
        let extensions = printed.iter().filter_map(|(id, deadline)| deadline.extension(*id, self.import.now));
        database::insert_all(self.db, extensions).await?;
        let steps = printed.iter().flat_map(|(id, deadline)| deadline.steps(None, Some(*id))).collect();
        self.milestones(steps).await
    }

    async fn milestones(&self, rows: Vec<milestone::ActiveModel>) -> Result<()> {
        Ok(database::insert_all(self.db, rows).await?)
    }

    async fn parties(&mut self, rows: &[Row<'_>], problems: &Problems, measures: &Measures) -> Result<()> {
        let mut new = Vec::new();
        for Answered { measure, resolved, .. } in answered(rows, problems, measures) {
            for (index, (raw, party)) in resolved.parties.iter().enumerate() {
                let (unit_id, selector) = match party {
                    PartyRow::Unit(unit) => (Some(*unit), None),
                    PartyRow::Selector(selector) => (None, Some(*selector)),
                };
                new.push(responsible_party::ActiveModel {
                    measure_id: Set(measure.id),
                    position: Set(index as i32 + 1),
                    raw: Set(raw.clone()),
                    unit_id: Set(unit_id),
                    selector: Set(selector),
                    region_id: Set(selector.map(|_| self.issuer.id)),
                    ..Default::default()
                });
            }
            if new.len() >= CHUNK {
                self.add_parties(std::mem::take(&mut new)).await?;
            }
        }
        for chunk in new.chunks(CHUNK) {
            self.add_parties(chunk.to_vec()).await?;
        }
        Ok(())
    }

    async fn add_parties(&mut self, rows: Vec<responsible_party::ActiveModel>) -> Result<()> {
        let added = responsible_party::Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(self.db)
            .await?;
        self.summary.new_parties += usize::try_from(added).unwrap_or_default();
        Ok(())
    }

    /// Creates the missing assignments. The file of a county creates only that county's assignments, held by its
    /// government; a file of the issuing region itself creates assignments of the units it names.
    async fn assignments(&mut self, rows: &[Row<'_>], problems: &Problems, measures: &Measures) -> Result<Assignments> {
        let ids: Vec<i64> = measures.models().map(|measure| measure.id).collect();
        let mut known = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            let there = assignment::Entity::find()
                .filter(assignment::Column::MeasureId.is_in(chunk.iter().copied()))
                .all(self.db)
                .await?;
            known.extend(there.into_iter().map(|row| ((row.measure_id, row.unit_id), row)));
        }
        let own =
            if self.region.id == self.issuer.id { None } else { Some(self.government(&self.region.clone()).await?) };
        let homes: HashMap<i64, i64> = unit::Entity::find()
            .filter(unit::Column::Id.is_in(self.units.by_name.values().copied().collect::<BTreeSet<i64>>()))
            .all(self.db)
            .await?
            .into_iter()
            .map(|unit| (unit.id, unit.region_id))
            .collect();
        let mut new = Vec::new();
        let mut reporting = BTreeMap::new();
        for Answered { measure, read, resolved, as_of } in answered(rows, problems, measures) {
            let bodies: Vec<i64> = match own {
                Some(government) => vec![government],
                None => named_bodies(resolved),
            };
            if let Some(first) = bodies.first() {
                reporting.insert(measure.id, *first);
            }
            let state = Stating::of_answer(read, as_of);
            for unit in bodies {
                if known.contains_key(&(measure.id, unit)) {
                    continue;
                }
                self.summary.new_assignments += 1;
                new.push(assignment::ActiveModel {
                    measure_id: Set(measure.id),
                    unit_id: Set(unit),
                    region_id: Set(homes.get(&unit).copied().unwrap_or(self.region.id)),
                    due_on: Set(measure.plan_due_on),
                    due_by: Set(measure.plan_due_by),
                    status: Set(state.status),
                    completed_on: Set(state.completed_on),
                    is_completed_by: Set(state.is_completed_by),
                    stated_pace: Set(state.pace),
                    stated_pace_on: Set(state.pace.map(|_| as_of)),
                    reported_on: Set(state.reported_on),
                    version: Set(1),
                    created_at: Set(self.import.now),
                    updated_at: Set(self.import.now),
                    accepted_at: Set(None),
                    declined_at: Set(None),
                    decline_reason: Set(None),
                    ..Default::default()
                });
            }
            if new.len() >= CHUNK {
                let written = insert_first(self.db, &mut new).await?;
                known.extend(written.into_iter().map(|row| ((row.measure_id, row.unit_id), row)));
            }
        }
        while !new.is_empty() {
            let written = insert_first(self.db, &mut new).await?;
            known.extend(written.into_iter().map(|row| ((row.measure_id, row.unit_id), row)));
        }
        Ok(Assignments { known, reporting })
    }

    /// Appends the progress reports that are new. A text that repeats a report of the same month, or the last report of
    /// any month, is not new.
    async fn reports(
        &mut self,
        rows: &[Row<'_>],
        problems: &Problems,
        measures: &Measures,
        answered_by: &Assignments,
    ) -> Result<()> {
        let ids: Vec<i64> = answered_by.known.values().map(|assignment| assignment.id).collect();
        let mut there: HashSet<(i64, String, String)> = HashSet::new();
        let mut last: HashMap<i64, String> = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            let reports = progress_report::Entity::find()
                .filter(progress_report::Column::AssignmentId.is_in(chunk.iter().copied()))
                .order_by_asc(progress_report::Column::SubmittedAt)
                .order_by_asc(progress_report::Column::Id)
                .all(self.db)
                .await?;
            for report in reports {
                let text = normalised(&report.text);
                last.insert(report.assignment_id, text.clone());
                there.insert((report.assignment_id, report.period, text));
            }
        }
        let mut new = Vec::new();
        let mut shares = Vec::new();
        for Answered { measure, read, as_of, .. } in answered(rows, problems, measures) {
            let submitted_at = calendar::moment(as_of, NaiveTime::default(), self.import.zone);
            let period = as_of.format("%Y-%m").to_string();
            let unit = answered_by.reporting.get(&measure.id);
            let assignment = unit.and_then(|unit| answered_by.known.get(&(measure.id, *unit)));
            let share = read.month.share.map(|share| format!("{} {share}%", progress::SHARE));
            let (Some(assignment), Some(text)) = (assignment, read.progress.as_ref().or(share.as_ref())) else {
                continue;
            };
            let words = normalised(text);
            if last.get(&assignment.id) == Some(&words) || !there.insert((assignment.id, period.clone(), words)) {
                continue;
            }
            let word = read.status.as_ref().map(|(_, said)| *said).or_else(|| workflow::stated(text));
            let pace = read.month.pace.map(|pace| workflow::pace_name(pace).to_owned());
            let status = read.status.as_ref().map(|(printed, _)| shortened(printed, 20));
            let stated = pace.or(status).or_else(|| word.map(|_| shortened(text, 20)));
            new.push(progress_report::ActiveModel {
                assignment_id: Set(assignment.id),
                period: Set(period.clone()),
                text: Set(text.clone()),
                stated: Set(stated),
                difficulties: Set(read.month.difficulties.clone()),
                next_steps: Set(read.month.next_steps.clone()),
                submitted_at: Set(submitted_at),
                ..Default::default()
            });
            self.summary.new_reports += 1;
            shares.push(read.month.share);
            if new.len() == CHUNK {
                self.add_reports(&mut new, &mut shares).await?;
            }
            // An assignment from an earlier import advances by the same workflow as one that is reported on by hand. A
            // file older than the last report does not change its status.
            let earlier = assignment.reported_on.is_some_and(|day| day > as_of);
            if assignment.created_at < self.import.now && !earlier {
                let step = match word.map(|word| word.status) {
                    Some(Status::NotApplicableProposed) => Step::ProposeNotApplicable,
                    _ => Step::Report,
                };
                let status = match word.map(|word| word.status) {
                    Some(Status::Closed) => Status::Closed,
                    _ => workflow::next(assignment.status, step).unwrap_or(assignment.status),
                };
                let mut row: assignment::ActiveModel = assignment.clone().into();
                row.status = Set(status);
                // A status word says whether the assignment is completed; any other text leaves that unchanged.
                if let Some(word) = word {
                    let since = assignment.completed_on.unwrap_or(as_of);
                    row.completed_on = Set(word.completed.then_some(since));
                    row.is_completed_by =
                        Set(word.completed && (assignment.completed_on.is_none() || assignment.is_completed_by));
                }
                if let Some(pace) = stated_pace(read) {
                    row.stated_pace = Set(Some(pace));
                    row.stated_pace_on = Set(Some(as_of));
                }
                row.reported_on = Set(Some(as_of));
                row.version = Set(assignment.version + 1);
                row.updated_at = Set(self.import.now);
                row.update(self.db).await?;
            }
        }
        self.add_reports(&mut new, &mut shares).await
    }

    /// Inserts at most [`CHUNK`] reports, each with the share that it states. Leaves both lists empty.
    async fn add_reports(
        &self,
        new: &mut Vec<progress_report::ActiveModel>,
        shares: &mut Vec<Option<f64>>,
    ) -> Result<()> {
        let shares = std::mem::take(shares);
        if shares.iter().all(Option::is_none) {
            return Ok(database::insert_all(self.db, std::mem::take(new)).await?);
        }
        let written = insert_first(self.db, new).await?.into_iter().zip(shares);
        let quantities = written.filter_map(|(report, share)| {
            Some(quantity::ActiveModel {
                progress_report_id: Set(report.id),
                position: Set(1),
                label: Set(progress::SHARE.to_owned()),
                done: Set(Some(share?)),
                target: Set(Some(100.0)),
                unit: Set(Some("%".to_owned())),
                ..Default::default()
            })
        });
        Ok(database::insert_all(self.db, quantities.collect::<Vec<_>>()).await?)
    }

    /// Creates the close-outs whose dates the file has, each with the self-inspection before it. An answer that has a
    /// close-out keeps it.
    async fn close_outs(
        &self,
        rows: &[Row<'_>],
        problems: &Problems,
        measures: &Measures,
        answered_by: &Assignments,
    ) -> Result<()> {
        let mut wanted = Vec::new();
        for Answered { measure, read, .. } in answered(rows, problems, measures) {
            let unit = answered_by.reporting.get(&measure.id);
            let assignment = unit.and_then(|unit| answered_by.known.get(&(measure.id, *unit)));
            let status = read.close_out.status(read.deadline.ongoing);
            wanted.extend(assignment.zip(status).map(|(assignment, status)| (assignment, status, &read.close_out)));
        }
        let ids: Vec<i64> = wanted.iter().map(|(assignment, ..)| assignment.id).collect();
        let mut there = HashSet::new();
        for chunk in ids.chunks(CHUNK) {
            let known = close_out::Entity::find().filter(close_out::Column::AssignmentId.is_in(chunk.iter().copied()));
            there.extend(known.all(self.db).await?.into_iter().map(|row| row.assignment_id));
        }
        let (mut cycles, mut checks) = (Vec::new(), Vec::new());
        for (assignment, status, read) in wanted.into_iter().filter(|(one, ..)| !there.contains(&one.id)) {
            let moment = |day: NaiveDate| calendar::moment(day, NaiveTime::default(), self.import.zone);
            let first = read.first_day().unwrap_or_default();
            cycles.push(close_out::ActiveModel {
                assignment_id: Set(assignment.id),
                cycle: Set(1),
                state: Set(match status {
                    Status::Submitted => CloseOutState::Applied,
                    Status::Verified => CloseOutState::Verified,
                    Status::Publicised => CloseOutState::Publicised,
                    _ => CloseOutState::Closed,
                }),
                application: Set("由销号清单导入".to_owned()),
                applied_at: Set(moment(first)),
                verified_at: Set(read.verified_on.map(moment)),
                notice_from: Set(read.notice.map(|(from, _)| from)),
                notice_until: Set(read.notice.map(|(_, until)| until)),
                closed_on: Set(read.closed_on),
                document_number: Set(read.document_number.clone()),
                ..Default::default()
            });
            if let Some(day) = read.self_inspected_on {
                let quarter = calendar::Quarter::of(day);
                checks.push(check::ActiveModel {
                    assignment_id: Set(assignment.id),
                    kind: Set(CheckKind::SelfInspection),
                    period: Set(quarter.name()),
                    due_on: Set(quarter.last_day()),
                    result: Set(CheckResult::Passed),
                    checked_on: Set(day),
                    ..Default::default()
                });
            }
            if assignment.created_at < self.import.now && workflow::is_further(status, assignment.status) {
                let mut row: assignment::ActiveModel = assignment.clone().into();
                row.status = Set(status);
                let stated = read.completion().unwrap_or((first, true));
                let was = assignment.completed_on.filter(|_| !assignment.is_completed_by).map(|day| (day, false));
                let (completed_on, is_completed_by) = was.unwrap_or(stated);
                row.completed_on = Set(Some(completed_on));
                row.is_completed_by = Set(is_completed_by);
                row.version = Set(assignment.version + 1);
                row.updated_at = Set(self.import.now);
                row.update(self.db).await?;
            }
        }
        database::insert_all(self.db, cycles).await?;
        Ok(database::insert_all(self.db, checks).await?)
    }

    /// Whether the file names no unit for a measure, so that its progress is stored as stated by the ledger.
    fn names_nobody(&self, resolved: &Resolved) -> bool {
        self.region.id == self.issuer.id && named_bodies(resolved).is_empty()
    }

    /// Stores the status that the ledger states for measures and problems; it counts only while they have no
    /// assignments. A later ledger replaces an earlier one's.
    async fn state(&mut self, rows: &[Row<'_>], problems: &Problems, measures: &Measures) -> Result<()> {
        let mut stated: BTreeMap<String, (NaiveDate, Stating, Vec<i64>)> = BTreeMap::new();
        for row in rows {
            let as_of = row.as_of;
            let Some(problem) = problems.get(&row.problem.identity()) else { continue };
            let rating = row.problem.rating.as_ref().map(|(_, stated)| *stated);
            if let Some((printed, rating)) = &row.problem.rating
                && problem.status_stated_on.is_some_and(|day| day < as_of)
            {
                let mut there: problem::ActiveModel = problem.clone().into();
                there.rated_progress = Set(Some(printed.clone()));
                there.status = Set(rating.status);
                there.status_stated_on = Set(Some(as_of));
                there.completed_on = Set(rating.completed.then(|| problem.completed_on.unwrap_or(as_of)));
                there.is_completed_by =
                    Set(rating.completed && (problem.completed_on.is_none() || problem.is_completed_by));
                there.stated_pace = Set(pace_of(*rating));
                there.stated_pace_on = Set(pace_of(*rating).map(|_| as_of));
                there.version = Set(problem.version + 1);
                there.updated_at = Set(self.import.now);
                there.update(self.db).await?;
                self.summary.restated += 1;
            }
            for (read, resolved) in &row.measures {
                let Some(measure) = measures.get(&(problem.id, read.identity())) else { continue };
                // A new one has its state already.
                if measure.created_at == self.import.now || measure.status_stated_on.is_none_or(|day| day >= as_of) {
                    continue;
                }
                self.summary.restated += 1;
                if self.names_nobody(resolved) && measure.stated_progress != read.progress {
                    let changed = measure::ActiveModel {
                        id: Unchanged(measure.id),
                        stated_progress: Set(read.progress.clone()),
                        updated_at: Set(self.import.now),
                        ..Default::default()
                    };
                    changed.update(self.db).await?;
                }
                let mut stating = Stating::of_ledger(read, rating, as_of);
                // What was completed before stays completed on that day.
                if let (Some(_), Some(day)) = (stating.completed_on, measure.completed_on) {
                    stating.completed_on = Some(day);
                    stating.is_completed_by = measure.is_completed_by;
                }
                let key = format!("{as_of} {stating:?}");
                stated.entry(key).or_insert_with(|| (as_of, stating, Vec::new())).2.push(measure.id);
            }
        }
        for (as_of, stating, ids) in stated.into_values() {
            for chunk in ids.chunks(CHUNK) {
                measure::Entity::update_many()
                    .col_expr(measure::Column::Version, Expr::cust("version + 1"))
                    .set(measure::ActiveModel {
                        status_stated_on: Set(Some(as_of)),
                        updated_at: Set(self.import.now),
                        ..stating.put_on(<measure::ActiveModel as Default>::default(), as_of)
                    })
                    .filter(measure::Column::Id.is_in(chunk.iter().copied()))
                    .exec(self.db)
                    .await?;
            }
        }
        Ok(())
    }

    async fn concerns(&self, problems: &Problems, measures: &Measures, answered_by: &Assignments) -> Result<()> {
        let regions: BTreeSet<i64> =
            answered_by.known.values().map(|row| row.region_id).chain([self.issuer.id]).collect();
        let lineages: HashMap<i64, Vec<i64>> = region::Entity::find()
            .filter(region::Column::Id.is_in(regions))
            .all(self.db)
            .await?
            .into_iter()
            .map(|region| (region.id, ledger::region::lineage(&region.path)))
            .collect();
        let mut of_measure: HashMap<i64, Vec<i64>> = HashMap::new();
        for row in answered_by.known.values() {
            of_measure.entry(row.measure_id).or_default().push(row.region_id);
        }
        let own = [self.issuer.id];
        let line = |regions: &[i64]| -> Vec<i64> {
            regions.iter().chain(&own).filter_map(|region| lineages.get(region)).flatten().copied().collect()
        };
        let mut of_problem: HashMap<i64, Vec<i64>> = HashMap::new();
        let mut concerns = Vec::new();
        for measure in measures.models() {
            let lineage = line(of_measure.get(&measure.id).map_or(&[], Vec::as_slice));
            of_problem.entry(measure.problem_id).or_default().extend(&lineage);
            concerns.push(Concern { id: measure.id, due_order: concern::due_order(measure.due_on), lineage });
        }
        concern::measures(self.db, &concerns).await?;
        let concerns: Vec<Concern> = problems
            .models()
            .map(|problem| Concern {
                id: problem.id,
                due_order: concern::due_order(problem.due_on),
                lineage: of_problem.remove(&problem.id).unwrap_or_else(|| line(&[])),
            })
            .collect();
        concern::problems(self.db, &concerns).await
    }

    /// Returns the local date on which grace periods and allotted time begin: the round's feedback date, or the as-of
    /// date of the file if that is unknown.
    fn grace_from(&self, as_of: NaiveDate) -> NaiveDate {
        self.round.feedback_on.unwrap_or(as_of)
    }
}

/// What the ledger states about a measure or an assignment, on the as-of date of the file.
#[derive(Debug)]
struct Stating {
    status: Status,
    completed_on: Option<NaiveDate>,
    is_completed_by: bool,
    pace: Option<StatedPace>,
    reported_on: Option<NaiveDate>,
}

impl Stating {
    /// Returns the state of a measure that no one answers for. If its problem is rated as completed, so is the measure.
    fn of_ledger(read: &ReadMeasure, rating: Option<workflow::Stated>, as_of: NaiveDate) -> Self {
        let said = rating.or_else(|| read.status.as_ref().map(|(_, said)| *said));
        let otherwise = || if read.progress.is_some() { Status::InProgress } else { Status::Assigned };
        let completed = said.is_some_and(|said| said.completed);
        Self {
            status: said.map_or_else(otherwise, |said| said.status),
            completed_on: completed.then_some(as_of),
            is_completed_by: completed,
            pace: stated_pace(read).or_else(|| rating.and_then(pace_of)),
            reported_on: read.progress.as_ref().map(|_| as_of),
        }
    }

    /// Returns the state of a new measure: what the ledger states, or what the roll-up makes of the assignments that
    /// the file gives it, so that the roll-up need not write the measure once more.
    fn of_new(row: &Row<'_>, read: &ReadMeasure, is_stated: bool) -> Self {
        if is_stated {
            let rating = row.problem.rating.as_ref().map(|(_, stated)| *stated);
            return Self::of_ledger(read, rating, row.as_of);
        }
        let state = Self::of_answer(read, row.as_of);
        let progress_on = read.progress.as_ref().map(|_| row.as_of);
        Self { reported_on: if is_settled(state.status) { progress_on } else { state.reported_on }, ..state }
    }

    /// Returns the state of each new assignment of a measure.
    fn of_answer(read: &ReadMeasure, as_of: NaiveDate) -> Self {
        let stated = read.progress.as_deref().map(|text| {
            workflow::stated(text).map_or((Status::InProgress, false), |stated| (stated.status, stated.completed))
        });
        // A column for the status says more than the text of the progress.
        let stated = read.status.as_ref().map(|(_, said)| (said.status, said.completed)).or(stated);
        let stated = read.close_out.status(read.deadline.ongoing).map(|status| (status, true)).or(stated);
        // A deadline such as 立行立改（已完成） states a status, too.
        let stated = match read.deadline.stated {
            Some(Stated::Completed | Stated::Closed) if stated.is_none_or(|(_, completed)| !completed) => {
                workflow::stated("已完成").map(|stated| (stated.status, stated.completed))
            }
            _ => stated,
        };
        let (status, completed) = stated.unwrap_or((Status::Assigned, false));
        let (completed_on, is_completed_by) = read.close_out.completion().unwrap_or((as_of, true));
        Self {
            status,
            completed_on: completed.then_some(completed_on),
            is_completed_by: completed && is_completed_by,
            pace: stated_pace(read),
            reported_on: stated.map(|_| as_of),
        }
    }

    /// Returns the fields of a measure together with this state.
    fn put_on(&self, fields: measure::ActiveModel, as_of: NaiveDate) -> measure::ActiveModel {
        measure::ActiveModel {
            status: Set(self.status),
            completed_on: Set(self.completed_on),
            is_completed_by: Set(self.is_completed_by),
            stated_pace: Set(self.pace),
            stated_pace_on: Set(self.pace.map(|_| as_of)),
            reported_on: Set(self.reported_on),
            ..fields
        }
    }
}

/// Returns the pace that the ledger states of a measure: in the column for it, by its status, or in the words of its
/// progress.
fn stated_pace(read: &ReadMeasure) -> Option<StatedPace> {
    if read.month.pace.is_some() {
        return read.month.pace;
    }
    let status = read.status.as_ref().map(|(_, said)| *said);
    status.or_else(|| read.progress.as_deref().and_then(workflow::stated)).and_then(pace_of)
}

/// Returns the pace that the status words of a ledger state.
fn pace_of(said: workflow::Stated) -> Option<StatedPace> {
    if said.completed { Some(StatedPace::Done) } else { said.pace }
}

/// Returns the fields of a measure that plain columns have.
fn plain_fields(read: &ReadMeasure, layout: &Layout) -> measure::ActiveModel {
    let mut fields = <measure::ActiveModel as Default>::default();
    for (place, text) in &read.plain {
        // What is not understood was reported as a fault when the cell was read.
        let _ = (PLAIN[*place].read)(text, layout.heading(Field::Plain(*place)), &mut fields);
    }
    fields
}

/// Returns an explanation for the fault if the file gives a measure another deadline than the database. Only an
/// extension (延期) changes a deadline, never an import.
fn changed_deadline(read: &ReadMeasure, there: &KnownMeasure) -> Option<Bilingual> {
    let same = there.plan_due_on == read.deadline.due_on
        && there.due_ongoing == read.deadline.ongoing
        && there.due_immediate == read.deadline.immediate;
    let printed = &there.due_raw;
    (!same).then(|| {
        Bilingual::new(
            format!("台账中的“{printed}”；时限变更请走延期，不能通过导入修改"),
            format!("“{printed}”, as in the ledger; only an extension changes a deadline, never an import"),
        )
    })
}

/// Inserts the first [`CHUNK`] rows, and takes them from the list. Returns them as written; nothing for an empty list.
async fn insert_first<A, M>(db: &Transaction, rows: &mut Vec<A>) -> Result<Vec<M>>
where
    A: ActiveModelTrait + Send + 'static,
    A::Entity: EntityTrait<Model = M>,
    M: ModelTrait<Entity = A::Entity> + FromQueryResult + IntoActiveModel<A> + Send + Sync + 'static,
{
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let first: Vec<A> = rows.drain(..rows.len().min(CHUNK)).collect();
    Ok(<A::Entity as EntityTrait>::insert_many(first).exec_with_returning(db).await?)
}

/// The keys of tasks by problem and identity.
type Tasks = HashMap<(i64, String), i64>;
type Problems = Known<String, problem::Model>;
type Measures = Known<(i64, String), KnownMeasure>;

/// The assignments of the file's measures by measure and unit id, and the unit that reports on each measure.
struct Assignments {
    known: HashMap<(i64, i64), assignment::Model>,
    reporting: BTreeMap<i64, i64>,
}

/// What an import needs to know of a measure in the database. Whole rows of a large ledger would take too much memory.
#[derive(DerivePartialModel)]
#[sea_orm(entity = "measure::Entity")]
struct KnownMeasure {
    id: i64,
    problem_id: i64,
    identity: String,
    number: Option<String>,
    position: i32,
    due_raw: String,
    due_immediate: bool,
    due_on: Option<NaiveDate>,
    due_ongoing: bool,
    plan_due_on: Option<NaiveDate>,
    plan_due_by: Option<NaiveDate>,
    status_stated_on: Option<NaiveDate>,
    stated_progress: Option<String>,
    completed_on: Option<NaiveDate>,
    is_completed_by: bool,
    created_at: DateTime<Utc>,
}

impl From<measure::Model> for KnownMeasure {
    fn from(row: measure::Model) -> Self {
        let measure::Model { id, problem_id, identity, number, position, .. } = row;
        let measure::Model { due_raw, due_immediate, due_on, due_ongoing, plan_due_on, plan_due_by, .. } = row;
        let measure::Model { status_stated_on, stated_progress, completed_on, is_completed_by, created_at, .. } = row;
        Self {
            id,
            problem_id,
            identity,
            number,
            position,
            due_raw,
            due_immediate,
            due_on,
            due_ongoing,
            plan_due_on,
            plan_due_by,
            status_stated_on,
            stated_progress,
            completed_on,
            is_completed_by,
            created_at,
        }
    }
}

/// Rows by identity key.
struct Known<K, M> {
    rows: HashMap<K, M>,
    key: fn(&M) -> K,
}

impl<K: Eq + std::hash::Hash, M> Known<K, M> {
    fn of(rows: Vec<M>, key: fn(&M) -> K) -> Self {
        let mut known = Self { rows: HashMap::new(), key };
        known.extend(rows);
        known
    }

    fn extend(&mut self, rows: impl IntoIterator<Item = M>) {
        let key = self.key;
        self.rows.extend(rows.into_iter().map(|row| (key(&row), row)));
    }

    fn get(&self, key: &K) -> Option<&M> {
        self.rows.get(key)
    }

    fn models(&self) -> impl Iterator<Item = &M> {
        self.rows.values()
    }
}

/// A measure of the file that is in the database, with what the file says about it.
struct Answered<'m, 'r> {
    measure: &'m KnownMeasure,
    read: &'r ReadMeasure,
    resolved: &'r Resolved,
    as_of: NaiveDate,
}

/// Iterates over the file's measures that are in the database.
fn answered<'m, 'r>(
    rows: &'r [Row<'_>],
    problems: &'m Problems,
    measures: &'m Measures,
) -> impl Iterator<Item = Answered<'m, 'r>> {
    rows.iter().filter_map(|row| Some((row, problems.get(&row.problem.identity())?.id))).flat_map(
        move |(row, problem)| {
            row.measures.iter().filter_map(move |(read, resolved)| {
                let measure = measures.get(&(problem, read.identity()))?;
                Some(Answered { measure, read, resolved, as_of: row.as_of })
            })
        },
    )
}

/// Returns the units that a file of the issuing region assigns: those it names, or else the lead unit. The first one
/// reports; that is the lead unit if it is among them.
fn named_bodies(resolved: &Resolved) -> Vec<i64> {
    let mut bodies: Vec<i64> = resolved
        .parties
        .iter()
        .filter_map(|(_, party)| match party {
            PartyRow::Unit(unit) => Some(*unit),
            PartyRow::Selector(_) => None,
        })
        .collect();
    if let Some(lead) = resolved.lead {
        if bodies.is_empty() {
            bodies.push(lead);
        } else if let Some(place) = bodies.iter().position(|unit| *unit == lead) {
            bodies.swap(0, place);
        }
    }
    bodies
}

/// Remarks that a measure has the number of another one of the ledger.
fn numbered_alike(row: u32, content: &str) -> Bilingual {
    Bilingual::new(
        format!("第 {row} 行的措施与台账中编号相同，内容不同，作为新措施导入：“{content}”"),
        format!("row {row}: the ledger's measure of this number differs; imported as new: “{content}”"),
    )
}

/// Remarks that masked names of leaders are left out.
fn names_left_out(count: usize) -> Bilingual {
    Bilingual::new(
        format!("{count} 处领导姓名已隐去（含“**”），未导入"),
        format!("{count} names of leaders are masked (they have “**”); not imported"),
    )
}
