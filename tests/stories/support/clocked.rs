//! The API server within the test process, with a clock that the story controls.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer};
use api::{Limits, Load, Oidc, Options, Services, Streams};
use chrono::{DateTime, TimeDelta, Utc};
use entity::account::Role;

use super::{Server, World, block_on, free_port};

/// A clock that advances only when the story says so.
#[derive(Clone)]
pub(crate) struct StoryClock(Arc<AtomicI64>);

impl StoryClock {
    /// Creates a clock that shows the given moment.
    pub(crate) fn at(moment: DateTime<Utc>) -> Self {
        Self(Arc::new(AtomicI64::new(moment.timestamp_micros())))
    }

    /// Advances the clock.
    pub(crate) fn pass(&self, time: TimeDelta) {
        self.0.fetch_add(time.num_microseconds().unwrap(), Ordering::SeqCst);
    }

    /// Sets the clock to a local date and time in Asia/Shanghai, such as `2023-04-10T09:00`.
    pub(crate) fn set(&self, local: &str) {
        let moment: DateTime<chrono::FixedOffset> = format!("{local}:00+08:00").parse().unwrap();
        self.0.store(moment.timestamp_micros(), Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

impl World {
    /// Starts the API server with a clock set to a local date and time in Asia/Shanghai.
    pub(crate) fn serve_under_clock(&self, local: &str) -> (Server, StoryClock) {
        let clock = StoryClock::at(DateTime::UNIX_EPOCH);
        clock.set(local);
        (self.serve_by_clock(&clock, |_| None), clock)
    }

    /// Starts the API server with a clock of its own. The given roles must have a second factor, and a session ends
    /// after two hours without use.
    pub(crate) fn serve_under_clock_demanding(&self, local: &str, roles: &[Role]) -> (Server, StoryClock) {
        let clock = StoryClock::at(DateTime::UNIX_EPOCH);
        clock.set(local);
        let options = Options { second_factor_roles: roles.to_vec(), idle: Some(TimeDelta::hours(2)), ..options() };
        (self.serve_with_options(&clock, options, free_port()), clock)
    }

    /// Starts the API server with an existing clock. `oidc` receives the server's address and returns the settings of
    /// an identity provider, if any.
    pub(crate) fn serve_by_clock(&self, clock: &StoryClock, oidc: impl FnOnce(&str) -> Option<Oidc>) -> Server {
        let port = free_port();
        let options = Options { oidc: oidc(&format!("http://127.0.0.1:{port}")).map(Arc::new), ..options() };
        self.serve_with_options(clock, options, port)
    }

    fn serve_with_options(&self, clock: &StoryClock, options: Options, port: u16) -> Server {
        let (url, told, shown) = (self.url.clone(), clock.clone(), clock.clone());
        let folder = self.dir.path().join("evidence").to_string_lossy().into_owned();
        let (sender, receiver) = mpsc::channel::<ServerHandle>();
        std::thread::spawn(move || {
            block_on(async move {
                let local = tokio::task::LocalSet::new();
                local
                    .run_until(async move {
                        let db = sea_orm::Database::connect(&url).await.unwrap();
                        let now = told.clone();
                        let clock = Arc::new(move || now.now());
                        let services = Services {
                            imports: workbook::Imports::new(db.clone(), chrono_tz::Asia::Shanghai, 30, clock),
                            db,
                            readers: 2,
                            standbys: Vec::new(),
                            sent: |_, _| {},
                            storage: ledger::file::storage::Storage::open(&format!("file:{folder}")).unwrap(),
                            public_url: format!("http://127.0.0.1:{port}"),
                            zone: chrono_tz::Asia::Shanghai,
                            grace_days: 30,
                            timing: ledger::reminder::Timing::default(),
                            clock: Arc::new(move || told.now()),
                            occurrences: Arc::new(scheduler::occurrences),
                            run_job: Arc::new(|_, _, _| None),
                            reminding: api::Reminding {
                                simulate: Arc::new(|_, _, _| Box::pin(async { Ok(Vec::new()) })),
                                why_not: Arc::new(|_, _, _| Box::pin(async { Ok(Vec::new()) })),
                                preview: Arc::new(|_| Box::pin(async { Ok(None) })),
                            },
                            installation: api::Installation {
                                examine: Arc::new(|| {
                                    Box::pin(async { Err(ledger::Error::Unwritten("no health".to_owned())) })
                                }),
                                settings: Arc::new([]),
                                backup_days: 0,
                            },
                            link_key: ledger::record::link_key::LinkKey::new("story"),
                        };
                        let api = api::Api::new(services, options, Arc::new(|| Box::pin(async { Ok(Vec::new()) })));
                        let routes = api.routes();
                        let options = desk::Options {
                            public_url: format!("http://127.0.0.1:{port}"),
                            zone: chrono_tz::Asia::Shanghai,
                            clock: Arc::new(move || shown.now()),
                        };
                        let pages = desk::routes(api.client(), options).unwrap();
                        let app = move || {
                            App::new()
                                .wrap(from_fn(api::observe))
                                .wrap(api::headers(""))
                                .configure(pages.clone())
                                .configure(routes.clone())
                        };
                        let server =
                            HttpServer::new(app).workers(2).disable_signals().bind(("127.0.0.1", port)).unwrap().run();
                        sender.send(server.handle()).unwrap();
                        server.await.unwrap();
                    })
                    .await;
            });
        });
        let handle = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
        Server::within(format!("http://127.0.0.1:{port}"), handle)
    }
}

fn options() -> Options {
    Options {
        limits: Limits {
            body: 1 << 20,
            tokens: 10_000,
            fields: 2_000,
            roots: 50,
            depth: 20,
            aliases: 100,
            directives: 100,
            cost: 10_000_000,
            time: Duration::from_secs(30),
            load: Load { cheap: 2_000, running: 100, waiting: 100, dear_running: 1, dear_waiting: 100 },
            batch: 0,
            requests_per_minute: 0,
            sign_ins_per_minute: 0,
            subscriptions: 10,
            streams: Streams { all: 100, address: 100, account: 100 },
            introduction: Duration::from_secs(10),
            documents: 1 << 20,
            evidence: 1 << 20,
        },
        introspection: true,
        open: true,
        idle: None,
        second_factor_roles: Vec::new(),
        oidc: None,
        trusted_documents: None,
        hosts: Vec::new(),
        origins: Vec::new(),
        proxies: Vec::new(),
        proxy_header: "x-forwarded-for".to_owned(),
    }
}
