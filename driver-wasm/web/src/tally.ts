// What is counted at the moment that is looked at, beside what is expected in the end.

import type { Statistics } from "../../pkg/flockmq_wasm.js";
import { el } from "./dom.js";
import { count } from "./format.js";
import type { Expected, Scenario } from "./scenario.js";

const COUNTED = ["sent", "delivered", "duplicate", "lost", "missing", "held", "refused"] as const;

const MEANINGS: Record<(typeof COUNTED)[number], string> = {
  sent: "messages that applications sent",
  delivered: "messages handed to applications, each copy counted",
  duplicate: "copies of what a consumer had already",
  lost: "owed for ten seconds and in no queue",
  missing: "owed and not come yet",
  held: "in queues, handed out ones included",
  refused: "sends that failed",
};

export class Tally {
  readonly #element: HTMLElement;

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  /** Shows the counts; those expected too, which hold once the scenario has ended and nothing else was done. */
  draw(statistics: Statistics, scenario: Scenario, hasEnded: boolean): void {
    const rows = COUNTED.map((name) => {
      const [found, expected] = [statistics[name], name in scenario.expected ? scenario.expected[name as keyof Expected] : undefined];
      const verdict = expected === undefined ? "" : !hasEnded ? `${count(expected)} in the end` : found === expected ? "✓ as expected" : `✗ expected ${count(expected)}`;
      const tone = !hasEnded || expected === undefined ? "" : found === expected ? "is-good" : "is-bad";
      return el("tr", { title: MEANINGS[name], class: tone, "data-count": name }, el("th", { scope: "row" }, name), el("td", {}, count(found)), el("td", {}, verdict));
    });
    this.#element.replaceChildren(...rows);
  }
}
