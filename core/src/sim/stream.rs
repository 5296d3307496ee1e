//! Streams between processes: ordered bytes both ways, as TCP carries them. Told what the ends do and when
//! segments arrive; answers with what the ends hear.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::agenda::{Ending, Happening};
use super::departure::Cargo;
use super::host::{HostId, Process};
use super::medium::Medium;
use super::pipe::{Pipe, Segment};
use crate::{CloseReason, Input, Instant, LinkId};

/// Names a stream; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId(usize);

/// One of a stream's two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Who asked for the stream.
    Dialler,
    /// Who took it.
    Acceptor,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Acceptor,
            Self::Acceptor => Self::Dialler,
        }
    }
}

/// One end of a stream, as its process knows it.
#[derive(Debug)]
pub(super) struct End {
    pub(super) process: Process,
    pub(super) link: LinkId,
    /// The address at the other end.
    pub(super) remote: SocketAddr,
}

/// All streams there are.
#[derive(Debug, Default)]
pub(super) struct Streams {
    items: Vec<Option<Box<Stream>>>,
    written: Vec<(StreamId, Side)>,
}

impl Streams {
    /// A stream begins: the dialler is told at once, the acceptor once it takes the stream.
    pub(super) fn open(&mut self, now: Instant, dialler: End, acceptor: End, medium: &mut Medium) -> StreamId {
        medium.counts.streams += 1;
        let id = StreamId(self.items.len());
        let seat = |end, phase| Seat { end, phase, is_answered: false };
        let mut stream = Box::new(Stream {
            id,
            seats: [seat(dialler, Phase::Opening), seat(acceptor, Phase::Backlog)],
            pipes: [Pipe::default(), Pipe::default()],
        });
        stream.pipe(Side::Acceptor).open();
        stream.schedule(now, Side::Acceptor, Duration::ZERO, medium);
        self.items.push(Some(stream));
        id
    }

    /// The acceptor takes the stream from its backlog.
    pub(super) fn accept(&mut self, now: Instant, id: StreamId, link: LinkId, medium: &mut Medium) {
        let stream = self.get(id).expect("a stream in a backlog exists");
        let seat = stream.seat(Side::Acceptor);
        seat.phase = Phase::Opening;
        seat.end.link = link;
        for _ in 0..stream.pipe(Side::Dialler).open() {
            medium.agenda.push(now, Happening::Arrival { stream: id, writer: Side::Dialler });
        }
    }

    /// Takes bytes to be sent by [`Self::flush`]. False if the end is not up.
    pub(super) fn write(&mut self, id: StreamId, side: Side, data: Bytes) -> bool {
        let stream = self.get(id).expect("an end that writes has a stream");
        if stream.seat(side).phase != Phase::Open {
            return false;
        }
        stream.pipe(side).write(data);
        if self.written.last() != Some(&(id, side)) {
            self.written.push((id, side));
        }
        true
    }

    /// Sends off what was written since the last time.
    pub(super) fn flush(&mut self, now: Instant, medium: &mut Medium) {
        for (id, side) in self.written.drain(..) {
            if let Some(stream) = &mut self.items[id.0] {
                stream.pump(now, side, medium);
            }
        }
    }

    /// An end asks to be closed after what was written. False if it has asked before.
    pub(super) fn close(&mut self, now: Instant, id: StreamId, side: Side, medium: &mut Medium) -> bool {
        let stream = self.get(id).expect("an end that closes has a stream");
        let seat = stream.seat(side);
        if seat.phase == Phase::Closing {
            return false;
        }
        seat.phase = Phase::Closing;
        medium.agenda.push(now + LINGER, Happening::Linger { stream: id, side });
        stream.pump(now, side, medium);
        stream.settle(now, side, medium);
        true
    }

    /// A closing end has waited long enough.
    pub(super) fn handle_linger(&mut self, now: Instant, id: StreamId, side: Side, medium: &mut Medium) {
        let Some(stream) = self.get(id) else { return };
        if stream.seat(side).phase == Phase::Closing && stream.pipe(side).has_waiting() {
            stream.reset_pipe(now, side, medium);
            stream.settle(now, side, medium);
        }
    }

    /// An end is no more: its process was told, or has crashed, or never took the stream.
    pub(super) fn leave(&mut self, id: StreamId, side: Side) {
        self.vacate(id, side, Phase::Left);
    }

    /// An end's process dies, or refuses the stream: the other end hears that it ended or was reset.
    pub(super) fn abandon(&mut self, now: Instant, id: StreamId, side: Side, medium: &mut Medium) {
        let Some(stream) = self.get(id) else { return };
        let (from, to) = stream.direction(side);
        if medium.rng(from, to).chance(1, 2) && stream.seat(side).phase != Phase::Backlog {
            if stream.pipe(side).finish() {
                stream.schedule(now, side, Duration::ZERO, medium);
            }
        } else {
            stream.reset_pipe(now, side, medium);
        }
        self.leave(id, side);
    }

