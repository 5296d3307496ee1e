// The picture: hosts as buttons, so that keys and screen readers reach them, over a canvas with links and what travels.

import type { Flight, HostView, Topology } from "../../pkg/flockmq_wasm.js";
import { el } from "./dom.js";
import type { Flights } from "./flights.js";
import { shortId } from "./format.js";
import { Layout, type Place } from "./layout.js";
import type { Selection } from "./selection.js";

const EMPTY: Topology = { hosts: [], links: [], cuts: [] };

export class Stage {
  readonly layout = new Layout();
  /** True while a drag on the background draws a lasso, as it does with Shift. */
  isLassoing = false;
  readonly #element: HTMLElement;
  readonly #links = el("canvas", { "aria-hidden": "true" });
  readonly #traffic = el("canvas", { "aria-hidden": "true" });
  readonly #tip: HTMLElement;
  readonly #buttons = new Map<string, HTMLButtonElement>();
  readonly #flights: Flights;
  readonly #selection: Selection;
  #topology = EMPTY;
  #lasso: Place[] = [];
  #pointer: Place | undefined;
  #colors: Record<string, string> = {};
  #areLinksStale = true; // They are drawn only when they change: there may be thousands.

  constructor(element: HTMLElement, flights: Flights, selection: Selection) {
    this.#element = element;
    this.#tip = el("div", { class: "tip", hidden: true });
    element.append(this.#links, this.#traffic, this.#tip);
    this.#flights = flights;
    this.#selection = selection;
    selection.onChange(() => this.#mark());
    new ResizeObserver(() => this.#resize()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#readColors());
    this.#readColors();
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => (this.#pointer = this.#at(event)));
    element.addEventListener("pointerleave", () => (this.#pointer = undefined));
  }

  /** There is another topology. */
  setTopology(topology: Topology): void {
    const names = new Set(topology.hosts.map(({ name }) => name));
    const isOther = names.size !== this.#buttons.size || [...names].some((name) => !this.#buttons.has(name));
    this.#topology = topology;
    this.#flights.setCuts(topology.cuts);
    for (const [name, button] of this.#buttons) {
      if (!names.has(name)) {
        button.remove();
        this.#buttons.delete(name);
      }
    }
    for (const host of topology.hosts) this.#label(host);
    if (isOther) this.#resize();
    this.#selection.keep(names);
    this.#mark();
  }

  /** Draws the moment `now`. */
  draw(now: number): void {
    if (this.#areLinksStale) {
      this.#areLinksStale = false;
      this.#drawLinks(this.#wipe(this.#links));
    }
    const context = this.#wipe(this.#traffic);
    const near = this.#drawFlights(context, now);
    this.#drawLasso(context);
    this.#showTip(near);
  }

  /** An empty canvas, measured as the page is. */
  #wipe(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser draws nothing");
    const { clientWidth: width, clientHeight: height } = this.#element;
    const scale = canvas.width / width;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  #drawLinks(context: CanvasRenderingContext2D): void {
    const { links, cuts, hosts } = this.#topology;
    const [one, other] = this.#selection.hosts;
    const isMany = links.length > 300;
    const paths = { ready: new Path2D(), opening: new Path2D(), client: new Path2D(), selected: new Path2D(), cut: new Path2D() };
    const line = (path: Path2D, a: string, b: string) => {
      const [from, to] = [this.#pixels(a), this.#pixels(b)];
      path.moveTo(from.x, from.y);
      path.lineTo(to.x, to.y);
    };
    for (const { a, b, kind, isReady } of links) {
      const isSelected = other === undefined ? one !== undefined && (a === one || b === one) : this.#selection.has(a) && this.#selection.has(b);
      line(isSelected ? paths.selected : kind === "client" ? paths.client : isReady ? paths.ready : paths.opening, a, b);
    }
    if (hosts.length <= 12) for (const { from, to } of cuts) line(paths.cut, from, to);
    const stroke = (path: Path2D, color: string, width: number, dash: number[] = [], alpha = 1) => {
      context.globalAlpha = alpha;
      context.strokeStyle = this.#colors[color] ?? "";
      context.lineWidth = width;
      context.setLineDash(dash);
      context.stroke(path);
    };
    stroke(paths.ready, "link", isMany ? 0.6 : 2, [], isMany ? 0.35 : 1);
    stroke(paths.opening, "link", 1.5, [2, 5]);
    stroke(paths.client, "client", 2);
    stroke(paths.selected, "accent", isMany ? 1 : 2.5);
    stroke(paths.cut, "bad", 2, [7, 6]);
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /** Draws what travels; what is nearest to the pointer. */
  #drawFlights(context: CanvasRenderingContext2D, now: number): Flight | undefined {
    let [near, nearest] = [undefined as Flight | undefined, 14];
    const isMany = this.#topology.hosts.length > 12;
    for (const { flight, part, fate } of this.#flights.visible(now)) {
      const [from, to] = [this.#pixels(flight.from), this.#pixels(flight.to)];
      const [dx, dy] = [to.x - from.x, to.y - from.y];
      const length = Math.hypot(dx, dy) || 1;
      const side = isMany ? 0 : 5; // Each direction keeps to its own side of the line.
      const at = { x: from.x + dx * part - (dy / length) * side, y: from.y + dy * part + (dx / length) * side };
      const isMessage = flight.kind === "message";
      context.globalAlpha = fate === "lost" ? 0.35 : 1;
      context.fillStyle = this.#colors[fate === "moving" ? flight.kind : "bad"] ?? "";
      context.beginPath();
      context.arc(at.x, at.y, (isMessage ? 5 : 3) * (isMany ? 0.7 : 1), 0, 2 * Math.PI);
      context.fill();
      if (this.#pointer) {
        const distance = Math.hypot(at.x - this.#pointer.x, at.y - this.#pointer.y) - (isMessage ? 4 : 0);
        if (distance < nearest) [near, nearest] = [flight, distance];
      }
    }
    context.globalAlpha = 1;
    return near;
  }

  #drawLasso(context: CanvasRenderingContext2D): void {
    if (this.#lasso.length < 2) return;
    const path = new Path2D();
    for (const { x, y } of this.#lasso) path.lineTo(x, y);
    context.strokeStyle = context.fillStyle = this.#colors["accent"] ?? "";
    context.lineWidth = 1.5;
    context.stroke(path);
    context.globalAlpha = 0.12;
    context.fill(path);
    context.globalAlpha = 1;
  }

  #showTip(flight: Flight | undefined): void {
    this.#tip.hidden = !flight;
    if (!flight || !this.#pointer) return;
    const { x, y } = this.#pointer;
    this.#tip.replaceChildren(...describe(flight).map((line) => el("div", {}, line)));
    const isRight = x > this.#element.clientWidth / 2;
    this.#tip.style.translate = `${isRight ? x - 12 : x + 12}px ${y + 12}px`;
    this.#tip.classList.toggle("is-left", isRight);
  }

  /** Makes or changes the button of a host. */
  #label(host: HostView): void {
    let button = this.#buttons.get(host.name);
    if (!button) {
      button = el("button", { class: "host", type: "button", "data-host": host.name });
      button.addEventListener("click", (event) => this.#choose(host.name, event));
      button.addEventListener("keydown", (event) => this.#nudge(host.name, event));
      this.#buttons.set(host.name, button);
      this.#element.append(button);
    }
    const takes = host.takes.map((destination) => destination.replace(/^\w+:\/\//, "")).join(", ");
    const state = `${host.kind}|${host.state}|${host.held}|${host.group}|${takes}`;
    if (button.dataset["state"] === state) return;
    button.dataset["state"] = state;
    button.className = `host is-${host.kind} is-${host.state}`;
    const held = host.held > 0 ? [el("span", { class: "held", title: "messages of queues held here" }, String(host.held))] : [];
    const note = host.state === "up" ? host.kind : host.state;
    const wanted = takes ? [el("small", { class: "takes" }, `takes ${takes}`)] : [];
    button.replaceChildren(el("b", {}, host.name), el("small", {}, note), ...wanted, ...held);
    button.setAttribute("aria-label", `${host.name}, ${host.kind}${host.group ? ` of ${host.group}` : ""}, ${host.state}${takes ? `, takes ${takes}` : ""}${host.held > 0 ? `, holds ${host.held} messages` : ""}`);
  }

  #mark(): void {
    this.#areLinksStale = true;
    for (const [name, button] of this.#buttons) button.setAttribute("aria-pressed", String(this.#selection.has(name)));
  }

  #choose(host: string, event: MouseEvent): void {
    if (event.shiftKey || event.ctrlKey || event.metaKey) this.#selection.toggle(host);
    else this.#selection.set(this.#selection.one === host ? [] : [host]);
  }

  /** Arrows move a host. */
  #nudge(host: string, event: KeyboardEvent): void {
    const step = { ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const { x, y } = this.layout.place(host);
    this.layout.drag(host, { x: x + (step[0] ?? 0) * 0.02, y: y + (step[1] ?? 0) * 0.02 });
    this.#put();
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0) return;
    const host = event.target instanceof Element ? event.target.closest<HTMLElement>(".host")?.dataset["host"] : undefined;
    if (host !== undefined) this.#dragHost(host, event);
    else if (this.isLassoing || event.shiftKey) this.#drawAround(event);
    else this.#selection.set(this.#linkAt(this.#at(event)));
  }

  #dragHost(host: string, start: PointerEvent): void {
    const from = this.#at(start);
    this.#follow((event) => {
      const at = this.#at(event);
      if (Math.hypot(at.x - from.x, at.y - from.y) < 6 && !this.#buttons.get(host)?.classList.contains("is-dragged")) return;
      this.#buttons.get(host)?.classList.add("is-dragged");
      this.layout.drag(host, { x: at.x / this.#element.clientWidth, y: at.y / this.#element.clientHeight });
      this.#put();
    }, () => setTimeout(() => this.#buttons.get(host)?.classList.remove("is-dragged")));
  }

  #drawAround(start: PointerEvent): void {
    start.preventDefault();
    this.#lasso = [this.#at(start)];
    this.#follow((event) => this.#lasso.push(this.#at(event)), () => {
      const within = [...this.#buttons.keys()].filter((host) => isWithin(this.#pixels(host), this.#lasso));
      this.#lasso = [];
      this.#selection.set(within);
    });
  }

  #follow(move: (event: PointerEvent) => void, end: () => void): void {
    const stop = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", stop);
      removeEventListener("pointercancel", stop);
      end();
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", stop);
    addEventListener("pointercancel", stop);
  }

  /** The two ends of the link or cut at a place; nothing if there is none. */
  #linkAt(at: Place): string[] {
    const { links, cuts } = this.#topology;
    const pairs = [...links.map(({ a, b }) => [a, b] as const), ...cuts.map(({ from, to }) => [from, to] as const)];
    let [best, least]: [string[], number] = [[], 10];
    for (const [a, b] of pairs) {
      const distance = distanceToLine(at, this.#pixels(a), this.#pixels(b));
      if (distance < least) [best, least] = [[a, b], distance];
    }
    return best;
  }

  #at(event: PointerEvent): Place {
    const { left, top } = this.#element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #pixels(host: string): Place {
    const { x, y } = this.layout.place(host);
    return { x: x * this.#element.clientWidth, y: y * this.#element.clientHeight };
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#element;
    if (width === 0 || height === 0) return;
    const scale = Math.min(2, devicePixelRatio);
    for (const canvas of [this.#links, this.#traffic]) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    this.layout.arrange(this.#topology.hosts, width / height);
    this.#element.classList.toggle("is-crowded", this.#topology.hosts.length > 12);
    this.#put();
  }

  #put(): void {
    this.#areLinksStale = true;
    for (const [name, button] of this.#buttons) {
      const { x, y } = this.layout.place(name);
      button.style.left = `${100 * x}%`;
      button.style.top = `${100 * y}%`;
    }
  }

  #readColors(): void {
    this.#areLinksStale = true;
    const style = getComputedStyle(document.documentElement);
    const names = ["accent", "ack", "advert", "bad", "bytes", "client", "control", "demand", "keepalive", "link", "message"];
    this.#colors = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
}

/** What something on its way is, line by line. */
export function describe(flight: Flight): string[] {
  const [first, ...others] = flight.messages;
  const way = `${flight.from} → ${flight.to}`;
  if (!first) return [`${flight.says.join(", ") || flight.kind}`, way];
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  return [`${first.destination}${more}`, shortId(first.id), `“${first.text}”`, way];
}

function isWithin(at: Place, around: Place[]): boolean {
  let isInside = false;
  around.forEach((a, index) => {
    const b = around[(index + 1) % around.length] ?? a;
    if (a.y > at.y !== b.y > at.y && at.x < ((b.x - a.x) * (at.y - a.y)) / (b.y - a.y) + a.x) isInside = !isInside;
  });
  return isInside;
}

function distanceToLine(at: Place, a: Place, b: Place): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const part = ((at.x - a.x) * dx + (at.y - a.y) * dy) / (dx * dx + dy * dy || 1);
  const near = Math.min(1, Math.max(0, part));
  return Math.hypot(at.x - a.x - near * dx, at.y - a.y - near * dy);
}
