// The package under Node: what its calls give and throw, and that runs leave the same traces as natively. Needs the package
// in `pkg`, as `./check wasm` builds it.
//
//     node driver-wasm/tests/node.mjs [SEED…]      a hundred drawn by chance, if none is given

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

import { World } from "../pkg/node.js";
import { native } from "./native.mjs";
import { PARTS, ROUNDS, runs } from "./runs.mjs";

const textsOf = (told, destination, host) =>
  told
    .filter((event) => host === undefined || event.host === host)
    .flatMap((event) => event.deliveries ?? [])
    .filter((delivery) => delivery.destination === destination)
    .map((delivery) => delivery.text);
const sent = (parts) => parts.flatMap((part) => Array.from({ length: ROUNDS }, (_, number) => `${part} ${number}`));

/** What `peers` owes to the applications whatever its seed. */
function judgePeers({ told, flights, hash, again, statistics }) {
  const ofType = (host, type) => told.filter((event) => event.host === host && event.type === type);
  for (const host of ["a", "b"]) {
    assert(ofType(host, "PeerReady").length >= 2, `${host} had a peer, and again after the partition`);
    assert(ofType(host, "PeerLost").length >= 1, `${host} lost its peer to the partition`);
  }
  assert.equal(new Set(ofType("b", "PeerReady").map((event) => event.broker)).size, 2, "who comes back is somebody new");
  assert.deepEqual(told.filter((event) => event.refusal), [], "a command was refused");
  assert.deepEqual(textsOf(told, "queue://orders"), [...sent(PARTS), "reborn"], "orders, each once and in order");
  assert.deepEqual(textsOf(told, "queue://answers"), sent(PARTS), "answers, each once and in order");
  const prices = textsOf(told, "topic://prices.gold");
  const calm = prices.filter((text) => !text.startsWith("during"));
  assert.deepEqual(calm, sent(["before", "after"]), "prices while the network was whole");
  assert.equal(new Set(prices).size, prices.length, "no price twice");
  const replies = told.flatMap((event) => event.deliveries ?? []).filter((one) => /^temp-queue/.test(one.destination));
  assert.deepEqual(replies.map((reply) => reply.text), sent(PARTS), "each question was answered");
  assert.equal(statistics.lost, ROUNDS - (prices.length - calm.length), "what a topic owed meanwhile and nobody kept");
  assert.equal(statistics.duplicate, 0);
  const orders = flights.flatMap((flight) => flight.messages).filter((message) => message.destination === "queue://orders");
  assert(sent(PARTS).every((text) => orders.some((order) => order.text === text)), "each order was seen on its way");
  assert(flights.every((flight) => flight.kind !== "bytes"), "everything that travels can be read");
  assert.equal(again, hash, "what is exported is this very run");
}

/** What `fanout` owes to the applications whatever its seed. */
function judgeFanout({ told, targets, topology, hash, again, statistics }) {
  const ofType = (host, type) => told.filter((event) => event.host === host && event.type === type);
  assert.deepEqual(told.filter((event) => event.refusal), [], "a command or message was refused");
  assert.equal(ofType("client", "TargetUp").length, 3, "both brokers came up, and one again");
  assert.deepEqual(ofType("client", "TargetLost").map((event) => event.name), ["b"]);
  assert.equal(ofType("a", "ClientUp").length + ofType("b", "ClientUp").length, 3, "each as the client saw it");
  const counts = ofType("client", "Targets").map((event) => `${event.up}/${event.needed}`);
  assert.deepEqual(counts, ["0/2", "1/2", "2/2", "1/2", "2/2"]);
  const of = new Map(targets);
  assert.deepEqual(of.get("a"), [], "a broker has no targets");
  const up = of.get("client").filter((target) => target.state === "Up");
  assert.deepEqual(up.map((target) => target.name).sort(), ["a", "b"]);
  assert(of.get("client").every((target) => target.refused === 0 && target.unansweredBytes === 0), "everything is answered");
  const prices = ofType("client", "Accepted").filter((event) => event.by.length > 0);
  assert(prices.some((event) => event.by.length === 2), "by both brokers");
  for (const host of ["a", "b"]) {
    assert.deepEqual(textsOf(told, "topic://prices.gold", host), sent(PARTS), "prices, each once and in order");
  }
  assert.deepEqual(textsOf(told, "queue://orders").sort(), sent(PARTS).sort(), "orders, each once");
  assert.deepEqual(textsOf(told, "queue://answers", "client"), sent(PARTS), "answers, each once and in order");
  assert.deepEqual(topology.links.map(({ a, b, kind }) => [a, b, kind]), [["client", "a", "client"], ["client", "b", "client"]]);
  assert.deepEqual(topology.cuts, []);
  assert.equal(statistics.missing, 0);
  assert.equal(again, hash, "what is exported is this very run");
}

