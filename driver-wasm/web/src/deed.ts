// Something done by hand at a moment of a run: a step of a scenario, and when.

export interface Deed {
  /** In milliseconds of virtual time, to the nanosecond. */
  at: number;
  /** As a scenario writes it. */
  step: string;
}

/** Reads `4000 cut a b`; what is wrong with it is thrown. */
export function parseDeed(text: string): Deed {
  const [, number, step] = /^(\d+(?:\.\d{1,6})?) (\S.*)$/s.exec(text) ?? [];
  if (number === undefined || step === undefined) {
    throw new Error(`'do=${text}' is no deed; expected a time in milliseconds and a step, such as 'do=4000 cut a b'`);
  }
  return { at: Number(number), step };
}

/** Writes what `parseDeed` reads. */
export function printDeed({ at, step }: Deed): string {
  return `${printTime(at)} ${step}`;
}

/** Milliseconds without an exponent and without needless zeros. */
export function printTime(milliseconds: number): string {
  return milliseconds.toFixed(6).replace(/\.?0+$/, "");
}

/** A text as a scenario writes it: as it is if it is one plain word, else in quotes. */
export function word(text: string): string {
  if (/^[^\s"\\#][^\s"\\]*$/.test(text)) return text;
  const escaped = text.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\t/g, "\\t");
  return `"${escaped}"`;
}
