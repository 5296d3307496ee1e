// One run of a scenario: its world, what was done by hand, and everything that was seen on the way. To go back in time is to
// run again from the beginning, which gives the same.

import { type Flight, type Statistics, type Step, type Told, type Topology, World } from "../../pkg/flockmq_wasm.js";
import type { Deed } from "./deed.js";
import type { Scenario } from "./scenario.js";

/** Who wants to know what happens. */
export interface Watcher {
  /** True if adverts are to be seen on their way. */
  wantsAdverts(): boolean;
  /** It begins anew. */
  begun(): void;
  /** Something left a host. */
  flew(flights: Flight[]): void;
  /** Steps were done, applications were told something. */
  told(steps: Step[], events: Told[]): void;
  /** Another sample was taken. */
  counted(statistics: Statistics): void;
}

export class Run {
  readonly scenario: Scenario;
  readonly seed: string;
  /** What is done by hand, in order; those to come as well, until something else is done before them. */
  deeds: Deed[];
  #world: World;
  #watcher: Watcher;
  #done = 0;
  #steps = 0;
  #sampledAt = 0;
  #furthest = 0;

  /** Begins; a scenario or seed that is none is thrown. */
  constructor(scenario: Scenario, seed: string, deeds: Deed[], watcher: Watcher) {
    this.scenario = scenario;
    this.seed = seed;
    this.deeds = deeds;
    this.#watcher = watcher;
    this.#world = World.replay(seed, scenario.script);
    this.#begin();
  }

  get now(): number {
    return this.#world.now();
  }

  /** When the scenario ends, in milliseconds. */
  get endsAt(): number {
    return this.#world.endsAt();
  }

  /** The latest moment that was seen. */
  get furthest(): number {
    return this.#furthest;
  }

  /** The world, to look at. */
  get world(): Pick<World, "export" | "inspect" | "topology" | "traceHash"> {
    return this.#world;
  }

  topology(): Topology {
    return this.#world.topology();
  }

  /** Lets time pass until `at`, for as long as `hasTime` says; true once it is there. A deed that fails is thrown. */
  advance(at: number, hasTime: () => boolean = () => true): boolean {
    while (this.now < at) {
      if (!hasTime()) return false;
      this.#world.runUntil(Math.min(at, this.now + SLICE, this.#nextStop()));
      this.#arrive();
    }
    return true;
  }

  /** Lets time pass until something happens; false if nothing does for a minute. */
  step(): boolean {
    for (let waited = 0; waited < 60_000; waited += SAMPLE_EVERY) {
      const happened = this.#world.step(this.#nextStop() - this.now);
      this.#arrive();
      if (happened) return true;
    }
    return false;
  }

  /** Does something now; deeds that were to come later are forgotten. What can't be done is thrown, and changes nothing. */
  act(step: string): void {
    this.#world.act(step);
    this.deeds = [...this.deeds.slice(0, this.#done), { at: this.now, step }];
    this.#done = this.deeds.length;
    this.#furthest = this.now;
    this.#tell();
  }

  /** Goes back to the beginning. */
  rewind(): void {
    this.#world.free();
    this.#world = World.replay(this.seed, this.scenario.script);
    this.#begin();
  }

  free(): void {
    this.#world.free();
  }

  #begin(): void {
    [this.#done, this.#steps, this.#sampledAt] = [0, 0, 0];
    this.#world.watch();
    this.#watcher.begun();
    this.#watcher.counted(this.#world.statistics());
    this.#perform();
    this.#tell();
  }

  /** Until when time may pass in one go. */
  #nextStop(): number {
    return Math.min(this.#sampledAt + SAMPLE_EVERY, this.deeds[this.#done]?.at ?? Infinity);
  }

  /** Some time has passed. */
  #arrive(): void {
    this.#perform();
    if (this.now >= this.#sampledAt + SAMPLE_EVERY) {
      this.#sampledAt += SAMPLE_EVERY;
      this.#watcher.counted(this.#world.statistics());
    }
    this.#tell();
    this.#furthest = Math.max(this.#furthest, this.now);
  }

  /** Does by itself what was done by hand at this moment. */
  #perform(): void {
    for (let deed = this.deeds[this.#done]; deed && deed.at <= this.now; deed = this.deeds[this.#done]) {
      this.#done += 1;
      this.#world.act(deed.step);
    }
  }

  #tell(): void {
    const flights = this.#world.flights(this.#watcher.wantsAdverts());
    if (flights.length > 0) this.#watcher.flew(flights);
    const steps = this.#world.steps(this.#steps);
    this.#steps += steps.length;
    const events = this.#world.events(false);
    if (steps.length > 0 || events.length > 0) this.#watcher.told(steps, events);
  }
}

/** How much time passes at once, in milliseconds: as little as can be stopped after. */
const SLICE = 50;

/** How much time is between two samples of the counts, in milliseconds. */
export const SAMPLE_EVERY = 250;
