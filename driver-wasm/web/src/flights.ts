// What is on its way between hosts at the moment that is looked at.

import type { Flight, Topology } from "../../pkg/flockmq_wasm.js";

/** Kinds of traffic, and whether they are drawn at first. */
export const KINDS = { message: true, ack: true, demand: true, control: true, keepalive: true, advert: false, bytes: false };

export class Flights {
  readonly shown = { ...KINDS };
  #all: Flight[] = [];
  #cuts = new Set<string>();

  clear(): void {
    this.#all = [];
  }

  add(flights: Flight[]): void {
    this.#all.push(...flights);
  }

  /** Notes which paths are cut: what is due there waits. */
  setCuts(cuts: Topology["cuts"]): void {
    this.#cuts = new Set(cuts.map(({ from, to }) => `${from} ${to}`));
  }

  /** True if nothing gets from one host to another. */
  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from} ${to}`);
  }

  /** Forgets what has arrived by now. */
  settle(now: number): void {
    this.#all = this.#all.filter((flight) => {
      if (flight.arrives === null) return now < flight.left + LOST_FOR;
      if (now < flight.arrives) return true;
      return flight.kind !== "advert" && this.isCut(flight.from, flight.to);
    });
    if (this.#all.length > FLIGHTS_MAX) this.#all = this.#all.slice(-FLIGHTS_MAX);
  }

  /** What is to be drawn, and how far each is: from 0 to 1, held up at a cut, or lost on its way. */
  *visible(now: number): Generator<{ flight: Flight; part: number; fate: "held" | "lost" | "moving" }> {
    for (const flight of this.#all) {
      if (!this.shown[flight.kind] || flight.left > now) continue;
      if (flight.arrives === null) {
        yield { flight, part: Math.min(0.5, (now - flight.left) / LOST_FOR), fate: "lost" };
        continue;
      }
      const part = Math.min(1, (now - flight.left) / Math.max(1e-6, flight.arrives - flight.left));
      const isHeld = this.isCut(flight.from, flight.to) && part > 0.5;
      yield { flight, part: isHeld ? 0.5 : part, fate: isHeld ? "held" : "moving" };
    }
  }

  /** What is on its way from or to a host, or between two, latest first. */
  of(hosts: readonly string[], max: number): Flight[] {
    const isOf = ({ from, to }: Flight) => (hosts.length === 2 ? hosts.includes(from) && hosts.includes(to) : hosts.includes(from) || hosts.includes(to));
    return this.#all.filter((flight) => this.shown[flight.kind] && isOf(flight)).slice(-max).reverse();
  }
}

/** For how long something that is lost is seen, in milliseconds. */
const LOST_FOR = 300;

/** How much is remembered: what has been held up for long is drawn in one place anyway. */
const FLIGHTS_MAX = 5_000;
