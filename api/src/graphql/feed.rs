//! The subscription `ledgerChanged`: pushes changes of the ledger as they are committed. While there are subscribers,
//! one task per process reads the feed of changes for all of them.

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
use crate::graphql::share::{Batch, Share, Shares};
use crate::metrics;
use crate::noun::change::LedgerChange;
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::{case, measure, problem};
use crate::part::payload::key_of;
use crate::part::read;

/// Interval at which the feed is read while there are subscribers.
const PULSE: Duration = Duration::from_millis(250);
/// Interval at which the session of a subscriber is checked again while no changes arrive.
const ASKED_AGAIN: Duration = Duration::from_secs(5);
/// Number of batches that a subscriber may fall behind before its subscription ends with `LAGGED`.
const BACKLOG: usize = 256;

/// Returns the condition that selects the removals to push. A removal is recorded once for each region that could see
/// the removed object, so exactly one region is selected: the watched region or, if it lies at or above the
/// subscriber's own, the subscriber's own; without either, the topmost region.
fn removed(within: Option<i64>, principal: &Principal) -> Condition {
    const TOPMOST: &str = "EXISTS (SELECT 1 FROM region r WHERE r.id = {t}.region_id AND r.parent_id IS NULL)";
    let own = principal.region();
    let is_below = |region: &i64| own.is_some_and(|place| lineage(&place.path).contains(region));
    match within.filter(|region| !is_below(region)).or(own.map(|place| place.region)) {
        Some(region) => Condition::Compare("region_id", "=", region.into()),
        None => Condition::Null("region_id", false).and(Condition::Holds(|_, alias| Sql::on(TOPMOST, alias), true)),
    }
}

/// Returns the condition for a subscription without a region: all changes that the subscriber may see.
fn everywhere(principal: &Principal) -> Condition {
    Condition::Any(vec![Condition::Null("region_id", true), removed(None, principal)])
}

/// Returns the condition for changes that concern a region or one below it. A change of an assignment concerns the
/// region that answers it; a change of a measure or a problem as a whole, the regions that the measure or the problem
/// concerns; a change of a complaint case, the region that has to resolve it.
fn inside(region: ID, principal: &Principal) -> Condition {
    // An id that is not a region's selects no changes.
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

/// The changes of a batch that a subscriber may see and has asked for, as one JSON text each.
type Changes = Result<Arc<[String]>, Error>;

/// The shared reader of the feed; present only while there are subscribers. With it, what they ask of the database.
#[derive(Clone, Default)]
pub(crate) struct Feed {
    reader: Arc<Mutex<Option<FeedReader>>>,
    /// Whether a session is still valid.
    admissions: Arc<Shares<Result<(), Error>>>,
    reads: Arc<Shares<Changes>>,
}

/// Reads the feed and broadcasts what it finds to all subscribers.
struct FeedReader {
    place: Place,
    sender: broadcast::Sender<Batch>,
}

impl FeedReader {
    /// Reads the changes that became visible since the last read and sends them to the current subscribers.
    async fn read_on(&mut self, db: &DatabaseConnection) -> ledger::Result<()> {
        let found = self.place.next(db).await?;
        if !found.is_empty() {
            // Sending fails only if the last subscriber has just left, which is no error.
            drop(self.sender.send(found.into()));
        }
        Ok(())
    }
}

impl Feed {
    /// Subscribes to the feed. The receiver gets all changes that become visible from now on, and none that were
    /// visible before. The reader task starts with the first subscriber and ends after the last one has left.
    async fn watch(&self, db: &DatabaseConnection) -> ledger::Result<broadcast::Receiver<Batch>> {
        let mut reader = self.reader.lock().await;
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

/// Reads the feed every `PULSE` until no subscriber is left.
async fn read_on(feed: Feed, db: DatabaseConnection) {
    loop {
        tokio::time::sleep(PULSE).await;
        let mut held = feed.reader.lock().await;
        let Some(reader) = held.as_mut().filter(|reader| reader.sender.receiver_count() > 0) else {
            *held = None;
            return;
        };
        if let Err(error) = reader.read_on(&db).await {
            tracing::warn!(%error, "failed to read the feed of changes; trying again");
        }
    }
}

/// Signals that a subscription has started to receive changes.
#[derive(Clone, Default)]
pub(crate) struct Begun(Arc<Notify>);

impl Begun {
    fn say(&self) {
        self.0.notify_one();
    }

    /// Waits until the subscription has started.
    pub(crate) async fn heard(&self) {
        self.0.notified().await;
    }
}

/// Subscriptions to changes of the ledger.
#[derive(Default)]
pub(crate) struct LedgerSubscription;

#[Subscription]
impl LedgerSubscription {
    /// Pushes every change of the ledger that the caller may see, at most half a second after it was made. Changes made
    /// before the subscription started are not pushed. A subscriber that falls too far behind gets the error `LAGGED`;
    /// it should reload its data and subscribe again.
    async fn ledger_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Pushes only changes that concern this region or one below it; all changes if omitted.")]
        within: Option<ID>,
    ) -> Result<impl Stream<Item = Result<Planned<LedgerChange>, Error>> + use<>, Error> {
        let request = ctx.data::<Request>()?;
        let feed = ctx.data::<Feed>()?;
        let selection = Selection::read(&ctx.item.node, &ctx.query_env.fragments);
        let variables = ctx.query_env.variables.clone();
        let watch = Watch {
            admission: feed.admissions.of(format!("{:?}", (&request.by.session, request.principal()))),
            // What the answer depends on: all that is selected, for whom, and the language of errors.
            read: feed.reads.of(format!("{:?}", (&selection, &variables, request.principal(), request.language))),
            selection,
            variables,
            request: request.clone(),
            wanted: within
                .map_or_else(|| everywhere(request.principal()), |within| inside(within, request.principal())),
        };
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
                        Bilingual::new("推送积压过多，请重新载入后再订阅", "too far behind: reload and resubscribe");
                    Some((vec![Err(coded(Code::Lagged, message))], None))
                }
                Err(broadcast::error::RecvError::Closed) => None,
            }
        });
        Ok(batches.map(stream::iter).flatten())
    }
}

