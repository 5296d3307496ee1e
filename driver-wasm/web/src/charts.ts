// Charts over virtual time: what was delivered, twice or lost, and how long it took.

import uPlot from "uplot";

import type { Statistics } from "../../pkg/flockmq_wasm.js";

export class Charts {
  readonly #counts: uPlot;
  readonly #latency: uPlot;
  #samples: Statistics[] = [];
  #isStale = true;

  constructor(element: HTMLElement) {
    const width = () => Math.max(200, element.clientWidth);
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => () => style.getPropertyValue(`--${name}`).trim();
    const axis = { stroke: color("faint"), grid: { stroke: color("edge"), width: 1 }, ticks: { stroke: color("edge") } };
    const line = (label: string, name: string, dash: number[] = []): uPlot.Series => ({
      label,
      stroke: color(name),
      width: 2,
      dash,
      spanGaps: true,
      points: { show: false },
    });
    const chart = (title: string, ...series: uPlot.Series[]) =>
      new uPlot(
        {
          title,
          width: width(),
          height: 180,
          scales: { x: { time: false } },
          axes: [{ ...axis, label: "s", labelSize: 14 }, { ...axis, size: 54 }],
          series: [{ label: "s" }, ...series],
          legend: { live: true },
          cursor: { y: false },
        },
        [[], ...series.map(() => [])],
        element,
      );
    this.#counts = chart("Messages", line("delivered", "good"), line("duplicate", "warn"), line("lost", "bad"));
    this.#latency = chart("Latency, ms", line("median", "accent"), line("95 %", "warn", [3, 5]));
    new ResizeObserver(() => {
      for (const plot of [this.#counts, this.#latency]) plot.setSize({ width: width(), height: 180 });
    }).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.#isStale = true));
  }

  clear(): void {
    this.#samples = [];
    this.#isStale = true;
  }

  add(sample: Statistics): void {
    this.#samples.push(sample);
    this.#isStale = true;
  }

  draw(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const times = this.#samples.map(({ at }) => at / 1000);
    const of = <T>(read: (sample: Statistics) => T) => this.#samples.map(read);
    this.#counts.setData([times, of((one) => one.delivered), of((one) => one.duplicate), of((one) => one.lost)]);
    this.#latency.setData([times, of((one) => one.latency.median), of((one) => one.latency.p95)]);
  }
}
