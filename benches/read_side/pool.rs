//! The frame of the benchmark's own servers: workers, each with connections of its own to the database.

use std::cell::RefCell;
use std::net::SocketAddr;

use actix_web::error::ErrorInternalServerError;
use actix_web::middleware::{Compress, Condition};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tokio_postgres::{Client, Config, Error, NoTls};

use crate::Outcome;
use crate::load::CONNECTIONS;

/// A connection with the statements that a server has prepared on it.
pub(crate) trait Connect: Sized + 'static {
    /// Connects to the database and prepares the statements.
    async fn open(database: &str) -> Result<Self, Error>;
}

/// Connects to the database.
pub(crate) async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, connection) = config.connect(NoTls).await?;
    actix_web::rt::spawn(connection);
    Ok(client)
}

/// Runs a server until the process is killed. It may compress answers for clients that accept it.
pub(crate) fn serve<C: Connect>(
    address: SocketAddr,
    database: &str,
    compresses: bool,
    routes: fn(&mut ServiceConfig),
) -> Outcome<()> {
    let database = database.to_owned();
    let cores = std::thread::available_parallelism()?.get();
    // Each worker has its own connections, so that an answer never crosses threads; in total as many as there are
    // callers.
    let share = CONNECTIONS.div_ceil(cores);
    let server = HttpServer::new(move || {
        let worker = Worker::<C> { database: database.clone(), share, pool: OnceCell::new() };
        App::new()
            .app_data(web::Data::new(worker))
            .wrap(Condition::new(compresses, Compress::default()))
            .configure(routes)
    });
    Ok(actix_web::rt::System::new().block_on(server.bind(address)?.run())?)
}

/// The state of a worker thread.
pub(crate) struct Worker<C> {
    database: String,
    share: usize,
    pool: OnceCell<Pool<C>>,
}

impl<C: Connect> Worker<C> {
    /// Takes a connection from the pool until the guard is dropped.
    pub(crate) async fn connection(&self) -> actix_web::Result<Held<'_, C>> {
        let pool = self.pool.get_or_try_init(|| Pool::open(&self.database, self.share)).await;
        let pool = pool.map_err(ErrorInternalServerError)?;
        let permit = pool.permits.acquire().await.map_err(ErrorInternalServerError)?;
        let connection = pool.free.borrow_mut().pop();
        let connection = connection.ok_or_else(|| ErrorInternalServerError("no connection is free"))?;
        Ok(Held { connection: Some(connection), pool, _permit: permit })
    }
}

struct Pool<C> {
    free: RefCell<Vec<C>>,
    permits: Semaphore,
}

impl<C: Connect> Pool<C> {
    async fn open(database: &str, size: usize) -> Result<Self, Error> {
        let mut free = Vec::new();
        for _ in 0..size {
            free.push(C::open(database).await?);
        }
        Ok(Self { free: RefCell::new(free), permits: Semaphore::new(size) })
    }
}

/// A guard that returns its connection to the pool.
pub(crate) struct Held<'p, C> {
    connection: Option<C>,
    pool: &'p Pool<C>,
    _permit: SemaphorePermit<'p>,
}

impl<C> Held<'_, C> {
    pub(crate) fn get(&self) -> actix_web::Result<&C> {
        self.connection.as_ref().ok_or_else(|| ErrorInternalServerError("no connection is held"))
    }
}

impl<C> Drop for Held<'_, C> {
    fn drop(&mut self) {
        self.pool.free.borrow_mut().extend(self.connection.take());
    }
}
