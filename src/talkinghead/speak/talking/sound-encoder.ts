/** What is heard, as a row of numbers for each frame: by part one's small network, or by a wav2vec 2.0. Both are frozen. */
import { existsSync, statSync } from 'node:fs';
import { functional as F } from '../../../nn/index.js';
import { noGrad, ops, scope, type Tensor, tensor } from '../../../torch/index.js';
import { hear, stepHop, stepMiddle } from '../../voice/hearing.js';
import { voiceRate } from '../../voice/mel-stream.js';
import { delay, stepInputs, VoiceNetwork } from '../../voice/network.js';
import { loadVoice, shippedVoice, type VoiceNumbers } from '../../voice/voice-file.js';
import { Wav2Vec } from '../wav2vec.js';

export interface SoundEncoder {
  /** Numbers of a row. */
  readonly size: number;
  /** Which it is, for people. */
  readonly name: string;
  /**
   * @param samples - a whole recording, 16 kHz, mono
   * @param frames - of its video: sound and pictures cannot drift
   * @returns [frames, size], each row of mean 0 and deviation 1
   */
  rows(samples: Float32Array, frames: number, fps: number): Tensor;
}

/**
 * @param sound - `voice`, a file of `headrace talk train voice`, or a folder with a wav2vec 2.0
 * @throws DataError for a model that cannot be read
 */
export function soundEncoder(sound: string): SoundEncoder {
  if (sound === 'voice') return voiceSound(loadVoice(shippedVoice), 'the voice network that comes with Headrace');
  if (existsSync(sound) && statSync(sound).isDirectory()) return wav2vecSound(sound);
  return voiceSound(loadVoice(sound), `the voice network ${sound}`);
}

const even = (rows: Tensor): Tensor => F.layerNorm(rows, [rows.shape[1]!], null, null, 1e-5);

function voiceSound({ shape, network: numbers, usual }: VoiceNumbers, name: string): SoundEncoder {
  const network = new VoiceNetwork(shape);
  scope(() => {
    const own = network.stateDict();
    const given = [...own].map(
      ([key, { shape: sizes }]) => [key, tensor(numbers.get(key)!, { shape: [...sizes] })] as const,
    );
    network.loadStateDict(new Map(given));
  });
  network.requiresGrad_(false).eval();
  return {
    size: shape.width,
    name,
    rows: (samples, frames, fps) =>
      noGrad(() =>
        scope(() => {
          // What the network says of a step it says some steps later: silence follows the end.
          const padded = new Float32Array(
            Math.max(samples.length, Math.ceil((frames / fps) * voiceRate)) + (delay + 2) * stepHop,
          );
          padded.set(samples);
          const { inputs } = hear(padded, usual);
          const steps = inputs.length / stepInputs;
          const x = tensor(inputs, { shape: [1, steps, stepInputs] }).transpose(1, 2);
          const told = network.features(x).squeeze(0).t();
          return even(between(told, frames, fps)).keep();
        }),
      ),
  };
}

/** Rows of steps at the times of frames, straight between two. */
function between(told: Tensor, frames: number, fps: number): Tensor {
  const [before, share] = [new BigInt64Array(frames), new Float32Array(frames)];
  for (let frame = 0; frame < frames; frame++) {
    const at = Math.max(0, ((frame * voiceRate) / fps - stepMiddle) / stepHop) + delay;
    before[frame] = BigInt(Math.floor(at));
    share[frame] = at - Math.floor(at);
  }
  const rows = tensor(before);
  return ops.lerp(
    ops.indexSelect(told, 0, rows),
    ops.indexSelect(told, 0, rows.add(1)),
    tensor(share, { shape: [frames, 1] }),
  );
}

function wav2vecSound(folder: string): SoundEncoder {
  const network = Wav2Vec.load(folder).requiresGrad_(false);
  return {
    size: network.config.hiddenSize,
    name: `the wav2vec 2.0 of ${folder}`,
    rows: (samples, frames) =>
      noGrad(() =>
        scope(() => even(network.forward(tensor(samples, { shape: [1, samples.length] }), frames).squeeze(0)).keep()),
      ),
  };
}
