//! One byte pipe to another node: what waits to be written, and when it ends.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use crate::ready::Signal;

/// A link that is up.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    signal: Arc<Signal>,
    waker: Waker,
    waiting: VecDeque<Bytes>,
    is_blocked: bool, // The system takes no more for now and will say when it does.
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// To be shut down once everything waiting is written.
    Closing,
    /// Shut down for writing; what still comes is thrown away until the other end closes too, since closing with
    /// unread bytes would make the system reset the connection and lose what was just written.
    Shut,
}

/// What reading gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Bytes(Bytes),
    Ended,
    Failed(String),
    Nothing,
}

impl Link {
    pub(crate) fn new(stream: TcpStream, signal: Arc<Signal>) -> Self {
        let waker = Waker::from(Arc::clone(&signal));
        signal.raise(); // To be looked at once, and woken from then on.
        Self { stream, signal, waker, waiting: VecDeque::new(), is_blocked: false, phase: Phase::Open }
    }

    /// Adds bytes to be written by the next [`Link::write`].
    pub(crate) fn push(&mut self, data: Bytes) {
        if self.phase == Phase::Open && !data.is_empty() {
            self.waiting.push_back(data);
        }
    }

    /// Ends the link once everything pushed is written.
    pub(crate) fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Reads once, as much as there is and `buffer` allows.
    pub(crate) fn read(&mut self, buffer: &mut BytesMut) -> Heard {
        self.signal.lower();
        self.is_blocked = false; // It may be this that we were woken for.
        let mut context = Context::from_waker(&self.waker);
        if self.stream.poll_read_ready(&mut context).is_pending() {
            return Heard::Nothing; // No buffer is taken for a link with nothing to say.
        }
        if buffer.capacity() - buffer.len() < SPARE_MIN {
            buffer.reserve(BUFFER_SIZE);
        }
        match pin!(self.stream.read_buf(buffer)).poll(&mut context) {
            Poll::Pending => Heard::Nothing,
            Poll::Ready(Ok(0)) => Heard::Ended,
            Poll::Ready(Ok(_)) => {
                self.signal.raise(); // There may be more.
                if self.phase == Phase::Open {
                    Heard::Bytes(buffer.split().freeze())
                } else {
                    buffer.clear();
                    Heard::Nothing
                }
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                self.signal.raise();
                Heard::Nothing
            }
            Poll::Ready(Err(error)) => Heard::Failed(error.to_string()),
        }
    }

    /// Writes as much as the system takes, and tells how much that was.
    pub(crate) fn write(&mut self) -> io::Result<u64> {
        let mut written = 0;
        while !self.waiting.is_empty() && !self.is_blocked {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.waiting.len().min(SLICES_MAX);
            for (slice, data) in slices.iter_mut().zip(&self.waiting) {
                *slice = IoSlice::new(data);
            }
            let mut context = Context::from_waker(&self.waker);
            match Pin::new(&mut self.stream).poll_write_vectored(&mut context, &slices[..count]) {
                Poll::Pending => self.is_blocked = true,
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    written += count as u64;
                    self.consume(count);
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => (),
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        if self.phase == Phase::Closing && self.waiting.is_empty() {
            self.phase = Phase::Shut;
            socket2::SockRef::from(&self.stream).shutdown(Shutdown::Write)?;
            self.signal.raise(); // The other end may have closed already.
        }
        Ok(written)
    }

    fn consume(&mut self, mut count: usize) {
        while let Some(first) = self.waiting.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.waiting.pop_front();
        }
    }
}

const SLICES_MAX: usize = 64;
/// Below this much room, the next read gets a new buffer (or the old one, if nobody holds a slice of it).
const SPARE_MIN: usize = 64 * 1024;
const BUFFER_SIZE: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ready::{Ready, Source};
    use flockmq_core::LinkId;
    use std::time::Duration;
    use tokio::net::TcpListener;

    async fn pair() -> (Link, Link) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let dialled = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        let (accepted, _) = listener.accept().await.expect("accepted");
        let ready = Arc::new(Ready::default());
        let link = |stream, number| Link::new(stream, Signal::new(Source::Link(LinkId(number)), &ready));
        (link(dialled, 1), link(accepted, 2))
    }

    async fn read_some(link: &mut Link, buffer: &mut BytesMut) -> Heard {
        for _ in 0..400 {
            match link.read(buffer) {
                Heard::Nothing => tokio::time::sleep(Duration::from_millis(2)).await,
                heard => return heard,
            }
        }
        Heard::Nothing
    }

    #[tokio::test]
    async fn slices_go_out_in_one_write_and_arrive_in_order() {
        let ((mut a, mut b), mut buffer) = (pair().await, BytesMut::new());
        assert_eq!(b.read(&mut buffer), Heard::Nothing, "a new link may try once to find that out");
        let mut untouched = BytesMut::new();
        assert_eq!(b.read(&mut untouched), Heard::Nothing);
        assert_eq!(untouched.capacity(), 0, "an idle link takes no buffer");
        for part in ["one ", "", "two ", "three"] {
            a.push(Bytes::from(part));
        }
        assert_eq!(a.write().expect("written"), 13);
        assert_eq!(read_some(&mut b, &mut buffer).await, Heard::Bytes(Bytes::from("one two three")));
    }

    #[tokio::test]
    async fn a_reader_that_stops_blocks_the_writer_and_loses_nothing() {
        let ((mut a, mut b), mut buffer) = (pair().await, BytesMut::new());
        let block = Bytes::from(vec![7; 1 << 20]);
        let mut pushed = 0;
        while !a.is_blocked {
            a.push(block.clone());
            pushed += block.len() as u64;
            a.write().expect("the link is up");
        }
        a.close();
        let mut read = 0;
        while read < pushed {
            match b.read(&mut buffer) {
                Heard::Bytes(data) => read += data.len() as u64,
                Heard::Nothing => tokio::time::sleep(Duration::from_millis(1)).await,
                other => panic!("{other:?} after {read} of {pushed} bytes"),
            }
            a.read(&mut BytesMut::new());
            a.write().expect("the link is up");
        }
        assert_eq!(read_some(&mut b, &mut buffer).await, Heard::Ended);
    }

    #[tokio::test]
    async fn closing_delivers_what_was_written_though_unread_bytes_wait() {
        let ((mut a, mut b), mut buffer) = (pair().await, BytesMut::new());
        b.push(Bytes::from("never read"));
        b.write().expect("written");
        a.push(Bytes::from("goodbye"));
        a.close();
        a.push(Bytes::from("too late"));
        a.write().expect("written");
        assert_eq!(read_some(&mut b, &mut buffer).await, Heard::Bytes(Bytes::from("goodbye")));
        assert_eq!(read_some(&mut b, &mut buffer).await, Heard::Ended);
        drop(b);
        assert_eq!(read_some(&mut a, &mut buffer).await, Heard::Ended);
    }
}