    /// An end goes with its machine: what it has sent is lost, and the other end hears of it only when it sends something
    /// and the machine is on again.
    pub(super) fn lose(&mut self, id: StreamId, side: Side) {
        let Some(stream) = self.get(id) else { return };
        stream.pipe(side).lose();
        self.vacate(id, side, Phase::Lost);
    }

    /// All streams between two hosts are reset; how many.
    pub(super) fn reset_between(&mut self, now: Instant, a: HostId, b: HostId, medium: &mut Medium) -> u64 {
        let mut count = 0;
        for stream in self.items.iter_mut().flatten() {
            let ends = stream.direction(Side::Dialler);
            if ends == (a, b) || ends == (b, a) {
                stream.reset(now, medium);
                count += 1;
            }
        }
        count
    }

    /// All streams between two hosts are torn down as far as `hearer` hears; the other end is left half-open.
    pub(super) fn sever_between(&mut self, now: Instant, hearer: HostId, other: HostId, medium: &mut Medium) {
        for stream in self.items.iter_mut().flatten() {
            for writer in [Side::Dialler, Side::Acceptor] {
                if stream.direction(writer) == (other, hearer) {
                    stream.reset_pipe(now, writer, medium);
                    medium.counts.resets += 1;
                }
            }
        }
    }

    /// What a cut had held up from `from` to `to` is sent again.
    pub(super) fn heal(&mut self, now: Instant, from: HostId, to: HostId, medium: &mut Medium) {
        for stream in self.items.iter_mut().flatten() {
            for side in [Side::Dialler, Side::Acceptor] {
                if stream.direction(side) != (from, to) {
                    continue;
                }
                let again = Duration::from_nanos(medium.rng(from, to).below(RETRANSMIT_NANOS_MAX));
                let stalled = stream.pipe(side).take_stalled();
                for index in 0..stalled {
                    // Once the first is sent again, the others follow it.
                    stream.schedule(now, side, if index == 0 { again } else { Duration::ZERO }, medium);
                }
                stream.pipe(side.other()).hear();
                stream.pump(now, side.other(), medium);
                stream.settle(now, side.other(), medium);
            }
        }
    }

    /// The hosts that a segment travels from and to.
    pub(super) fn path(&mut self, id: StreamId, writer: Side) -> Option<(HostId, HostId)> {
        self.get(id).map(|stream| stream.direction(writer))
    }

    /// The next segment that `writer` sent arrives; what its reader hears.
    pub(super) fn handle_arrival(
        &mut self,
        now: Instant,
        id: StreamId,
        writer: Side,
        medium: &mut Medium,
    ) -> Option<(Process, Input)> {
        let stream = self.get(id)?;
        let (from, to) = stream.direction(writer);
        let reader = writer.other();
        let phase = stream.seat(reader).phase;
        let pipe = stream.pipe(writer);
        if pipe.is_empty() {
            return None; // A reset threw away what was to arrive.
        }
        let is_cut = medium.is_cut(from, to);
        if is_cut || phase == Phase::Backlog {
            medium.counts.stalls += u64::from(is_cut);
            pipe.stall();
            return None;
        }
        if phase == Phase::Lost {
            drop(pipe.arrive());
            stream.reset_pipe(now, reader, medium);
            return None;
        }
        let segment = pipe.arrive()?;
        if !medium.is_cut(to, from) {
            pipe.hear();
        }
        let seat = stream.seat(reader);
        let (process, link) = (seat.end.process, seat.end.link);
        let told = match (segment, phase) {
            (Segment::Opened, Phase::Opening) => {
                seat.phase = Phase::Open;
                Some(Input::Connected { link, remote: seat.end.remote })
            }
            (Segment::Data(data), Phase::Open | Phase::Closing) => Some(Input::Bytes { link, data }),
            (Segment::Fin, Phase::Open) => Some(Input::Closed { link, reason: CloseReason::Ended }),
            (Segment::Reset, Phase::Open) => Some(Input::Closed { link, reason: Ending::Reset.into() }),
            (Segment::Fin | Segment::Reset, Phase::Closing) => {
                stream.pipe(reader).forget_waiting(); // Nobody is left to read it.
                stream.settle(now, reader, medium);
                None
            }
            (Segment::Opened, _) | (_, Phase::Left) => None, // The end was given up before it was up, or has gone.
            (segment, phase) => unreachable!("{segment:?} at an end that is {phase:?}: opening comes first"),
        };
        stream.pump(now, writer, medium);
        stream.settle(now, writer, medium);
        if let Some(Input::Closed { .. }) = told {
            self.leave(id, reader);
        }
        told.map(|input| (process, input))
    }

