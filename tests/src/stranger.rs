//! Somebody on the network who belongs to nobody and wishes nobody well: adverts that are noise, altered, replayed or
//! forged, floods of them, and links on which nothing is said that should be. Whoever greets as a member and keeps to the
//! protocol is one, as long as a group has no secret; so a stranger never does both.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::wire::{Advert, AdvertStatus, PREFACE};
use flockmq_core::{BrokerId, Event, Input, LinkId, Rng, Role, Seed, Service};

use crate::puppet::Puppet;
use crate::stage::Stage;

/// What a stranger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// It sends adverts that it has heard, with some bytes changed, added or missing.
    Alter,
    /// It announces hundreds of services that there are not.
    Flood,
    /// It announces services at addresses where there may be something else or nothing, its own among them, and the
    /// leave of services that are well.
    Forge,
    /// It dials a node, and says what no node says, or nothing.
    Knock,
    /// It sends noise to the group.
    Noise,
    /// It sends adverts that it has heard, however old.
    Replay,
}

/// A host that makes mischief.
#[derive(Debug)]
pub struct Stranger {
    puppet: Puppet,
    own: SocketAddr,
    heard: VecDeque<Vec<u8>>,
    links: BTreeMap<LinkId, Said>,
    rng: Rng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Something,
}

impl Mischief {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Alter, Self::Flood, Self::Forge, Self::Knock, Self::Noise, Self::Replay];
}

impl Stranger {
    /// Adds one to the world. It listens, and hears what is said to the groups.
    pub fn new(stage: &mut Stage) -> Self {
        stage.oracle.stranger_came();
        let mut puppet = Puppet::new(stage, "stranger");
        puppet.join(stage);
        let own = puppet.listen(stage, SLOTS);
        Self { puppet, own, heard: VecDeque::new(), links: BTreeMap::new(), rng: Rng::new(Seed::from(0)) }
    }

    /// Makes mischief, of which every detail comes from `seed`.
    pub fn act(&mut self, stage: &mut Stage, mischief: Mischief, target: HostId, seed: u64) {
        self.rng = Rng::new(Seed(u128::from(seed) << 64 | u128::from(seed)));
        self.attend(stage);
        match mischief {
            Mischief::Alter => self.announce(stage, FEW, |it| {
                let data = it.recall();
                it.spoil(&data)
            }),
            Mischief::Flood => self.announce(stage, MANY, |it| {
                let port = it.rng.below(1 << 16);
                it.advert(AdvertStatus::Alive, format!("tcp://10.{}.0.9:{port}", 1 + port % 200))
            }),
            Mischief::Forge => self.announce(stage, FEW, Self::forge),
            Mischief::Knock => {
                if is_listening(stage, target) {
                    self.puppet.dial(stage, target);
                }
                stage.run_for(Duration::from_millis(20));
                self.attend(stage);
            }
            Mischief::Noise => self.announce(stage, FEW, Self::noise),
            Mischief::Replay => self.announce(stage, FEW, Self::recall),
        }
    }

    /// Goes away without a word.
    pub fn leave(self, stage: &mut Stage) {
        stage.world().crash(self.puppet.host);
    }

    /// Hears what there is to hear, and is rude on each link that has come up.
    fn attend(&mut self, stage: &mut Stage) {
        for (_, input) in stage.world().heard(self.puppet.host) {
            match input {
                Input::Closed { link, .. } => drop(self.links.remove(&link)),
                Input::Connected { link, .. } => drop(self.links.insert(link, Said::Nothing)),
                Input::Datagram { data, .. } => {
                    self.heard.truncate(HEARD_MAX - 1);
                    self.heard.push_front(data.to_vec());
                }
                _ => (),
            }
        }
        for (link, said) in &mut self.links {
            if std::mem::replace(said, Said::Something) == Said::Nothing {
                be_rude(&self.puppet, stage, *link, &mut self.rng);
            }
        }
    }

    fn announce(&mut self, stage: &mut Stage, count: u64, mut word: impl FnMut(&mut Self) -> Vec<u8>) {
        for _ in 0..=self.rng.below(count) {
            let data = word(self);
            self.puppet.announce(stage, data);
        }
    }

