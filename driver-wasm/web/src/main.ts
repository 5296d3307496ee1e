// The page: carries what happens in a run to the parts that show it, and what people do back to the run.

import "uplot/dist/uPlot.min.css";

import init, { type Flight, type Statistics, type Step, type Told } from "../../pkg/flockmq_wasm.js";
import { type Address, TIME_MAX, firstAddress, parseAddress, printAddress } from "./address.js";
import { Charts } from "./charts.js";
import { Details } from "./details.js";
import { byId, el, show } from "./dom.js";
import { Flights } from "./flights.js";
import { count, time } from "./format.js";
import { Log } from "./log.js";
import { Meter } from "./meter.js";
import { Run, type Watcher } from "./run.js";
import { SCENARIOS } from "./scenario.js";
import { Selection } from "./selection.js";
import { Stage } from "./stage.js";
import { Tally } from "./tally.js";
import { Tools } from "./tools.js";

class Simulator implements Watcher {
  readonly #selection = new Selection();
  readonly #flights = new Flights();
  readonly #stage = new Stage(byId("stage"), this.#flights, this.#selection);
  readonly #log = new Log(byId("log"), this.#selection);
  readonly #charts = new Charts(byId("charts"));
  readonly #tally = new Tally(byId("tally"));
  readonly #details = new Details(byId("details"), this.#selection, this.#flights);
  readonly #meter = new Meter();
  #tools: Tools | undefined;
  #run: Run | undefined;
  #statistics: Statistics | undefined;
  #isRunning = false;
  #speed = 1;
  #target: number | undefined; // A moment that is being gone to.
  #drawnAt = 0;
  #shownAt = 0;
  #seenAt = -Infinity; // When the topology was last looked at, in real time.
  #isTopologyStale = true;
  #address = "";