/// Returns the error that ends a subscription whose session has ended.
fn over() -> Error {
    let message =
        Bilingual::new("登录已失效，请重新登录后再订阅", "the session has ended: sign in and subscribe again");
    coded(Code::Unauthenticated, message)
}

/// One subscriber: what it selects, and with whose rights.
struct Watch {
    selection: Selection,
    variables: async_graphql::Variables,
    request: Request,
    wanted: Condition,
    /// The check of the session, shared by its subscriptions.
    admission: Arc<Share<Result<(), Error>>>,
    /// The read of changes, shared by the subscriptions with the same selection, variables and rights.
    read: Arc<Share<Changes>>,
}

impl Watch {
    /// Checks that the session of the subscriber is still valid; fails with the error that ends the subscription. Waits
    /// for a database that is away: nothing is pushed to a session that could not be checked.
    async fn admitted(&self) -> Result<(), Error> {
        loop {
            match self.request.gate.still_admits(&self.request.admitted).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(over()),
                Err(refused) if refused.code == Code::Unavailable => tokio::time::sleep(ASKED_AGAIN).await,
                Err(refused) => return Err(coded(refused.code, refused.message)),
            }
        }
    }

    /// Returns the changes of a batch that the subscriber may see and has asked for, read by one statement. Fails with
    /// the error that ends the subscription if its session has ended; an error of the statement is pushed and does not
    /// end it.
    async fn show(&self, batch: &Batch) -> Result<Vec<Result<Planned<LedgerChange>, Error>>, Error> {
        self.admission.about(batch, self.admitted()).await?;
        Ok(match self.read.about(batch, self.read(batch)).await {
            Ok(changes) => changes.iter().map(|json| Ok(Planned::new(json.clone()))).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// Reads the selected changes of a batch.
    async fn read(&self, batch: &[i64]) -> Changes {
        metrics::feed_read();
        let new = Condition::In("id", batch.iter().map(|id| (*id).into()).collect());
        let request = self.request.renewed();
        let root = Root::Where(<LedgerChange as Noun>::table(), new.and(self.wanted.clone()));
        let json = read::root(root, &self.selection.with(&self.variables), &request).await?;
        let changes: Vec<Box<RawValue>> = serde_json::from_str(&json).map_err(|error| masked(&error))?;
        Ok(changes.into_iter().map(|change| change.get().to_owned()).collect())
    }
}
