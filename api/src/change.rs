//! What changes in the ledger, live: one reader of the feed for each process, while anybody watches.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Enum, Error, ID, Subscription};
use futures_util::stream::{self, Stream, StreamExt};
use ledger::change::Place;
use ledger::policy::Principal;
use ledger::region::lineage;
use planner::{Bilingual, Condition, Kind, Noun, Planned, Root, Selection, SortKey, SortType, Sql, noun};
use sea_orm::DatabaseConnection;
use serde_json::value::RawValue;
use tokio::sync::{Mutex, Notify, broadcast};

use crate::assignment::Assignment;
use crate::case::{self, InspectionCase};
use crate::context::Request;
use crate::error::{Code, coded};
use crate::filter::RegionFilter;
use crate::measure::{self, Measure};
use crate::payload::key_of;
use crate::problem::{self, Problem};
use crate::query;
use crate::region::Region;
use crate::scalar::Moment;

/// How often the feed is read while somebody watches.
const PULSE: Duration = Duration::from_millis(250);
/// How often a watcher to whom nothing is told is asked for his session again.
const ASKED_AGAIN: Duration = Duration::from_secs(5);
/// How many batches a watcher may fall behind before it is told to load anew.
const BACKLOG: usize = 256;

/// What happened to a problem, a measure, an assignment or a case.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::change::ChangeKind")]
pub(crate) enum ChangeKind {
    /// An imported ledger wrote the problem, or something below it.
    Imported,
    /// Progress was reported on the assignment.
    ProgressReported,
    /// 责任分解: it was assigned.
    Assigned,
    /// 签收: the body took it on.
    Accepted,
    /// 退回: the body said that it is not the one to answer.
    Declined,
    /// 不涉及 was proposed.
    NotApplicableProposed,
    /// 不涉及 was confirmed.
    NotApplicableConfirmed,
    /// 不涉及 was not accepted.
    NotApplicableRejected,
    /// 提请销号.
    CloseOutApplied,
    /// 核查通过.
    Verified,
    /// 退回整改.
    Returned,
    /// 公示.
    Publicised,
    /// An objection was raised.
    Objected,
    /// An objection was decided.
    ObjectionDecided,
    /// 销号.
    Closed,
    /// 反弹.
    Reopened,
    /// 自查、核查、抽查.
    Checked,
    /// Evidence was uploaded.
    EvidenceAdded,
    /// An extension was asked for.
    ExtensionRequested,
    /// An extension was supported, approved or refused.
    ExtensionDecided,
    /// 催办、督办、挂牌、约谈.
    Supervised,
    /// Supervision was lifted.
    SupervisionLifted,
    /// 挂牌督办 was proposed by the system.
    SupervisionProposed,
    /// A proposal was not taken up.
    SupervisionDismissed,
    /// 批示、意见.
    Commented,
    /// A close-out notice was made public.
    Disclosed,
    /// The ledger itself was written or corrected.
    Edited,
    /// 交办: a case was handed over.
    HandedOver,
    /// 办结: a case was resolved, wholly or for the time being.
    Resolved,
    /// 责任追究 was recorded, corrected or withdrawn.
    HeldToAccount,
    /// A problem or a measure was deleted, or merged into another: `removedId` says which. Told to those who see by a region.
    Removed,
}

noun! {
    /// A change of the ledger.
    pub(crate) LedgerChange from "change" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None
    }
    /// What happened.
    kind: ChangeKind = Kind::Column("kind");
    /// When.
    at: Moment = Kind::Column("at");
    /// The problem that it happened to, or below which; null where it happened to a case, or the problem is no more.
    problem: Option<Problem> = Kind::One(<Problem as Noun>::table, "problem_id");
    /// The measure, where it happened to one.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// The assignment, where it happened to one.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
    /// The case, where it happened to one.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// The global id of what is no more, with everything below it.
    removedId: Option<ID> = Kind::Column("removed");
}

