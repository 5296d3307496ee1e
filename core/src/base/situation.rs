//! Named situations, so that whoever runs many simulated worlds can tell which of them were met. Without the feature
//! `sim` they cost nothing. With it they are the one thing in the core that is global: it remembers, and decides nothing.

#[cfg(feature = "sim")]
use core::sync::atomic::{AtomicBool, Ordering};

macro_rules! situations {
    ($(#[doc = $what:literal] $name:ident,)*) => {
        /// Something rare enough that a test could miss it without being missed, and that nodes come to which keep to the
        /// protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Situation {
            $(#[doc = $what] $name,)*
        }

        impl Situation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it is, in words.
            pub fn describe(self) -> &'static str {
                match self {
                    $(Self::$name => $what.trim_ascii(),)*
                }
            }
        }
    };
}

situations! {
    // Discovery.
    /// A newcomer whose turn it would be to dial is dialled, since it knows nothing of us yet.
    NewcomerDialled,
    /// An advert too many from one address is not listened to.
    AdvertOverRate,
    /// An advert of one service too many is not listened to.
    AdvertOverCount,
    /// A service has said that it leaves.
    ServiceLeft,
    /// A service has been silent for too long.
    ServiceSilent,

    // Dialling.
    /// An attempt has failed and another follows.
    DialFailed,
    /// As many attempts have failed as may.
    DialGivenUp,
    /// An attempt is made while there are too many links.
    DialPostponed,
    /// A connect takes too long.
    DialTimedOut,
    /// An address is not wanted any more while it is dialled.
    DialUnwanted,
    /// Whoever is at a wanted address has linked up by another way.
    MetOtherwise,
    /// A link that was up for a short time only is lost.
    LostEarly,
    /// A link that was up for long is lost.
    LostLate,

    // Links.
    /// A second link to a peer is refused.
    LinkDuplicate,
    /// A link takes the place of one that is dead at the other end.
    LinkReplaced,
    /// A handshake takes too long.
    HandshakeTimedOut,
    /// A link is ended for its silence.
    LinkSilent,
    /// The first bytes of a link come in pieces.
    PrefaceSplit,
    /// Messages wait for a link's window.
    WindowExceeded,
    /// A link ends while messages wait for its window.
    ClosedWhileWaiting,

    // Bridges.
    /// A demand is told anew by a shorter path.
    DemandShortened,
    /// So many selectors are wanted of a destination that the peer is told of none.
    SelectorsMerged,
    /// A demand ends while messages after one that waits for room are accepted.
    DemandEndedAhead,
    /// A queue's message crosses the end of its demand.
    QueueCrossedEnd,
    /// A topic's message crosses the end of its demand.
    TopicCrossedEnd,
    /// A message is accepted before one that came earlier.
    AcceptedAhead,

    /// A demand has come as far as it may, though messages may go further.
    DemandAtItsEnd,
    /// A message may not cross a bridge behind which it is wanted.
    CrossingForbidden,
    /// A broker hears that messages come to it whether or not they are wanted.
    IncludedUnasked,
    /// A bridge that the other end made gives way to that of an own connector.
    ConnectorLed,

    // The broker.
    /// A message waits for room.
    Parked,
    /// A message that waited is accepted.
    Unparked,
    /// A message that waited is forgotten, since its sender is gone.
    ParkedForgotten,
    /// A message that waited is accepted though there is no room, since its demand has ended.
    ParkedForced,
    /// A full queue takes a peer's message that somebody here is handed at once.
    FullQueuePassed,
    /// A consumer lets a delivery go.
    Released,
    /// Deliveries of a connection that has ended go back.
    DeliveriesReturned,
    /// A message goes back, of which another copy has come since it was handed over.
    CopyReturned,
    /// A message that nobody wants any more where it has come to begins anew from there.
    StrayMoved,
    /// A message is recognised that came before.
    DuplicateRecognised,
    /// A message that came over bridges first comes from its client, or by fewer of them.
    DuplicatePassedOn,
    /// A topic's subscriber has taken nothing for too long.
    SubscriberStalled,
    /// A message is dropped for a subscriber that has stalled.
    SubscriberDropped,
    /// A topic's message is larger than what a subscriber's connection carries.
    SubscriberTooSmall,
    /// A topic's subscriber ends, since it is too slow.
    SubscriberEnded,
    /// There is no room in the broker as a whole.
    BrokerFull,
    /// A message is refused at once, since there is no room for it.
    RefusedForRoom,
    /// A message is refused that has waited for room for as long as it may.
    WaitedInVain,
    /// A destination is forgotten, since nothing has happened there.
    DestinationForgotten,
    /// What waited for a bridge's subscription goes to another of that bridge.
    PendingInherited,
    /// Credit of a connection as a whole comes back to another of its consumers.
    CreditShared,

    // Leaving.
    /// A broker that leaves waits until others have taken what it hands over.
    DrainAwaited,
    /// A broker leaves before others have taken what it hands over.
    DrainAbandoned,
    /// A client comes to a broker that is about to leave.
    ClientTurnedAway,

    // Clients that are served.
    /// A stream is not answered further, since one of its messages waits for room.
    AnswerHeldBack,
    /// A client's message is refused.
    ClientMessageRefused,
    /// A stream has ended before it was answered.
    StreamEndedUnanswered,

    // Fanout.
    /// Another process answers where a target was.
    TargetReplaced,
    /// A message waits for enough targets.
    SendHeld,
    /// A target that joins is owed what is not settled.
    SendReplayed,
    /// What a target had accepted of unsettled messages is gone with its process.
    AcceptanceLost,
    /// The target of queues' messages is lost before it has answered.
    PrimaryLost,
    /// A message can't be accepted by enough any more.
    SendDoomed,
    /// A message's time is up.
    SendTimedOut,
    /// A message is too large for one of the targets.
    SendTooLarge,
    /// A message is accepted by enough although one has refused it.
    SettledDespiteRefusal,
    /// A stream ends while a target lags behind.
    StreamEndedBehind,
    /// A target that is too slow is parted from.
    TargetShed,
    /// A message is handed over that another target has handed over, and that is not answered.
    CopyKept,
    /// A message is handed over that was answered.
    CopyAnswered,
    /// A target is lost whose deliveries are not answered.
    DeliveryOrphaned,
    /// A consumer is confirmed by too few.
    ConsumerTimedOut,

    // Applications.
    /// A producer has sent more than may be unanswered.
    ProducerOverWindow,
}

impl Situation {
    /// Notes that it has come about.
    #[cfg_attr(not(feature = "sim"), expect(clippy::unused_self, reason = "nobody can ask"))]
    #[inline]
    pub(crate) fn met(self) {
        #[cfg(feature = "sim")]
        MET[self as usize].store(true, Ordering::Relaxed);
    }

    /// Those that have come about in this program since this was last asked, in all its nodes.
    #[cfg(feature = "sim")]
    pub fn take_met() -> alloc::vec::Vec<Self> {
        let met = Self::ALL.iter().copied();
        met.filter(|situation| MET[*situation as usize].swap(false, Ordering::Relaxed)).collect()
    }
}

#[cfg(feature = "sim")]
static MET: [AtomicBool; Situation::ALL.len()] = [const { AtomicBool::new(false) }; Situation::ALL.len()];