    fn vacate(&mut self, id: StreamId, side: Side, phase: Phase) {
        let Some(stream) = self.get(id) else { return };
        stream.seat(side).phase = phase;
        if matches!(stream.seat(side.other()).phase, Phase::Left | Phase::Lost) {
            self.items[id.0] = None;
        }
    }

    fn get(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.items[id.0].as_deref_mut()
    }
}

/// What a process is between asking for its end and hearing that it has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The acceptor has not taken the stream yet.
    Backlog,
    /// It has asked to be closed and not heard back.
    Closing,
    /// It is no more.
    Left,
    /// It went with its machine; the other end is told when it asks.
    Lost,
    /// It is up.
    Open,
    /// It has not heard yet that it is up.
    Opening,
}

#[derive(Debug)]
struct Seat {
    end: End,
    phase: Phase,
    is_answered: bool, // The word that it is closed as asked is on its way.
}

#[derive(Debug)]
struct Stream {
    id: StreamId,
    seats: [Seat; 2], // Dialler, acceptor.
    pipes: [Pipe; 2], // By writer.
}

impl Stream {
    fn seat(&mut self, side: Side) -> &mut Seat {
        &mut self.seats[side as usize]
    }

    fn pipe(&mut self, writer: Side) -> &mut Pipe {
        &mut self.pipes[writer as usize]
    }

    /// The hosts that the bytes of `writer` travel from and to.
    fn direction(&self, writer: Side) -> (HostId, HostId) {
        let host = |side: Side| self.seats[side as usize].end.process.host;
        (host(writer), host(writer.other()))
    }

    /// Sends off what waits, as far as there is room.
    fn pump(&mut self, now: Instant, writer: Side, medium: &mut Medium) {
        let (from, to) = self.direction(writer);
        let mut sent = 0;
        loop {
            let ready = self.pipe(writer).ready(medium.faults.buffer);
            if ready == 0 {
                break;
            }
            let chunk = medium.chunk(from, to, ready);
            self.pipe(writer).depart(chunk);
            sent += chunk;
            let reading = medium.reading_time(to, chunk);
            let at = self.schedule(now, writer, reading, medium);
            medium.depart(now, Some(at), (from, to), || Cargo::Stream {
                direction: 2 * self.id.0 as u64 + writer as u64,
                data: self.pipes[writer as usize].departed(),
            });
            if medium.chance(from, to, medium.faults.reset_ppm) {
                self.reset(now, medium);
            }
        }
        if sent > 0 {
            let Seat { end: End { process, link, .. }, .. } = *self.seat(writer);
            let delay = medium.local_delay(from);
            medium.agenda.push(now + delay, Happening::Sent { process, link, bytes: sent });
        }
    }

    /// Answers an end that asked to be closed, once all it sent has left.
    fn settle(&mut self, now: Instant, side: Side, medium: &mut Medium) {
        if self.pipe(side).has_waiting() {
            return;
        }
        let seat = self.seat(side);
        if seat.phase != Phase::Closing || core::mem::replace(&mut seat.is_answered, true) {
            return;
        }
        let (process, link) = (seat.end.process, seat.end.link);
        if self.pipe(side).finish() {
            self.schedule(now, side, Duration::ZERO, medium);
        }
        let delay = medium.local_delay(process.host);
        medium.agenda.push(now + delay, Happening::Closing { process, link, ending: Ending::Requested });
    }

    /// Settles when the segment sent last arrives: after all before it, and a delay of its own.
    fn schedule(&mut self, now: Instant, writer: Side, extra: Duration, medium: &mut Medium) -> Instant {
        let (from, to) = self.direction(writer);
        let travelled = now + medium.stream_delay(from, to);
        let pipe = self.pipe(writer);
        pipe.arrives_at = pipe.arrives_at.max(travelled) + extra;
        let at = pipe.arrives_at;
        medium.agenda.push(at, Happening::Arrival { stream: self.id, writer });
        at
    }

    fn reset(&mut self, now: Instant, medium: &mut Medium) {
        medium.counts.resets += 1;
        for side in [Side::Dialler, Side::Acceptor] {
            self.reset_pipe(now, side, medium);
            self.settle(now, side, medium);
        }
    }

    /// Of what is on its way, some arrives, cut at any byte, and then the word that the stream was reset.
    fn reset_pipe(&mut self, now: Instant, writer: Side, medium: &mut Medium) {
        let (from, to) = self.direction(writer);
        let keep = self.pipe(writer).travelling();
        let keep = medium.rng(from, to).below(keep.saturating_add(1));
        if self.pipe(writer).reset(keep) {
            self.schedule(now, writer, Duration::ZERO, medium);
        }
    }
}

/// How long a closing end waits for what was sent on it to leave.
const LINGER: Duration = Duration::from_secs(1);

/// How long after a cut has healed until what it held up is sent again, at most.
const RETRANSMIT_NANOS_MAX: u64 = 200_000_000;
