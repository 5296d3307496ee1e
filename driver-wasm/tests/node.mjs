// Runs of two simulated peers, of two brokers with a client, and of scenarios drawn with their faults, driven from
// JavaScript, against their native twins (`examples/parity.rs`): same seeds, same trace hashes. Needs the module in `pkg`, as `./check wasm` builds it.
//
//     node driver-wasm/tests/node.mjs [SEED…]

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import { World } from "../pkg/flockmq_wasm.js";

const PARTS = ["before", "during", "after"];
const ROUNDS = 20;

/** Call by call the same as `peers` in `examples/parity.rs`. */
function peers(seed) {
  const world = new World(seed);
  const a = world.addPeer("peer://flock/a");
  const b = world.addPeer("peer://flock/b");
  world.subscribe(b, "topic://prices.>");
  world.subscribe(b, "queue://orders");
  world.subscribe(a, "queue://answers");
  world.runFor(5000);
  const told = [];
  const take = (host) => world.events(host).forEach((event) => told.push({ host, ...event }));
  for (const part of PARTS) {
    if (part === "during") world.cut(a, b);
    for (let number = 0; number < ROUNDS; number++) {
      world.send(a, "topic://prices.gold", `${part} ${number}`);
      world.send(a, "queue://orders", `${part} ${number}`);
      world.send(b, "queue://answers", `${part} ${number}`);
      world.runFor(50);
      take(a);
      take(b);
    }
    world.runFor(60_000);
    if (part === "during") {
      world.heal(a, b);
      world.runFor(60_000);
    }
    take(a);
    take(b);
  }
  world.crash(a);
  world.runFor(5000);
  world.restart(a);
  world.runFor(5000);
  world.send(a, "queue://orders", "reborn");
  world.runFor(1000);
  take(a);
  take(b);
  const hash = world.traceHash();
  world.free();
  return { hash, told, a, b };
}

/** Call by call the same as `fanout` in `examples/parity.rs`. */
function fanout(seed) {
  const world = new World(seed);
  const a = world.addBroker("peer://flock/a");
  const b = world.addBroker("peer://flock/b");
  const client = world.addClient("fanout:(multicast://default?group=flock)?minAckCount=2");
  for (const broker of [a, b]) {
    world.subscribe(broker, "topic://prices.>");
    world.subscribe(broker, "queue://orders");
  }
  world.subscribe(client, "queue://answers");
  world.runFor(5000);
  const told = [];
  const take = (host) => world.events(host).forEach((event) => told.push({ host, ...event }));
  for (const part of PARTS) {
    if (part === "during") world.crash(b);
    for (let number = 0; number < ROUNDS; number++) {
      if (part === "after" && number === 5) world.cut(client, b);
      world.send(client, "topic://prices.gold", `${part} ${number}`);
      world.send(client, "queue://orders", `${part} ${number}`);
      world.send(a, "queue://answers", `${part} ${number}`);
      world.runFor(50);
      take(a);
      take(client);
      if (part === "after" && number === 15) world.heal(client, b);
    }
    if (part === "during") {
      world.restart(b);
      world.subscribe(b, "topic://prices.>");
      world.subscribe(b, "queue://orders");
    }
    world.runFor(20_000);
    take(a);
    take(b);
    take(client);
  }
  const hash = world.traceHash();
  const targets = world.targets(client);
  assert.deepEqual(world.targets(a), [], "a broker has no targets");
  world.free();
  return { hash, told, a, b, client, targets };
}

/** The same as `drawn` in `examples/parity.rs`. */
function drawn(seed) {
  const { traceHash, delivered } = World.simulate(seed);
  return { hash: traceHash, delivered };
}

const textsOf = (told, destination) =>
  told.flatMap((event) => event.deliveries ?? [])
    .filter((delivery) => delivery.destination === destination)
    .map((delivery) => delivery.text);
const sent = (parts) => parts.flatMap((part) => Array.from({ length: ROUNDS }, (_, number) => `${part} ${number}`));

/** What `fanout` owes to the applications whatever its seed. */
function judgeFanout({ told, a, b, client, targets }) {
  const ofType = (host, type) => told.filter((event) => event.host === host && event.type === type);
  const at = (host) => told.filter((event) => event.host === host);
  assert.deepEqual(told.filter((event) => event.refusal), [], "a command or message was refused");
  assert.equal(ofType(client, "TargetUp").length, 3, "both brokers came up, and one again");
  assert.deepEqual(ofType(client, "TargetLost").map((event) => event.name), ["b"]);
  assert.equal(ofType(a, "ClientUp").length + ofType(b, "ClientUp").length, 3, "each as the client saw it");
  const counts = ofType(client, "Targets").map((event) => `${event.up}/${event.needed}`);
  assert.deepEqual(counts, ["0/2", "1/2", "2/2", "1/2", "2/2"]);
  const up = targets.filter((target) => target.state === "Up");
  assert.deepEqual(up.map((target) => target.name).sort(), ["a", "b"]);
  assert(targets.every((target) => target.refused === 0 && target.unansweredBytes === 0), "everything is answered");
  const prices = ofType(client, "Accepted").filter((event) => event.producer === 1);
  assert.equal(prices.at(-1).upTo, PARTS.length * ROUNDS, "every price was accepted");
  assert(prices.every((event) => event.by.length === 2), "by both brokers");
  for (const host of [a, b]) {
    assert.deepEqual(textsOf(at(host), "topic://prices.gold"), sent(PARTS), "prices, each once and in order");
  }
  assert.deepEqual(textsOf(told, "queue://orders").sort(), sent(PARTS).sort(), "orders, each once");
  assert.deepEqual(textsOf(at(client), "queue://answers"), sent(PARTS), "answers, each once and in order");
}

