//! Lanes: how many operations run at once, and how many wait. Cheap and dear operations have a lane each, so that many
//! searches do not keep a page of a list waiting. An operation beyond the bounds of its lane is refused at once, which
//! costs little, so that a server that is asked too much still answers as much as it can.

use std::time::Duration;

use planner::{Lane, dear_places};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Code, Refused};
use crate::metrics::{self, Counted};

/// The seconds after which a refused caller may try again.
const SOON: u64 = 2;

/// How many operations run at once, and how many may wait for it. Cheap and dear ones are counted apart, so that many
/// dear ones do not keep the cheap ones waiting.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The highest load of a cheap operation: its cost, and a surcharge for each search, count and figure.
    pub cheap: u64,
    /// The most cheap operations that run at once.
    pub running: usize,
    /// The most cheap operations that wait.
    pub waiting: usize,
    /// The most dear operations that run at once; never as many as statements that read.
    pub dear_running: usize,
    /// The most dear operations that wait.
    pub dear_waiting: usize,
}

/// The two lanes.
pub(crate) struct Lanes {
    cheap: Places,
    dear: Places,
}

/// The places of a lane.
struct Places {
    running: Semaphore,
    waiting: Semaphore,
}

/// The permission to run an operation, until this is dropped.
pub(crate) struct Place<'a> {
    _place: SemaphorePermit<'a>,
    _counted: Counted,
}

impl Lanes {
    /// Makes the lanes for a database that runs `readers` statements that read at once.
    pub(crate) fn within(load: Load, readers: usize) -> Self {
        let places = |running, waiting| Places { running: Semaphore::new(running), waiting: Semaphore::new(waiting) };
        Self {
            cheap: places(load.running, load.waiting),
            dear: places(load.dear_running.min(dear_places(readers)), load.dear_waiting),
        }
    }

    /// Waits for a place, at most for `time`. Refuses the operation at once if too many others wait.
    pub(crate) async fn enter(&self, lane: Lane, time: Duration) -> Result<Place<'_>, Refused> {
        let places = self.places(lane);
        if let Ok(place) = places.running.try_acquire() {
            return Ok(Place { _place: place, _counted: metrics::running(lane) });
        }
        let _waiting = places.waiting.try_acquire().map_err(|_| full(lane))?;
        self.wait(lane, time).await
    }

    /// Waits for a place however many others wait, at most for `time`: for an operation that goes on with a file that
    /// is being sent.
    pub(crate) async fn wait(&self, lane: Lane, time: Duration) -> Result<Place<'_>, Refused> {
        let waiting = metrics::waiting(lane);
        let place = tokio::time::timeout(time, self.places(lane).running.acquire()).await;
        drop(waiting);
        match place {
            Ok(Ok(place)) => Ok(Place { _place: place, _counted: metrics::running(lane) }),
            _ => Err(full(lane)),
        }
    }

    fn places(&self, lane: Lane) -> &Places {
        match lane {
            Lane::Cheap => &self.cheap,
            Lane::Dear => &self.dear,
        }
    }
}

fn full(lane: Lane) -> Refused {
    metrics::shed(lane);
    Refused {
        retry_after: Some(SOON),
        ..Refused::new(
            Code::Unavailable,
            format!("服务繁忙，同时办理的查询过多，请 {SOON} 秒后再试"),
            format!("the service is busy with other operations: try again in {SOON} seconds"),
        )
    }
}
