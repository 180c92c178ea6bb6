/** The reader of sentiment that comes with Headrace: size, loading, speed, memory, beside vader-sentiment and beside PyTorch. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { json, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { loadSafetensors, saveNpz } from 'headrace/io';
import { skipInit } from 'headrace/nn';
import { buildModel, type Layers } from 'headrace/pipeline';
import {
  pieceTokenizer,
  type ReaderManifest,
  readerModel,
  SentimentReader,
  shippedModel,
  TextCutter,
  unpackWeights,
} from 'headrace/sentiment';
import { noGrad, scope, setNumThreads, type Tensor, tensor } from 'headrace/torch';
import { sentences } from '../test/sentiment/reader-sentences.js';
import { describeHost } from './host.js';
import { interleave, type Side } from './interleave.js';
import { Turns } from './progress.js';
import { findPython, NO_PYTHON, PythonPeer } from './python.js';
import type { Alone } from './reader-run.js';
import { median, type PartOptions, type PartResult, type Row, ratio, row } from './results.js';
import { loadVader, vaderBytes } from './vader.js';

const program = fileURLToPath(new URL('./reader-run.js', import.meta.url));
const MB = 1e6;
const ROWS = 64;

/** A hundred sentences as people type them, with their labels. */
const cases = Object.values(sentences).flatMap((group) =>
  Object.entries(group).flatMap(([label, texts]) => texts.map((text) => ({ label, text }))),
);
const texts = Array.from({ length: 10 }, () => cases.map(({ text }) => text)).flat();

export async function readerPart({ rounds, quick, turn }: PartOptions): Promise<PartResult> {
  setNumThreads(1);
  const passes = quick ? 1 : 10;
  const score = await loadVader();
  const reader = SentimentReader.load();
  const rows = [...sizes(), ...right(reader, score), ...(await alone(rounds, turn)), ...(await streams(quick, turn))];
  const reading = new Map<string, Side>([
    ['Headrace', async () => speed(passes, () => reader.read(texts))],
    ['vader-sentiment', async () => speed(passes, () => texts.map(score))],
  ]);
  const found = await interleave('reader', 'texts/s', reading, rounds, turn);
  rows.push(
    row('reads, Headrace', 'texts/s', found.get('Headrace')!, { least: 300 }),
    row('reads, vader-sentiment', 'texts/s', found.get('vader-sentiment')!),
  );
  const network = await networkRows(passes, rounds, turn);
  return {
    title: 'Reader: what comes with Headrace, on one core',
    settings: { texts: texts.length, passes, torch: network.torch },
    rows: [...rows, ...network.rows],
    notes: [
      `The hundred sentences of the tests, ten times over: ${texts.length} texts a pass, ${passes} a turn, one thread. Reading is ` +
        "cutting into pieces, the network in batches of 64, probabilities and emotions; the network alone has its batches made before. PyTorch's " +
        'gives the same numbers to 1e-3, which is checked. Loading and memory are those of processes of their own; memory holds Node, and ' +
        'libtorch on one side. Lines come on the standard input of headrace sentiment predict --file -.',
      ...(network.torch === null ? [NO_PYTHON] : []),
    ],
  };
}

/** Texts a second. */
function speed(passes: number, read: () => unknown): number {
  const begun = performance.now();
  for (let pass = 0; pass < passes; pass++) read();
  return (passes * texts.length * 1000) / (performance.now() - begun);
}

function sizes(): Row[] {
  const files = readdirSync(shippedModel).filter((name) => !name.endsWith('.md'));
  const bytes = files.reduce((sum, name) => sum + statSync(join(shippedModel, name)).size, 0);
  return [
    row('size, Headrace', 'MB', [bytes / MB], { most: 12 }),
    row('size, vader-sentiment', 'MB', [vaderBytes() / MB]),
  ];
}

/** How many of the sentences get their label. */
function right(reader: SentimentReader, score: (text: string) => number): Row[] {
  const ours = reader.read(cases.map(({ text }) => text)).map(({ label }) => label);
  const theirs = cases.map(({ text }) => {
    const compound = score(text);
    return compound >= 0.05 ? 'positive' : compound <= -0.05 ? 'negative' : 'neutral';
  });
  const share = (said: readonly string[]): number =>
    (100 * said.filter((label, i) => label === cases[i]!.label).length) / cases.length;
  return [row('right, Headrace', '%', [share(ours)]), row('right, vader-sentiment', '%', [share(theirs)])];
}

/** Loading and memory, each time in a new process. */
async function alone(rounds: number, turn: PartOptions['turn']): Promise<Row[]> {
  const turns = new Turns('reader, alone', 2 * rounds);
  const found = { reader: [] as Alone[], vader: [] as Alone[] };
  for (let round = 0; round < rounds; round++) {
    for (const side of ['reader', 'vader'] as const) {
      const each = await turn(() => run(side));
      found[side].push(each);
      turns.done(`${side}  loaded in ${each.load.toFixed(0)} ms`);
    }
  }
  return (['load', 'first', 'bytes'] as const).flatMap((what) => {
    const of = (side: keyof typeof found): number[] =>
      found[side].map((each) => (what === 'bytes' ? each.bytes / 2 ** 20 : each[what]));
    const [name, unit] = titles[what];
    const must = what === 'load' ? { most: 300 } : undefined;
    return [row(`${name}, Headrace`, unit, of('reader'), must), row(`${name}, vader-sentiment`, unit, of('vader'))];
  });
}

