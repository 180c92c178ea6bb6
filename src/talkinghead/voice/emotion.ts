/** The mood that a voice has by how it sounds, whatever is said: a small network over the prosody of the last seconds. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SafetensorsFile, saveSafetensors } from '../../io/index.js';
import { viewNumbers } from '../../io/raw.js';
import { type ExpressionName, type Expressions, expressionNames, readAudio } from '../../media/index.js';
import { Dropout, functional as F, Linear, Module } from '../../nn/index.js';
import { AdamW } from '../../optim/index.js';
import { ConfigError, DataError, manualSeed, noGrad, scope, type Tensor, tensor } from '../../torch/index.js';
import { descend } from '../training/steps.js';
import { voiceRate } from './mel-stream.js';
import { Prosody, prosodyWidth } from './prosody.js';

/** Where the emotion model lies that comes with Headrace. */
export const shippedEmotion: string = fileURLToPath(
  new URL('../../../models/voice/emotion.safetensors', import.meta.url),
);

/** EmoDB's seven, by the letter in its files' names, with what the analyser of faces calls them; boredom is neutral. */
const emoDb: Readonly<Record<string, readonly [string, ExpressionName]>> = {
  W: ['anger', 'angry'],
  L: ['boredom', 'neutral'],
  E: ['disgust', 'disgusted'],
  A: ['fear', 'fearful'],
  F: ['happiness', 'happy'],
  T: ['sadness', 'sad'],
  N: ['neutral', 'neutral'],
};
export const emoDbNames: readonly string[] = Object.values(emoDb).map(([name]) => name);

/** What is learnt from: how an utterance sounds, at one or several times. */
export interface EmotionExample {
  readonly speaker: string;
  /** Place in {@link emoDbNames}. */
  readonly label: number;
  /** Of the whole utterance last, of its beginnings before. */
  readonly vectors: readonly Float32Array[];
}

/** Seconds of speech from which a mood can be told. */
const ENOUGH = 0.8;
/** Seconds between the times at which an utterance is looked at. */
const LOOK = 0.5;

/** Reads EmoDB as it is given out: a folder of `03a01Fa.wav`. @throws ConfigError where there are no such files */
export async function readEmoDb(folder: string): Promise<EmotionExample[]> {
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const found = names.flatMap((name) => {
    const code = /^(\d\d)[ab]\d\d([WLEAFTN])[a-z]?\.(wav|flac)$/.exec(name);
    return code === null ? [] : [{ name, speaker: code[1]!, letter: code[2]! }];
  });
  if (found.length === 0)
    throw new ConfigError(`Expected the recordings of EmoDB (03a01Fa.wav, ...) in ${folder}, found none`);
  const examples: EmotionExample[] = [];
  for (const { name, speaker, letter } of found) {
    const { samples } = await readAudio(join(folder, name), { rate: voiceRate });
    examples.push({ speaker, label: Object.keys(emoDb).indexOf(letter), vectors: vectorsOf(samples) });
  }
  return examples;
}

function vectorsOf(samples: Float32Array): Float32Array[] {
  const prosody = new Prosody();
  const vectors: Float32Array[] = [];
  const step = LOOK * voiceRate;
  for (let at = 0; at < samples.length; at += step) {
    prosody.push(samples.subarray(at, at + step));
    if (prosody.seconds > ENOUGH || at + step >= samples.length) vectors.push(prosody.vector());
  }
  return vectors;
}

/** Keys: `hidden`, `leave`. */
class EmotionNetwork extends Module {
  hidden: Linear;
  leave: Linear;
  drop: Dropout;

  constructor(width: number, dropout: number) {
    super();
    this.hidden = new Linear(prosodyWidth, width);
    this.leave = new Linear(width, emoDbNames.length);
    this.drop = new Dropout(dropout);
  }

  forward(x: Tensor): Tensor {
    return this.leave.forward(this.drop.forward(this.hidden.forward(this.drop.forward(x)).relu()));
  }
}

export interface EmotionSettings {
  readonly seed: number;
  readonly width: number;
  readonly dropout: number;
  readonly steps: number;
  readonly lr: number;
  readonly weightDecay: number;
}

export const emotionSettings: EmotionSettings = {
  seed: 1,
  width: 48,
  dropout: 0.3,
  steps: 600,
  lr: 5e-3,
  weightDecay: 0.05,
};

/** Numbers of an emotion model: those of the network, and mean and deviation of each number of a vector. */
export type EmotionNumbers = ReadonlyMap<string, Float32Array>;

/**
 * Trains on all vectors of the examples, emotions weighted alike.
 * @throws HeadraceError for a loss that is not finite, before the weights are touched
 */
export function trainEmotion(examples: readonly EmotionExample[], settings = emotionSettings): EmotionNumbers {
  const rows = examples.flatMap(({ label, vectors }) => vectors.map((vector) => ({ label, vector })));
  const { mean, deviation } = spreadOf(rows.map(({ vector }) => vector));
  const counts = new Float64Array(emoDbNames.length);
  for (const { label } of rows) counts[label]!++;
  manualSeed(settings.seed);
  return scope(() => {
    const network = new EmotionNetwork(settings.width, settings.dropout);
    const optimizer = new AdamW(network.parameters(), { lr: settings.lr, weightDecay: settings.weightDecay });
    const flat = rows.flatMap(({ vector }) => [...standardised(vector, mean, deviation)]);
    const x = tensor(Float32Array.from(flat), { shape: [rows.length, prosodyWidth] });
    const y = tensor(BigInt64Array.from(rows, ({ label }) => BigInt(label)));
    const weight = tensor(Float32Array.from(counts, (count) => rows.length / emoDbNames.length / Math.max(1, count)));
    for (let step = 0; step < settings.steps; step++) {
      scope(() => {
        for (const group of optimizer.paramGroups) {
          group.lr = (settings.lr * (1 + Math.cos((Math.PI * step) / settings.steps))) / 2;
        }
        descend(F.crossEntropy(network.forward(x), y, { weight, labelSmoothing: 0.1 }), optimizer, step + 1);
      });
    }
    const numbers = noGrad(() =>
      [...network.stateDict()].map(([key, value]) => [key, (value.data() as Float32Array).slice()] as const),
    );
    return new Map([...numbers, ['mean', mean], ['deviation', deviation]]);
  });
}

