//! Two peers that dial each other at the same moment end with exactly one link, from every interleaving.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use flockmq_core::{Address, CloseReason, Config, Input, Instant, LinkId, Node, Output, Role, Seed};

/// Two nodes that dial each other, and everything that is on its way between them.
struct Pair {
    nodes: [Node; 2],
    slots: [VecDeque<LinkId>; 2],
    pipes: Vec<Pipe>,
    heard: [DefaultHasher; 2],
}

/// A connection; either end is a link of one of the nodes, with what it has yet to hear.
struct Pipe {
    ends: [LinkId; 2],
    inputs: [VecDeque<Input>; 2],
    closed: [bool; 2],
}

impl Pair {
    fn new(seeds: [u64; 2]) -> Self {
        let node = |side: usize| {
            let peers = vec![address(1 - side)];
            let (listen, group, role) = (Some(address(side)), "g".into(), Role::Peer);
            let config = Config { listen, peers, group, role, ..Config::alone(format!("b{side}")) };
            Node::new(config, Seed::from(seeds[side]), Instant::ZERO)
        };
        let mut pair =
            Self { nodes: [node(0), node(1)], slots: Default::default(), pipes: Vec::new(), heard: Default::default() };
        // Slots first: a dial finds one at the other side.
        let outputs = [0, 1].map(|side| std::iter::from_fn(|| pair.nodes[side].poll_output()).collect::<Vec<_>>());
        for (side, outputs) in outputs.into_iter().enumerate() {
            for output in outputs {
                if let Output::Listen { listener, .. } = output {
                    let addresses = vec![format!("127.0.0.1:{}", side + 1).parse().expect("an address")];
                    pair.nodes[side].handle_input(Instant::ZERO, Input::Listening { listener, addresses });
                    while let Some(output) = pair.nodes[side].poll_output() {
                        if let Output::Accept { link, .. } = output {
                            pair.slots[side].push_back(link);
                        }
                    }
                } else {
                    pair.dial(side, &output);
                }
            }
        }
        pair.connect_pending();
        pair
    }

    fn dial(&mut self, side: usize, output: &Output) {
        if let Output::Connect { link, .. } = output {
            let mut ends = [LinkId(0); 2];
            ends[side] = *link;
            self.pipes.push(Pipe { ends, inputs: Default::default(), closed: [false; 2] });
        }
    }

    fn connect_pending(&mut self) {
        for pipe in &mut self.pipes {
            for side in [0, 1] {
                if pipe.ends[side] == LinkId(0) {
                    pipe.ends[side] = self.slots[side].pop_front().expect("a slot");
                }
                let remote = "127.0.0.1:9".parse().expect("an address");
                pipe.inputs[side].push_back(Input::Connected { link: pipe.ends[side], remote });
            }
        }
    }

    /// What can happen next: which end of which pipe hears something.
    fn enabled(&self) -> Vec<(usize, usize)> {
        let ends = (0..self.pipes.len()).flat_map(|pipe| [(pipe, 0), (pipe, 1)]);
        ends.filter(|(pipe, side)| !self.pipes[*pipe].inputs[*side].is_empty()).collect()
    }

    fn step(&mut self, (pipe, side): (usize, usize)) {
        let input = self.pipes[pipe].inputs[side].pop_front().expect("enabled");
        (pipe, format!("{input:?}")).hash(&mut self.heard[side]);
        self.nodes[side].handle_input(Instant::ZERO, input);
        while let Some(output) = self.nodes[side].poll_output() {
            self.perform(side, output);
        }
    }

    fn perform(&mut self, side: usize, output: Output) {
        match output {
            Output::Send { link, data } => {
                self.nodes[side].handle_input(Instant::ZERO, Input::Sent { link, bytes: data.len() as u64 });
                let pipe = self.pipe(side, link);
                if !pipe.closed[1 - side] {
                    let link = pipe.ends[1 - side];
                    pipe.inputs[1 - side].push_back(Input::Bytes { link, data });
                }
            }
            Output::Close { link } => {
                let pipe = self.pipe(side, link);
                pipe.inputs[side].clear();
                pipe.inputs[side].push_back(Input::Closed { link, reason: CloseReason::Requested });
                let other = pipe.ends[1 - side];
                if !pipe.closed[1 - side] {
                    pipe.inputs[1 - side].push_back(Input::Closed { link: other, reason: CloseReason::Ended });
                }
                pipe.closed[side] = true;
            }
            // Time stands still here, so nobody dials again; new slots stay empty.
            Output::Accept { .. } | Output::Event(_) => (),
            other => panic!("{other:?}"),
        }
    }

    fn pipe(&mut self, side: usize, link: LinkId) -> &mut Pipe {
        self.pipes.iter_mut().find(|pipe| pipe.ends[side] == link).expect("a link has a pipe")
    }

    /// What both have heard so far: equal histories make equal pairs, however they were interleaved.
    fn history(&self) -> [u64; 2] {
        [0, 1].map(|side| self.heard[side].finish())
    }
}

fn address(side: usize) -> Address {
    format!("tcp://127.0.0.1:{}", side + 1).parse().expect("an address")
}

/// Walks every order in which two nodes can hear what they say to each other; tells how many ends it reached.
fn explore(seeds: [u64; 2]) -> (usize, usize) {
    let (mut seen, mut ends) = (BTreeSet::new(), 0);
    let mut paths: Vec<Vec<(usize, usize)>> = vec![Vec::new()];
    while let Some(path) = paths.pop() {
        let mut pair = Pair::new(seeds);
        for step in &path {
            pair.step(*step);
        }
        if !seen.insert(pair.history()) {
            continue;
        }
        let enabled = pair.enabled();
        if enabled.is_empty() {
            ends += 1;
            check(&pair, &path);
        }
        paths.extend(enabled.into_iter().map(|step| path.iter().copied().chain([step]).collect()));
    }
    (seen.len(), ends)
}

fn check(pair: &Pair, path: &[(usize, usize)]) {
    for side in [0, 1] {
        let peers = pair.nodes[side].peers();
        assert_eq!(peers.len(), 1, "node {side} has {peers:?} after {path:?}");
        assert!(peers[0].is_ready, "node {side} is not ready after {path:?}");
        assert_eq!(peers[0].broker, pair.nodes[1 - side].id());
    }
    let open = pair.pipes.iter().filter(|pipe| pipe.closed == [false; 2]).count();
    assert_eq!(open, 1, "links that are open after {path:?}");
}

#[test]
fn whoever_dials_and_whatever_is_heard_first() {
    for seeds in [[1, 2], [2, 1]] {
        let (states, ends) = explore(seeds);
        assert!(states > 1000 && ends > 10, "only {states} states and {ends} ends were walked");
        println!("seeds {seeds:?}: {states} states, {ends} ends");
    }
}
