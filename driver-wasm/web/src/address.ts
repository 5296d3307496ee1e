// What the page's address says after its '#': which scenario, which seed, what was done by hand, and the moment to look at.
// It is all that decides a run, so an address shows the same everywhere.

import { type Deed, parseDeed, printDeed, printTime } from "./deed.js";
import { SCENARIOS, type Scenario, findScenario } from "./scenario.js";

export interface Address {
  /** One of those that come with the page, or one's own. */
  scenario: Scenario;
  /** In hexadecimal. */
  seed: string;
  /** In the order of their times. */
  deeds: Deed[];
  /** The moment to look at, in milliseconds; none if the run is to begin. */
  at: number | undefined;
}

/** Where the page begins if nothing is said. */
export function firstAddress(): Address {
  return { scenario: SCENARIOS[0]!, seed: "1", deeds: [], at: undefined };
}

/** Reads an address's fragment; what is wrong with it is thrown, in words for people. */
export function parseAddress(fragment: string): Address {
  const address = firstAddress();
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    if (seen.has(name) && name !== "do") throw new Error(`'${name}' is said twice; expected it once`);
    seen.add(name);
    switch (name) {
      case "at":
        address.at = parseTime(value);
        break;
      case "do":
        address.deeds.push(parseDeed(value));
        break;
      case "scenario":
        address.scenario = findScenario(value);
        break;
      case "script":
        address.scenario = { name: "", title: "Your own scenario", text: [], script: value, expected: {} };
        break;
      case "seed":
        if (!/^[0-9a-f]{1,32}$/i.test(value)) {
          throw new Error(`the seed '${value}' is no hexadecimal number of up to 128 bits`);
        }
        address.seed = value.toLowerCase();
        break;
      default:
        throw new Error(`'${name}' can't stand in the address; expected scenario, script, seed, at and do`);
    }
  }
  if (seen.has("scenario") && seen.has("script")) {
    throw new Error("the address names a scenario and has one of its own; expected either");
  }
  const late = address.deeds.findIndex((deed, index) => deed.at < (address.deeds[index - 1]?.at ?? 0));
  if (late >= 0) throw new Error(`'do=${printDeed(address.deeds[late]!)}' comes after a later one; expected them in order`);
  return address;
}

/** Writes what `parseAddress` reads. */
export function printAddress({ scenario, seed, deeds, at }: Address): string {
  const parts = new URLSearchParams();
  if (scenario.name) parts.set("scenario", scenario.name);
  else parts.set("script", scenario.script);
  parts.set("seed", seed);
  for (const deed of deeds) parts.append("do", printDeed(deed));
  if (at !== undefined) parts.set("at", printTime(at));
  return `#${parts}`;
}

function parseTime(text: string): number {
  if (!/^\d+(\.\d{1,6})?$/.test(text)) throw new Error(`'at=${text}' is no moment; expected milliseconds, such as 'at=4000'`);
  const at = Number(text);
  if (at > TIME_MAX) throw new Error(`'at=${text}' is too far; expected ${TIME_MAX} milliseconds at most, which is an hour`);
  return at;
}

/** How far a run may be looked at: all of it is run to show a moment. */
export const TIME_MAX = 3_600_000;
