// All that there is to see of what is selected: a node, the way between two, or how many there are.

import type { DialView, NodeView, Target } from "../../pkg/flockmq_wasm.js";
import { el, refill } from "./dom.js";
import type { Flights } from "./flights.js";
import { count, span, time } from "./format.js";
import type { Run } from "./run.js";
import type { Selection } from "./selection.js";
import { describe } from "./stage.js";

export class Details {
  readonly #element: HTMLElement;
  readonly #selection: Selection;
  readonly #flights: Flights;

  constructor(element: HTMLElement, selection: Selection, flights: Flights) {
    this.#element = element;
    this.#selection = selection;
    this.#flights = flights;
  }

  draw(run: Run): void {
    const { hosts, one } = this.#selection;
    const parts =
      one !== undefined ? node(run.world.inspect(one), run.now) : hosts.length === 2 ? this.#way(hosts, run) : several(hosts);
    refill(this.#element, [...parts, ...(hosts.length > 0 && hosts.length <= 2 ? this.#traffic(hosts) : [])]);
  }

  /** The way between two hosts. */
  #way([a = "", b = ""]: readonly string[], run: Run): HTMLElement[] {
    const link = run.topology().links.find((link) => [link.a, link.b].includes(a) && [link.a, link.b].includes(b));
    const state = link ? `${link.kind === "client" ? "a client’s link" : "a bridge"}, ${link.isReady ? "ready" : "opening"}` : "no link";
    const cuts = [[a, b] as const, [b, a] as const].filter(([from, to]) => this.#flights.isCut(from, to));
    const cut = cuts.length === 2 ? "cut both ways" : cuts.map(([from, to]) => `cut from ${from} to ${to}`).join();
    return [el("h3", {}, `${a} – ${b}`), el("p", {}, [state, cut].filter(Boolean).join("; "), ".")];
  }

  #traffic(hosts: readonly string[]): HTMLElement[] {
    const rows = this.#flights.of(hosts, 8).map((flight) => el("li", {}, describe(flight).join(" · ")));
    return [section("On its way", rows.length > 0 ? [el("ul", { class: "traffic" }, ...rows)] : [])];
  }
}

function several(hosts: readonly string[]): HTMLElement[] {
  if (hosts.length > 0) return [el("h3", {}, `${hosts.length} hosts`), el("p", {}, hosts.join(", "))];
  return [el("p", {}, "Choose a host, or a link between two. With Shift several hosts are chosen; so are those within a lasso.")];
}

function node(node: NodeView, now: number): HTMLElement[] {
  const { stats } = node;
  const head = [
    el("h3", {}, node.name, " ", el("small", {}, [node.group ? `${node.kind} of ${node.group}` : node.kind, node.address, node.state].join(" · "))),
    ...(node.starts > 1 ? [el("p", {}, `Its process was started ${node.starts} times.`)] : []),
  ];
  if (!stats) return [...head, el("p", {}, "Nothing runs here: what its memory held is gone.")];
  const destinations = (node.destinations ?? []).map((one) => [
    one.name,
    count(one.depth + one.parked),
    count(one.outstanding),
    `${count(one.enqueued)} → ${count(one.kind === "queue" ? one.dequeued : one.dispatched)}`,
    count(one.consumers),
  ]);
  const consumers = (node.consumers ?? []).map((one) => [one.destination, one.by ?? "its application", count(one.outstanding)]);
  const demands = (node.demands ?? []).map((one) => [one.destination, one.by ?? "", count(one.outstanding), one.waitingBytes > 0 ? `${count(one.waitingBytes)} B` : "–"]);
  const numbers = Object.entries(stats).filter(([, number]) => number > 0).map(([name, number]) => `${words(name)} ${count(number)}`);
  return [
    ...head,
    section("Queues and topics", table(["", "waiting", "out", "in → done", "consumers"], destinations)),
    section("Subscriptions", table(["", "of", "unanswered"], consumers)),
    section("Demand of peers", table(["", "peer", "unanswered", "waits"], demands)),
    section("Back-off", table(["address", "", "failed"], (node.dials ?? []).map((dial) => [dial.address.replace("tcp://", ""), standing(dial, now), count(dial.failures)]))),
    ...(node.kind === "client" ? [section("Fanout targets", table(["broker", "", "accepted", "unanswered"], (node.targets ?? []).map(target)))] : []),
    section("Counted", numbers.length > 0 ? [el("p", {}, numbers.join(" · "))] : []),
  ];
}

/** A part with a heading; left out if there is nothing in it. */
function section(title: string, content: HTMLElement[]): HTMLElement {
  return el("section", { hidden: content.length === 0 }, el("h4", {}, title), ...content);
}

function table(heads: string[], rows: string[][]): HTMLElement[] {
  if (rows.length === 0) return [];
  const shown = rows.slice(0, ROWS_MAX);
  const more = rows.length - shown.length;
  return [
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, ...shown.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell))))),
    ),
    ...(more > 0 ? [el("p", {}, `and ${more} more`)] : []),
  ];
}

function standing({ state, at, met }: DialView, now: number): string {
  if (state === "Met") return `linked to ${met ?? "somebody"}`;
  if (state === "GivenUp") return "given up";
  if (state === "Connecting") return "being dialled";
  return at === null ? "waits" : at > now ? `dialled again in ${span(at - now)}, at ${time(at)}` : "due";
}

function target({ address, state, accepted, unansweredBytes, host }: Target): string[] {
  return [host ?? address, state === "Up" ? "up" : words(state), count(accepted), unansweredBytes > 0 ? `${count(unansweredBytes)} B` : "–"];
}

/** `unsettledBytes` as words. */
function words(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}

const ROWS_MAX = 12;
