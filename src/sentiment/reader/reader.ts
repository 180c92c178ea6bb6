/** A trained reader: what English texts say of sentiment and emotion. */
import { join } from 'node:path';
import { isAnything, isList, isNumber, isObject, loadSafetensors, readJsonFile } from '../../io/index.js';
import { skipInit } from '../../nn/index.js';
import { buildModel, type Layers } from '../../pipeline/index.js';
import { unpackWeights } from '../../text/packed-weights.js';
import { pieceTokenizer } from '../../text/pieces.js';
import { ConfigError, DataError, noGrad, scope, tensor } from '../../torch/index.js';
import { TextCutter } from './cut-text.js';
import { Familiarity } from './familiarity.js';
import { holdsReader, readerFile, shippedModel } from './folder.js';
import {
  classNames,
  type EmotionName,
  ekmanOf,
  emotionNames,
  type OutputName,
  outputAt,
  outputCount,
  outputs,
  type TweetEmotion,
  tweetEmotions,
} from './labels.js';
import { type HeadOptions, readerModel } from './reader-model.js';
import type { SetConfig } from './sets.js';
import { rowsOf, widthOf } from './text-rows.js';

/** Of a reader's folder; 2 has the task `spoken`. */
export const READER_FORMAT = 2;

/** What `reader.json` holds. */
export interface ReaderManifest {
  readonly format: typeof READER_FORMAT;
  /** Tokens that are read at once; a longer text is read in pieces. */
  readonly length: number;
  readonly heads: HeadOptions;
  /** Divides the logits of the classes, so that probabilities are as often right as they say. */
  readonly temperature: number;
  /** From which probability on an emotion is named, in the order of {@link emotionNames}. */
  readonly thresholds: readonly number[];
  /** A text is less familiar than this where it is hardly English. */
  readonly familiar: number;
  readonly sets: Readonly<Record<string, SetConfig>>;
  readonly machine: object;
}

const isManifest = isObject({
  format: isNumber,
  length: isNumber,
  heads: isObject({ hidden: isNumber, filters: isNumber, dropout: isNumber }),
  temperature: isNumber,
  thresholds: isList(isNumber),
  familiar: isNumber,
  sets: isAnything,
  machine: isAnything,
});

/** What is read from a text. */
export interface TextReading {
  readonly text: string;
  /** From -3 to 3. */
  readonly score: number;
  /** The most likely class. */
  readonly label: (typeof classNames)[number];
  readonly probabilities: Readonly<Record<(typeof classNames)[number], number>>;
  /** Those that are likely enough to be named, the likeliest first; several may be. */
  readonly emotions: readonly { readonly name: EmotionName; readonly probability: number }[];
  /** Ekman's groups of these emotions, each with the probability of its likeliest one. */
  readonly ekman: readonly { readonly name: string; readonly probability: number }[];
  /** The emotion of a tweet, one of four, which are all that this task knows; null where the reader was not trained on such tweets. */
  readonly tweet: {
    readonly label: TweetEmotion;
    readonly probabilities: Readonly<Record<TweetEmotion, number>>;
  } | null;
  /** The probability that it is meant otherwise than it says; null where the reader was not trained on irony. */
  readonly irony: number | null;
  /** What it would be in a dialogue, where more is neutral. */
  readonly spoken: (typeof classNames)[number];
  /** In how many pieces it was read, since so much is read at once and no more. */
  readonly pieces: number;
  /** Why it may be read wrongly; null where nothing speaks against it. */
  readonly unsure: string | null;
}

/** The pieces that a text is read in, each a row of ids. */
type Pieces = ReturnType<TextCutter['cut']>;

/** Rows of a batch. */
const BATCH = 64;

export class SentimentReader {
  private constructor(
    readonly manifest: ReaderManifest,
    private readonly model: Layers,
    private readonly cutter: TextCutter,
    private readonly familiarity: Familiarity,
  ) {}

  /**
   * @param folder - as `headrace sentiment finetune` makes it. Default: the reader that comes with Headrace
   * @throws DataError where it holds no reader, or one that is damaged
   */
  static load(folder = shippedModel): SentimentReader {
    if (!holdsReader(folder))
      throw new DataError(`Expected the folder of a reader, with reader.json in it, got ${folder}`);
    const manifest = readJsonFile<ReaderManifest>(readerFile(folder), 'the description of a reader', isManifest);
    if (manifest.format !== READER_FORMAT)
      throw new DataError(
        `${readerFile(folder)}: expected format ${READER_FORMAT}, got ${manifest.format}; train the reader again (headrace sentiment finetune)`,
      );
    const config = readJsonFile<object>(join(folder, 'config.json'), 'the configuration of an encoder');
    const tensors = unpackWeights(loadSafetensors(join(folder, 'model.safetensors')).tensors);
    const counts = tensors.get(Familiarity.key);
    if (!counts) throw new DataError(`Expected ${Familiarity.key} in ${folder}/model.safetensors, found none`);
    tensors.delete(Familiarity.key);
    const spec = readerModel({ config, compute: 'float32', heads: manifest.heads });
    const model = skipInit(() => buildModel(spec));
    model.loadStateDict(tensors);
    model.eval();
    const familiarity = new Familiarity(counts.to({ dtype: 'float32' }).tolist() as number[]);
    return new SentimentReader(manifest, model, new TextCutter(pieceTokenizer(folder), manifest.length), familiarity);
  }

