//! The thread that the broker runs on, apart from the one that reads, writes and may be blocked by that.

use flockmq::{Builder, Connection, Events};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::stop::Stop;

/// Connects on a thread of its own, as [`open`] does, and listens to what happens from the beginning.
pub(crate) async fn connect(stop: &mut Stop, builder: Builder) -> Result<(Connection, Events), Failure> {
    open(stop, async {
        let connection = builder.connect().await?;
        let events = connection.events();
        Ok((connection, events))
    })
    .await
}

/// Connects, subscribes and whatever else belongs to the beginning, on a new thread that carries the broker from
/// then on.
///
/// The thread looks at the network only when it has nothing else to do, so all that is opened here is there before
/// the first peer is: one that sees this broker ready knows what it wants, and no event is missed.
pub(crate) async fn open<T: Send + 'static>(
    stop: &mut Stop,
    opening: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let (tell, told) = oneshot::channel();
    let carry = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(tell.send(Err(Failure::Io { what: "starting", error }))),
        };
        runtime.block_on(async {
            if tell.send(opening.await).is_ok() {
                std::future::pending::<()>().await; // It ends with the process.
            }
        });
    };
    let started = std::thread::Builder::new().name("network".into()).spawn(carry);
    started.map_err(|error| Failure::Io { what: "starting a thread", error })?;
    tokio::select! {
        biased;
        cause = stop.wait() => Err(Failure::Stopped(cause)),
        told = told => told.expect("the thread answers before it ends"),
    }
}
