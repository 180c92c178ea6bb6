/** The words of motion: what a face does at one instant, and what speech asks of it. */
import type { Expressions } from '../../media/index.js';
import type { EyeAngles } from '../face/index.js';
import type { HeadTurn } from '../render/index.js';

/** One instant of motion. */
export interface MotionFrame {
  /** `[52]`, absolute: 0 is a neutral face. */
  readonly weights: Float32Array;
  /** Relative to the photograph's own pose: all 0 is as photographed. */
  readonly pose: Required<HeadTurn>;
  /** cm from where the head was photographed: to the viewer's right, up, towards the viewer. */
  readonly position?: readonly [number, number, number];
  /** Where both eyes look in the head, instead of what the weights say; the lids follow the weights. */
  readonly gaze?: EyeAngles;
}

/** What speech asks of a frame. */
export interface SpeechFrame {
  /** `[52]`: only weights of mouth and jaw are not 0. */
  readonly mouth: Float32Array;
  /** 0 to 1: how far m, b and p have sealed the lips. */
  readonly closure: number;
  /** 0 in silence, 1 for loud speech. */
  readonly energy: number;
  /** 0 to 1, with peaks on stressed syllables. */
  readonly stress: number;
  /** What is heard in the voice, as probabilities; null before enough was heard. Absent where nobody listens for it. */
  readonly emotion?: Expressions | null;
}
