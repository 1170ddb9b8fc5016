//! Lanes: how many operations run at once, and how many wait. Cheap and dear operations have a lane each, so that many
//! searches do not keep a page of a list waiting. An operation beyond the bounds of its lane is refused at once, which
//! costs little, so that a server that is asked too much still answers as much as it can.

use std::time::Duration;

use planner::{Lane, dear_places};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::context::Load;
use crate::error::{Code, Refused};

/// The seconds after which a refused caller may try again.
const SOON: u64 = 2;

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
pub(crate) struct Place<'a>(#[expect(dead_code, reason = "held until the operation ends")] SemaphorePermit<'a>);

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
            return Ok(Place(place));
        }
        let _waiting = places.waiting.try_acquire().map_err(|_| full())?;
        self.wait(lane, time).await
    }

    /// Waits for a place however many others wait, at most for `time`: for an operation that goes on with a file that
    /// is being sent.
    pub(crate) async fn wait(&self, lane: Lane, time: Duration) -> Result<Place<'_>, Refused> {
        match tokio::time::timeout(time, self.places(lane).running.acquire()).await {
            Ok(Ok(place)) => Ok(Place(place)),
            _ => Err(full()),
        }
    }

    fn places(&self, lane: Lane) -> &Places {
        match lane {
            Lane::Cheap => &self.cheap,
            Lane::Dear => &self.dear,
        }
    }
}

fn full() -> Refused {
    Refused {
        retry_after: Some(SOON),
        ..Refused::new(
            Code::Unavailable,
            format!("服务繁忙，同时办理的查询过多，请 {SOON} 秒后再试"),
            format!("the service is busy with other operations: try again in {SOON} seconds"),
        )
    }
}
