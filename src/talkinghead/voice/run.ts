/**
 * A run of the voice model's training and its folder: `config.json`, `history.jsonl`, `checkpoint.safetensors` while it goes on, and at its
 * end `voice.safetensors` with `metrics.json`.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  FolderLock,
  loadSafetensors,
  readJsonFile,
  saveSafetensors,
  sweepUnfinished,
  writeFileAtomic,
} from '../../io/index.js';
import { describeDifferences, differencesOf } from '../../pipeline/index.js';
import { ConfigError, DataError } from '../../torch/index.js';
import { assessExact, assessSeen, type ExactScores, modelOpening, type SeenScores } from './assess.js';
import { conditions } from './conditions.js';
import type { VoiceConfig } from './config.js';
import { prepareVoiceData, type VoiceData } from './prepare-clips.js';
import { type StepRecord, type TrainState, VoiceTrainer } from './trainer.js';
import { saveVoice } from './voice-file.js';
import { VoiceModel } from './voice-model.js';

export interface VoiceRunOptions {
  /** Folder of the run. */
  readonly out: string;
  /** Videos of people who speak, FOLDER/SPEAKER/NAME.mpg; null for none. */
  readonly clips: string | null;
  /** Where prepared clips are kept; `out/data` by default. */
  readonly data?: string;
  readonly resume?: boolean;
  readonly onProgress?: (what: 'preparing' | 'hearing' | 'training' | 'testing', done: number, all: number) => void;
  readonly onRecord?: (record: StepRecord) => void;
  readonly note?: (text: string) => void;
  readonly shouldStop?: () => boolean;
}

/** What a trained model came to on what it has not seen. */
export interface VoiceScores {
  /** By voice and condition. */
  readonly exact: readonly (ExactScores & { readonly voice: string; readonly condition: string })[];
  /** By condition; empty where no speaker was left out. */
  readonly seen: readonly (SeenScores & { readonly condition: string })[];
}

export interface VoiceResult {
  readonly model: string;
  readonly scores: VoiceScores;
  readonly history: readonly StepRecord[];
}

/**
 * Trains a voice model, or goes on with a run that was broken off.
 * @returns null where it was asked to stop
 * @throws ConfigError where the folder holds a run and `resume` is not set, or one of other settings
 */
export async function trainVoice(config: VoiceConfig, options: VoiceRunOptions): Promise<VoiceResult | null> {
  const { out, clips, data: folder = join(out, 'data') } = options;
  beginRun(out, config, options.resume ?? false);
  const lock = FolderLock.take(out);
  try {
    sweepUnfinished(out);
    const data = await prepareVoiceData(config, {
      folder,
      clips,
      onProgress: (done, all) => options.onProgress?.('preparing', done, all),
      note: options.note,
      shouldStop: options.shouldStop,
    });
    if (data === null) return null;
    checkSpeakers(config, data);
    const trainer = new VoiceTrainer(config, data);
    const history = trainer.run({
      onProgress: options.onProgress,
      onRecord: options.onRecord,
      shouldStop: options.shouldStop,
      from: readState(out),
      save: (state) => writeState(out, state),
    });
    if (history === null) return null;
    const model = join(out, 'voice.safetensors');
    saveVoice(model, config.network, trainer.network.stateDict(), trainer.usual);
    const scores = testVoice(VoiceModel.load(model), data, options.onProgress);
    writeFileAtomic(join(out, 'metrics.json'), `${JSON.stringify(scores, null, 2)}\n`);
    return { model, scores, history };
  } finally {
    lock.release();
  }
}

/** The tests of a model: every voice under every condition, and the people who were left out. */
export function testVoice(
  model: VoiceModel,
  data: Pick<VoiceData, 'testSynthetic' | 'testReal'>,
  onProgress?: VoiceRunOptions['onProgress'],
): VoiceScores {
  const make = modelOpening(model);
  const voices = [...new Set(data.testSynthetic.map(({ speaker }) => speaker))];
  let done = 0;
  const all = (voices.length + 1) * conditions.length;
  const exact = voices.flatMap((voice) => {
    const own = data.testSynthetic.filter(({ speaker }) => speaker === voice);
    return conditions.map((condition) => {
      onProgress?.('testing', done++, all);
      return { voice, condition, ...assessExact(make, own, condition) };
    });
  });
  const seen =
    data.testReal.length === 0
      ? []
      : conditions.map((condition) => {
          onProgress?.('testing', done++, all);
          return { condition, ...assessSeen(make, data.testReal, condition) };
        });
  return { exact, seen };
}

function beginRun(out: string, config: VoiceConfig, resume: boolean): void {
  const path = join(out, 'config.json');
  if (existsSync(path)) {
    if (!resume) throw new ConfigError(`${out} holds a run already: resume it (--resume), or give another folder`);
    const differences = differencesOf(readJsonFile<VoiceConfig>(path, 'a configuration'), config);
    if (differences.length > 0) {
      throw new ConfigError(
        `${out} holds a run of another configuration: its settings are ${describeDifferences(differences)}. Give those to go on, or another folder`,
      );
    }
    return;
  }
  mkdirSync(out, { recursive: true });
  writeFileAtomic(path, `${JSON.stringify(config, null, 2)}\n`);
}

function checkSpeakers({ testSpeakers }: VoiceConfig, { real, testReal }: VoiceData): void {
  const known = [...new Set([...real, ...testReal].map(({ speaker }) => speaker))];
  const unknown = testSpeakers.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new ConfigError(
    `Expected testSpeakers among the folders of the clips (${known.join(', ') || 'none'}), got ${unknown.join(', ')}`,
  );
}

const CHECKPOINT = 'checkpoint.safetensors';

function writeState(out: string, { tensors, ...rest }: TrainState): void {
  saveSafetensors(join(out, CHECKPOINT), tensors, { state: JSON.stringify(rest) });
  writeFileAtomic(join(out, 'history.jsonl'), rest.history.map((record) => `${JSON.stringify(record)}\n`).join(''));
}

function readState(out: string): TrainState | null {
  const path = join(out, CHECKPOINT);
  if (!existsSync(path)) return null;
  const { tensors, metadata } = loadSafetensors(path);
  const rest = JSON.parse(metadata.state ?? 'null') as Omit<TrainState, 'tensors'> | null;
  if (rest === null) throw new DataError(`${path}: expected the state of a voice run, found other tensors`);
  return { ...rest, tensors };
}
