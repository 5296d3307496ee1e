//! `flockmq demo`: three processes that find each other and talk, and what they tell of it.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{Paint, Style};
use crate::player::{Cue, NEWS, ORDERS, Told};
use crate::stop::Stop;
use crate::{duration, paint};

/// Start three processes that find each other by multicast and exchange messages, and tell how it went.
///
/// They form a fresh group with a generated name, so nobody else is disturbed; a machine with nothing but loopback
/// will do. The exit code is 0 if everything arrived, and 1 if not.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Fail if not everything has arrived after this long
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    timeout: Duration,
    /// Options for the URIs of all three, as after the '?': 'discovery.port=7000'
    #[arg(long, value_name = "OPTIONS", default_value = "", hide_default_value = true)]
    options: String,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut stop = Stop::listen(None)?;
        let mut stage = Stage::open(&self.options)?;
        let deadline = Instant::now() + self.timeout;
        tokio::select! {
            cause = stop.wait() => Err(Failure::Stopped(cause)),
            outcome = tokio::time::timeout_at(deadline, stage.play()) => outcome.unwrap_or_else(|_| {
                Err(Failure::Failed(format!("after {:?} this was still missing: {}", self.timeout, stage.missing())))
            }),
        }
    }
}

/// The processes, and what is expected of them.
struct Stage {
    group: String,
    players: Vec<Player>,
    told: mpsc::Receiver<(usize, Option<Told>)>,
    expected: BTreeSet<(usize, Expected)>,
    started_at: Instant,
    out: Out,
    paint: Paint,
}

/// A process.
struct Player {
    name: &'static str,
    cues: Option<ChildStdin>,
    _process: Child, // Killed when dropped.
}

