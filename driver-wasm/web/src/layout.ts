// Where hosts are drawn: each group on a ring of its own, until somebody drags a host elsewhere.

import type { HostView } from "../../pkg/flockmq_wasm.js";

/** A place in the picture, both ways from 0 to 1. */
export interface Place {
  x: number;
  y: number;
}

export class Layout {
  readonly #dragged = new Map<string, Place>();
  #places = new Map<string, Place>();

  /** Lays out these hosts in a picture of this width by height. */
  arrange(hosts: HostView[], aspect: number): void {
    const groups = new Map<string, HostView[]>();
    for (const host of hosts) groups.set(host.group, [...(groups.get(host.group) ?? []), host]);
    const rings = [...groups.values()];
    this.#places = new Map();
    rings.forEach((ring, index) => {
      const isWide = aspect >= 1;
      const share = 1 / rings.length;
      const center = { x: 0.5, y: 0.5 };
      center[isWide ? "x" : "y"] = (index + 0.5) * share;
      const radius = { x: 0.36, y: 0.36 };
      radius[isWide ? "x" : "y"] *= share;
      // Two stand side by side in a wide picture, and one above the other in a narrow one.
      const start = ring.length === 2 && isWide && rings.length === 1 ? Math.PI : -Math.PI / 2;
      ring.forEach(({ name }, place) => {
        const angle = start + (2 * Math.PI * place) / ring.length;
        const isAlone = ring.length === 1;
        this.#places.set(name, {
          x: center.x + (isAlone ? 0 : radius.x * Math.cos(angle)),
          y: center.y + (isAlone ? 0 : radius.y * Math.sin(angle)),
        });
      });
    });
  }

  /** Where a host is. */
  place(host: string): Place {
    return this.#dragged.get(host) ?? this.#places.get(host) ?? { x: 0.5, y: 0.5 };
  }

  /** Puts a host elsewhere, within the picture. */
  drag(host: string, { x, y }: Place): void {
    const within = (part: number) => Math.min(0.97, Math.max(0.03, part));
    this.#dragged.set(host, { x: within(x), y: within(y) });
  }

  /** Forgets where hosts were dragged. */
  reset(): void {
    this.#dragged.clear();
  }
}
