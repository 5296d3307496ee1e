//! Messages on their way to targets: encoded once, kept until the last target has taken them.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::stream::{Entry, Route};
use crate::model::LinkId;
use crate::wire::SharedEncoder;

/// Encoded messages of one stream, with numbers that follow one another.
#[derive(Debug, PartialEq)]
pub(crate) struct Burst {
    pub(super) route: Arc<Route>,
    /// What goes out, as it is.
    pub(crate) pieces: Vec<Bytes>,
    pub(super) bytes: u64,
    /// The size of its largest message. A large one has a burst of its own.
    pub(super) largest: u64,
    pub(super) first: u64,
    pub(super) last: u64,
}

/// What targets take, each in its own time.
#[derive(Debug)]
pub(super) enum Item {
    /// Messages for one target, or for all if none is named.
    Burst { to: Option<LinkId>, burst: Arc<Burst> },
    /// A stream has ended.
    End(Arc<Route>),
}

/// All that some target has not taken yet, by its place since the beginning.
#[derive(Debug, Default)]
pub(super) struct Log {
    begin: u64,
    items: VecDeque<Item>,
    bytes: u64,
}

impl Log {
    pub(super) fn push(&mut self, item: Item) {
        self.bytes += item.bytes();
        self.items.push_back(item);
    }

    /// The place of what comes next.
    pub(super) fn end(&self) -> u64 {
        self.begin + self.items.len() as u64
    }

    pub(super) fn get(&self, place: u64) -> Option<&Item> {
        let index = place.checked_sub(self.begin).and_then(|index| usize::try_from(index).ok())?;
        self.items.get(index)
    }

    /// Forgets everything before `place`: every target has taken it.
    pub(super) fn trim(&mut self, place: u64) {
        while self.begin < place
            && let Some(item) = self.items.pop_front()
        {
            self.begin += 1;
            self.bytes -= item.bytes();
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True if some target has not taken all there is of a stream.
    pub(super) fn mentions(&self, route: &Arc<Route>) -> bool {
        let mentions = |item: &Item| matches!(item, Item::Burst { burst, .. } if Arc::ptr_eq(&burst.route, route));
        self.items.iter().any(mentions)
    }
}

impl Item {
    fn bytes(&self) -> u64 {
        match self {
            Self::Burst { burst, .. } => burst.bytes,
            Self::End(_) => 0,
        }
    }
}

/// Encodes entries of a stream, in bursts of bounded size whose numbers follow one another.
pub(super) fn encode<'a>(
    route: &'a Arc<Route>,
    entries: impl Iterator<Item = &'a Entry> + 'a,
    encoder: &'a mut SharedEncoder,
) -> impl Iterator<Item = Burst> + 'a {
    let mut entries = entries.peekable();
    core::iter::from_fn(move || {
        let first = entries.peek()?.sequence;
        let (mut last, mut largest) = (first, 0);
        let belongs =
            |entry: &Entry, last: u64| entry.sequence == first || (entry.sequence == last + 1 && entry.size() < LARGE);
        while largest < LARGE
            && encoder.len() < BURST_MIN
            && let Some(entry) = entries.next_if(|entry| belongs(entry, last))
        {
            last = entry.sequence;
            largest = largest.max(entry.size());
            encoder.push(route.slot, route.stream, entry.redeliveries(), &entry.message);
        }
        let bytes = encoder.len();
        Some(Burst { route: Arc::clone(route), pieces: encoder.finish(), bytes, largest, first, last })
    })
}

/// A message of this many bytes travels alone, since some target may not take it.
const LARGE: u64 = 32 * 1024;
/// A burst of this many bytes is not added to.
const BURST_MIN: u64 = 64 * 1024;
