//! Asking all brokers that a URI leads to: finding them, and what became of each.

use std::future::Future;
use std::time::Duration;

use flockmq::core::uri::{Location, Static};
use flockmq::core::{Target, TargetState};
use flockmq::{Answer, Builder, Config, Connection, Error, Events, Role};
use tokio::time::{Instant, sleep_until};

use crate::failure::Failure;
use crate::paint;
use crate::place::bad_uri;
use crate::record::Record;
use crate::stop::Stop;
use crate::{network, place, targets};

/// What the help says of URIs that lead to brokers.
pub(crate) const URI_HELP: &str =
    "tcp://HOST:PORT, 'static:(tcp://HOST:PORT,…)', multicast://…, fanout:(URI) or peer://GROUP; see 'flockmq uri'";

/// A client of all brokers that a URI leads to.
pub(crate) struct Survey {
    pub(crate) connection: Connection,
    /// Those that were found, by name and address.
    pub(crate) targets: Vec<Target>,
}

impl Survey {
    /// Finds brokers for `duration`, or for the usual moment, has `work` done with them and takes leave of them.
    pub(crate) async fn conduct(
        uri: &str,
        record: &Record,
        duration: Option<Duration>,
        work: impl AsyncFnOnce(&mut Self, &mut Stop) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut stop = Stop::listen(None)?;
        let mut survey = Self::begin(uri, record, duration.unwrap_or(MOMENT), &mut stop).await?;
        let outcome = work(&mut survey, &mut stop).await;
        place::leave(&survey.connection).await;
        outcome
    }

    /// Waits for what is asked, unless it is time to end before.
    pub(crate) async fn ask<T>(
        &self,
        stop: &mut Stop,
        answers: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            cause = stop.wait() => Err(Failure::Stopped(cause)),
            answers = answers => answers.map_err(Failure::from),
        }
    }

    /// Sees who is there by now.
    pub(crate) async fn look_again(&mut self) -> Result<(), Error> {
        self.targets = sorted(self.connection.targets().await?);
        Ok(())
    }

    /// Connects, and looks for brokers: as long as that, or until all that are listed are up or given up.
    async fn begin(uri: &str, record: &Record, within: Duration, stop: &mut Stop) -> Result<Self, Failure> {
        let config = config(uri)?;
        let is_closed = config.multicast.is_none();
        let builder = record.apply(Builder::new(config));
        let until = Instant::now() + within;
        let (connection, events) = network::connect(stop, builder).await?;
        let found = tokio::select! {
            biased;
            cause = stop.wait() => Err(Failure::Stopped(cause)),
            found = find(&connection, events, until, is_closed) => found.map_err(Failure::from),
        };
        match found {
            Ok(targets) => Ok(Self { connection, targets }),
            Err(failure) => {
                place::leave(&connection).await;
                Err(failure)
            }
        }
    }

    /// How many did not answer, in words; nothing if all have.
    pub(crate) fn check(&self, unanswered: usize) -> Result<(), Failure> {
        match self.targets.len() {
            0 => Err(Failure::Failed("no brokers were found".to_owned())),
            _ if unanswered == 0 => Ok(()),
            found => Err(Failure::Failed(format!("{unanswered} of {found} brokers did not answer"))),
        }
    }
}

/// The answer of a target, if it is up and was asked.
pub(crate) fn answer<'a, T>(target: &Target, answers: &'a [Answer<T>]) -> Option<&'a Answer<T>> {
    let TargetState::Up { broker, .. } = &target.state else { return None };
    answers.iter().find(|answer| answer.broker == *broker)
}

/// A target on a line of its own, and why it did not answer.
pub(crate) fn line(target: &Target, refusal: Option<String>) -> String {
    let line = targets::line(target, 0);
    refusal.map_or_else(|| line.clone(), |refusal| format!("{line}: {}", paint::name(&refusal)))
}

async fn find(
    connection: &Connection,
    mut events: Events,
    until: Instant,
    is_closed: bool,
) -> Result<Vec<Target>, Error> {
    loop {
        let found = connection.targets().await?;
        let is_settled = |target: &Target| matches!(target.state, TargetState::Up { .. } | TargetState::GivenUp);
        if (is_closed && found.iter().all(is_settled)) || Instant::now() >= until {
            return Ok(sorted(found));
        }
        tokio::select! {
            _ = events.next() => (),
            () = sleep_until(until) => (),
        }
    }
}

fn sorted(mut targets: Vec<Target>) -> Vec<Target> {
    targets.sort_by(|a, b| (targets::name(a), &a.address).cmp(&(targets::name(b), &b.address)));
    targets
}

/// A client of all that the URI leads to. To a group of peers it is no peer: they serve it as brokers do.
fn config(uri: &str) -> Result<Config, Failure> {
    let location: Location = uri.parse().map_err(|error| bad_uri(uri, error))?;
    let fanout = match location {
        Location::Fanout(fanout) => fanout,
        Location::Peer(peer) => {
            let name = peer.name.clone().unwrap_or_default();
            let mut config = Config::from_peer(&peer, name).map_err(Error::from)?;
            (config.role, config.listen) = (Role::Client, None);
            config.fanout.send_timeout = ANSWER_WITHIN;
            return Ok(config);
        }
        Location::Multicast(_) | Location::Static(_) => wrapped(&format!("fanout:({uri})?minAckCount=1"))?,
        Location::Tcp(_) => wrapped(&format!("fanout:(static:({uri}))?minAckCount=1"))?,
        Location::Network(network) => wrapped(&format!("fanout:({})?minAckCount=1", Static::new(network.peers)))?,
        Location::Broker(_) | Location::Vm(_) => {
            return Err(Failure::Usage(format!("'{uri}' is a broker within this process; expected {URI_HELP}")));
        }
    };
    let needed = flockmq::core::uri::Fanout { min_ack_count: Some(1), ..fanout };
    let mut config = Config::from_fanout(&needed, "").map_err(Error::from)?;
    config.fanout.send_timeout = needed.send_timeout.unwrap_or(ANSWER_WITHIN);
    Ok(config)
}

fn wrapped(uri: &str) -> Result<flockmq::core::uri::Fanout, Failure> {
    uri.parse().map_err(|error| bad_uri(uri, error))
}

/// How long to look for brokers if nobody says.
const MOMENT: Duration = Duration::from_secs(1);
/// How long an answer may take if the URI does not say.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
