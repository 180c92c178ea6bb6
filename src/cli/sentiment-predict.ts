import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { type ExpressionName, type Expressions, expressionNames } from '../media/index.js';
import {
  type Clip,
  type ClipFeatures,
  clipScore,
  type FeatureSpecs,
  holdsReader,
  importModel,
  type LoadedModel,
  loadModel,
  modelTitle,
  predictUtterances,
  readManifest,
  readUtterances,
  type SentimentPrediction,
  SentimentReader,
  shippedModel,
  type UtteranceInput,
  type UtteranceReading,
} from '../sentiment/index.js';
import { ConfigError, DataError } from '../torch/index.js';
import { type ClipOutcome, readClips } from './clips.js';
import { exitCodes, print, say } from './report.js';
import { explanation } from './sentiment-explain.js';
import { linesOf, writeLine } from './sentiment-lines.js';
import type { SentimentPredictFlags } from './sentiment-program.js';

/** `headrace sentiment predict`. */
export async function predictSentiment(
  dir: string | undefined,
  others: readonly string[],
  flags: SentimentPredictFlags,
): Promise<void> {
  const texts = flags.text ?? [];
  const { folder, clips } = modelAndClips(dir, others);
  const sources = [clips.length > 0, texts.length > 0, flags.file !== undefined].filter(Boolean).length;
  if (sources !== 1) {
    throw new ConfigError(
      'Expected either recordings or videos to read, or --text "...", or --file with a text a line (- is standard input)',
    );
  }
  const texted = clips.find(holdsTexts);
  if (texted !== undefined) {
    throw new ConfigError(
      `Expected recordings or videos, got a file of texts, ${texted}: --file ${texted} reads a text a line`,
    );
  }
  const predictor = await predictorOf(folder, flags);
  if (flags.file !== undefined) return readLines(predictor, flags.file, flags.json);
  const { about, features, read } = predictor;
  if (texts.length > 0) {
    const utterances = read(texts.map((text, i) => ({ id: `text ${i + 1}`, text })));
    for (const { id, missing } of utterances.filter(({ score }) => Number.isNaN(score))) {
      say(`headrace: ${id} has nothing that the model reads: expected ${missing.join(' or ')}`);
      process.exitCode = exitCodes.failed;
    }
    print(flags.json, { ...about, utterances }, utterances.map(line).join('\n'));
    return;
  }
  const use = ({ utterances: inputs, features: own, expressions, notes }: Clip) => {
    const utterances = read(inputs, own).map((said, i) => ({ ...said, face: faceOf(expressions[i]!) }));
    if (utterances.every(({ score, face }) => Number.isNaN(score) && face === null)) throw new DataError(WORDLESS);
    return { score: clipScore(utterances), notes, utterances };
  };
  const outcomes = await readClips(clips, flags, features, use, { expressions: true });
  const [first] = outcomes;
  const single = outcomes.length === 1 && first !== undefined && 'value' in first;
  const results = outcomes.map((outcome) =>
    'value' in outcome ? { clip: outcome.clip, ...outcome.value } : { clip: outcome.clip, error: outcome.error },
  );
  const result = { ...about, ...(single ? results[0] : { clips: results }) };
  print(flags.json, result, single ? clipLines(first.value).join('\n') : outcomes.map(block).join('\n'));
}

/** Reads lines as they come, each to a line of the result, with `--json` an object each. */
async function readLines({ read }: Predictor, file: string, json: boolean): Promise<void> {
  for await (const lines of linesOf(file)) {
    const told = lines.filter(({ text }) => text.trim() !== '');
    const results = told.length === 0 ? [] : read(told.map(({ number, text }) => ({ id: `line ${number}`, text })));
    const byId = new Map(results.map((result) => [result.id, result]));
    for (const { number, note } of lines) {
      if (note !== null) say(`note: line ${number}: ${note}`);
      const result = byId.get(`line ${number}`);
      if (result === undefined) {
        say(`headrace: line ${number} has nothing to read`);
        process.exitCode = exitCodes.failed;
      }
      const said = json ? JSON.stringify(lineResult(number, result)) : result ? line(result) : NOTHING;
      if (!(await writeLine(said))) return;
    }
  }
}

const NOTHING = 'nothing to read';
const WORDLESS =
  'Expected words to read, got none: give them with --transcript "..." or --srt FILE, or hear them with --asr FOLDER';

/** What `--json` says of a line: it has no times, and its number stands for its id. */
function lineResult(number: number, result: Prediction | undefined): object {
  if (result === undefined) return { line: number, error: NOTHING };
  const { id: _, start: __, end: ___, ...said } = result;
  return { line: number, ...said };
}

/** A model of either kind: one that a recipe trained, or a reader of texts. */
interface Predictor {
  /** For `--json`. */
  readonly about: object;
  /** Features of clips that it needs. */
  readonly features: FeatureSpecs;
  /** Says what is noteworthy, too. */
  read(inputs: readonly UtteranceInput[], features?: ClipFeatures): Prediction[];
}

/** What the face of an utterance shows most, and each expression's probability. */
interface FaceReading {
  readonly expression: ExpressionName;
  readonly probabilities: Expressions;
}

function faceOf(probabilities: Expressions | null): FaceReading | null {
  if (probabilities === null) return null;
  const [expression] = [...expressionNames].sort((a, b) => probabilities[b] - probabilities[a]);
  return { expression: expression!, probabilities };
}

/** A reader says more, a clip shows more. */
type Prediction = SentimentPrediction &
  Partial<Pick<UtteranceReading, 'emotions' | 'unsure' | 'sentences'>> & { readonly face?: FaceReading | null };