  /**
   * Reads texts, many at once; a long one in pieces, of which the mean is taken.
   * @throws ConfigError for a text without anything to read
   */
  read(texts: readonly string[]): TextReading[] {
    for (const [i, text] of texts.entries()) {
      if (text.trim() === '') throw new ConfigError(`Expected texts to read, text ${i + 1} is empty`);
    }
    const cuts = texts.map((text) => this.cutter.cut(text));
    const all = this.#outputs(cuts);
    return texts.map((text, i) => this.#reading(text, all[i]!, cuts[i]!));
  }

  /** The numbers of the tasks for each text, before they become probabilities. */
  outputs(texts: readonly string[]): Float64Array[] {
    return this.#outputs(texts.map((text) => this.cutter.cut(text)));
  }

  /** @param cuts - the pieces of each text */
  #outputs(cuts: readonly Pieces[]): Float64Array[] {
    const sums = cuts.map(() => new Float64Array(outputCount));
    const sizes = cuts.map(() => 0);
    const rows = cuts.flatMap((pieces, of) => pieces.map((ids) => ({ of, ids })));
    rows.sort((a, b) => a.ids.length - b.ids.length);
    for (let from = 0; from < rows.length; from += BATCH) {
      const batch = rows.slice(from, from + BATCH);
      const length = batch.at(-1)!.ids.length;
      const ids = batch.flatMap(({ ids: own }) => [...own, ...new Array<number>(length - own.length).fill(0)]);
      const given = scope(() =>
        noGrad(() => {
          const tokens = tensor(ids, { shape: [batch.length, length], dtype: 'int64' });
          return this.model.forward(tokens).tolist() as number[][];
        }),
      );
      for (const [row, { of, ids: own }] of batch.entries()) {
        sizes[of]! += own.length;
        for (const [i, value] of given[row]!.entries()) sums[of]![i]! += value * own.length;
      }
    }
    return sums.map((values, of) => values.map((value) => value / sizes[of]!));
  }

  /** Numbers of each of the {@link rows}. */
  get width(): number {
    return widthOf(this.model);
  }

  /**
   * What a text is read as before any task: the vector that all tasks are read from, then a row for each piece. Row-major [rows,
   * width], zeros behind the narrower ones; no rows for a text without anything to read.
   */
  rows(texts: readonly string[]): Float32Array[] {
    return rowsOf(
      this.model,
      texts.map((text) => (text.trim() === '' ? [] : this.cutter.cut(text))),
    );
  }

  /** The probabilities of negative, neutral and positive. */
  classes(output: Float64Array): number[] {
    return softmax(numbersOf(output, 'classes').map((value) => value / this.manifest.temperature));
  }

  /** How familiar the pieces of a text are; see {@link ReaderManifest.familiar}. */
  familiarityOf(text: string): number {
    return this.#familiarity(text, this.cutter.cut(text));
  }

  #familiarity(text: string, pieces: Pieces): number {
    return this.familiarity.of(
      pieces.flatMap((ids) => this.cutter.bare(ids)),
      text,
    );
  }

  /** Whether it was trained on labels of a kind: the numbers of other tasks mean nothing. */
  #learnt(kind: SetConfig['kind']): boolean {
    return Object.values(this.manifest.sets).some((set) => set.kind === kind);
  }

  #reading(text: string, output: Float64Array, cut: Pieces): TextReading {
    const { thresholds, familiar } = this.manifest;
    const [negative, neutral, positive] = this.classes(output) as [number, number, number];
    const at = outputAt('emotions');
    const emotions = emotionNames
      .map((name, i) => ({ name, probability: sigmoid(output[at + i]!), threshold: thresholds[i]! }))
      .filter(({ probability, threshold }) => probability >= threshold)
      .sort((a, b) => b.probability - a.probability)
      .map(({ name, probability }) => ({ name, probability }));
    return {
      text,
      score: Math.min(3, Math.max(-3, output[outputAt('score')]!)),
      label: classNames[likeliest(output, 'classes')]!,
      probabilities: { negative, neutral, positive },
      emotions,
      ekman: ekmanOfAll(emotions),
      tweet: this.#learnt('tweet-emotion') ? tweetOf(output) : null,
      irony: this.#learnt('irony') ? softmax(numbersOf(output, 'irony'))[1]! : null,
      spoken: classNames[likeliest(output, 'spoken')]!,
      pieces: cut.length,
      unsure: this.#familiarity(text, cut) < familiar ? 'not English, or no words?' : null,
    };
  }
}

/** The numbers of a task. */
const numbersOf = (output: Float64Array, task: OutputName): number[] => [
  ...output.subarray(outputAt(task), outputAt(task) + outputs[task]),
];

/** The class with the greatest number of a task. */
export function likeliest(output: Float64Array, task: OutputName): number {
  const logits = numbersOf(output, task);
  return logits.indexOf(Math.max(...logits));
}

/** @param emotions - the likeliest first */
function ekmanOfAll(emotions: TextReading['emotions']): TextReading['ekman'] {
  const groups = new Map<string, number>();
  for (const { name, probability } of emotions) {
    const group = ekmanOf(name);
    if (!groups.has(group)) groups.set(group, probability);
  }
  return [...groups].map(([name, probability]) => ({ name, probability }));
}

function tweetOf(output: Float64Array): TextReading['tweet'] {
  const shares = softmax(numbersOf(output, 'tweet'));
  const probabilities = Object.fromEntries(tweetEmotions.map((name, i) => [name, shares[i]!]));
  return {
    label: tweetEmotions[likeliest(output, 'tweet')]!,
    probabilities: probabilities as Record<TweetEmotion, number>,
  };
}

export function softmax(logits: readonly number[]): number[] {
  const greatest = Math.max(...logits);
  const shares = logits.map((value) => Math.exp(value - greatest));
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / sum);
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
