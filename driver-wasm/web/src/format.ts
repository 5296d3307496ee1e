// Numbers as people read them.

/** Virtual time: `12.5 s`, `2:05.0`. */
export function time(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

/** A whole number with thin spaces between its thousands. */
export function count(number: number): string {
  return Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

/** A span of time that may be short. */
export function span(milliseconds: number): string {
  if (milliseconds >= 10_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  if (milliseconds >= 10) return `${Math.round(milliseconds)} ms`;
  return `${milliseconds.toFixed(1)} ms`;
}

/** The last part of a message's id: its producer and place; the broker before it takes 32 letters. */
export function shortId(id: string): string {
  const [, broker = "", producer = "", place = ""] = id.split(":");
  return `${broker.slice(0, 6)}…:${producer}:${place}`;
}