async function predictorOf(folder: string, flags: SentimentPredictFlags): Promise<Predictor> {
  const name = basename(resolve(folder));
  const isReader = holdsReader(folder);
  if (!isReader) await importModel(readManifest(folder).config.model);
  const model = isReader ? null : loadModel(folder, flags.seed);
  if (folder === shippedModel) say(`note: read by ${name}, the model that comes with Headrace`);
  if (model !== null) {
    if (flags.explain)
      throw new ConfigError(`Expected no --explain with ${folder}: readers of texts explain, no others`);
    const read = (inputs: readonly UtteranceInput[], features: ClipFeatures = {}): Prediction[] => {
      const utterances = predictUtterances(model, inputs, features);
      sayUnknown(model, utterances);
      return utterances;
    };
    const about = { name, model: modelTitle(model.manifest.config.model), seed: model.seed };
    return { about, features: featuresOf(model), read };
  }
  if (flags.seed !== undefined) throw new ConfigError(`Expected no --seed with ${folder}: a reader has one alone`);
  const reader = SentimentReader.load(folder);
  const { explain } = flags;
  return {
    about: { name, model: 'reader' },
    features: {},
    read: (inputs) => readUtterances(reader, inputs, { explain }),
  };
}

/** How files of texts are called, when they are no clips. */
const TEXTS_NAME = /(^|[\\/])[^.\\/]+$|\.(txt|text|md|csv|tsv|log|jsonl?)$/i;

/** Whether a file is one of texts: by its name, and by the lack of bytes that no text has. */
function holdsTexts(path: string): boolean {
  if (!TEXTS_NAME.test(path) || !statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
  const file = openSync(path, 'r');
  const begin = Buffer.alloc(4096);
  try {
    const length = readSync(file, begin);
    return length > 0 && !begin.subarray(0, length).some((byte) => byte < 32 && !(byte >= 9 && byte <= 13));
  } finally {
    closeSync(file);
  }
}

/** How clips are called: `a.mp4`. What is not there and called so was meant as one. */
const MEDIA_NAME = /\.(?=\w*[a-z])[a-z0-9]{2,5}$/i;

/** Without a folder, when the first argument is a clip or there is none, the model is the one that comes with Headrace. */
function modelAndClips(first: string | undefined, others: readonly string[]): { folder: string; clips: string[] } {
  if (first === undefined) return { folder: shippedModel, clips: [] };
  const stat = statSync(first, { throwIfNoEntry: false });
  if (stat === undefined && !MEDIA_NAME.test(first)) {
    throw new ConfigError(
      `There is no ${first} (looked from ${process.cwd()}): expected the folder of a model, or a clip`,
    );
  }
  const isClip = stat === undefined || stat.isFile();
  return isClip ? { folder: shippedModel, clips: [first, ...others] } : { folder: first, clips: [...others] };
}

/** The features of clips that a model uses; a data set may have had others beside. */
function featuresOf({ manifest: { config, features } }: LoadedModel): FeatureSpecs {
  return Object.fromEntries(
    config.modalities.filter((name) => features[name] !== undefined).map((name) => [name, features[name]]),
  ) as FeatureSpecs;
}

interface ClipResult {
  readonly score: number | null;
  readonly utterances: readonly Prediction[];
}

function clipLines({ score, utterances }: ClipResult): string[] {
  const lines = utterances.map(line);
  if (utterances.length > 1 && score !== null) lines.push(`${signed(score)}  the whole clip`);
  return lines;
}

/** One of several clips: its name, and below it what it gave. What failed has been told. */
function block(outcome: ClipOutcome<ClipResult>): string {
  const lines = 'value' in outcome ? clipLines(outcome.value) : ['could not be read'];
  return [outcome.clip, ...lines.map((text) => `  ${text}`)].join('\n');
}

/** A text of whose words the model knows none says nothing to it. */
function sayUnknown({ reader }: LoadedModel, utterances: readonly SentimentPrediction[]): void {
  const { tokenizer } = reader ?? { tokenizer: null };
  for (const { id, text } of utterances) {
    if (tokenizer === null || text === null || text.trim() === '' || tokenizer.coverage([text]) > 0) continue;
    say(`note: ${id}: the model knows none of its words`);
  }
}

function line(result: Prediction): string {
  const heads = Object.entries(result.unimodal);
  const alone = heads.flatMap(([name, score]) => (score === null ? [] : [`${name} ${signed(score)}`]));
  const unread = Number.isNaN(result.score);
  const parts = unread
    ? [result.face ? 'no score' : NOTHING]
    : [`${signed(result.score)}  ${result.label}, confidence ${result.confidence.toFixed(2)}`];
  const { emotions = [], unsure = null, face = null } = result;
  if (emotions.length > 0) {
    parts.push(emotions.map(({ name, probability }) => `${name} ${probability.toFixed(2)}`).join(', '));
  }
  if (face !== null) parts.push(`face ${face.expression} ${face.probabilities[face.expression].toFixed(2)}`);
  if (unsure !== null) parts.push(`unsure: ${unsure}`);
  if (heads.length > 1 && alone.length > 0) parts.push(`alone: ${alone.join(', ')}`);
  if (result.missing.length > 0) parts.push(`missing: ${result.missing.join(', ')}`);
  const { start, end, text } = result;
  const when = start === null || end === null ? '' : `${start.toFixed(2)}-${end.toFixed(2)} s  `;
  const read = `${when}${parts.join('; ')}${text === null ? '' : `  "${text}"`}`;
  return [read, ...explanation(result.sentences ?? [], process.stdout.isTTY && !process.env.NO_COLOR)].join('\n');
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
}
