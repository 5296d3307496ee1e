//! The loop around one node. It is one task and owns the node, so nothing of the node is locked: applications leave
//! what they have in the inbox, sockets say when they are ready, and every pass takes all of both.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use flockmq_core::{Command, Input, Instant, Node, Output, RequestId};
use tokio::sync::watch;
use tokio::time::Sleep;
use tracing::warn;

use crate::clock::Clock;
use crate::desk::{Desk, Opens, Pending};
use crate::inbox::{Entry, Inbox};
use crate::ready::{Ready, Signal, Source};
use crate::sockets::Sockets;
use crate::tape::Tape;

/// A node and all that it needs.
pub(crate) struct Driver {
    node: Node,
    clock: Clock,
    desk: Desk,
    inbox: Arc<Inbox>,
    ready: Arc<Ready>,
    sockets: Sockets,
    tape: Option<Tape>, // The node's recording, if one was asked for.
    timer: Timer,
    entries: Vec<Entry>,
    sources: Vec<Source>,
    stop_at: Option<Instant>, // When not to wait for the node's farewell any longer.
    has_stopped: bool,
    has_yielded: bool,         // Since it wrote last.
    _ended: watch::Sender<()>, // Last, so that whoever sees it dropped finds the sockets closed.
}

impl Driver {
    pub(crate) fn new(
        node: Node,
        clock: Clock,
        desk: Desk,
        inbox: Arc<Inbox>,
        tape: Option<Tape>,
        ended: watch::Sender<()>,
    ) -> Self {
        let ready = Arc::new(Ready::default());
        Self {
            sockets: Sockets::new(Arc::clone(&ready), node.config().clone()),
            node,
            clock,
            desk,
            inbox,
            tape,
            timer: Timer::new(&ready),
            ready,
            entries: Vec::new(),
            sources: Vec::new(),
            stop_at: None,
            has_stopped: false,
            has_yielded: false,
            _ended: ended,
        }
    }

