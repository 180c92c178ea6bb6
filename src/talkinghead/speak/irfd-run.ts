/** A run of IRFD's training, and the file that it comes to: `irfd.safetensors` in the run's folder. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors } from '../../io/index.js';
import { DataError, scope } from '../../torch/index.js';
import { Crew } from '../training/crew.js';
import { TrainingFolder } from '../training/run-folder.js';
import type { StepRecord } from '../training/steps.js';
import { exchangesOf } from './exchanges.js';
import { checkSet, loadFaces } from './faces.js';
import { factors, Irfd } from './irfd.js';
import { type IrfdConfig, shapeOf } from './irfd-config.js';
import { irfdReplica } from './irfd-replica.js';
import { IrfdTrainer } from './irfd-trainer.js';
import { writeExchangeSheet } from './sheet.js';
import { loadTrunk } from './trunk/trunk-run.js';

export interface IrfdRunOptions {
  /** A set of clips that `headrace talk synth --clips` has made. */
  readonly data: string;
  /** Folder of the run. */
  readonly out: string;
  readonly resume?: boolean;
  readonly onProgress?: (what: 'reading' | 'drawing exchanges' | 'training', done: number, all: number) => void;
  readonly onRecord?: (record: StepRecord) => void;
  readonly note?: (text: string) => void;
  readonly shouldStop?: () => boolean;
}

export interface IrfdResult {
  readonly model: string;
  readonly sheet: string;
  readonly history: readonly StepRecord[];
}

/** Codes that vary less than this over a batch, against their size, have collapsed. */
const collapsed = 0.02;

/**
 * Trains IRFD, or goes on with a run that was broken off.
 * @returns null where it was asked to stop
 * @throws ConfigError, DataError
 */
export async function trainIrfd(config: IrfdConfig, options: IrfdRunOptions): Promise<IrfdResult | null> {
  const { data, out, onProgress, onRecord, note, shouldStop } = options;
  checkSet(data, config.size, config.testPeople); // before there is a folder
  const trunk = config.trunk === '' ? null : await loadTrunk(config.trunk, config.encoder);
  using kept = new TrainingFolder(out, config, options.resume ?? false);
  const progress = (what: Parameters<NonNullable<typeof onProgress>>[0]) => (done: number, all: number) =>
    onProgress?.(what, done, all);
  const faces = await loadFaces(data, config.size, config.testPeople, { onProgress: progress('reading'), shouldStop });
  if (faces === null) return null;
  const drawing = { onProgress: progress('drawing exchanges'), shouldStop };
  const exchanges = config.exchanges === 0 ? null : await exchangesOf(faces, config.exchanges, config.seed, drawing);
  if (config.exchanges > 0 && exchanges === null) return null;
  const crew = Crew.of(config.replicas, irfdReplica(config, faces, exchanges));
  const trainer = new IrfdTrainer(config, faces, exchanges, crew?.replicas ?? null);
  if (trunk) for (const factor of factors) trainer.model[factor].loadStateDict(trunk, { strict: false });
  const told = { model: 'irfd', steps: config.steps, threads: config.threads, lr: config.lr, batch: 2 * config.pairs };
  const tell = (record: StepRecord): void => {
    onRecord?.(record);
    for (const factor of factors)
      if (record.loss[`spread.${factor}`]! < collapsed)
        note?.(`the code of ${factor} has collapsed: it says nearly the same of every picture`);
  };
  const draw = async (path: string): Promise<void> => {
    await writeExchangeSheet(path, trainer.model.eval(), faces);
    trainer.model.train();
  };
  const hooks = kept.keeping(
    told,
    { onStep: progress('training'), onRecord: tell, shouldStop, from: kept.state() },
    { every: config.sheetEvery, write: draw },
  );
  const history = await trainer.run(hooks, crew);
  if (history === null) return null;
  const model = join(out, 'irfd.safetensors');
  saveIrfd(model, config, trainer.model);
  const sheet = join(out, 'sheet.png');
  await draw(sheet);
  return { model, sheet, history };
}

const FORMAT = 'headrace-irfd-1';

export function saveIrfd(path: string, config: IrfdConfig, model: Irfd): void {
  scope(() => saveSafetensors(path, model.stateDict(), { format: FORMAT, config: JSON.stringify(config) }));
}

/**
 * A model that `headrace talk train irfd` has made, ready to be used.
 * @param path - the file, or the folder of its run
 * @throws DataError for a file that is absent, damaged, or of something else
 */
export function loadIrfd(path: string): { readonly model: Irfd; readonly config: IrfdConfig } {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'irfd.safetensors') : path;
  const { tensors, metadata } = loadSafetensors(file);
  if (metadata.format !== FORMAT || metadata.config === undefined)
    throw new DataError(
      `Expected ${file} to be a model that headrace talk train irfd has made (format ${FORMAT}), got format ${metadata.format ?? 'none'}`,
    );
  const config = JSON.parse(metadata.config) as IrfdConfig;
  const model = new Irfd(shapeOf(config));
  model.loadStateDict(tensors);
  for (const tensor of tensors.values()) tensor.dispose();
  return { model: model.requiresGrad_(false).eval(), config };
}
