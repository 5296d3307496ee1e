//! Everything that can happen in a scenario. A step that makes no sense where it comes, such as sending from a host that
//! is down, does nothing, so that steps can be left out until only those remain that matter.

use std::time::Duration;

use flockmq_core::sim::{Faults, World};
use flockmq_core::{AckExtent, AckKind, Rng};

use crate::application::Acking;
use crate::choice::widen;
use crate::deed::Deed;
use crate::play::{DESTINATIONS, Play};
use crate::stage::Stage;
use crate::stranger::Mischief;

/// Something that happens. Hosts, consumers and destinations are named by their place, counted round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A broker that stands alone joins, in the first or second group.
    AddBroker(u8),
    /// A host joins, in the first or second group.
    AddHost(u8),
    /// A machine's wall clock jumps by so many milliseconds.
    Clock(u8, i32),
    /// One of a host's consumers that acknowledge by hand acknowledges a delivery and all before it.
    Ack(u8, u8, u8),
    /// It acknowledges one delivery.
    AckOne(u8, u8, u8),
    /// A client ends its producer for a destination.
    CloseProducer(u8, u8),
    /// A host's process ends.
    Crash(u8),
    /// Nothing passes between two hosts.
    Cut(u8, u8),
    /// Nothing passes from one host to another.
    CutOneWay(u8, u8),
    /// A client ends its connection, and makes another.
    Detach(u8),
    /// A disk has room for so many bytes.
    DiskRoom(u8, u32),
    /// Something that only scenarios with a flavour have.
    Do(Deed),
    /// Chance works as `Faults::draw` says for this seed.
    Faults(u64),
    /// Everything passes between two hosts again.
    Heal(u8, u8),
    /// A host's process stands still.
    Pause(u8),
    /// A machine goes off without a word.
    PowerOff(u8),
    /// Chance does no harm any more.
    Quiet,
    /// A host's process starts anew, and is recorded, as is every one that starts later.
    Record(u8),
    /// One of a host's consumers that acknowledge by hand gives back a delivery and all before it.
    Release(u8, u8, u8),
    /// It gives back one delivery.
    ReleaseOne(u8, u8, u8),
    /// All streams between two hosts are torn down.
    Reset(u8, u8),
    /// A host's process starts anew.
    Restart(u8),
    /// The same, with an empty disk.
    RestartEmpty(u8),
    /// A host's process goes on.
    Resume(u8),
    /// A bit of a disk flips.
    Rot(u8),
    /// A host hears the multicasts of segment 0, of segment 1, of both or of none.
    Segments(u8, u8),
    /// A host sends so many messages to a destination, in one command.
    Send(u8, u8, u8),
    /// A machine falls asleep.
    Sleep(u8),
    /// The same, of texts of so many bytes.
    SendSized(u8, u8, u8, u16),
    /// A host sends a message to each of so many topics, and then to the first few again.
    SendWide(u8, u16),
    /// All streams between two hosts are torn down, and only the first hears of it.
    Sever(u8, u8),
    /// A host's links take so many bytes a second; any number if 0.
    Slow(u8, u32),
    /// A host's node takes its leave.
    Stop(u8),
    /// Somebody makes mischief, perhaps at a host; every detail comes from this seed.
    Stranger(Mischief, u8, u16),
    /// A host subscribes to a pattern and acknowledges what comes.
    Subscribe(u8, u8),
    /// A host subscribes to a pattern with a prefetch of its own and acknowledges each delivery by itself, the last first.
    SubscribeBackwards(u8, u8, u8),
    /// A host subscribes to a pattern and acknowledges by hand, if at all.
    SubscribeOnly(u8, u8),
    /// A host subscribes to a pattern with a prefetch of its own and gives everything back once.
    SubscribeReluctantly(u8, u8, u8),
    /// A host ends one of its consumers.
    Unsubscribe(u8, u8),
    /// So many milliseconds pass.
    Wait(u32),
}

