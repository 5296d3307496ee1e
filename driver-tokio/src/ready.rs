//! Which sources of input have something to say: each has a waker of its own, so that a wake-up costs the sources
//! that are ready and not all there are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use flockmq_core::{GroupId, LinkId, ListenerId};

/// Something the driver waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Group(GroupId),
    Link(LinkId),
    Listener(ListenerId),
    Timer,
}

/// The sources that were woken since the driver looked last.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sources: Vec<Source>,
    driver: Option<Waker>,
}

impl Ready {
    /// Whom to wake.
    pub(crate) fn attach(&self, driver: &Waker) {
        attach(&mut lock(&self.state).driver, driver);
    }

    /// Moves what is ready into `sources`, which is empty.
    pub(crate) fn take(&self, sources: &mut Vec<Source>) {
        std::mem::swap(&mut lock(&self.state).sources, sources);
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.state).sources.is_empty()
    }

    fn push(&self, source: Source) -> Option<Waker> {
        let mut state = lock(&self.state);
        state.sources.push(source);
        if state.sources.len() == 1 { state.driver.clone() } else { None }
    }
}

/// One source's own bell.
#[derive(Debug)]
pub(crate) struct Signal {
    source: Source,
    ready: Arc<Ready>,
    is_raised: AtomicBool,
}

impl Signal {
    pub(crate) fn new(source: Source, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self { source, ready: Arc::clone(ready), is_raised: AtomicBool::new(false) })
    }

    /// Said by the driver when it is about to look at the source.
    pub(crate) fn lower(&self) {
        self.is_raised.store(false, Ordering::Release);
    }

    /// Puts the source on the list without waking the driver, which is the one who says it.
    pub(crate) fn raise(&self) {
        if !self.is_raised.swap(true, Ordering::AcqRel) {
            self.ready.push(self.source);
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_raised.swap(true, Ordering::AcqRel)
            && let Some(driver) = self.ready.push(self.source)
        {
            driver.wake();
        }
    }
}

/// Locks, whether or not somebody panicked while holding the lock: no lock of ours is held across what may panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers whom to wake.
pub(crate) fn attach(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(known) => known.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_is_woken_twice_is_listed_once_until_it_is_looked_at() {
        let ready = Arc::new(Ready::default());
        let signal = Signal::new(Source::Timer, &ready);
        let waker = Waker::from(Arc::clone(&signal));
        waker.wake_by_ref();
        waker.wake_by_ref();
        let mut sources = Vec::new();
        ready.take(&mut sources);
        assert_eq!(sources, [Source::Timer]);
        waker.wake_by_ref();
        sources.clear();
        ready.take(&mut sources);
        assert_eq!(sources, [], "still raised");
        signal.lower();
        waker.wake_by_ref();
        ready.take(&mut sources);
        assert_eq!(sources, [Source::Timer]);
    }
}
