// What can be done to the hosts and the network: each is a step of a scenario, done now.

import { word } from "./deed.js";
import { byId, el, refill } from "./dom.js";
import type { Selection } from "./selection.js";

export class Tools {
  readonly #act: (step: string) => boolean;
  readonly #selection: Selection;
  readonly #buttons = byId("host-tools");
  #otherFaults: string[] = []; // Those without a slider, as they are written.

  /** `act` does a step, and tells whether it could be done. */
  constructor(selection: Selection, act: (step: string) => boolean) {
    this.#act = act;
    this.#selection = selection;
    selection.onChange(() => this.draw());
    this.#onSubmit("send", (form) => {
      const every = form.text("every");
      const often = form.text("times") === "1" ? "" : ` ${form.text("times")} times${every && every !== "0" ? ` every ${every}ms` : ""}`;
      const verb = form.isChecked("asks") ? "request" : "send";
      return this.#each((host) => `${verb} ${host} ${word(form.text("destination"))} ${word(form.text("text"))}${often}`);
    });
    this.#onSubmit("subscribe", (form) => {
      const verb = form.submitter === "end" ? "unsubscribe" : form.isChecked("answers") ? "answer" : "subscribe";
      return this.#each((host) => `${verb} ${host} ${word(form.text("destination"))}`);
    });
    this.#onSubmit("add", (form) => {
      const [kind, name, group] = [form.text("kind"), form.text("name"), form.text("group")];
      const places: Record<string, string> = {
        broker: `broker ${word(name)} ${word(group)}`,
        client: `host ${word(name)} ${word(`fanout:(multicast://default?group=${group})?minAckCount=1`)}`,
        peer: `host ${word(name)} ${word(`peer://${group}`)}`,
      };
      const isAdded = act(places[kind] ?? "");
      if (isAdded) selection.set([name]);
      return isAdded;
    });
    this.#onSubmit("faults", (form) => {
      const [loss, least, spread] = [form.number("loss"), form.number("delay"), form.number("spread")];
      return act(`faults ${[...this.#otherFaults, `loss=${loss}%`, `delay=${least}ms..${least + spread}ms`].join(" ")}`);
    });
    const faults = byId<HTMLFormElement>("faults");
    faults.addEventListener("change", () => faults.requestSubmit());
    byId("heal-all").addEventListener("click", () => act("heal"));
    this.draw();
  }

  /** A step was done: the sliders show what goes wrong by chance since. */
  note(step: string): void {
    if (!step.startsWith("faults ")) return;
    const faults = step.split(" ").slice(1);
    this.#otherFaults = faults.filter((fault) => !/^(none$|loss=|delay=)/.test(fault));
    const said = (name: string) => faults.find((fault) => fault.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
    const [least = 0, most = 0] = said("delay").split("..").map(inMilliseconds);
    const loss = parseFloat(said("loss") || "0");
    const form = byId<HTMLFormElement>("faults");
    for (const [name, value] of Object.entries({ loss, delay: least, spread: most - least })) {
      form.querySelector<HTMLInputElement>(`[name="${name}"]`)!.value = String(value);
    }
    show("loss-shown", `${loss} %`);
    show("delay-shown", most > 0 ? `${least} to ${most} ms` : "less than 1 ms");
  }

  /** Offers what can be done with what is selected. */
  draw(): void {
    const { hosts } = this.#selection;
    const [a, b] = hosts;
    const button = (name: string, title: string, steps: () => string[]) =>
      el("button", { type: "button", title, "data-key": name, click: () => void steps().every((step) => this.#act(step)) }, name);
    const all = (verb: string) => () => hosts.map((host) => `${verb} ${host}`);
    const offered: HTMLElement[] = [];
    if (hosts.length > 0) {
      offered.push(
        button("Crash", "ends the process without a word", all("crash")),
        button("Restart", "starts the process anew", all("restart")),
        button("Pause", "stops the process in its tracks", all("pause")),
        button("Resume", "lets it go on", all("resume")),
        button("Stop", "the node takes its leave", all("stop")),
        button("Slow", "each link takes 1000 bytes a second", () => hosts.map((host) => `slow ${host} 1000`)),
        button("Full speed", "each link takes what comes", () => hosts.map((host) => `slow ${host} off`)),
        button("Cut off", "nothing gets through between these and all others", () => [`partition ${hosts.join(" ")}`]),
      );
    }
    if (a !== undefined && b !== undefined && hosts.length === 2) {
      offered.push(
        button("Cut link", "nothing gets through between the two", () => [`cut ${a} ${b}`]),
        button(`Cut ${a} → ${b}`, "nothing gets through in this direction", () => [`cut ${a} -> ${b}`]),
        button("Heal link", "everything gets through again", () => [`heal ${a} ${b}`]),
        button("Reset link", "its connections are torn down", () => [`reset ${a} ${b}`]),
      );
    }
    refill(this.#buttons, offered.length > 0 ? offered : ["Select hosts to do something to them."]);
    for (const id of ["send", "subscribe"]) byId<HTMLFieldSetElement>(`${id}-fields`).disabled = hosts.length === 0;
  }

  #each(step: (host: string) => string): boolean {
    return this.#selection.hosts.every((host) => this.#act(step(host)));
  }

  #onSubmit(id: string, submit: (form: Form) => boolean): void {
    const element = byId<HTMLFormElement>(id);
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      const submitter = event.submitter instanceof HTMLButtonElement ? event.submitter.value : "";
      submit(new Form(element, submitter));
    });
  }
}

/** What was filled in. */
class Form {
  readonly submitter: string;
  readonly #data: FormData;

  constructor(element: HTMLFormElement, submitter: string) {
    this.#data = new FormData(element);
    this.submitter = submitter;
  }

  text(name: string): string {
    return String(this.#data.get(name) ?? "").trim();
  }

  number(name: string): number {
    return Number(this.text(name));
  }

  isChecked(name: string): boolean {
    return this.#data.has(name);
  }
}

/** A time as steps have it, `60ms` or `2s`. */
function inMilliseconds(text: string): number {
  const [, number = "0", unit = "ms"] = /^([\d.]+)([a-z]+)$/.exec(text) ?? [];
  return Number(number) * ({ ns: 1e-6, us: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 }[unit] ?? 1);
}

function show(id: string, text: string): void {
  byId(id).textContent = text;
}
