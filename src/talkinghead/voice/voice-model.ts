/** Speech to the motion of a mouth, as the sound comes. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Expressions } from '../../media/index.js';
import { ConfigError } from '../../torch/index.js';
import { rise } from '../motion/curves.js';
import type { SpeechFrame } from '../motion/index.js';
import { EmotionModel } from './emotion.js';
import { type HeardStep, Hearing, stepHop, stepMiddle } from './hearing.js';
import { voiceRate } from './mel-stream.js';
import { mouthWeights } from './mouth.js';
import { delay } from './network.js';
import { Prosody } from './prosody.js';
import { NetworkStepper } from './stepper.js';
import { mouthMoves } from './visemes.js';
import { loadVoice, shippedVoice, type VoiceNumbers } from './voice-file.js';

/** Turns sound into what a mouth does. */
export interface VoiceStream {
  /**
   * Takes the next samples and gives the frames that they complete. Frame `i` tells of the time `i / fps`; it hears at most
   * 100 ms beyond. How the sound is cut changes nothing, bit for bit.
   * @param samples - 16 kHz, mono, -1 to 1, any number
   */
  push(samples: Float32Array): SpeechFrame[];
  /** The frames that are left: `round(seconds * fps)` in all. Silence follows the end. */
  end(): SpeechFrame[];
}

/** What a step says, from which frames are drawn. */
interface Step {
  readonly mouth: Float32Array;
  readonly closure: number;
  readonly energy: number;
  readonly stress: number;
  readonly emotion: Expressions | null;
}

/** Hears speech and knows what a mouth does to say it. Any number of streams may run at once. */
export class VoiceModel {
  private constructor(
    private readonly numbers: VoiceNumbers,
    private readonly emotion: EmotionModel | null,
  ) {}

  /**
   * @param path - a model that `headrace talk train voice` has made; the one that comes with Headrace by default
   * Where `emotion.safetensors` lies beside it, frames tell of the voice's mood, too.
   * @throws DataError for a file that is absent, damaged, or no voice model
   */
  static load(path: string = shippedVoice): VoiceModel {
    const beside = join(dirname(path), 'emotion.safetensors');
    return VoiceModel.of(loadVoice(path), existsSync(beside) ? EmotionModel.load(beside) : null);
  }

  /** A model of numbers at hand. @throws ShapeError for numbers of another network */
  static of(numbers: VoiceNumbers, emotion: EmotionModel | null = null): VoiceModel {
    new NetworkStepper(numbers.network, numbers.shape);
    return new VoiceModel(numbers, emotion);
  }

  /** @param fps - frames a second, 10 to 120 @throws ConfigError for another rate */
  stream(fps: number): VoiceStream {
    if (!(fps >= 10 && fps <= 120)) throw new ConfigError(`VoiceModel.stream: expected fps from 10 to 120, got ${fps}`);
    return new Stream(fps, this.numbers, this.emotion);
  }
}

class Stream implements VoiceStream {
  readonly #hearing: Hearing;
  readonly #network: NetworkStepper;
  readonly #prosody = new Prosody();
  #samples = 0;
  #steps: Step[] = [];
  /** Loudness of the steps that the network has yet to tell of. */
  readonly #waiting: Pick<Step, 'energy' | 'stress' | 'emotion'>[] = [];
  /** Loudness of the last steps heard. */
  readonly #near: number[] = [];
  /** Steps that were forgotten again, and frames given. */
  #dropped = 0;
  #given = 0;
  /** Samples taken, with the silence after the end. */
  #heard = 0;
  #ended = false;

  constructor(
    readonly fps: number,
    numbers: VoiceNumbers,
    private readonly emotion: EmotionModel | null,
  ) {
    this.#hearing = new Hearing(numbers.usual);
    this.#network = new NetworkStepper(numbers.network, numbers.shape);
  }

  push(samples: Float32Array): SpeechFrame[] {
    if (this.#ended) throw new ConfigError('VoiceStream.push: the stream has ended; open another');
    if (!(samples instanceof Float32Array))
      throw new ConfigError('VoiceStream.push: expected samples in a Float32Array');
    this.#samples += samples.length;
    return this.#take(samples, Number.POSITIVE_INFINITY);
  }

  end(): SpeechFrame[] {
    if (this.#ended) return [];
    this.#ended = true;
    const count = Math.round((this.#samples * this.fps) / voiceRate);
    const frames: SpeechFrame[] = [];
    const silence = new Float32Array(stepHop);
    while (this.#given < count) frames.push(...this.#take(silence, count));
    return frames;
  }

  #take(samples: Float32Array, count: number): SpeechFrame[] {
    // Block by block of a step, so that a mood is never of sound that other cuts would bring later.
    for (let at = 0; at < samples.length; ) {
      const block = samples.subarray(at, at + stepHop - (this.#heard % stepHop));
      this.#hearing.push(block, (step) => this.#step(step));
      if (this.emotion !== null) this.#prosody.push(block);
      this.#heard += block.length;
      at += block.length;
    }
    const frames: SpeechFrame[] = [];
    while (this.#given < count) {
      const position = ((this.#given * voiceRate) / this.fps - stepMiddle) / stepHop;
      const before = Math.floor(position);
      if (before + 1 >= this.#dropped + this.#steps.length) break;
      frames.push(this.#between(before, position - before));
      this.#given++;
    }
    return frames;
  }

  #step({ input, energy, stress }: HeardStep): void {
    const logits = this.#network.next(input);
    this.#waiting.push({ energy, stress, emotion: this.emotion?.heard(this.#prosody) ?? null });
    this.#near.push(energy);
    if (this.#near.length > NEAR) this.#near.shift();
    if (this.#waiting.length <= delay) return;
    const heard = this.#waiting.shift()!;
    const spoken = rise(Math.max(...this.#near), ...SPOKEN);
    const closure = spoken * rise(sigmoid(logits[mouthMoves.length]!), ...SEALED);
    this.#steps.push({ mouth: mouthWeights(logits.map(sigmoid), 0, closure), closure, ...heard });
  }

  /** A frame on the straight line between two steps; before the first, the first. */
  #between(before: number, share: number): SpeechFrame {
    const first = Math.max(0, before - this.#dropped);
    const [a, b] = [this.#steps[first]!, this.#steps[before + 1 - this.#dropped]!];
    const mix = (x: number, y: number): number => x + share * (y - x);
    this.#steps.splice(0, first);
    this.#dropped += first;
    return {
      mouth: a.mouth.map((value, i) => mix(value, b.mouth[i]!)),
      closure: mix(a.closure, b.closure),
      energy: mix(a.energy, b.energy),
      stress: mix(a.stress, b.stress),
      ...(this.emotion !== null && { emotion: a.emotion }),
    };
  }
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

/** Probabilities of sealed lips: up to where they stay apart, and from where they meet. */
const SEALED = [0.03, 0.16] as const;
/** Lips seal for speech alone: by the most energy of so many steps, that is from 0.2 s before to what is heard beyond. */
const NEAR = 10 + delay;
const SPOKEN = [0.1, 0.3] as const;
