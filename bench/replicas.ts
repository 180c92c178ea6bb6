/** Two replicas of a whole model against one, and against PyTorch's DistributedDataParallel: batch 128, a thread each. */
import { fileURLToPath } from 'node:url';
import { compare, type Variant } from 'headrace/pipeline';
import { describeHost, type Host } from './host.js';
import { type ModelName, randomRun } from './models.js';
import { Turns } from './progress.js';
import { findPython, NO_PYTHON } from './python.js';
import { runRanks } from './rank-processes.js';
import { median, type PartOptions, type PartResult, type Row, ratio, row } from './results.js';

const BATCH = 128;
const RANKS = 2;
const script = fileURLToPath(new URL('../../bench/python/ddp.py', import.meta.url));

const variants: readonly Variant[] = [
  { label: 'bp', schedule: 'bp' },
  { label: 'bp, 2 replicas', schedule: 'bp', replicas: RANKS },
];

/** Steps that are timed in a turn. */
const stepsOf: Readonly<Record<ModelName, number>> = { resnet32: 20, 'vit-tiny-p4': 5 };

type Setting = readonly [format: string, optimizer: string];

/** Images per second of PyTorch's two processes. */
async function ddp(
  python: string,
  { blasPath, oneDnn }: Host,
  model: ModelName,
  [warmUp, steps]: readonly [number, number],
  setting: Setting,
): Promise<number> {
  const env = { ...(blasPath ? { LD_PRELOAD: blasPath } : {}), ...(oneDnn ? {} : { NO_ONEDNN: '1' }) };
  const args = [script, model, ...[BATCH, warmUp, steps].map(String), ...setting];
  const seconds = JSON.parse((await runRanks(RANKS, python, args, env))[0]!) as number[];
  return BATCH / median(seconds);
}

/** The setting with which PyTorch is fastest. */
async function bestSetting(python: string, host: Host, model: ModelName): Promise<Setting> {
  const formats = model === 'resnet32' ? ['channels_last', 'contiguous'] : ['contiguous'];
  const settings = formats.flatMap((format) =>
    ['foreach', 'for-loop'].map((optimizer): Setting => [format, optimizer]),
  );
  let best: { setting: Setting; speed: number } | null = null;
  for (const setting of settings) {
    const speed = await ddp(python, host, model, [1, 3], setting);
    if (best === null || speed > best.speed) best = { setting, speed };
  }
  return best!.setting;
}

export async function replicasPart({ rounds, quick, models, turn }: PartOptions): Promise<PartResult> {
  const python = findPython();
  const host = describeHost();
  const rows: Row[] = [];
  const notes = python ? [] : [NO_PYTHON];
  for (const model of models) {
    const turns = new Turns(`replicas ${model}`, rounds * (variants.length + (python ? 1 : 0)));
    const [warmUp, steps] = quick ? [1, 2] : [3, stepsOf[model]];
    const setting = python && (await bestSetting(python, host, model));
    const theirs: number[] = [];
    const ours: Record<string, number[]> = Object.fromEntries(variants.map(({ label }) => [label, []]));
    for (let round = 0; round < rounds; round++) {
      const options = { schedules: variants, steps, rounds: 1, warmUp, turn };
      const { results } = await compare(randomRun(model), options);
      for (const [label, { samplesPerSecond }] of Object.entries(results)) {
        ours[label]!.push(samplesPerSecond);
        turns.done(`${label}  ${samplesPerSecond.toFixed(1)} images/s`);
      }
      if (!python || !setting) continue;
      theirs.push(await turn(() => ddp(python, host, model, [warmUp, steps], setting)));
      turns.done(`DistributedDataParallel  ${theirs.at(-1)!.toFixed(1)} images/s`);
    }
    const [one, two] = variants.map(({ label }) => ours[label]!) as [number[], number[]];
    for (const { label } of variants) rows.push(row(`${model}, ${label}`, 'images/s', ours[label]!));
    rows.push(ratio(`${model}, 2 replicas / 1`, two, one, { least: 1.8 }));
    if (!setting) continue;
    rows.push(row(`${model}, DistributedDataParallel, 2 processes`, 'images/s', theirs));
    rows.push(ratio(`${model}, 2 replicas / DistributedDataParallel`, two, theirs, { least: 1 }));
    notes.push(
      `${model}: PyTorch with ${setting.join(', ')} optimizer; its images are fixed, ours are read and augmented.`,
    );
  }
  const settings = { batch: BATCH, replicas: RANKS, threads: 1 };
  return { title: 'Replicas: the whole model twice, batch 128 shared', settings, rows, notes };
}
