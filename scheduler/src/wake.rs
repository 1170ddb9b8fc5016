//! Learns when something was queued, and delivers mail as soon as it is. PostgreSQL announces it to all processes; on
//! SQLite, where one process serves, it is announced within the process. Mail that is announced to nobody is found by
//! the ticks.

use std::sync::Arc;
use std::time::Duration;

use entity::schedule;
use ledger::record::outbox;
use ledger::record::queue::Queue;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sea_orm::{ColumnTrait, DatabaseConnection, DbBackend, EntityTrait, QueryFilter};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::delivery;
use crate::jobs::deliver_mail;
use crate::scheduler::Beside;

/// How long after a failure of the database delivery listens again.
const PAUSE: Duration = Duration::from_secs(5);
/// How long opening a connection that listens may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest time that delivery waits if nothing is announced. The ticks find what is due earlier.
const MAX_PAUSE: Duration = Duration::from_hours(1);

/// Delivers at once, and then whenever mail is queued, until it is told to stop. The job's lock of `beside` is held
/// during delivery: only one run at a time.
pub(crate) async fn deliver_when_queued(context: Arc<Context>, beside: Arc<Beside>, stop: CancellationToken) {
    let alone = beside.of(deliver_mail::NAME);
    let mut announced = Announced::of(&outbox::QUEUE, &context.db);
    loop {
        let pause = {
            let _guard = alone.lock().await;
            deliver(&context).await
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = announced.next() => {}
            () = tokio::time::sleep(pause.unwrap_or(MAX_PAUSE)) => {}
        }
    }
}

/// Delivers what is due, unless the schedule is disabled. Returns how long until the mail server is to be probed, if it
/// takes no mails.
async fn deliver(context: &Context) -> Option<Duration> {
    let done = async {
        let of_job = schedule::Column::Name.eq(deliver_mail::NAME);
        let row = context.answered(schedule::Entity::find().filter(of_job).one(&context.db)).await?;
        if row.is_some_and(|row| !row.enabled) {
            return Ok(delivery::Delivered::default());
        }
        delivery::deliver(context, None).await
    };
    match done.await {
        Ok(done) => {
            if !done.is_idle() {
                let (sent, cancelled, failed) = (done.sent, done.cancelled, done.failed);
                tracing::info!(sent, cancelled, failed, "mail was delivered");
            }
            // A moment later, so that the probe is due by the clock that is stored.
            done.outage.map(|(pause, _)| pause + Duration::from_millis(100))
        }
        Err(error) => {
            tracing::error!(%error, "delivery failed");
            Some(PAUSE)
        }
    }
}

/// The announcements of a queue.
pub(crate) struct Announced {
    queue: &'static Queue,
    db: DatabaseConnection,
    /// On PostgreSQL, a connection of its own that listens, and the server that it leads to; none until it is open.
    listener: Option<(PgListener, Arc<PgConnectOptions>)>,
}

impl Announced {
    pub(crate) fn of(queue: &'static Queue, db: &DatabaseConnection) -> Self {
        Self { queue, db: db.clone(), listener: None }
    }

    /// Waits for the next announcement. Returns also where some may have been missed.
    pub(crate) async fn next(&mut self) {
        if self.db.get_database_backend() != DbBackend::Postgres {
            return self.queue.queued.notified().await;
        }
        loop {
            let server = self.db.get_postgres_connection_pool().connect_options();
            let Some((listener, _)) = self.listener.as_mut().filter(|(_, of)| Arc::ptr_eq(of, &server)) else {
                match listen(&server, self.queue.channel).await {
                    Ok(listener) => self.listener = Some((listener, server)),
                    Err(error) => {
                        tracing::warn!(%error, "PostgreSQL cannot announce what is queued; the next attempt is soon");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                return;
            };
            // In place of a listener that lost its connection, a new one is opened.
            match tokio::time::timeout(PATIENCE, listener.try_recv()).await {
                // Another server may have taken over from one that does not answer.
                Err(_) => continue,
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => self.listener = None,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the connection on which PostgreSQL announces what is queued was lost");
                    self.listener = None;
                    tokio::time::sleep(PAUSE).await;
                }
            }
            return;
        }
    }
}

/// Opens a connection to a server that listens, beside those of the pool.
async fn listen(server: &PgConnectOptions, channel: &str) -> Result<PgListener, sea_orm::sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_lazy_with(server.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    Ok(listener)
}