/** What `peers` owes to the applications whatever its seed. */
function judgePeers({ told, a, b }) {
  const ofType = (host, type) => told.filter((event) => event.host === host && event.type === type);
  for (const host of [a, b]) {
    assert(ofType(host, "PeerReady").length >= 2, `host ${host} had a peer, and again after the partition`);
    assert(ofType(host, "PeerLost").length >= 1, `host ${host} lost its peer to the partition`);
  }
  assert.equal(new Set(ofType(b, "PeerReady").map((event) => event.broker)).size, 2, "who comes back is somebody new");
  const refused = told.filter((event) => event.refusal);
  assert.deepEqual(refused, [], "a command was refused");
  const texts = (destination) => textsOf(told, destination);
  assert.deepEqual(texts("queue://orders"), [...sent(PARTS), "reborn"], "orders, each once and in order");
  assert.deepEqual(texts("queue://answers"), sent(PARTS), "answers, each once and in order");
  const prices = texts("topic://prices.gold");
  const calm = prices.filter((text) => !text.startsWith("during"));
  assert.deepEqual(calm, sent(["before", "after"]), "prices while the network was whole");
  assert.equal(new Set(prices).size, prices.length, "no price twice");
}

/** What is wrong is thrown, with the core's words, and harms nothing. */
function misuse() {
  assert.throws(() => new World("no number"), /no number/);
  assert.throws(() => new World(-1n), Error);
  const world = new World(1n);
  assert.equal(new World("1").traceHash(), world.traceHash(), "1n and '1' are one seed");
  assert.throws(() => world.addPeer("peer:nowhere"), Error);
  assert.throws(() => world.addBroker("fanout:(multicast://default)"), Error);
  assert.throws(() => world.addClient("peer://flock"), Error);
  const host = world.addPeer("peer://flock/a");
  assert.throws(() => world.targets(7), /no host 7/);
  assert.throws(() => world.subscribe(host, "topic://a..b"), /a\.\.b/);
  assert.throws(() => world.send(7, "orders", "x"), /no host 7/);
  assert.throws(() => world.runFor(NaN), /NaN/);
  assert.throws(() => world.runFor(-1), /-1/);
  world.runFor(1);
  world.free();
  assert.throws(() => World.simulate("no number"), /no number/);
  assert.throws(() => World.simulate(1n, "host a peer://g\nhots b"), /hots/);
  const text = "host a peer://g\nsubscribe a queue://q\nsend a queue://q hello\nrun 1500us";
  const { traceHash, ...run } = World.simulate(1n, text);
  assert.deepEqual(run, { milliseconds: 1.5, sent: 1, delivered: 1, refused: 0 });
}

/** "seed run" → "hash delivered", from the native program. */
function native(seeds) {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const cargo = process.env.CARGO ?? "cargo";
  const build = ["run", "--quiet", "--locked", "--package", "flockmq-wasm", "--example", "parity", "--", ...seeds];
  const { status, stdout, error } = spawnSync(cargo, build, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (error) throw error;
  assert.equal(status, 0, "the native program failed");
  const words = stdout.trim().split("\n").map((line) => line.split(" "));
  return new Map(words.map(([seed, name, hash, delivered]) => [`${seed} ${name}`, `${hash} ${delivered}`]));
}

const some = ["1", "2", "3", "5eed", "ffffffffffffffffffffffffffffffff"];
const many = Array.from({ length: 40 }, (_, number) => (number + 1).toString(16));
const given = process.argv.slice(2);
const runs = {
  peers: { seeds: some, run: peers, judge: judgePeers },
  fanout: { seeds: some, run: fanout, judge: judgeFanout },
  drawn: { seeds: many, run: drawn, judge: ({ delivered }) => assert(delivered > 0, "something arrives") },
};
misuse();
const expected = native(given.length > 0 ? given : [...new Set([...some, ...many])]);
for (const [name, { seeds, run, judge }] of Object.entries(runs)) {
  let total = 0;
  const wanted = given.length > 0 ? given : seeds;
  for (const seed of wanted) {
    const result = run(seed);
    const delivered = result.delivered ?? result.told.reduce((sum, event) => sum + (event.deliveries?.length ?? 0), 0);
    const where = `seed ${seed}, ${name}`;
    assert.equal(`${result.hash} ${delivered}`, expected.get(`${seed} ${name}`), `${where}: JavaScript (left) and native (right)`);
    judge(result);
    total += delivered;
  }
  console.log(`${name}: ${wanted.length} seeds, ${total} messages, trace for trace as natively`);
}
