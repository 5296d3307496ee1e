// Runs that leave the same traces wherever they are made: under Node, in a page, and natively (`examples/parity.rs`, call
// by call the same). Each tells its trace hash, how many messages were delivered, and what else was told.

const PARTS = ["before", "during", "after"];
const ROUNDS = 20;

/** Two peers find each other and link up, are cut off from each other for a while, and one crashes and comes back. */
function peers(World, seed) {
  const world = new World(seed);
  world.watch();
  world.addPeer("a", "peer://flock");
  world.addPeer("b", "peer://flock");
  world.subscribe("b", "topic://prices.>");
  world.answer("b", "queue://orders");
  world.subscribe("a", "queue://answers");
  world.runFor(5000);
  for (const part of PARTS) {
    if (part === "during") world.cut("a", "b");
    for (let number = 0; number < ROUNDS; number++) {
      world.publish("a", "topic://prices.gold", `${part} ${number}`);
      world.request("a", "queue://orders", `${part} ${number}`);
      world.publish("b", "queue://answers", `${part} ${number}`);
      world.runFor(50);
    }
    world.runFor(60_000);
    if (part === "during") {
      world.heal("a", "b");
      world.runFor(60_000);
    }
  }
  world.crash("a");
  world.runFor(5000);
  world.restart("a");
  world.runFor(5000);
  world.publish("a", "queue://orders", "reborn");
  world.runFor(1000);
  return settle(World, world);
}

/** A client sends to two brokers and consumes from both; one of them crashes and comes back, later is cut off a moment. */
function fanout(World, seed) {
  const world = new World(seed);
  world.addBroker("a", "peer://flock");
  world.addBroker("b", "peer://flock");
  world.addFanout("client", "fanout:(multicast://default?group=flock)?minAckCount=2");
  for (const broker of ["a", "b"]) {
    world.subscribe(broker, "topic://prices.>");
    world.subscribe(broker, "queue://orders");
  }
  world.subscribe("client", "queue://answers");
  world.runFor(5000);
  for (const part of PARTS) {
    if (part === "during") world.crash("b");
    for (let number = 0; number < ROUNDS; number++) {
      if (part === "after" && number === 5) world.cut("client", "b");
      world.publish("client", "topic://prices.gold", `${part} ${number}`);
      world.publish("client", "queue://orders", `${part} ${number}`);
      world.publish("a", "queue://answers", `${part} ${number}`);
      world.runFor(50);
      if (part === "after" && number === 15) world.heal("client", "b");
    }
    if (part === "during") world.restart("b");
    world.runFor(20_000);
  }
  return settle(World, world);
}

/** A scenario drawn from the seed, with faults. */
function drawn(World, seed) {
  const { traceHash, delivered } = World.simulate(seed);
  return { hash: traceHash, delivered };
}

function settle(World, world) {
  const seed = world.seed();
  const again = World.simulate(seed, world.export());
  const result = {
    hash: world.traceHash(),
    delivered: world.statistics().delivered,
    again: again.traceHash,
    told: world.events(true),
    flights: world.flights(true),
    statistics: world.statistics(),
    topology: world.topology(),
    targets: world.topology().hosts.map(({ name }) => [name, world.targets(name)]),
  };
  world.free();
  return result;
}

export const runs = { peers, fanout, drawn };
export { PARTS, ROUNDS };
