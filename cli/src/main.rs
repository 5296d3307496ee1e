//! The command `flockmq`: one file for each of its commands, and what they share.

#![forbid(unsafe_code)]

mod body;
mod broker;
mod browse;
mod caret;
mod change;
mod demo;
mod duration;
mod failure;
mod lines;
mod log;
mod network;
mod out;
mod paint;
mod peers;
mod place;
mod player;
mod policy;
mod progress;
mod property;
mod publish;
mod purge;
mod record;
mod replay;
mod reply;
mod request;
mod simulate;
mod status;
mod stop;
mod subscribe;
mod survey;
mod tally;
mod targets;
mod transition;
mod uri;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// Peer-to-peer messaging without a server: every process of a group is a broker, and they find each other.
///
/// Where there are brokers that stand alone, a client sends to all of them at once (fanout:).
#[derive(Debug, Parser)]
#[command(name = "flockmq", version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Arguments {
    /// Log what happens inside to standard error, given twice every frame; the variable `RUST_LOG`, if set, decides
    #[arg(long, global = true, action = clap::ArgAction::Count)]
    log: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Broker(broker::Broker),
    Browse(browse::Browse),
    Demo(demo::Demo),
    Peers(peers::Peers),
    #[command(hide = true)]
    Player(player::Player),
    Publish(publish::Publish),
    Purge(purge::Purge),
    Replay(replay::Replay),
    Reply(reply::Reply),
    Request(request::Request),
    Simulate(simulate::Simulate),
    Status(status::Status),
    Subscribe(subscribe::Subscribe),
    Uri(uri::Uri),
}

impl Command {
    async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Broker(broker) => broker.run().await,
            Self::Browse(browse) => browse.run().await,
            Self::Demo(demo) => demo.run().await,
            Self::Peers(peers) => peers.run().await,
            Self::Player(player) => player.run().await,
            Self::Publish(publish) => publish.run().await,
            Self::Purge(purge) => purge.run().await,
            Self::Replay(replay) => replay.run(),
            Self::Reply(reply) => reply.run().await,
            Self::Request(request) => request.run().await,
            Self::Simulate(simulate) => simulate.run(),
            Self::Status(status) => status.run().await,
            Self::Subscribe(subscribe) => subscribe.run().await,
            Self::Uri(uri) => uri.run(),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::start(arguments.log);
    // The command itself runs on this thread, where writing may block; signals have another, and so has the broker.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let outcome = runtime.map_err(|error| Failure::Io { what: "starting", error }).and_then(|runtime| {
        let outcome = runtime.block_on(arguments.command.run());
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            failure.exit_code()
        }
    }
}

/// Threads beside the first, for what must not wait while that is blocked.
const WORKERS: usize = 1;

const AFTER_HELP: &str = "\
Destinations:
  queue://NAME   each message goes to one consumer, and waits at its sender while there is none
  topic://NAME   each message goes to everyone who is subscribed at that moment
  NAME           the queue of this name
  To subscribe, '*' stands for one level of a name and '>' at its end for any number: 'topic://prices.>'.

Examples:
  flockmq demo
  flockmq subscribe peer://groupA/b2 'topic://log.>' --count 1000
  seq 1000 | flockmq publish peer://groupA/b1 topic://log.seq --wait-peers 1
  flockmq peers peer://groupA --watch
  flockmq broker --name a
  flockmq reply peer://groupA/b2 queue://ping --echo
  flockmq request peer://groupA/b1 queue://ping hello --timeout 5s
  flockmq publish 'fanout:(multicast://default)' topic://log.seq 'to every broker there is' --verbose
  flockmq browse 'fanout:(multicast://default)?minAckCount=1' orders
  flockmq status tcp://localhost:61616
  flockmq subscribe peer://groupA/b2 orders --record run.flock
  flockmq replay run.flock
  flockmq simulate --seed 5 --only events
  flockmq uri 'peer://groupA/b1?networkTTL=2'

Exit codes:
  0  done    1  failed    2  bad usage, URI or destination    124  timed out
  130 or 143  interrupted or terminated before it was done";
