//! Rank 3: one byte pipe to another node. Knows how far its handshake is and when it was last alive; is told bytes and
//! frames; answers with frames and bytes, or with the reason why it must end.

mod egress;
mod keepalive;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use egress::Egress;
use keepalive::Keepalive;

use crate::base::{Instant, Outbox, Situation};
use crate::model::{CloseReason, Role};
use crate::wire::{DecodeError, Decoder, Deframer, Farewell, Frame, Hello, PREFACE, VERSION_MAX, VERSION_MIN};

/// How links behave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkConfig {
    /// The longest frame that is taken, in bytes, body included (ActiveMQ's `wireFormat.maxFrameSize`).
    pub frame_max: u32,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// How long a peer may be silent; a sign of life is sent every third of it. The smaller of both ends' counts
    /// (ActiveMQ's `wireFormat.maxInactivityDuration`).
    pub silence_max: Duration,
    /// How many bytes may be with the driver, on their way to the network, at a time.
    pub window: u64,
    /// How many bytes may wait for that, beyond which the link is closed. No message larger than half of it is sent.
    pub backlog_max: u64,
    /// How many links there may be in all.
    pub links_max: usize,
    /// How many slots for coming links a listener is given.
    pub slots: usize,
}

impl Default for LinkConfig {
    /// 10 MiB frames, 5 s for the handshake, 30 s of silence, 1 MiB on its way and 64 MiB waiting, 256 links, 16
    /// slots.
    fn default() -> Self {
        Self {
            frame_max: 10 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(5),
            silence_max: Duration::from_secs(30),
            window: 1024 * 1024,
            backlog_max: 64 * 1024 * 1024,
            links_max: 256,
            slots: 16,
        }
    }
}

impl LinkConfig {
    /// The largest message, in bytes of its body and properties, that can be sent to whoever takes frames of `frame_max`:
    /// with what a frame holds beside it, and what else may wait for the link.
    pub(crate) fn message_max(&self, frame_max: u32) -> u64 {
        u64::from(frame_max.saturating_sub(FRAME_OVERHEAD)).min(self.backlog_max / 2)
    }
}

/// What a frame holds at most beside a message's body and properties, in bytes, generously.
const FRAME_OVERHEAD: u32 = 4 * 1024;

/// What a link says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// The link must end; nothing follows.
    Close(CloseReason),
    /// The other end said something.
    Frame(Frame),
}

/// A link whose pipe is up.
#[derive(Debug)]
pub(crate) struct Link {
    phase: Phase,
    preface: usize, // How much of the preface was read.
    deframer: Deframer,
    decoder: Decoder,
    egress: Egress,
    keepalive: Keepalive,
    frame_max: u32,
    backlog_max: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The other end has not said who it is.
    Opening { until: Instant },
    /// The other end is known; whether the link is kept is not.
    Greeted { until: Instant },
    /// In use.
    Open,
    /// Ended by us; whatever comes is not listened to.
    Closing,
}

impl Link {
    /// A link that has just connected, and greets the other end.
    pub(crate) fn new(config: &LinkConfig, now: Instant, hello: Hello) -> Self {
        let mut link = Self {
            phase: Phase::Opening { until: now + config.handshake_timeout },
            preface: 0,
            deframer: Deframer::new(config.frame_max.min(HANDSHAKE_FRAME_MAX)),
            decoder: Decoder::new(),
            egress: Egress::new(config.window),
            keepalive: Keepalive::new(now, config.silence_max),
            frame_max: config.frame_max,
            backlog_max: config.backlog_max,
        };
        link.egress.push_bytes(&PREFACE);
        link.send(Frame::Hello(Box::new(hello)));
        link
    }

    /// Reads bytes.
    pub(crate) fn handle_bytes(&mut self, now: Instant, mut data: Bytes, out: &mut Outbox<Output>) {
        if self.phase == Phase::Closing {
            return;
        }
        self.keepalive.heard(now);
        if let Err(reason) = self.read_preface(&mut data) {
            return out.push(Output::Close(reason));
        }
        self.deframer.push(data);
        loop {
            match self.poll_frame() {
                Ok(Some(Frame::KeepAlive)) => (),
                Ok(Some(frame)) => out.push(Output::Frame(frame)),
                Ok(None) => return,
                Err(reason) => return out.push(Output::Close(reason)),
            }
        }
    }

    /// Bytes given to the driver have left.
    pub(crate) fn handle_sent(&mut self, bytes: u64) {
        self.egress.handle_sent(bytes);
    }

