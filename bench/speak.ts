/** A training step of IRFD, against the same network, losses and optimizer in PyTorch. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveNpz } from 'headrace/io';
import {
  Chance,
  type DrawnPairs,
  drawExchanges,
  exchange,
  type IrfdConfig,
  IrfdTrainer,
  irfdLosses,
  loadFaces,
  makeSyntheticSet,
  PairSource,
  planExchanges,
  readIrfdConfig,
  shapeOf,
  weighedSum,
} from 'headrace/talkinghead';
import { noGrad, ones, scope, setNumThreads, type Tensor, tensor } from 'headrace/torch';
import { describeHost } from './host.js';
import { interleave, type Side } from './interleave.js';
import { findPython, NO_PYTHON, PythonPeer } from './python.js';
import { type PartOptions, type PartResult, type Row, ratio, row } from './results.js';

export async function speakPart({ rounds, quick, turn }: PartOptions): Promise<PartResult> {
  setNumThreads(1);
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const python = findPython();
  const peer = python ? await PythonPeer.start(python, 1, describeHost()) : null;
  try {
    const config = readIrfdConfig('standard', { steps: 1_000_000 });
    const { size, testPeople, seed } = config;
    const people = testPeople + 8;
    await makeSyntheticSet(folder, { seed: 1, count: people, people, frames: 2, fps: 3, size });
    const faces = (await loadFaces(folder, size, testPeople))!;
    const exchanges = (await drawExchanges(faces, planExchanges(faces.train, 4, new Chance(seed))))!;
    const trainer = new IrfdTrainer(config, faces, exchanges);
    trainer.model.train();
    const frames = 2 * config.pairs;
    const steps = quick ? 3 : 12;
    const batch = new PairSource(faces, exchanges).draw(config, new Chance(3));
    if (peer) await expectSame(peer, trainer, config, batch, join(folder, 'irfd.npz'));
    let done = 0;
    const ours = async (): Promise<number> => {
      const start = performance.now();
      for (let i = 0; i < steps; i++) scope(() => void trainer.step(done++));
      return (1000 * steps * frames) / (performance.now() - start);
    };
    const sides = new Map<string, Side>([['Headrace', ours]]);
    if (peer)
      sides.set(
        'PyTorch',
        async () => frames / (await peer.ask<{ seconds: number }>({ do: 'irfdSteps', count: steps })).seconds,
      );
    const found = await interleave('speak', 'frames/s', sides, rounds, turn);
    return result(found, peer?.torch ?? null, config, steps);
  } finally {
    peer?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Both sides have the same weights, batch and losses before they begin. */
async function expectSame(
  peer: PythonPeer,
  { model }: IrfdTrainer,
  config: IrfdConfig,
  batch: DrawnPairs,
  path: string,
): Promise<void> {
  const { alpha, loss: weights, lr, decoderLr } = config;
  const shape = shapeOf(config);
  scope(() => saveNpz(path, arraysOf(model, batch)));
  const rates = [lr, decoderLr];
  const request = { do: 'buildIrfd', path, shape, factor: batch.factor, alpha, weights, rates, foreach: true };
  const theirs = await peer.ask<{ loss: number; trained: number }>(request);
  const ours = noGrad(() =>
    scope(() => weighedSum(irfdLosses(model, batch, exchange(model, batch), 'repaired', alpha), weights).item()),
  );
  const trained = [...model.parameters()].reduce((sum, { numel }) => sum + numel, 0);
  if (theirs.trained !== trained || Math.abs(theirs.loss - ours) > 1e-4 * ours)
    throw new Error(
      `Expected PyTorch to do the same: ${trained} numbers and a loss of ${ours}, got ${theirs.trained} and ${theirs.loss}`,
    );
}

function arraysOf(model: IrfdTrainer['model'], batch: DrawnPairs): Record<string, Tensor> {
  const { pictures, emotions, same, truth, known, weights: counted } = batch;
  const weights = [...model.stateDict()].map(([name, value]) => [`model.${name}`, value] as const);
  return {
    ...Object.fromEntries(weights),
    pictures,
    emotions,
    truth: truth ?? pictures,
    same: tensor([...same, ...same].map(Number)),
    known: tensor(known.map(Number)),
    weights: counted ?? ones([pictures.shape[0]!, 1, 1, 1]),
  };
}

function result(
  found: ReadonlyMap<string, number[]>,
  torch: string | null,
  { size, pairs, encoder, codes }: IrfdConfig,
  steps: number,
): PartResult {
  const rows: Row[] = [...found].map(([label, speeds]) => row(`IRFD, ${label}`, 'frames/s', speeds));
  const [ours, theirs] = [found.get('Headrace')!, found.get('PyTorch')];
  if (theirs) rows.push(ratio('IRFD, speed of Headrace / PyTorch', ours, theirs, { least: 1 }));
  const notes = [
    `${pairs} pairs of ${size} pixels a step, encoders of depth ${encoder.depth} and width ${encoder.width}, one thread, ${steps} steps a turn: ` +
      'encoding, decoding, encoding again, repaired losses, backward, Adam. Both sides begin with the same weights and have the same loss on the ' +
      'same batch, which is checked; PyTorch keeps that batch, Headrace draws one a step as its trainings do.',
    ...(theirs ? [] : [NO_PYTHON]),
  ];
  return { title: "SPEAK: IRFD's training step", settings: { size, pairs, encoder, codes, torch }, rows, notes };
}