/// What is no more is noted for each region that could see it: that of the watched region is told, or of the watcher's own
/// below it; without either, that of the topmost.
fn removed(within: Option<i64>, principal: &Principal) -> Condition {
    const TOPMOST: &str = "EXISTS (SELECT 1 FROM region r WHERE r.id = {t}.region_id AND r.parent_id IS NULL)";
    let own = principal.region();
    let is_below = |region: &i64| own.is_some_and(|place| lineage(&place.path).contains(region));
    match within.filter(|region| !is_below(region)).or(own.map(|place| place.region)) {
        Some(region) => Condition::Compare("region_id", "=", region.into()),
        None => Condition::Null("region_id", false).and(Condition::Holds(|_, alias| Sql::on(TOPMOST, alias), true)),
    }
}

/// Everywhere that may be seen.
fn everywhere(principal: &Principal) -> Condition {
    Condition::Any(vec![Condition::Null("region_id", true), removed(None, principal)])
}

/// Inside a region: where a case is to be mended; where the assignment is answered; without one, where the measure, or the problem, concerns.
fn inside(region: ID, principal: &Principal) -> Condition {
    // An id of anything but a region concerns nothing.
    let Some(key) = key_of::<Region>(&region) else { return Condition::never() };
    let region = RegionFilter { within: Some(region) };
    let of =
        |table, key, condition: Condition| Condition::Exists { table, column: "id", key, condition: condition.into() };
    let without = |column| Condition::Null(column, true);
    Condition::Any(vec![
        of("assignment", "assignment_id", region.below()),
        without("assignment_id").and(of("measure", "measure_id", measure::concerning(&region))),
        without("assignment_id").and(without("measure_id")).and(of(
            "problem",
            "problem_id",
            problem::concerning(&region),
        )),
        of("inspection_case", "case_id", case::within(&region)),
        removed(Some(key), principal),
    ])
}

/// Numbers of changes, in their order.
type Batch = Arc<[i64]>;

/// The one reader of the feed, while anybody watches.
#[derive(Clone, Default)]
pub(crate) struct Feed(Arc<Mutex<Option<FeedReader>>>);

/// Hands what it finds to all who watch.
struct FeedReader {
    place: Place,
    sender: broadcast::Sender<Batch>,
}

impl FeedReader {
    /// Reads on, for those who watch already.
    async fn read_on(&mut self, db: &DatabaseConnection) -> ledger::Result<()> {
        let found = self.place.next(db).await?;
        if !found.is_empty() {
            // Nobody may be left to hear it.
            drop(self.sender.send(found.into()));
        }
        Ok(())
    }
}

impl Feed {
    /// Begins to watch: whatever becomes visible from now on is heard, and nothing that was visible before. The reader
    /// starts with the first watcher and ends after the last.
    async fn watch(&self, db: &DatabaseConnection) -> ledger::Result<broadcast::Receiver<Batch>> {
        let mut reader = self.0.lock().await;
        if let Some(reader) = reader.as_mut() {
            reader.read_on(db).await?;
            return Ok(reader.sender.subscribe());
        }
        let place = Place::end(db).await?;
        let (sender, receiver) = broadcast::channel(BACKLOG);
        *reader = Some(FeedReader { place, sender });
        tokio::spawn(read_on(self.clone(), db.clone()));
        Ok(receiver)
    }
}

async fn read_on(feed: Feed, db: DatabaseConnection) {
    loop {
        tokio::time::sleep(PULSE).await;
        let mut held = feed.0.lock().await;
        let Some(reader) = held.as_mut().filter(|reader| reader.sender.receiver_count() > 0) else {
            *held = None;
            return;
        };
        if let Err(error) = reader.read_on(&db).await {
            tracing::warn!(%error, "the feed of changes could not be read; trying again");
        }
    }
}

/// Says when a subscription has begun.
#[derive(Clone, Default)]
pub(crate) struct Begun(Arc<Notify>);

