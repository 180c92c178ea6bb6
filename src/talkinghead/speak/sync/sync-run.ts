/** A run of SyncNet's training, and the file that it comes to: `sync.safetensors` in the run's folder. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors, writeFileAtomic } from '../../../io/index.js';
import { ConfigError, DataError, scope } from '../../../torch/index.js';
import { TrainingFolder } from '../../training/run-folder.js';
import type { StepRecord } from '../../training/steps.js';
import { checkClips, loadClips } from '../clips/speak-clips.js';
import { leastFrames, type SyncConfig } from './sync-config.js';
import { SyncNet } from './sync-net.js';
import { type SyncScores, syncScores } from './sync-scores.js';
import { SyncTrainer } from './sync-trainer.js';

export interface SyncRunOptions {
  /** Clips with sound: what `headrace talk prepare` or `talk synth --speech` has made. */
  readonly data: string;
  /** Folder of the run. */
  readonly out: string;
  readonly resume?: boolean;
  readonly onProgress?: (what: 'reading' | 'training' | 'testing', done: number, all: number) => void;
  readonly onRecord?: (record: StepRecord) => void;
  readonly note?: (text: string) => void;
  readonly shouldStop?: () => boolean;
}

export interface SyncResult {
  readonly model: string;
  /** On the people left out; null where there are none. */
  readonly scores: SyncScores | null;
  readonly history: readonly StepRecord[];
}

/**
 * Trains SyncNet, or goes on with a run that was broken off.
 * @returns null where it was asked to stop
 * @throws ConfigError, DataError
 */
export async function trainSync(config: SyncConfig, options: SyncRunOptions): Promise<SyncResult | null> {
  const { data, out, onProgress, onRecord, note, shouldStop } = options;
  const { size, testPeople, steps, threads, lr } = config;
  // Before there is a folder.
  const found = checkClips(data, { testPeople, leastFrames: leastFrames(config) });
  if (found.leftOut > 0) note?.(`${found.leftOut} clips are left out: without sound, or too short`);
  using kept = new TrainingFolder(out, config, options.resume ?? false);
  const progress = (what: Parameters<NonNullable<typeof onProgress>>[0]) => (done: number, all: number) =>
    onProgress?.(what, done, all);
  const clips = await loadClips(found, size, { onProgress: progress('reading'), shouldStop });
  if (clips === null) return null;
  const trainer = new SyncTrainer(config, clips);
  const told = { model: 'syncnet', steps, threads, lr, batch: config.windows };
  const hooks = { onStep: progress('training'), from: kept.state(), ...(onRecord && { onRecord }) };
  const history = await trainer.run(kept.keeping(told, { ...hooks, ...(shouldStop && { shouldStop }) }));
  if (history === null) return null;
  const model = join(out, 'sync.safetensors');
  saveSync(model, config, clips.fps, trainer.network);
  const scores = clips.test.length === 0 ? null : syncScores(trainer.network, clips, progress('testing'));
  writeFileAtomic(join(out, 'metrics.json'), `${JSON.stringify(scores, null, 2)}\n`);
  return { model, scores, history };
}

const FORMAT = 'headrace-sync-1';

export function saveSync(path: string, config: SyncConfig, fps: number, network: SyncNet): void {
  const metadata = { format: FORMAT, config: JSON.stringify(config), fps: String(fps) };
  scope(() => saveSafetensors(path, network.stateDict(), metadata));
}

export interface TrainedSync {
  readonly network: SyncNet;
  readonly config: SyncConfig;
  /** Frames a second of what it was trained on: of other videos it says nothing. */
  readonly fps: number;
}

/**
 * A network that `headrace talk train syncnet` has made, ready to be used.
 * @param path - the file, or the folder of its run
 * @throws DataError for a file that is absent, damaged, or of something else
 */
export function loadSync(path: string): TrainedSync {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'sync.safetensors') : path;
  const { tensors, metadata } = loadSafetensors(file);
  const { format, config: told, fps } = metadata;
  if (format !== FORMAT || told === undefined)
    throw new DataError(
      `Expected ${file} to be a model that headrace talk train syncnet has made (format ${FORMAT}), got format ${format ?? 'none'}`,
    );
  const config = JSON.parse(told) as SyncConfig;
  const network = new SyncNet(config.network);
  network.loadStateDict(tensors);
  for (const tensor of tensors.values()) tensor.dispose();
  return { network: network.requiresGrad_(false).eval(), config, fps: Number(fps) };
}

/**
 * Measures a network on the people of a folder whom its training left out.
 * @param path - a run of `headrace talk train syncnet`, or its model
 * @returns null where it was asked to stop
 * @throws ConfigError for clips of another frame rate, or a model that left nobody out
 */
export async function evaluateSync(
  path: string,
  data: string,
  { onProgress, shouldStop }: Pick<SyncRunOptions, 'onProgress' | 'shouldStop'> = {},
): Promise<SyncScores | null> {
  const { network, config, fps } = loadSync(path);
  if (config.testPeople === 0)
    throw new ConfigError('Expected a model that left people out (testPeople), got one that was trained on all');
  const { size, testPeople } = config;
  const found = checkClips(data, { testPeople, leastFrames: leastFrames(config) });
  checkRate(fps, found.prepared.settings.fps, data);
  const clips = await loadClips(found, size, {
    onProgress: (done, all) => onProgress?.('reading', done, all),
    shouldStop,
  });
  return clips && syncScores(network, clips, (done, all) => onProgress?.('testing', done, all));
}

/** @throws ConfigError for clips of another rate than a sync network's */
export function checkRate(own: number, found: number, data: string): void {
  if (own === found) return;
  throw new ConfigError(
    `Expected clips of ${own} frames a second in ${data}, which the sync network was trained on, found ${found}: prepare them at that rate, or train another`,
  );
}
