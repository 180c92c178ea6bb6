/** Speech to the motion of a mouth, as the sound comes. */
import { ConfigError } from '../../torch/index.js';
import { arkitCount, arkitIndex } from '../face/index.js';
import type { SpeechFrame } from '../motion/index.js';
import { LevelTracker } from './level.js';
import { MelStream, melBands, voiceRate } from './mel-stream.js';

/** Samples from one step of the model to the next: two mel frames, 20 ms. */
export const stepHop = 320;
/** The sample that step 0 tells of: the middle of its two mel frames. */
const MIDDLE = 80;
/** Steps that the model waits for before it tells of one. */
export const delay = 3;

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
}

/** Hears speech and knows what a mouth does to say it. */
export class VoiceModel {
  static load(): VoiceModel {
    return new VoiceModel();
  }

  /** @param fps - frames a second, 10 to 120 @throws ConfigError for another rate */
  stream(fps: number): VoiceStream {
    if (!(fps >= 10 && fps <= 120)) throw new ConfigError(`VoiceModel.stream: expected fps from 10 to 120, got ${fps}`);
    return new Stream(fps);
  }
}

class Stream implements VoiceStream {
  readonly #ear = new MelStream();
  readonly #level = new LevelTracker();
  readonly #input = new Float32Array(2 * melBands);
  #frames = 0;
  #samples = 0;
  #steps: Step[] = [];
  /** Steps that were forgotten again, and frames given. */
  #dropped = 0;
  #given = 0;
  #ended = false;

  constructor(readonly fps: number) {}

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
    this.#ear.push(samples, (frame) => {
      const half = this.#frames++ % 2;
      this.#level.next(frame, this.#input, half * melBands);
      if (half === 1) this.#step();
    });
    const frames: SpeechFrame[] = [];
    for (;;) {
      const position = ((this.#given * voiceRate) / this.fps - MIDDLE) / stepHop;
      const before = Math.floor(position);
      if (this.#given >= count || before + 1 >= this.#dropped + this.#steps.length) return frames;
      frames.push(this.#between(before, position - before));
      this.#given++;
    }
  }

  #step(): void {
    const mouth = new Float32Array(arkitCount);
    const { energy, stress } = this.#level;
    mouth[arkitIndex('jawOpen')] = 0.4 * energy * energy;
    mouth[arkitIndex('mouthLowerDownLeft')] = 0.2 * energy * energy;
    mouth[arkitIndex('mouthLowerDownRight')] = 0.2 * energy * energy;
    this.#steps.push({ mouth, closure: 0, energy, stress });
  }

  /** A frame on the straight line between two steps. */
  #between(before: number, share: number): SpeechFrame {
    const a = this.#steps[Math.max(0, before - this.#dropped)]!;
    const b = this.#steps[before + 1 - this.#dropped]!;
    const mix = (x: number, y: number): number => x + share * (y - x);
    const keep = Math.max(0, before - this.#dropped);
    this.#steps.splice(0, keep);
    this.#dropped += keep;
    return {
      mouth: a.mouth.map((value, i) => mix(value, b.mouth[i]!)),
      closure: mix(a.closure, b.closure),
      energy: mix(a.energy, b.energy),
      stress: mix(a.stress, b.stress),
    };
  }
}