    /// Sends a sign of life, or ends what shows none.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Output>) {
        match self.phase {
            Phase::Opening { until } | Phase::Greeted { until } if until <= now => {
                Situation::HandshakeTimedOut.met();
                out.push(Output::Close(CloseReason::HandshakeTimeout));
            }
            Phase::Open if self.keepalive.is_silent(now) => {
                Situation::LinkSilent.met();
                out.push(Output::Close(CloseReason::Silent));
            }
            Phase::Open if self.keepalive.is_due(now) => self.send(Frame::KeepAlive),
            Phase::Closing | Phase::Greeted { .. } | Phase::Open | Phase::Opening { .. } => (),
        }
    }

    /// Says something to the other end; it goes out with [`Link::poll_send`].
    pub(crate) fn send(&mut self, frame: Frame) {
        if self.phase != Phase::Closing {
            self.egress.push(frame);
        }
    }

    /// Sends frames that were encoded for many links at once.
    pub(crate) fn send_shared(&mut self, pieces: &[Bytes]) {
        if self.phase != Phase::Closing {
            self.egress.push_shared(pieces);
        }
    }

    /// Keeps the link: both ends may use it from now on.
    pub(crate) fn open(&mut self) {
        self.phase = Phase::Open;
        self.deframer.set_frame_max(self.frame_max);
    }

    /// Ends the link after a last word.
    pub(crate) fn close(&mut self, farewell: Option<Farewell>) {
        if let Some(farewell) = farewell {
            self.send(Frame::Goodbye(farewell));
        }
        self.phase = Phase::Closing;
        self.egress.close();
    }

    /// The next bytes for the driver, as far as the window allows.
    pub(crate) fn poll_send(&mut self, now: Instant) -> Option<Bytes> {
        let data = self.egress.poll_send()?;
        self.keepalive.said(now);
        Some(data)
    }

    /// Why the link must end although nothing was said: more waits than may wait.
    pub(crate) fn check_backlog(&self) -> Result<(), CloseReason> {
        if self.phase != Phase::Closing && self.egress.waiting() > self.backlog_max {
            return Err(CloseReason::Backlog { max: self.backlog_max });
        }
        Ok(())
    }

    /// When there is something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Opening { until } | Phase::Greeted { until } => Some(until),
            Phase::Open => Some(self.keepalive.poll_timeout()),
            Phase::Closing => None,
        }
    }

    /// True if what is said now goes out without waiting for what was said before.
    pub(crate) fn has_room(&self) -> bool {
        self.egress.has_room()
    }

    /// Bytes that wait for the network.
    pub(crate) fn waiting(&self) -> u64 {
        self.egress.waiting()
    }

    /// Takes what is missing of the preface from the data.
    fn read_preface(&mut self, data: &mut Bytes) -> Result<(), CloseReason> {
        while let Some(wanted) = PREFACE.get(self.preface) {
            if data.is_empty() {
                Situation::PrefaceSplit.met();
                break;
            }
            let byte = data.split_to(1)[0];
            if byte != *wanted {
                // OpenWire begins with a frame's length, whose first byte is zero for any sane frame.
                return Err(match byte {
                    0 if self.preface == 0 => CloseReason::OpenWire,
                    _ => CloseReason::Malformed("the stream does not begin as a FlockMQ link".into()),
                });
            }
            self.preface += 1;
        }
        Ok(())
    }

    fn poll_frame(&mut self) -> Result<Option<Frame>, CloseReason> {
        while let Some(bytes) = self.deframer.poll_frame()? {
            let Some(frame) = self.decoder.decode(bytes)? else {
                continue;
            };
            self.check_moment(&frame)?;
            match &frame {
                Frame::Hello(hello) => self.greet(hello)?,
                Frame::Open { .. } => self.open(),
                Frame::Goodbye(Farewell::Duplicate) => return Err(CloseReason::Duplicate),
                Frame::Goodbye(Farewell::Leaving) => return Err(CloseReason::Leaving),
                Frame::Goodbye(Farewell::Refused(why)) => return Err(CloseReason::Refused(why.clone())),
                _ => (),
            }
            return Ok(Some(frame));
        }
        Ok(None)
    }

    /// Refuses what can't be said at this point of the handshake.
    fn check_moment(&self, frame: &Frame) -> Result<(), CloseReason> {
        let is_welcome = match (self.phase, frame) {
            (_, Frame::Goodbye(_)) => true,
            (Phase::Opening { .. }, frame) => matches!(frame, Frame::Hello(_)),
            (Phase::Greeted { .. }, frame) => {
                matches!(frame, Frame::KeepAlive | Frame::Open { .. } | Frame::Propose { .. })
            }
            (Phase::Open, frame) => !matches!(frame, Frame::Hello(_) | Frame::Open { .. } | Frame::Propose { .. }),
            (Phase::Closing, _) => false,
        };
        if is_welcome {
            return Ok(());
        }
        Err(CloseReason::Malformed(alloc::format!("a {} frame can't be said at this moment", frame.name())))
    }

    fn greet(&mut self, hello: &Hello) -> Result<(), CloseReason> {
        if hello.version_min > VERSION_MAX || hello.version_max < VERSION_MIN {
            return Err(CloseReason::VersionMismatch { min: hello.version_min, max: hello.version_max });
        }
        if let Phase::Opening { until } = self.phase {
            self.phase = Phase::Greeted { until };
        }
        if hello.role != Role::Client {
            self.decoder.set_sender(hello.broker); // A client is no broker that its messages cross.
        }
        self.keepalive.agree(Duration::from_millis(hello.silence_max_millis.into()));
        Ok(())
    }
}

impl From<DecodeError> for CloseReason {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::FrameTooLong { length, max } => Self::FrameTooLong { length, max },
            DecodeError::Malformed(what) => Self::Malformed(what),
        }
    }
}

/// The longest frame before a link is open, in bytes: strangers are given little room.
const HANDSHAKE_FRAME_MAX: u32 = 64 * 1024;