function spreadOf(vectors: readonly Float32Array[]): { mean: Float32Array; deviation: Float32Array } {
  const mean = new Float32Array(prosodyWidth);
  const deviation = new Float32Array(prosodyWidth);
  for (const vector of vectors) {
    for (let i = 0; i < prosodyWidth; i++) mean[i]! += vector[i]! / vectors.length;
  }
  for (const vector of vectors) {
    for (let i = 0; i < prosodyWidth; i++) deviation[i]! += (vector[i]! - mean[i]!) ** 2 / vectors.length;
  }
  return { mean, deviation: deviation.map((value) => Math.sqrt(value) + 1e-4) };
}

function standardised(vector: Float32Array, mean: Float32Array, deviation: Float32Array): Float32Array {
  return vector.map((value, i) => Math.min(4, Math.max(-4, (value - mean[i]!) / deviation[i]!)));
}

/** Tells moods by prosody. Plain arrays, no tensors. */
export class EmotionModel {
  private constructor(private readonly numbers: EmotionNumbers) {}

  /** @throws DataError for a file that is absent or no emotion model */
  static load(path: string = shippedEmotion): EmotionModel {
    const file = SafetensorsFile.open(path);
    try {
      if (file.metadata.format !== FORMAT)
        throw new DataError(`Expected ${path} to be an emotion model of voices (format ${FORMAT})`);
      const keys = [...file.entries.keys()];
      return EmotionModel.of(
        new Map(keys.map((key) => [key, Float32Array.from(viewNumbers(file.raw(key)) as Float32Array)])),
      );
    } finally {
      file.close();
    }
  }

  static of(numbers: EmotionNumbers): EmotionModel {
    return new EmotionModel(numbers);
  }

  save(path: string): void {
    scope(() => {
      const tensors = [...this.numbers].map(([key, value]) => [key, tensor(value)] as const);
      saveSafetensors(path, tensors, { format: FORMAT });
    });
  }

  /** Probabilities of {@link emoDbNames}. */
  scores(vector: Float32Array): Float32Array {
    const get = (key: string): Float32Array => this.numbers.get(key)!;
    const hidden = layer(standardised(vector, get('mean'), get('deviation')), get('hidden.weight'), get('hidden.bias'));
    const logits = layer(
      hidden.map((value) => Math.max(0, value)),
      get('leave.weight'),
      get('leave.bias'),
    );
    const most = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - most));
    const total = powers.reduce((sum, value) => sum + value, 0);
    return powers.map((power) => power / total);
  }

  /** As {@link expressions} of what was heard so far; null before there is enough of it. */
  heard(prosody: Prosody): Expressions | null {
    return prosody.seconds > ENOUGH ? this.expressions(prosody) : null;
  }

  /** What a voice sounds like, in the names of the analyser of faces; `surprised` is never heard. */
  expressions(prosody: Prosody): Expressions {
    const scores = this.scores(prosody.vector());
    const sums = Object.fromEntries(expressionNames.map((name) => [name, 0])) as Record<ExpressionName, number>;
    for (const [i, [, name]] of Object.values(emoDb).entries()) sums[name] += scores[i]!;
    return sums;
  }
}

const FORMAT = 'headrace-voice-emotion-1';

function layer(x: Float32Array, weight: Float32Array, bias: Float32Array): Float32Array {
  return bias.map((start, row) => x.reduce((sum, value, i) => sum + weight[row * x.length + i]! * value, start));
}

/** How well moods are told. */
export interface EmotionScores {
  readonly macroF1: number;
  readonly accuracy: number;
  readonly f1: Readonly<Record<string, number>>;
}

/** Each speaker is read by a model that was trained on the others. */
export function crossValidateEmotion(examples: readonly EmotionExample[], settings = emotionSettings): EmotionScores {
  const count = emoDbNames.length;
  const table = Array.from({ length: count }, () => new Float64Array(count));
  for (const speaker of new Set(examples.map((example) => example.speaker))) {
    const model = EmotionModel.of(
      trainEmotion(
        examples.filter((example) => example.speaker !== speaker),
        settings,
      ),
    );
    for (const { label, vectors } of examples.filter((example) => example.speaker === speaker)) {
      const scores = model.scores(vectors.at(-1)!);
      table[label]![scores.indexOf(Math.max(...scores))]!++;
    }
  }
  const f1 = emoDbNames.map((_, i) => {
    const found = table.reduce((sum, row) => sum + row[i]!, 0);
    const there = table[i]!.reduce((sum, value) => sum + value, 0);
    return (2 * table[i]![i]!) / Math.max(1, found + there);
  });
  const right = table.reduce((sum, row, i) => sum + row[i]!, 0);
  return {
    macroF1: f1.reduce((sum, value) => sum + value, 0) / count,
    accuracy: right / examples.length,
    f1: Object.fromEntries(emoDbNames.map((name, i) => [name, f1[i]!])),
  };
}