  start(): void {
    this.#tools = new Tools(this.#selection, (step) => this.#act(step));
    this.#selection.onChange(() => this.#refresh());
    const picker = byId<HTMLSelectElement>("scenario");
    picker.append(...SCENARIOS.map(({ name, title }) => el("option", { value: name }, title)));
    picker.addEventListener("change", () => this.#go(`#scenario=${picker.value}&seed=${this.#run?.seed ?? "1"}`));
    const seed = byId<HTMLInputElement>("seed");
    seed.addEventListener("change", () => this.#withRun((run) => this.#go(printAddress({ ...this.#parts(run), seed: seed.value.trim(), deeds: [], at: undefined }))));
    byId("run").addEventListener("click", () => this.#setRunning(!this.#isRunning));
    byId("step").addEventListener("click", () => this.#step());
    byId("restart").addEventListener("click", () => this.#seek(0));
    const speed = byId<HTMLInputElement>("speed");
    speed.addEventListener("input", () => this.#setSpeed(Number(speed.value)));
    const scrubber = byId<HTMLInputElement>("scrubber");
    scrubber.addEventListener("input", () => this.#seek(Number(scrubber.value)));
    byId("lasso").addEventListener("click", () => this.#toggleLasso());
    byId("share").addEventListener("click", () => void this.#share());
    byId("export").addEventListener("click", () => this.#export());
    byId<HTMLInputElement>("import").addEventListener("change", (event) => void this.#import(event.target as HTMLInputElement));
    byId("message-close").addEventListener("click", () => this.#say(undefined));
    for (const box of document.querySelectorAll<HTMLInputElement>("#kinds input")) {
      box.addEventListener("change", () => {
        for (const kind of box.value.split(" ")) this.#flights.shown[kind as keyof Flights["shown"]] = box.checked;
      });
    }
    addEventListener("hashchange", () => location.hash !== this.#address && this.#open());
    addEventListener("keydown", (event) => this.#key(event));
    this.#open();
    requestAnimationFrame(() => this.#frame());
  }

  // --- What the run tells ---

  wantsAdverts(): boolean {
    return this.#flights.shown.advert;
  }

  begun(): void {
    this.#tools?.note("faults none");
    this.#flights.clear();
    this.#log.clear();
    this.#charts.clear();
    this.#isTopologyStale = true;
  }

  flew(flights: Flight[]): void {
    this.#flights.add(flights);
  }

  told(steps: Step[], events: Told[]): void {
    this.#log.add(steps, events);
    for (const { step } of steps) this.#tools?.note(step);
    this.#isTopologyStale = true;
  }

  counted(statistics: Statistics): void {
    this.#statistics = statistics;
    this.#charts.add(statistics);
  }

  // --- Time ---

  #frame(): void {
    requestAnimationFrame(() => this.#frame());
    const clock = performance.now();
    const past = Math.min(100, clock - this.#drawnAt);
    this.#drawnAt = clock;
    const run = this.#run;
    if (!run) return;
    const hasTime = () => performance.now() - clock < BUDGET;
    try {
      if (this.#target !== undefined) {
        if (run.advance(this.#target, hasTime)) this.#arrive();
      } else if (this.#isRunning) {
        // It pauses where the scenario ends, unless something was done by hand: then it goes on.
        const stop = run.deeds.length === 0 && run.now < run.endsAt ? run.endsAt : TIME_MAX;
        run.advance(Math.min(stop, run.now + past * this.#speed), hasTime);
        if (run.now >= stop) this.#setRunning(false);
      }
    } catch (error) {
      this.#target = undefined;
      this.#setRunning(false);
      this.#say(error);
    }
    this.#draw(run, clock);
  }

  #draw(run: Run, clock: number): void {
    const { now } = run;
    this.#flights.settle(now);
    if (this.#isTopologyStale || clock - this.#seenAt > 1000) {
      const isLarge = (this.#statistics?.network["streams"] ?? 0) > 300;
      if (clock - this.#seenAt > (isLarge ? 1000 : 100)) this.#look(run, clock);
    }
    this.#stage.draw(now);
    const { framesPerSecond, pace, deliveredPerSecond } = this.#meter.draw(now, this.#statistics?.at ?? 0, this.#statistics?.delivered ?? 0);
    if (clock - this.#shownAt < REFRESH_EVERY) return;
    this.#shownAt = clock;
    show(byId("time"), time(now));
    const scrubber = byId<HTMLInputElement>("scrubber");
    scrubber.max = String(Math.max(run.endsAt, run.furthest));
    if (this.#target === undefined) scrubber.value = String(now);
    scrubber.setAttribute("aria-valuetext", time(now));
    const meter = `${framesPerSecond.toFixed(0)} frames/s · ${pace.toFixed(2)} × real time · ${count(deliveredPerSecond)} messages/s`;
    show(byId("meter"), this.#target !== undefined ? "going there…" : this.#isRunning ? meter : "paused");
    Object.assign(byId("meter").dataset, { fps: framesPerSecond.toFixed(1), pace: pace.toFixed(3), rate: deliveredPerSecond.toFixed(0) });
    document.body.dataset["busy"] = String(this.#target !== undefined);
    show(byId("trace"), run.world.traceHash());
    this.#log.draw();
    this.#charts.draw();
    this.#details.draw(run);
    if (this.#statistics) this.#tally.draw(this.#statistics, run.scenario, now >= run.endsAt && run.deeds.length === 0);
  }

  #look(run: Run, clock: number): void {
    this.#seenAt = clock;
    this.#isTopologyStale = false;
    this.#stage.setTopology(run.topology());
  }

  /** Shows everything anew with the next picture. */
  #refresh(): void {
    this.#shownAt = 0;
  }

  #setRunning(isRunning: boolean): void {
    this.#isRunning = isRunning;
    const button = byId("run");
    button.setAttribute("aria-pressed", String(isRunning));
    show(button, isRunning ? "Pause" : "Run");
    if (!isRunning) this.#writeAddress();
    this.#refresh();
  }

  /** Doubles or halves it so many times. */
  #setSpeed(doublings: number): void {
    this.#speed = 2 ** doublings;
    const shown = doublings < 0 ? `1/${2 ** -doublings}` : String(this.#speed);
    show(byId("speed-shown"), `× ${shown}`);
    byId("speed").setAttribute("aria-valuetext", `${shown} times real time`);
  }

  #step(): void {
    this.#setRunning(false);
    this.#withRun((run) => {
      if (!run.step()) throw new Error("nothing is going to happen for a minute");
      this.#arrive();
    });
  }

  #seek(at: number): void {
    this.#setRunning(false);
    this.#withRun((run) => {
      if (at < run.now) run.rewind();
      this.#target = at;
    });
  }

  #arrive(): void {
    this.#target = undefined;
    this.#withRun((run) => this.#look(run, performance.now()));
    this.#writeAddress();
    this.#refresh();
  }

  // --- What is done ---

  /** Does a step now; true if it could be done. */
  #act(step: string): boolean {
    return this.#withRun((run) => {
      run.act(step);
      this.#isTopologyStale = true;
      this.#writeAddress();
      this.#refresh();
    });
  }

  #withRun(what: (run: Run) => void): boolean {
    if (!this.#run) return false;
    try {
      what(this.#run);
      return true;
    } catch (error) {
      this.#say(error);
      return false;
    }
  }

  #toggleLasso(): void {
    this.#stage.isLassoing = !this.#stage.isLassoing;
    byId("lasso").setAttribute("aria-pressed", String(this.#stage.isLassoing));
    byId("stage").classList.toggle("is-lassoing", this.#stage.isLassoing);
  }

  #key(event: KeyboardEvent): void {
    const isTyping = event.target instanceof Element && event.target.matches("input, select, textarea, button, summary");
    if (event.key === "Escape") return this.#selection.set([]);
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = { " ": () => this.#setRunning(!this.#isRunning), ".": () => this.#step(), "0": () => this.#seek(0) }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  // --- Addresses and files ---

  #go(address: string): void {
    if (location.hash === address) this.#open();
    else location.hash = address;
  }

  /** Opens what the address says. */
  #open(): void {
    this.#address = location.hash;
    this.#say(undefined);
    try {
      this.#begin(parseAddress(location.hash));
    } catch (error) {
      if (!this.#run) this.#begin(firstAddress());
      this.#say(error);
    }
  }

  #begin({ scenario, seed, deeds, at }: Address): void {
    const run = new Run(scenario, seed, deeds, this);
    this.#run?.free();
    this.#run = run;
    this.#selection.set([]);
    this.#stage.layout.reset();
    this.#target = at;
    this.#setTexts(run);
    this.#look(run, performance.now());
    this.#isRunning = false;
    const mayMove = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (at === undefined && mayMove) this.#setRunning(true);
    else this.#setRunning(false);
  }

  #setTexts({ scenario, seed }: Run): void {
    const { name, title, text, script } = scenario;
    byId<HTMLSelectElement>("scenario").value = name;
    byId<HTMLInputElement>("seed").value = seed;
    show(byId("title"), title);
    document.title = `${title} – FlockMQ simulator`;
    byId("story").replaceChildren(...text.map((paragraph) => el("p", {}, paragraph)));
    show(byId("script"), script);
  }

  #parts(run: Run): Address {
    return { scenario: run.scenario, seed: run.seed, deeds: run.deeds, at: run.now };
  }

  #writeAddress(): void {
    const run = this.#run;
    if (!run || this.#target !== undefined) return;
    const parts = this.#parts(run);
    this.#address = printAddress(this.#isRunning || run.now === 0 ? { ...parts, at: undefined } : parts);
    history.replaceState(null, "", this.#address);
  }

  async #share(): Promise<void> {
    this.#writeAddress();
    try {
      await navigator.clipboard.writeText(location.href);
      this.#say("The address is copied: whoever opens it sees this very run.");
    } catch {
      this.#say("Copy the address of this page: whoever opens it sees this very run.");
    }
  }

  /** Saves the run as a scenario, which `flockmq simulate` plays as well. */
  #export(): void {
    this.#withRun((run) => {
      const text = `# flockmq simulate --seed ${run.seed} --scenario FILE\n${run.world.export()}`;
      const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
      el("a", { href: url, download: `${run.scenario.name || "scenario"}-${run.seed}.txt` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    });
  }

  async #import(input: HTMLInputElement): Promise<void> {
    const file = input.files?.[0];
    input.value = "";
    if (!file) return;
    try {
      if (file.size > SCRIPT_MAX) throw new Error(`'${file.name}' takes ${count(file.size)} bytes; expected ${count(SCRIPT_MAX)} at most`);
      const scenario = { name: "", title: "Your own scenario", text: [`From ${file.name}.`], script: await file.text(), expected: {} };
      this.#begin({ scenario, seed: this.#run?.seed ?? "1", deeds: [], at: undefined });
      this.#say(undefined);
    } catch (error) {
      this.#say(error);
    }
  }

  /** Tells something, or what is wrong; nothing any more if it is undefined. */
  #say(what: unknown): void {
    byId("message").hidden = what === undefined;
    byId("message").classList.toggle("is-bad", what instanceof Error);
    show(byId("message-text"), what instanceof Error ? what.message : String(what ?? ""));
  }
}

/** How long the world may run for each picture, in milliseconds: what is left is for drawing it. */
const BUDGET = 20;

/** How often texts are shown anew, in milliseconds. */
const REFRESH_EVERY = 200;

/** How many bytes a scenario may take: it has to fit into an address. */
const SCRIPT_MAX = 32_768;

try {
  await init({ module_or_path: new URL("flockmq_wasm_bg.wasm", import.meta.url) });
  new Simulator().start();
} catch (error) {
  byId("message").hidden = false;
  byId("message").classList.add("is-bad");
  byId("message-text").textContent = `The simulator can’t run here: ${error instanceof Error ? error.message : error}`;
}
document.body.dataset["ready"] = "true";