impl Step {
    /// Lets it happen.
    pub(crate) fn perform(self, stage: &mut Stage, play: &mut Play) {
        match self {
            Self::AddBroker(group) => play.add_broker(stage, group),
            Self::AddHost(group) => play.add_host(stage, group),
            Self::Clock(host, millis) => stage.world().shift_wall_clock(play.host(host), millis.into()),
            Self::Ack(host, consumer, delivery) => {
                play.answer(stage, [host, consumer, delivery], AckExtent::UpTo, AckKind::Accepted);
            }
            Self::AckOne(host, consumer, delivery) => {
                play.answer(stage, [host, consumer, delivery], AckExtent::Individual, AckKind::Accepted);
            }
            Self::CloseProducer(host, to) => {
                let (host, to) = (play.host(host), DESTINATIONS[usize::from(to) % DESTINATIONS.len()]);
                if play.clients().contains(&host) && stage.is_running(host) && stage.is_producing(host, to) {
                    stage.close_producer(host, to);
                }
            }
            Self::Crash(host) => stage.crash(play.host(host)),
            Self::Cut(a, b) => play.between(stage, a, b, World::cut),
            Self::CutOneWay(a, b) => play.between(stage, a, b, World::cut_one_way),
            Self::Detach(host) => {
                let host = play.host(host);
                if play.clients().contains(&host) && stage.is_running(host) {
                    stage.detach(host);
                }
            }
            Self::DiskRoom(host, bytes) => stage.world().set_disk_room(play.host(host), Some(bytes.into())),
            Self::Do(deed) => deed.perform(stage, play),
            Self::Faults(seed) => stage.world().set_faults(Faults::draw(&mut Rng::new(widen(seed)))),
            Self::Heal(a, b) => play.between(stage, a, b, World::heal),
            Self::Pause(host) => stage.pause(play.host(host)),
            Self::PowerOff(host) => stage.power_off(play.host(host)),
            Self::Quiet => stage.world().set_faults(Faults::default()),
            Self::Record(host) => {
                stage.world().record();
                stage.restart(play.host(host));
            }
            Self::Release(host, consumer, delivery) => {
                play.answer(stage, [host, consumer, delivery], AckExtent::UpTo, AckKind::Released);
            }
            Self::ReleaseOne(host, consumer, delivery) => {
                play.answer(stage, [host, consumer, delivery], AckExtent::Individual, AckKind::Released);
            }
            Self::Reset(a, b) => play.between(stage, a, b, World::reset),
            Self::Restart(host) => stage.restart(play.host(host)),
            Self::RestartEmpty(host) => stage.restart_empty(play.host(host)),
            Self::Resume(host) => stage.resume(play.host(host)),
            Self::Rot(host) => drop(stage.world().rot_disk(play.host(host))),
            Self::Segments(host, which) => {
                let segments: &[u32] = [&[0][..], &[1], &[0, 1], &[]][usize::from(which) % 4];
                stage.world().set_segments(play.host(host), segments);
            }
            Self::Send(host, to, count) => {
                let texts = play.texts(usize::from(count));
                play.send(stage, host, to, texts);
            }
            Self::SendSized(host, to, count, size) => {
                let sized = |text: String| format!("{text:.<width$.width$}", width = usize::from(size));
                let texts = play.texts(usize::from(count)).into_iter().map(sized).collect();
                play.send(stage, host, to, texts);
            }
            Self::SendWide(host, count) => {
                let host = play.host(host);
                let count = if play.clients().contains(&host) { count.min(ROUTES_MAX) } else { count };
                if stage.is_running(host) {
                    for topic in (0..count).chain(0..count.min(AGAIN)) {
                        stage.send_all(host, &format!("topic://wide.{topic}"), play.texts(1));
                    }
                }
            }
            Self::Sever(a, b) => play.between(stage, a, b, World::sever),
            Self::Sleep(host) => stage.sleep(play.host(host)),
            Self::Slow(host, rate) => {
                stage.slow(play.host(host), Some(u64::from(rate)).filter(|rate| *rate > 0));
            }
            Self::Stop(host) => stage.stop(play.host(host)),
            Self::Subscribe(host, pattern) => play.subscribe(stage, host, pattern, Acking::Automatic, 0),
            Self::SubscribeBackwards(host, pattern, prefetch) => {
                play.subscribe(stage, host, pattern, Acking::Backwards, prefetch);
            }
            Self::SubscribeOnly(host, pattern) => play.subscribe(stage, host, pattern, Acking::Manual, 0),
            Self::SubscribeReluctantly(host, pattern, prefetch) => {
                play.subscribe(stage, host, pattern, Acking::Reluctant, prefetch);
            }
            Self::Stranger(mischief, host, seed) => {
                let host = play.host(host);
                play.stranger(stage).act(stage, mischief, host, seed.into());
            }
            Self::Unsubscribe(host, place) => {
                let host = play.host(host);
                let open = stage.open_consumers(host);
                if stage.is_running(host) && !open.is_empty() {
                    stage.unsubscribe(open[usize::from(place) % open.len()]);
                }
            }
            Self::Wait(millis) => stage.run_for(Duration::from_millis(millis.into())),
        }
    }
}

/// To how many topics a client may send beside the other destinations.
const ROUTES_MAX: u16 = 1_000;
/// How many topics are sent to twice.
const AGAIN: u16 = 40;
