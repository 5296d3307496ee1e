//! What may go wrong, how often and how badly, and what did.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Rng;

/// A span of time to draw from, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl Delay {
    /// A span given in microseconds.
    pub const fn micros(min: u64, max: u64) -> Self {
        Self { min: Duration::from_micros(min), max: Duration::from_micros(max) }
    }

    /// One of its moments, each equally likely.
    pub fn draw(self, rng: &mut Rng) -> Duration {
        let spread = u64::try_from(self.max.saturating_sub(self.min).as_nanos()).unwrap_or(u64::MAX);
        self.min + Duration::from_nanos(rng.below(spread.saturating_add(1)))
    }
}

/// How a world treats its hosts, beside what its verbs do to them. Chances are in parts per million.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// How many bytes of one direction of a stream have left their sender and not reached their reader, at most;
    /// further ones wait in the sender's driver, unanswered by `Sent`.
    pub buffer: u64,
    /// How many bytes a reader is given at once: drawn from 1 to this. As many as there are, up to 64 KiB, if
    /// `None`.
    pub chunk_max: Option<u32>,
    /// How long a datagram takes.
    pub datagram_delay: Delay,
    /// The chance that a datagram comes twice.
    pub datagram_duplication_ppm: u32,
    /// The chance that a datagram never comes, for each of those who should hear it.
    pub datagram_loss_ppm: u32,
    /// The chance that a datagram takes up to ten times as long, so that later ones overtake it.
    pub datagram_reordering_ppm: u32,
    /// How long a disk takes for each request, after those before it.
    pub disk_delay: Delay,
    /// The chance that a disk does not do what it is asked for, or only in part, and says so.
    pub disk_failure_ppm: u32,
    /// By how much a process's clock may run too fast or too slow; drawn when the process starts.
    pub drift_ppm_max: u32,
    /// By how much a process may be woken too late.
    pub lateness_max: Duration,
    /// How long a process's own system takes to answer: for `Sent`, `Listening` and the like.
    pub local_delay: Delay,
    /// The chance that a stream is reset, for each chunk of bytes on it.
    pub reset_ppm: u32,
    /// The chance that a `Timeout` nobody asked for follows an input within a millisecond.
    pub spurious_timeout_ppm: u32,
    /// How long bytes of a stream take.
    pub stream_delay: Delay,
    /// By how much a machine's wall clock may be wrong, either way; drawn when a process starts.
    pub wall_skew_max: Duration,
}

impl Default for Faults {
    /// A quiet local network: 0.1 to 0.5 ms from host to host, nothing lost.
    fn default() -> Self {
        Self {
            buffer: 256 * 1024,
            chunk_max: None,
            datagram_delay: Delay::micros(100, 500),
            datagram_duplication_ppm: 0,
            datagram_loss_ppm: 0,
            datagram_reordering_ppm: 0,
            disk_delay: Delay::micros(20, 2_000),
            disk_failure_ppm: 0,
            drift_ppm_max: 0,
            lateness_max: Duration::ZERO,
            local_delay: Delay::micros(1, 20),
            reset_ppm: 0,
            spurious_timeout_ppm: 0,
            stream_delay: Delay::micros(100, 500),
            wall_skew_max: Duration::ZERO,
        }
    }
}

impl Faults {
    /// A mix of faults: each one is there or not, so that a few are also met alone.
    pub fn draw(rng: &mut Rng) -> Self {
        let quiet = Self::default();
        let buffer = if rng.chance(1, 3) { draw_size(rng, 18) } else { quiet.buffer };
        let chunk_max = if rng.chance(1, 3) { u32::try_from(draw_size(rng, 12)).ok() } else { None };
        let network = Self {
            // Small buffers with far smaller chunks would make runs crawl and find nothing new.
            buffer: buffer.max(64),
            chunk_max,
            datagram_delay: draw_delay(rng),
            datagram_duplication_ppm: draw_chance(rng, 300_000),
            datagram_loss_ppm: draw_chance(rng, 500_000),
            datagram_reordering_ppm: draw_chance(rng, 300_000),
            drift_ppm_max: draw_chance(rng, 1_000),
            lateness_max: Duration::from_micros(draw_chance(rng, 50_000).into()),
            local_delay: quiet.local_delay,
            reset_ppm: draw_chance(rng, 5_000),
            spurious_timeout_ppm: draw_chance(rng, 200_000),
            stream_delay: draw_delay(rng),
            ..quiet
        };
        // What came later is drawn later, so that a seed keeps its meaning.
        Self {
            disk_delay: if rng.chance(1, 3) { draw_delay(rng) } else { network.disk_delay },
            disk_failure_ppm: draw_chance(rng, 100_000),
            wall_skew_max: Duration::from_secs(draw_chance(rng, 1 << 20).into()),
            ..network
        }
    }
}