/// What somebody should tell sooner or later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Expected {
    Ended,
    Heard(&'static str),
    Joined,
    Lost(&'static str),
    Ready(&'static str),
    Receipt(String),
}

impl Stage {
    fn open(options: &str) -> Result<Self, Failure> {
        let group = format!("demo-{:08x}", RandomState::new().hash_one(std::process::id()) >> 32);
        let program = std::env::current_exe().map_err(|error| Failure::Io { what: "finding this program", error })?;
        let (tell, told) = mpsc::channel(64);
        let mut players = Vec::new();
        for (index, name) in NAMES.into_iter().enumerate() {
            let query = if options.is_empty() { String::new() } else { format!("?{options}") };
            let uri = format!("peer://{group}/{name}{query}");
            crate::place::builder(&uri)?;
            let mut command = Command::new(&program);
            command.arg("player").arg(uri).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            if index > 0 {
                command.arg("--takes-orders");
            }
            let mut process = command.spawn().map_err(|error| Failure::Io { what: "starting a process", error })?;
            let (cues, output) = (process.stdin.take(), process.stdout.take());
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut lines = output.map(|output| BufReader::new(output).lines());
                while let Some(lines) = &mut lines
                    && let Ok(Some(line)) = lines.next_line().await
                {
                    let Ok(told) = serde_json::from_str(&line) else { break };
                    if tell.send((index, Some(told))).await.is_err() {
                        return;
                    }
                }
                _ = tell.send((index, None)).await; // Nobody listens if the demo is over.
            });
            players.push(Player { name, cues, _process: process });
        }
        let expected = BTreeSet::new();
        Ok(Self { group, players, told, expected, started_at: Instant::now(), out: Out::new(), paint: Paint::stdout() })
    }

    async fn play(&mut self) -> Result<(), Failure> {
        self.title(&format!("Three processes and no server, in the fresh group '{}'.", self.group))?;

        self.title("They find each other by multicast and link up over TCP.")?;
        self.expect(|index| [Expected::Joined].into_iter().chain(others(index).map(Expected::Ready)).collect());
        self.listen().await?;

        self.title(&format!("Each says hello on {NEWS}: the two others hear it."))?;
        self.expect(|index| others(index).map(Expected::Heard).collect());
        for (index, name) in NAMES.into_iter().enumerate() {
            self.cue(index, &Cue::Hello(format!("hello from {name}"))).await?;
        }
        self.listen().await?;

        let [host, first, second] = NAMES;
        self.title(&format!(
            "{host} places {ORDERS_COUNT} orders on {ORDERS}: {first} or {second} takes each, and a receipt comes back."
        ))?;
        let orders: Vec<String> = (1..=ORDERS_COUNT).map(|number| format!("order {number}")).collect();
        self.expect(|index| {
            let receipts = orders.iter().cloned().map(Expected::Receipt);
            if index == 0 { receipts.collect() } else { Vec::new() }
        });
        for order in &orders {
            self.cue(0, &Cue::Order(order.clone())).await?;
        }
        self.listen().await?;

        self.title(&format!("{first} and {second} take their leave, then {host}."))?;
        self.expect(|index| if index == 0 { others(0).map(Expected::Lost).collect() } else { vec![Expected::Ended] });
        self.cue(1, &Cue::Leave).await?;
        self.cue(2, &Cue::Leave).await?;
        self.listen().await?;
        self.expect(|index| if index == 0 { vec![Expected::Ended] } else { Vec::new() });
        self.cue(0, &Cue::Leave).await?;
        self.listen().await?;
        let seconds = self.started_at.elapsed().as_secs_f64();
        self.title(&format!("All of it arrived, in {seconds:.3} s."))
    }

    /// Adds what everybody should tell.
    fn expect(&mut self, expected: impl Fn(usize) -> Vec<Expected>) {
        for index in 0..NAMES.len() {
            self.expected.extend(expected(index).into_iter().map(|expected| (index, expected)));
        }
    }

    /// Retells what happens until nothing is missing.
    async fn listen(&mut self) -> Result<(), Failure> {
        while !self.expected.is_empty() {
            let Some((index, told)) = self.told.recv().await else {
                return Ok(()); // All have ended, as was expected.
            };
            let name = self.players[index].name;
            let Some(told) = told else {
                if self.expected.remove(&(index, Expected::Ended)) {
                    continue;
                }
                return Err(Failure::Failed(format!("{name} ended before its time; missing: {}", self.missing())));
            };
            let (line, done) = match told {
                Told::Heard { from, text } => {
                    (format!("heard \"{text}\""), others(index).find(|other| *other == from).map(Expected::Heard))
                }
                Told::Joined { process } => (format!("is process {process}"), Some(Expected::Joined)),
                Told::Lost { peer, reason } => {
                    let line = format!("sees {peer} go: {reason}");
                    (line, others(index).find(|other| *other == peer).map(Expected::Lost))
                }
                Told::Ready { peer } => {
                    let line = format!("is ready to exchange messages with {peer}");
                    (line, others(index).find(|other| *other == peer).map(Expected::Ready))
                }
                Told::Receipt { from, text } => {
                    (format!("got {from}'s receipt for {text}"), Some(Expected::Receipt(text)))
                }
                Told::Took { from, text } => (format!("took {text} from {from}"), None),
                Told::Up { peer, remote } => (format!("found {peer} at {remote}"), None),
            };
            if let Some(done) = done {
                self.expected.remove(&(index, done));
            }
            let time = self.paint.paint(Style::Faint, &format!("{:7.3} s", self.started_at.elapsed().as_secs_f64()));
            let name = self.paint.paint(Style::Bold, &format!("{name:5}"));
            self.out.line(format!("{time}  {name}  {}", paint::name(&line)))?;
        }
        Ok(())
    }

    async fn cue(&mut self, index: usize, cue: &Cue) -> Result<(), Failure> {
        let player = &mut self.players[index];
        let line = serde_json::to_string(cue).expect("plain data has a JSON form") + "\n";
        let cues = player.cues.as_mut().expect("its input is a pipe of ours");
        let written = cues.write_all(line.as_bytes()).await;
        written.map_err(|error| Failure::Failed(format!("{} does not listen: {error}", player.name)))
    }

    fn title(&mut self, text: &str) -> Result<(), Failure> {
        self.out.line(self.paint.paint(Style::Good, text))
    }

    /// What nobody has told yet, in words.
    fn missing(&self) -> String {
        let words = self.expected.iter().map(|(index, expected)| {
            let name = NAMES[*index];
            match expected {
                Expected::Ended => format!("{name} has not ended"),
                Expected::Heard(from) => format!("{name} has not heard {from}"),
                Expected::Joined => format!("{name} has not started"),
                Expected::Lost(peer) => format!("{name} has not seen {peer} go"),
                Expected::Ready(peer) => format!("{name} is not ready for {peer}"),
                Expected::Receipt(text) => format!("{name} has no receipt for {text}"),
            }
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Everybody but this one.
fn others(index: usize) -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().enumerate().filter(move |(other, _)| *other != index).map(|(_, name)| name)
}

/// Who plays; the first one places orders.
const NAMES: [&str; 3] = ["alice", "bob", "carol"];

const ORDERS_COUNT: usize = 4;
