// What is selected: hosts, in the order in which they were chosen.

export class Selection {
  #hosts: readonly string[] = [];
  readonly #listeners: (() => void)[] = [];

  get hosts(): readonly string[] {
    return this.#hosts;
  }

  /** The one host that is selected, if it is one. */
  get one(): string | undefined {
    return this.#hosts.length === 1 ? this.#hosts[0] : undefined;
  }

  has(host: string): boolean {
    return this.#hosts.includes(host);
  }

  set(hosts: readonly string[]): void {
    this.#hosts = hosts;
    for (const listener of this.#listeners) listener();
  }

  /** Adds a host, or takes it away. */
  toggle(host: string): void {
    this.set(this.has(host) ? this.#hosts.filter((other) => other !== host) : [...this.#hosts, host]);
  }

  /** Forgets hosts that there are no more. */
  keep(known: ReadonlySet<string>): void {
    if (this.#hosts.some((host) => !known.has(host))) this.set(this.#hosts.filter((host) => known.has(host)));
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}
