//! What changes in the ledger, live: one reader of the feed for each process, while anybody watches.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Error, ID, Subscription};
use futures_util::stream::{self, Stream, StreamExt};
use ledger::people::policy::Principal;
use ledger::record::change::Place;
use ledger::region::lineage;
use planner::{Bilingual, Condition, Noun, Planned, Root, Selection, Sql};
use sea_orm::DatabaseConnection;
use serde_json::value::RawValue;
use tokio::sync::{Mutex, Notify, broadcast};

use crate::context::Request;
use crate::error::{Code, coded, masked};
use crate::noun::change::LedgerChange;
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::{case, measure, problem};
use crate::part::payload::key_of;
use crate::part::read;

/// How often the feed is read while somebody watches.
const PULSE: Duration = Duration::from_millis(250);
/// How often a watcher to whom nothing is told is asked for his session again.
const ASKED_AGAIN: Duration = Duration::from_secs(5);
/// How many batches a watcher may fall behind before it is told to load anew.
const BACKLOG: usize = 256;

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
    let region = SubtreeFilter { within: Some(region) };
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
        let receiver = feed.watch(&watch.request.db).await.map_err(|failure| masked(&failure))?;
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
        let json = read::root(root, &self.selection.with(&self.variables), &request).await?;
        let changes: Vec<Box<RawValue>> = serde_json::from_str(&json).map_err(|error| masked(&error))?;
        Ok(changes.into_iter().map(|change| change.get().to_owned()).collect())
    }
}
