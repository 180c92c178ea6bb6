/** Clips in the form that the network learns from: what is heard, step by step, and what the mouth should do. */
import { type Tensor, tensor } from '../../torch/index.js';
import type { Chance } from '../training/chance.js';
import { augment, type Heard } from './augment.js';
import type { VoiceClip } from './clip-store.js';
import { mouthPath, pathRate, shapeLead } from './coarticulation.js';
import type { VoiceConfig } from './config.js';
import { hear, stepHop, stepMiddle } from './hearing.js';
import { loudest } from './measures.js';
import { voiceRate } from './mel-stream.js';
import { delay, stepInputs, stepOutputs } from './network.js';
import { mouthMoves } from './visemes.js';

/** A clip heard in one way. All arrays have a row for each step. */
export interface Example {
  readonly real: boolean;
  readonly steps: number;
  /** `[steps, 80]` */
  readonly inputs: Float32Array;
  /** `[steps, 11]`: moves and closure. */
  readonly targets: Float32Array;
  /** 1 where the targets are known. */
  readonly known: Float32Array;
  /** `[steps, 2]`: opening and width that a camera saw. */
  readonly seen: Float32Array;
  /** 1 where a camera looked and somebody spoke, by the sounds or, where nobody tells them, by loudness. */
  readonly speaking: Float32Array;
}

/** Seconds that a step tells of. */
export function stepTime(step: number): number {
  return (step * stepHop + stepMiddle) / voiceRate;
}

/** What a mouth should do at times, where its sounds are known: `[times, 11]`, and how far somebody speaks. */
export function targetsAt(clip: VoiceClip, times: readonly number[]): { targets: Float32Array; speech: Float32Array } {
  const path = mouthPath(clip.sounds ?? [], clip.alphabet, clip.samples.length / voiceRate + 0.1);
  const width = mouthMoves.length;
  const targets = new Float32Array(times.length * stepOutputs);
  const speech = new Float32Array(times.length);
  times.forEach((time, i) => {
    const at = Math.min(path.length - 1, Math.max(0, Math.round((time + shapeLead) * pathRate)));
    targets.set(path.shapes.subarray(at * width, (at + 1) * width), i * stepOutputs);
    targets[i * stepOutputs + width] = path.closure[at]!;
    speech[i] = path.speech[at]!;
  });
  return { targets, speech };
}

/** A value between the frames of a camera, which holds its first and last. */
export function seenAt(values: Float32Array, fps: number, time: number): number {
  const place = Math.min(values.length - 1, Math.max(0, time * fps));
  const before = Math.floor(place);
  const next = Math.min(values.length - 1, before + 1);
  return values[before]! + (place - before) * (values[next]! - values[before]!);
}

/** Hears a clip as it is (`chance` null), or in another way. */
export function exampleOf(
  clip: VoiceClip,
  usual: Float32Array,
  config: VoiceConfig,
  chance: Chance | null,
  babble: Float32Array | null = null,
): Example {
  const before = chance === null ? 0 : Math.floor(chance.between(0, 0.4) * voiceRate);
  const padded = new Float32Array(before + clip.samples.length + Math.floor(0.3 * voiceRate));
  padded.set(clip.samples, before);
  const heard: Heard =
    chance === null
      ? { samples: padded, original: (time) => time, warp: 1 }
      : augment(padded, chance, config.augment, babble);
  const { inputs, energy } = hear(heard.samples, usual, heard.warp);
  const steps = inputs.length / stepInputs;
  const times = Array.from({ length: steps }, (_, step) => heard.original(stepTime(step)) - before / voiceRate);
  const { targets, speech } = targetsAt(clip, times);
  const known = new Float32Array(steps).fill(clip.sounds === null ? 0 : 1);
  const seen = new Float32Array(2 * steps);
  const speaking = new Float32Array(steps);
  const { seen: camera } = clip;
  if (camera !== null) {
    const end = (camera.opening.length - 1) / camera.fps;
    const watched = times.map((time) => time >= 0 && time <= end);
    const loud = loudest(energy.filter((_, step) => watched[step]));
    let next = 0;
    times.forEach((time, step) => {
      seen[2 * step] = seenAt(camera.opening, camera.fps, time);
      seen[2 * step + 1] = seenAt(camera.width, camera.fps, time);
      if (!watched[step]) return;
      const isLoud = loud[next++]!;
      speaking[step] = (clip.sounds === null ? isLoud : speech[step]! > 0.5) ? 1 : 0;
    });
  }
  return { real: camera !== null, steps, inputs, targets, known, seen, speaking };
}

/** Windows of examples as tensors. */
export interface Batch {
  /** `[B, 80, T]` */
  readonly inputs: Tensor;
  /** `[B, 11, T]`: row `t` is of step `t - delay` of the inputs. */
  readonly targets: Tensor;
  /** `[B, T]`: 1 where the targets are known; 0 at the beginning, where the network has heard too little. */
  readonly known: Tensor;
  /** `[B, 2, T]` */
  readonly seen: Tensor;
  /** `[B, T]` */
  readonly speaking: Tensor;
}

/** Steps at the beginning of a window from the middle of a clip that nothing is learnt from. */
const BLIND = 12;

/** Draws windows: `real` of them from real examples. */
export function drawBatch(
  { real, synthetic }: { readonly real: readonly Example[]; readonly synthetic: readonly Example[] },
  config: VoiceConfig,
  chance: Chance,
): Batch {
  const { window, batch } = config;
  const fromReal = real.length === 0 ? 0 : config.realBatch;
  const arrays = {
    inputs: new Float32Array(batch * stepInputs * window),
    targets: new Float32Array(batch * stepOutputs * window),
    known: new Float32Array(batch * window),
    seen: new Float32Array(batch * 2 * window),
    speaking: new Float32Array(batch * window),
  };
  for (let b = 0; b < batch; b++) {
    const example = chance.pick(b < fromReal ? real : synthetic);
    const start = Math.max(0, chance.below(Math.max(1, example.steps - window + 1)));
    for (let t = 0; t < window && start + t < example.steps; t++) {
      put(arrays.inputs, example.inputs, stepInputs, b, t, start + t, window);
      const told = start + t - delay;
      if (told < 0) continue;
      put(arrays.targets, example.targets, stepOutputs, b, t, told, window);
      put(arrays.seen, example.seen, 2, b, t, told, window);
      if (start > 0 && t < BLIND) continue;
      arrays.known[b * window + t] = example.known[told]!;
      arrays.speaking[b * window + t] = example.speaking[told]!;
    }
  }
  const made = (name: keyof typeof arrays, shape: number[]): Tensor => tensor(arrays[name], { shape });
  return {
    inputs: made('inputs', [batch, stepInputs, window]),
    targets: made('targets', [batch, stepOutputs, window]),
    known: made('known', [batch, window]),
    seen: made('seen', [batch, 2, window]),
    speaking: made('speaking', [batch, window]),
  };
}

/** Copies row `row` of `[steps, width]` into column `t` of `[B, width, window]`. */
function put(
  into: Float32Array,
  from: Float32Array,
  width: number,
  b: number,
  t: number,
  row: number,
  window: number,
): void {
  for (let i = 0; i < width; i++) into[(b * width + i) * window + t] = from[row * width + i]!;
}
