// What has happened, latest first: steps, and what applications were told; only of what is selected, if anything is.

import type { Step, Told } from "../../pkg/flockmq_wasm.js";
import { el } from "./dom.js";
import { time } from "./format.js";
import type { Selection } from "./selection.js";

interface Line {
  at: number;
  host: string | undefined;
  text: string;
  tone: "bad" | "deed" | "good" | "plain";
}

export class Log {
  readonly #element: HTMLElement;
  readonly #selection: Selection;
  #lines: Line[] = [];
  #isStale = true;

  constructor(element: HTMLElement, selection: Selection) {
    this.#element = element;
    this.#selection = selection;
    selection.onChange(() => (this.#isStale = true));
  }

  clear(): void {
    this.#lines = [];
    this.#isStale = true;
  }

  add(steps: Step[], events: Told[]): void {
    const lines = [...steps.map(stepLine), ...events.map(eventLine)].sort((one, other) => one.at - other.at);
    this.#lines.push(...lines);
    if (this.#lines.length > LINES_MAX) this.#lines = this.#lines.slice(-LINES_MAX);
    this.#isStale = true;
  }

  /** Shows what is new. */
  draw(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const { hosts } = this.#selection;
    const isOf = ({ host, text }: Line) => {
      if (hosts.length === 0) return true;
      return host !== undefined ? hosts.includes(host) : hosts.some((name) => text.split(" ").includes(name));
    };
    const shown = this.#lines.filter(isOf).slice(-SHOWN_MAX).reverse();
    const rows = shown.map(({ at, host, text, tone }) =>
      el("li", { class: `is-${tone}` }, el("time", {}, time(at)), el("b", {}, host ?? "#"), el("span", {}, text)),
    );
    this.#element.replaceChildren(...(rows.length > 0 ? rows : [el("li", { class: "is-plain" }, "Nothing yet.")]));
  }
}

function stepLine({ at, step }: Step): Line {
  return { at, host: undefined, text: step, tone: "deed" };
}

function eventLine(event: Told): Line {
  const { type, at, host } = event;
  const said = (field: string) => (event[field] === undefined || event[field] === null ? "" : String(event[field]));
  const parts = ["name", "service", "address", "addresses", "up", "needed", "attempts", "reason", "refusal"];
  const details = parts.map((part) => (part === "needed" && said(part) ? `of ${said(part)}` : said(part))).filter(Boolean);
  const isBad = /Lost|Refused|Failed|GivenUp|Clash|Ended/.test(type);
  const isGood = /Ready|Up$/.test(type) && !isBad;
  const words = type.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
  return { at, host, text: [words, ...details].join(" · "), tone: isBad ? "bad" : isGood ? "good" : "plain" };
}

const LINES_MAX = 5_000;
const SHOWN_MAX = 200;