/** What is wrong is thrown, with a code and the core's words, and harms nothing. */
function misuse() {
  const wrong = (code, message, call) =>
    assert.throws(call, (error) => {
      assert(error instanceof Error && error.name === "FlockError", error);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });
  wrong("Seed", /no number/, () => new World("no number"));
  wrong("Seed", /128 bits/, () => new World(-1n));
  wrong("Seed", /128 bits/, () => new World(7));
  wrong("Scenario", /line 2, column 1: 'hots' can't stand here/, () => World.replay(1n, "host a peer://g\nhots b"));
  const world = new World(1n);
  assert.equal(new World("1").traceHash(), world.traceHash(), "1n and '1' are one seed");
  wrong("Uri", /nowhere/, () => world.addPeer("a", "peer:nowhere"));
  wrong("Uri", /memoryLimt/, () => world.addBroker("a", "peer://g?memoryLimt=1"));
  wrong("Config", /persistent/, () => world.addPeer("a", "peer://g?persistent=true"));
  world.addPeer("a", "peer://g");
  const before = world.traceHash();
  wrong("HostTaken", /there is a host 'a' already/, () => world.addPeer("a", "peer://g"));
  wrong("UnknownHost", /there is no host 'b' yet; expected one of: a/, () => world.crash("b"));
  wrong("UnknownHost", /there is no host 'b'/, () => world.inspect("b"));
  wrong("UnknownHost", /there is no host 'b'/, () => world.targets("b"));
  wrong("Destination", /a\.\.b/, () => world.subscribe("a", "topic://a..b"));
  wrong("Step", /without '\*' and '>'/, () => world.publish("a", "topic://t.>", "x"));
  wrong("Step", /how many times/, () => world.publish("a", "topic://t", "x", 0));
  wrong("Step", /another host/, () => world.cut("a", "a"));
  wrong("Step", /a percentage/, () => world.faults("loss=101%"));
  wrong("Scenario", /line 1, column 7/, () => world.act("crash "));
  wrong("Duration", /NaN/, () => world.runFor(NaN));
  wrong("Duration", /-1/, () => world.runFor(-1));
  assert.equal(world.traceHash(), before);
  world.runFor(1.5);
  wrong("Past", /1 ms is past; it is 1.5 ms now/, () => world.runUntil(1));
  world.free();
  wrong("Seed", /no number/, () => World.simulate("no number"));
  wrong("Scenario", /hots/, () => World.simulate(1n, "host a peer://g\nhots b"));
}

/** A scenario with what its calls are told of. */
function calls() {
  const text = "host a peer://g\nsubscribe a queue://q\nsend a queue://q hello\nrun 1500us";
  const { traceHash, ...run } = World.simulate(1n, text);
  assert.deepEqual(run, { milliseconds: 1.5, sent: 1, delivered: 1, refused: 0 });

  const world = World.replay(1n, "host a peer://g\nhost b peer://g\nsubscribe b queue://q\nrun 3s\nsend a queue://q hi 10 times\nrun 1s");
  assert.deepEqual([world.now(), world.endsAt(), world.topology().hosts.length], [0, 4000, 2]);
  assert.equal(world.step(1000), true);
  assert(world.now() < 1);
  world.runUntil(3500);
  world.act('send b "topic://two words?" x');
  assert.deepEqual(world.steps(3).map(({ at, step }) => `${at} ${step}`), ["3000 send a queue://q hi 10 times", "3500 send b \"topic://two words?\" x"]);
  const statistics = world.statistics();
  assert.deepEqual([statistics.sent, statistics.delivered, statistics.latency.count], [11, 10, 10]);
  const [a, b] = ["a", "b"].map((host) => world.inspect(host));
  assert.deepEqual([a.kind, a.group, a.state, a.starts], ["peer", "g", "up", 1]);
  assert.deepEqual(a.demands.map(({ by, destination }) => [by, destination]), [["b", "queue://q"]]);
  assert.deepEqual(b.takes, ["queue://q"]);
  assert.deepEqual(b.consumers.map(({ by, destination }) => [by, destination]), [[null, "queue://q"]]);
  const found = b.destinations.find(({ name }) => name === "queue://q");
  assert.deepEqual([found.kind, found.enqueued, found.dequeued, found.depth], ["queue", 10, 10, 0]);
  assert([...a.dials, ...b.dials].some(({ state }) => state === "Met"));
  world.partition(["a"]);
  assert.deepEqual(world.topology().cuts, [{ from: "a", to: "b" }, { from: "b", to: "a" }]);
  world.healAll();
  world.slow("b", 1000);
  world.slow("b");
  world.pause("b");
  assert.equal(world.inspect("b").state, "paused");
  world.resume("b");
  world.crash("a");
  assert.deepEqual([world.inspect("a").state, world.inspect("a").destinations], ["down", undefined]);
  world.restart("a");
  world.unsubscribe("b", "queue://q");
  world.reset("a", "b");
  world.faults("loss=50% delay=1ms..2ms");
  world.cutOneWay("a", "b");
  world.heal("a", "b");
  world.stop("b");
  world.runFor(5000);
  assert(world.events(false).some(({ type, host }) => type === "Stopped" && host === "b"));
  assert.deepEqual([world.events(true).length, world.unread(), world.flights(true).length], [0, 0, 0]);
  const replayed = World.replay(world.seed(), world.export());
  replayed.runUntil(world.now());
  assert.equal(replayed.traceHash(), world.traceHash());
}

const some = ["1", "2", "5eed", "ffffffffffffffffffffffffffffffff"];
const given = process.argv.slice(2);
const many = given.length > 0 ? given : Array.from({ length: 100 }, () => BigInt(`0x${randomBytes(16).toString("hex")}`).toString(16));
const judges = { peers: judgePeers, fanout: judgeFanout, drawn: ({ delivered }) => assert(delivered > 0) };
misuse();
calls();
for (const [name, run] of Object.entries(runs)) {
  const seeds = name === "drawn" || given.length > 0 ? many : some;
  const expected = native(name, seeds);
  let total = 0;
  for (const seed of seeds) {
    const result = run(World, seed);
    const where = `seed ${seed}, ${name}`;
    assert.equal(`${result.hash} ${result.delivered}`, expected.get(seed), `${where}: JavaScript (left) and native (right)`);
    try {
      judges[name](result);
    } catch (error) {
      console.error(where);
      throw error;
    }
    total += result.delivered;
  }
  console.log(`${name}: ${seeds.length} seeds, ${total} messages, trace for trace as natively`);
}