impl Begun {
    fn say(&self) {
        self.0.notify_one();
    }

    /// Waits for it.
    pub(crate) async fn heard(&self) {
        self.0.notified().await;
    }
}

/// Watching.
#[derive(Default)]
pub(crate) struct LedgerSubscription;

#[Subscription]
impl LedgerSubscription {
    /// Whatever changes in the ledger from now on, at most half a second later. A watcher that falls too far behind gets
    /// the error LAGGED and should load its screen anew and watch again.
    async fn ledger_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only what concerns this region or one below it; everything without.")] within: Option<ID>,
    ) -> Result<impl Stream<Item = Result<Planned<LedgerChange>, Error>> + use<>, Error> {
        let request = ctx.data::<Request>()?;
        let watch = Watch {
            selection: Selection::read(&ctx.item.node, &ctx.query_env.fragments),
            variables: ctx.query_env.variables.clone(),
            request: request.clone(),
            wanted: within
                .map_or_else(|| everywhere(request.principal()), |within| inside(within, request.principal())),
        };
        let feed = ctx.data::<Feed>()?;
        let receiver = feed.watch(&watch.request.db).await.map_err(|failure| crate::error::masked(&failure))?;
        ctx.data::<Begun>()?.say();
        let batches = stream::unfold(Some((watch, receiver)), async |state| {
            let (watch, mut receiver) = state?;
            let heard = loop {
                match tokio::time::timeout(ASKED_AGAIN, receiver.recv()).await {
                    Ok(heard) => break heard,
                    Err(_) => {
                        if let Err(end) = watch.admitted().await {
                            return Some((vec![Err(end)], None));
                        }
                    }
                }
            };
            match heard {
                Ok(batch) => Some(match watch.show(&batch).await {
                    Ok(changes) => (changes, Some((watch, receiver))),
                    Err(end) => (vec![Err(end)], None),
                }),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    let message =
                        Bilingual::new("推送积压过多，请重新载入后再订阅", "too far behind: load anew and watch again");
                    Some((vec![Err(coded(Code::Lagged, message))], None))
                }
                Err(broadcast::error::RecvError::Closed) => None,
            }
        });
        Ok(batches.map(stream::iter).flatten())
    }
}

fn over() -> Error {
    let message = Bilingual::new("登录已失效，请重新登录后再订阅", "the session is over: sign in and watch again");
    coded(Code::Unauthenticated, message)
}

/// What one watcher wants to see.
struct Watch {
    selection: Selection,
    variables: async_graphql::Variables,
    request: Request,
    wanted: Condition,
}

impl Watch {
    /// Whether the watcher may still watch at all; else the error that ends it.
    async fn admitted(&self) -> Result<(), Error> {
        match self.request.gate.still_admits(&self.request.admitted).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(over()),
            Err(refused) => Err(coded(refused.code, refused.message)),
        }
    }

    /// The changes of a batch that the watcher may and wants to see, by one statement; the error that ends it where its
    /// session is over.
    async fn show(&self, batch: &[i64]) -> Result<Vec<Result<Planned<LedgerChange>, Error>>, Error> {
        self.admitted().await?;
        Ok(match self.read(batch).await {
            Ok(changes) => changes.into_iter().map(|json| Ok(Planned::new(json))).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    async fn read(&self, batch: &[i64]) -> Result<Vec<String>, Error> {
        let new = Condition::In("id", batch.iter().map(|id| (*id).into()).collect());
        let request = self.request.renewed();
        let root = Root::Where(<LedgerChange as Noun>::table(), new.and(self.wanted.clone()));
        let json = query::read_root(root, &self.selection.with(&self.variables), &request).await?;
        let changes: Vec<Box<RawValue>> = serde_json::from_str(&json).map_err(|error| crate::error::masked(&error))?;
        Ok(changes.into_iter().map(|change| change.get().to_owned()).collect())
    }
}