    /// Drives the node until it has stopped.
    pub(crate) async fn run(mut self) {
        self.drain(self.clock.now());
        std::future::poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.inbox.attach(context.waker());
        self.ready.attach(context.waker());
        for _ in 0..PASSES_MAX {
            let was_busy = self.pass();
            if self.has_stopped {
                self.sockets.write();
                if let Some(tape) = &mut self.tape {
                    tape.end();
                }
                return Poll::Ready(());
            }
            if self.may_wait_for_answers() {
                self.has_yielded = true;
                yield_to_others(context);
                return Poll::Pending;
            }
            if !self.write() && !was_busy && self.ready.is_empty() {
                self.desk.forget_delivered();
                if let Some(tape) = &mut self.tape {
                    tape.flush();
                }
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref(); // There is more, but others want to run too.
        Poll::Pending
    }

    /// Takes all there is to take, once; false if there was nothing.
    fn pass(&mut self) -> bool {
        let mut was_busy = self.handle_entries();
        self.settle();
        was_busy |= self.handle_sources();
        was_busy |= self.handle_deadlines();
        self.settle();
        was_busy
    }

    /// Writes what waits to be written; false if there was nothing.
    fn write(&mut self) -> bool {
        if !self.sockets.has_unwritten() {
            return false;
        }
        self.has_yielded = false;
        self.desk.forget_delivered();
        self.sockets.write();
        self.settle();
        true
    }

    /// True if the application was just handed a few messages and there is little to write, such as word that they
    /// came: if it answers at once, its answer can go out in the same write.
    fn may_wait_for_answers(&self) -> bool {
        let delivered = self.desk.delivered();
        let is_worth_it = delivered > 0 && delivered <= ANSWERED_MAX;
        let is_little = self.sockets.has_unwritten() && self.sockets.unwritten_bytes() <= WAITING_BYTES_MAX;
        !self.has_yielded && is_worth_it && is_little
    }

    fn handle_entries(&mut self) -> bool {
        let mut entries = std::mem::take(&mut self.entries);
        self.inbox.take(&mut entries);
        let is_any = !entries.is_empty();
        for entry in entries.drain(..) {
            self.handle_entry(entry);
        }
        self.entries = entries;
        is_any
    }

    fn handle_sources(&mut self) -> bool {
        let mut sources = std::mem::take(&mut self.sources);
        self.ready.take(&mut sources);
        let is_any = !sources.is_empty();
        for source in sources.drain(..) {
            if source == Source::Timer {
                self.timer.fired();
            } else {
                self.sockets.look(source);
                self.settle();
            }
        }
        self.sources = sources;
        is_any
    }

    fn handle_deadlines(&mut self) -> bool {
        let now = self.clock.now();
        let mut is_any = false;
        if self.clock.wall_deadline() <= now || self.sockets.poll_timeout().is_some_and(|at| at <= now) {
            if let Some(wall) = self.clock.wall_news(now) {
                self.tell(Input::WallClock(wall));
            }
            self.sockets.handle_timeout(now);
            is_any = true;
        }
        if self.node.poll_timeout().is_some_and(|at| at <= now) {
            self.tell(Input::Timeout);
            is_any = true;
        }
        if self.stop_at.is_some_and(|at| at <= now) {
            warn!("the node did not stop in time and was ended");
            self.has_stopped = true;
        }
        let wanted = [self.node.poll_timeout(), self.sockets.poll_timeout(), self.stop_at];
        let wanted = wanted.into_iter().flatten().fold(self.clock.wall_deadline(), Instant::min);
        self.timer.set(&self.clock, wanted);
        is_any
    }

    fn handle_entry(&mut self, entry: Entry) {
        match entry {
            Entry::Command(command) => self.tell(Input::Command(command)),
            Entry::Consumer(shared) => self.desk.add_consumer(shared),
            Entry::Detach { connection, reply } => {
                for consumer in self.desk.end_connection(connection) {
                    if let Some(ack) = consumer.final_ack() {
                        self.tell(Input::Command(ack));
                    }
                    let request = RequestId(self.inbox.number());
                    self.tell(Input::Command(consumer.closing(request)));
                }
                let request = RequestId(self.inbox.number());
                self.desk.add_request(request, Pending { reply, opens: Opens::Nothing });
                self.tell(Input::Command(Command::Detach { request, connection }));
            }
            Entry::Producer(shared) => self.desk.add_producer(shared),
            Entry::Question { request, command, reply } => {
                self.desk.add_question(request, reply);
                self.tell(Input::Command(command));
            }
            Entry::Request { request, command, reply } => {
                if let Command::Drain { .. } = command {
                    for ack in self.desk.final_acks() {
                        self.tell(Input::Command(ack));
                    }
                }
                let opens = match &command {
                    Command::CloseConsumer { consumer, .. } => {
                        self.desk.end_consumer(*consumer);
                        Opens::Nothing
                    }
                    Command::Produce { producer, .. } => Opens::Producer(*producer),
                    Command::Subscribe { consumer, .. } => Opens::Consumer(*consumer),
                    _ => Opens::Nothing,
                };
                let closed =
                    if let Command::CloseProducer { producer, .. } = &command { Some(*producer) } else { None };
                self.desk.add_request(request, Pending { reply, opens });
                self.tell(Input::Command(command));
                if let Some(producer) = closed {
                    self.desk.end_producer(producer); // After what the broker had to say of it.
                }
            }
            Entry::Sends(shared) => {
                let (connection, producer, messages) = (shared.connection, shared.number, shared.take_batch());
                if !messages.is_empty() {
                    self.tell(Input::Command(Command::Send { connection, producer, messages }));
                }
            }
            Entry::Stats(reply) => drop(reply.send(self.node.stats())),
            Entry::Stop => {
                self.stop_at = Some(self.clock.now() + STOP_TIMEOUT);
                self.tell(Input::Command(Command::Stop));
            }
            Entry::Targets(reply) => drop(reply.send(self.node.targets())),
        }
    }

    /// Tells the node what the sockets have said.
    fn settle(&mut self) {
        while let Some(input) = self.sockets.poll_input() {
            self.tell(input);
        }
    }

    fn tell(&mut self, input: Input) {
        let now = self.clock.now();
        if let Some(tape) = &mut self.tape {
            tape.input(now, &input);
        }
        self.node.handle_input(now, input);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.node.poll_output() {
            if let Some(tape) = &mut self.tape {
                tape.output(&output);
            }
            match output {
                Output::Event(flockmq_core::Event::Stopped) => self.has_stopped = true,
                Output::Event(event) => self.desk.handle_event(event),
                output => self.sockets.perform(now, output),
            }
        }
        if let Some(tape) = &mut self.tape {
            tape.settle();
        }
        if self.desk.take_peer_news() {
            self.desk.publish_peers(self.node.peers());
        }
    }
}

impl Drop for Driver {
    /// However the task ends, nobody goes on waiting for it.
    fn drop(&mut self) {
        self.inbox.close();
        self.desk.end();
    }
}

/// One alarm, which is moved only to earlier moments: later ones are seen to when it rings.
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    rings_at: Option<Instant>,
    signal: Arc<Signal>,
    waker: Waker,
}

impl Timer {
    fn new(ready: &Arc<Ready>) -> Self {
        let signal = Signal::new(Source::Timer, ready);
        let waker = Waker::from(Arc::clone(&signal));
        Self { sleep: None, rings_at: None, signal, waker }
    }

    fn set(&mut self, clock: &Clock, at: Instant) {
        if self.rings_at.is_some_and(|rings_at| rings_at <= at) {
            return;
        }
        self.rings_at = Some(at);
        let deadline = tokio::time::Instant::from_std(clock.to_std(at));
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        sleep.as_mut().reset(deadline);
        if sleep.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready() {
            self.signal.raise();
        }
    }

    fn fired(&mut self) {
        self.signal.lower();
        // A bell from before the alarm was moved says nothing of the new moment.
        if self.sleep.as_ref().is_some_and(|sleep| sleep.is_elapsed()) {
            self.rings_at = None;
        }
    }
}

/// Lets every task that is ready run once before this one is woken again.
fn yield_to_others(context: &mut Context<'_>) {
    // Its first poll is never ready: it leaves the waker with the scheduler, which is all there is to it.
    let yielded = std::pin::pin!(tokio::task::yield_now()).poll(context);
    debug_assert!(yielded.is_pending());
}

/// Up to how many messages are likely to be answered at once.
const ANSWERED_MAX: usize = 16;
/// Up to how many bytes may wait for answers to go with.
const WAITING_BYTES_MAX: usize = 512;
/// How many passes are made before others may run.
const PASSES_MAX: usize = 16;
/// How long the node may take to say farewell.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
