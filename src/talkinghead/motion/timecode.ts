/** Timecodes, as Live Link Face writes them: hours, minutes, seconds, frames and parts of a frame: `17:06:20:27.8310`. */

export interface Timecode {
  /** Whole seconds since midnight. */
  readonly seconds: number;
  /** Frames since that second. */
  readonly frame: number;
}

/** @returns null for what is no timecode */
export function parseTimecode(text: string): Timecode | null {
  const match = /^(\d+):([0-5]\d):([0-5]\d)[:;](\d+(?:\.\d+)?)$/.exec(text.trim());
  if (match === null) return null;
  const [hours, minutes, seconds, frame] = match.slice(1).map(Number) as [number, number, number, number];
  return { seconds: hours * 3600 + minutes * 60 + seconds, frame };
}

/** The timecode of a frame, counted from 0 at a whole number of frames a second. */
export function timecode(frame: number, rate: number): string {
  const seconds = Math.floor(frame / rate);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}:${two(frame % rate)}.000`;
}

/** Rates that cameras have. */
const usual = [24, 25, 30, 48, 50, 60, 90, 100, 120];

/**
 * The whole number of frames in a second of these timecodes: the least usual rate above all frames' numbers.
 * @returns null where no second is seen to its end, so that the rate cannot be told
 */
export function rateOf(codes: readonly Timecode[]): number | null {
  const ended = codes.some((code, i) => i > 0 && code.seconds !== codes[i - 1]!.seconds);
  const whole = ended && codes.length > 1 && span(codes) > 1;
  if (!whole) return null;
  const highest = codes.reduce((most, { frame }) => Math.max(most, Math.floor(frame)), 0);
  return usual.find((rate) => rate > highest) ?? highest + 1;
}

function span(codes: readonly Timecode[]): number {
  return codes.at(-1)!.seconds - codes[0]!.seconds;
}