/** Whether memory grows with the number of lines that are read as they come. */
async function streams(quick: boolean, turn: PartOptions['turn']): Promise<Row[]> {
  const counts = quick ? [100, 1_000] : [10_000, 100_000];
  const turns = new Turns('reader, lines', counts.length);
  const peaks: number[] = [];
  for (const count of counts) {
    peaks.push((await turn(() => streamed(count))) / 2 ** 20);
    turns.done(`${count} lines  ${peaks.at(-1)!.toFixed(0)} MiB`);
  }
  return [
    ...counts.map((count, i) => row(`peak resident memory, ${count} lines`, 'MiB', [peaks[i]!])),
    ratio('memory of ten times the lines', [peaks[1]!], [peaks[0]!], { most: 1.2 }),
  ];
}

/** The most bytes of a process that reads so many texts, a line each. */
async function streamed(count: number): Promise<number> {
  const child = spawn(process.execPath, [program, 'lines'], { stdio: ['pipe', 'ignore', 'ignore', 'pipe'] });
  const lines = function* (): Generator<string> {
    for (let i = 0; i < count; i++) yield `${texts[i % texts.length]}\n`;
  };
  Readable.from(lines()).pipe(child.stdin as Writable);
  return Number(await text(child.stdio[3] as Readable));
}

const titles: Readonly<Record<keyof Alone, readonly [string, string]>> = {
  load: ['loads in', 'ms'],
  first: ['from the start of a process to its first text', 'ms'],
  bytes: ['peak resident memory', 'MiB'],
};

async function run(side: 'reader' | 'vader'): Promise<Alone> {
  const child = spawn(process.execPath, [program, side], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(texts));
  return (await json(child.stdout)) as Alone;
}

interface Network {
  readonly model: Layers;
  readonly config: object;
  readonly manifest: ReaderManifest;
  readonly weights: ReadonlyMap<string, Tensor>;
}

function readNetwork(): Network {
  const read = (name: string): unknown => JSON.parse(readFileSync(join(shippedModel, name), 'utf8'));
  const [config, manifest] = [read('config.json') as object, read('reader.json') as ReaderManifest];
  const model = skipInit(() => buildModel(readerModel({ config, compute: 'float32', heads: manifest.heads })));
  const all = unpackWeights(loadSafetensors(join(shippedModel, 'model.safetensors')).tensors);
  const weights = new Map([...all].filter(([key]) => model.stateDict().has(key)));
  model.loadStateDict(weights);
  model.eval();
  return { model, config, manifest, weights: new Map([...model.stateDict()]) };
}

/** The pieces of the texts in batches of like length, int64 [rows, length]. */
function batchesOf({ length }: ReaderManifest): Tensor[] {
  const cutter = new TextCutter(pieceTokenizer(shippedModel), length);
  const rows = texts.flatMap((text) => cutter.cut(text)).sort((a, b) => a.length - b.length);
  return Array.from({ length: Math.ceil(rows.length / ROWS) }, (_, i) => {
    const batch = rows.slice(i * ROWS, (i + 1) * ROWS);
    const longest = batch.at(-1)!.length;
    const ids = batch.flatMap((own) => [...own, ...new Array<number>(longest - own.length).fill(0)]);
    return tensor(ids, { shape: [batch.length, longest], dtype: 'int64' });
  });
}

/** The network alone, here and in PyTorch. */
async function networkRows(
  passes: number,
  rounds: number,
  turn: PartOptions['turn'],
): Promise<{ readonly rows: Row[]; readonly torch: string | null }> {
  const network = readNetwork();
  const batches = batchesOf(network.manifest);
  const forward = (batch: Tensor): number[][] =>
    scope(() => noGrad(() => network.model.forward(batch).tolist() as number[][]));
  const sides = new Map<string, Side>([['Headrace', async () => speed(passes, () => batches.map(forward))]]);
  const python = findPython();
  const peer = python ? await PythonPeer.start(python, 1, describeHost()) : null;
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  try {
    if (peer) {
      const [weights, ids] = [join(folder, 'weights.npz'), join(folder, 'ids.npz')];
      saveNpz(weights, Object.fromEntries(network.weights));
      saveNpz(ids, Object.fromEntries(batches.map((batch, i) => [`${i}`, batch])));
      const { config, manifest } = network;
      const request = { do: 'buildReader', config, heads: manifest.heads, weights, ids };
      expectSame(forward(batches[0]!), (await peer.ask<{ output: number[][] }>(request)).output);
      sides.set('PyTorch', async () => {
        const { seconds } = await peer.ask<{ seconds: number }>({ do: 'readerPasses', count: passes });
        return (passes * texts.length) / seconds;
      });
    }
    const found = await interleave('reader, network', 'texts/s', sides, rounds, turn);
    const rows = [...found].map(([side, speeds]) => row(`the network alone, ${side}`, 'texts/s', speeds));
    const theirs = found.get('PyTorch');
    const compared =
      theirs && ratio('network, speed of Headrace / PyTorch', found.get('Headrace')!, theirs, { least: 1 });
    return { rows: compared ? [...rows, compared] : rows, torch: peer?.torch ?? null };
  } finally {
    peer?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Both sides must compute the same. */
function expectSame(ours: readonly number[][], theirs: readonly number[][]): void {
  const off = ours.map((output, i) => Math.max(...output.map((value, k) => Math.abs(value - theirs[i]![k]!))));
  if (!(Math.max(...off) < 1e-3)) {
    throw new Error(`Expected PyTorch to compute what Headrace does, got outputs that differ by ${median(off)}`);
  }
}
