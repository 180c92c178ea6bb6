/** Where in a recording something is said: by times that are given, or by its pauses; by its subtitles in `subtitles.ts`. */
import type { Audio } from '../media/index.js';
import { ConfigError } from '../torch/errors.js';
import { checkOptions } from '../torch/options.js';

/** A stretch of speech, in seconds since the recording's beginning. */
export interface SpokenSpan {
  readonly start: number;
  readonly end: number;
  /** What is said; null where that is not known. */
  readonly text: string | null;
}

/**
 * Checks times that were given, and cuts what passes the recording's end by less than half a second.
 * @param duration - of the recording, in seconds
 * @throws ConfigError that names the first span that cannot be
 */
export function checkSpans(spans: readonly SpokenSpan[], duration: number): SpokenSpan[] {
  return spans.map(({ start, end, text }, i) => {
    if (!(start >= 0 && end > start && end <= duration + 0.5 && start < duration)) {
      throw new ConfigError(
        `utterance ${i + 1}: expected 0 <= start < end <= ${duration.toFixed(2)}, seconds within the recording, got ${start} to ${end}`,
      );
    }
    return { start, end: Math.min(end, duration), text };
  });
}

export interface PauseOptions {
  /** Seconds of silence that end an utterance; 0.3 by default. */
  readonly minPause?: number;
  /** Seconds; what is shorter, its margins included, is left out. 0.3 by default. */
  readonly minLength?: number;
  /** Seconds; what is longer is cut where it is most quiet. 15 by default. */
  readonly maxLength?: number;
  /** Seconds that are added before and after, as far as the pause goes; 0.1 by default. */
  readonly margin?: number;
}

/** Seconds from one measurement of loudness to the next; each is over twice as much. */
const STEP = 0.01;
/** Decibels of full scale that count as silence, however quiet the rest is. */
const SILENCE = -60;
/** Speech stands out from its pauses by this many decibels; where nothing does, there are no pauses. */
const CONTRAST = 10;
/** Seconds for which a recording is as loud as counts as loud: a click does not. In short ones a twentieth of them. */
const LOUD = 0.3;
/** An utterance begins this far up from the quietest tenth of a recording to what counts as loud, and ends below the second. */
const BEGIN = 0.35;
const END = 0.2;

/**
 * Cuts a recording at its pauses, by loudness alone: music and noise count as speech. Loudness is measured every 10 ms over 20 ms. Speech begins
 * where it rises above 35 % of the way (in decibels) from the quietest tenth of the recording, or -60 dB, to the loudest 0.3 s in it, and ends
 * where it falls below 20 %: two thresholds, so that what lies between them does not switch to and fro.
 * @returns spans without text, in order; none where all is silent
 */
export function cutAtPauses(audio: Audio, options: PauseOptions = {}): SpokenSpan[] {
  checkOptions('cutAtPauses', options, ['minPause', 'minLength', 'maxLength', 'margin']);
  const { minPause = 0.3, minLength = 0.3, maxLength = 15, margin = 0.1 } = options;
  for (const [name, value] of Object.entries({ minPause, minLength, margin })) {
    if (!(value >= 0)) throw new ConfigError(`expected ${name} >= 0, seconds, got ${value}`);
  }
  if (!(maxLength >= 1 && maxLength > 2 * minLength))
    throw new ConfigError(`expected maxLength of at least 1 s and twice minLength (${minLength}), got ${maxLength}`);
  const loudness = loudnessOf(audio);
  const duration = audio.samples.length / audio.rate;
  const spoken = joinShortPauses(voiced(loudness), minPause / STEP);
  return spoken
    .map(({ from, to }, i) => {
      const [before, after] = [spoken[i - 1], spoken[i + 1]];
      const start = before ? Math.max(from * STEP - margin, ((before.to + from) / 2) * STEP) : from * STEP - margin;
      const end = after ? Math.min(to * STEP + margin, ((to + after.from) / 2) * STEP) : to * STEP + margin;
      return { start: Math.max(0, start), end: Math.min(duration, end) };
    })
    .filter(({ start, end }) => end - start >= minLength)
    .flatMap((span) => cutLong(span, loudness, minLength, maxLength))
    .map(({ start, end }) => ({ start: rounded(start), end: rounded(end), text: null }));
}

/** Milliseconds are as exact as loudness allows. */
const rounded = (time: number): number => Math.round(time * 1000) / 1000;

/** Decibels of full scale around each step. */
function loudnessOf({ samples, rate }: Audio): Float64Array {
  const steps = Math.floor(samples.length / rate / STEP) + 1;
  const edge = (step: number): number => Math.min(samples.length, Math.round(step * STEP * rate));
  const energy = new Float64Array(steps + 1); // of the samples between the step before and this
  for (let step = 1; step <= steps; step++) {
    for (let i = edge(step - 1); i < edge(step); i++) energy[step]! += (samples[i] as number) ** 2;
  }
  return Float64Array.from({ length: steps }, (_, step) => {
    const count = edge(step + 1) - edge(Math.max(0, step - 1));
    const mean = ((energy[step] as number) + (energy[step + 1] as number)) / Math.max(1, count);
    return 10 * Math.log10(Math.max(mean, 1e-12));
  });
}

interface Steps {
  /** The first step, and the one after the last. */
  readonly from: number;
  readonly to: number;
}

function voiced(loudness: Float64Array): Steps[] {
  const sorted = loudness.slice().sort();
  const loud = sorted[sorted.length - 1 - Math.floor(Math.min(LOUD / STEP, 0.05 * sorted.length))] as number;
  if (loud <= SILENCE) return [];
  const tenth = Math.max(SILENCE, sorted[Math.floor(0.1 * sorted.length)] as number);
  const quiet = loud - tenth < CONTRAST ? SILENCE : tenth;
  const [begin, end] = [quiet + BEGIN * (loud - quiet), quiet + END * (loud - quiet)];
  const found: Steps[] = [];
  let from = -1;
  for (let step = 0; step <= loudness.length; step++) {
    const level = step < loudness.length ? (loudness[step] as number) : Number.NEGATIVE_INFINITY;
    if (from < 0 && level >= begin) from = step;
    if (from >= 0 && level < end) {
      found.push({ from, to: step });
      from = -1;
    }
  }
  return found;
}

function joinShortPauses(spoken: readonly Steps[], pause: number): Steps[] {
  const joined: Steps[] = [];
  for (const part of spoken) {
    const last = joined[joined.length - 1];
    if (last !== undefined && part.from - last.to < pause) joined[joined.length - 1] = { from: last.from, to: part.to };
    else joined.push(part);
  }
  return joined;
}

type Span = Pick<SpokenSpan, 'start' | 'end'>;

/** Cuts at the quietest tenth of a second in the second half of what may still be one piece. */
function cutLong({ start, end }: Span, loudness: Float64Array, minLength: number, maxLength: number): Span[] {
  const pieces: Span[] = [];
  while (end - start > maxLength) {
    const last = Math.min(start + maxLength, end - minLength);
    const [from, to] = [Math.ceil((start + maxLength / 2) / STEP), Math.floor(last / STEP)];
    let [best, quietest] = [to, Number.POSITIVE_INFINITY];
    for (let step = from; step <= to; step++) {
      let sum = 0;
      for (let near = step - 5; near <= step + 5; near++) sum += loudness[near] ?? 0;
      if (sum < quietest) [best, quietest] = [step, sum];
    }
    pieces.push({ start, end: best * STEP });
    start = best * STEP;
  }
  return [...pieces, { start, end }];
}
