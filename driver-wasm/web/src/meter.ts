// How often the picture is drawn, how fast time passes, and how many messages are delivered in a second of it.

export interface Reading {
  framesPerSecond: number;
  /** Virtual seconds in a real one. */
  pace: number;
  /** In a second of virtual time. */
  deliveredPerSecond: number;
}

export class Meter {
  #began = performance.now();
  #frames = 0;
  #from = { now: 0, at: 0, delivered: 0 };
  #reading: Reading = { framesPerSecond: 0, pace: 0, deliveredPerSecond: 0 };

  /** A picture was drawn at this virtual time; so many messages were delivered `at` the last sample. */
  draw(now: number, at: number, delivered: number): Reading {
    this.#frames += 1;
    const past = performance.now() - this.#began;
    if (now < this.#from.now) this.#restart(now, at, delivered);
    else if (past >= EVERY) {
      const passed = at - this.#from.at;
      this.#reading = {
        framesPerSecond: (1000 * this.#frames) / past,
        pace: (now - this.#from.now) / past,
        deliveredPerSecond: passed > 0 ? (1000 * (delivered - this.#from.delivered)) / passed : 0,
      };
      this.#restart(now, at, delivered);
    }
    return this.#reading;
  }

  #restart(now: number, at: number, delivered: number): void {
    this.#began = performance.now();
    this.#frames = 0;
    this.#from = { now, at, delivered };
  }
}

/** How long is counted, in milliseconds. */
const EVERY = 1000;