/// What a world has done to its hosts so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Inputs that processes were told.
    pub inputs: u64,
    /// Outputs that processes gave, events for applications included.
    pub outputs: u64,
    /// Bits of disks that were flipped.
    pub bits_rotted: u64,
    /// Bytes of datagrams that processes gave to groups, however many heard them.
    pub bytes_announced: u64,
    /// Bytes that processes gave to streams.
    pub bytes_sent: u64,
    /// Processes that crashed, those of machines that lost power included.
    pub crashes: u64,
    /// Directions in which a verb cut a path between two hosts.
    pub cuts: u64,
    /// Datagrams that reached a process.
    pub datagrams: u64,
    /// Datagrams lost to a cut.
    pub datagrams_cut: u64,
    /// Datagrams that came twice.
    pub datagrams_doubled: u64,
    /// Datagrams lost by chance, or because a paused process had too many waiting.
    pub datagrams_lost: u64,
    /// Datagrams made late, so that others could overtake them.
    pub datagrams_reordered: u64,
    /// Requests to disks that failed by chance.
    pub disk_failures: u64,
    /// Writes that disks had no room for.
    pub disk_overflows: u64,
    /// Requests that disks carried out, or failed to.
    pub disk_requests: u64,
    /// Processes stopped in their tracks, those of machines that fell asleep included.
    pub pauses: u64,
    /// Machines that lost power.
    pub power_offs: u64,
    /// Connects that were refused because nobody listened.
    pub refusals: u64,
    /// Connects that had to be tried again because of a cut or a full backlog.
    pub retries: u64,
    /// Streams reset by chance or by a verb.
    pub resets: u64,
    /// Sectors that a loss of power left as they had been, or with something of both.
    pub sectors_lost: u64,
    /// Machines that fell asleep.
    pub sleeps: u64,
    /// Timeouts that nobody had asked for.
    pub spurious_timeouts: u64,
    /// Arrivals on a stream that a cut held up.
    pub stalls: u64,
    /// Streams that came to be.
    pub streams: u64,
    /// Wall clocks that were set.
    pub wall_jumps: u64,
}

fn draw_chance(rng: &mut Rng, max: u32) -> u32 {
    if rng.chance(1, 3) { u32::try_from(1 + rng.below(max.into())).unwrap_or(max) } else { 0 }
}

fn draw_delay(rng: &mut Rng) -> Delay {
    match rng.below(4) {
        0 => Delay::micros(5_000, 50_000), // Far apart.
        1 => Delay::micros(0, 300_000),    // Anything at all.
        _ => Faults::default().stream_delay,
    }
}

/// A size whose number of bits is equally likely up to `bits_max`: small ones are where bugs live.
fn draw_size(rng: &mut Rng, bits_max: u64) -> u64 {
    let bits = rng.below(bits_max + 1);
    (1 << bits) + rng.below(1 << bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn a_delay_draws_both_its_ends_and_nothing_outside() {
        let mut rng = Rng::new(Seed::from(1));
        let delay = Delay { min: Duration::from_nanos(3), max: Duration::from_nanos(5) };
        let mut seen = [false; 3];
        for _ in 0..100 {
            let drawn = delay.draw(&mut rng).as_nanos();
            assert!((3..=5).contains(&drawn), "{drawn}");
            seen[usize::try_from(drawn - 3).expect("a small number")] = true;
        }
        assert_eq!(seen, [true; 3]);
    }

    #[test]
    fn drawn_faults_are_sometimes_absent_and_sometimes_present() {
        let mut rng = Rng::new(Seed::from(1));
        let drawn: alloc::vec::Vec<Faults> = (0..100).map(|_| Faults::draw(&mut rng)).collect();
        assert!(drawn.iter().any(|faults| faults.datagram_loss_ppm == 0));
        assert!(drawn.iter().any(|faults| faults.datagram_loss_ppm > 0));
        assert!(drawn.iter().any(|faults| faults.chunk_max.is_some_and(|max| max < 8)));
        assert!(drawn.iter().any(|faults| faults.reset_ppm > 0 && faults.datagram_loss_ppm == 0));
    }
}