    /// Something that was heard, or what might have been.
    fn recall(&mut self) -> Vec<u8> {
        let index = usize::try_from(self.rng.below(self.heard.len() as u64)).expect("few are kept");
        match self.heard.get(index) {
            Some(heard) => heard.clone(),
            None => self.advert(AdvertStatus::Alive, format!("tcp://{}", self.own)),
        }
    }

    fn forge(&mut self) -> Vec<u8> {
        if self.rng.chance(1, 3) {
            let text = String::from_utf8_lossy(&self.recall()).replace("alive.", "dead.");
            return text.into_bytes();
        }
        let service = match self.rng.below(4) {
            0 => format!("tcp://{}", self.own),
            1 => format!("tcp://10.0.0.{}:{}", 1 + self.rng.below(9), 40_000 + self.rng.below(3)),
            2 => format!("tcp://b{}:{}", self.rng.below(9), 40_000 + self.rng.below(3)),
            _ => ["ssl://10.0.0.1:1", "tcp://nobody:1", "tcp://10.0.0.1:0", "tcp://"]
                [usize::try_from(self.rng.below(4)).expect("an index")]
            .to_owned(),
        };
        self.advert(AdvertStatus::Alive, service)
    }

    fn advert(&mut self, status: AdvertStatus, service: String) -> Vec<u8> {
        let group = if self.rng.chance(3, 4) { "flock" } else { "flock.x" };
        Advert { status, service: Service(service) }.encode(group).to_vec()
    }

    fn noise(&mut self) -> Vec<u8> {
        let max = if self.rng.chance(1, 8) { 4_000 } else { 100 };
        let length = self.rng.below(max);
        noise(&mut self.rng, length)
    }

    fn spoil(&mut self, data: &[u8]) -> Vec<u8> {
        let mut data = data.to_vec();
        for _ in 0..=self.rng.below(4) {
            let at = usize::try_from(self.rng.below(data.len() as u64)).expect("an index");
            match self.rng.below(4) {
                0 => data.truncate(at + 1),
                1 => data.insert(at, byte(&mut self.rng)),
                _ => data.iter_mut().skip(at).take(1).for_each(|found| *found = byte(&mut self.rng)),
            }
        }
        data
    }
}

/// Says on a link what nobody of ours would say.
fn be_rude(puppet: &Puppet, stage: &mut Stage, link: LinkId, rng: &mut Rng) {
    let id = BrokerId(rng.next_u128());
    let length = 1 + rng.below(200);
    match rng.below(8) {
        0 => return, // And neither that nor anything else.
        1 => puppet.send(stage, link, PREFACE),
        2 => puppet.send(stage, link, [&PREFACE[..], &rng.next_u64().to_be_bytes()[..4]].concat()),
        3 => puppet.greet(stage, link, "flock.x.y", id),
        4 => puppet.greet(stage, link, "flock", id),
        5 => puppet.greet_as(stage, link, [Role::Broker, Role::Client][usize::from(rng.chance(1, 2))], "flock", id),
        6 => return puppet.close(stage, link),
        _ => (),
    }
    puppet.send(stage, link, noise(rng, length));
}

fn noise(rng: &mut Rng, length: u64) -> Vec<u8> {
    (0..length).map(|_| byte(rng)).collect()
}

fn byte(rng: &mut Rng) -> u8 {
    u8::try_from(rng.below(256)).expect("a byte")
}

/// True if a host's present process has said where it listens.
fn is_listening(stage: &Stage, host: HostId) -> bool {
    stage
        .notices(host)
        .iter()
        .any(|(_, event)| matches!(event, Event::Listening { addresses } if !addresses.is_empty()))
}

/// How many links it takes.
const SLOTS: u64 = 64;

/// How many datagrams it remembers.
const HEARD_MAX: usize = 64;

/// How many datagrams it sends, at most, unless it floods.
const FEW: u64 = 8;
const MANY: u64 = 1_500;
