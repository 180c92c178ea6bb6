/**
 * A run of the voice model's training and its folder: `config.json`, `history.jsonl`, `checkpoint.safetensors` while it goes on, and at its
 * end `voice.safetensors` with `metrics.json`.
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../../io/index.js';
import { ConfigError } from '../../torch/index.js';
import { TrainingFolder } from '../training/run-folder.js';
import type { StepRecord } from '../training/steps.js';
import { assessExact, assessSeen, type ExactScores, modelOpening, type SeenScores } from './assess.js';
import type { VoiceClip } from './clip-store.js';
import { conditions } from './conditions.js';
import type { VoiceConfig } from './config.js';
import { prepareVoiceData, type VoiceData } from './prepare-clips.js';
import { VoiceTrainer } from './trainer.js';
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

export type VoiceScore = ExactScores & { readonly voice: string; readonly condition: string };

/** What a trained model came to on what it has not seen. */
export interface VoiceScores {
  /** By voice and condition. */
  readonly exact: readonly VoiceScore[];
  /** The same of the validation's voices, by which settings are to be chosen. */
  readonly validation: readonly VoiceScore[];
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
  using kept = new TrainingFolder(out, config, options.resume ?? false);
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
  const { onRecord, shouldStop } = options;
  const told = { ...config, model: 'voice' };
  const hooks = kept.keeping(told, { onRecord, shouldStop, from: kept.state() });
  const history = await trainer.run({ ...hooks, onProgress: options.onProgress });
  if (history === null) return null;
  const model = join(out, 'voice.safetensors');
  saveVoice(model, config.network, trainer.network.stateDict(), trainer.usual);
  const scores = testVoice(VoiceModel.load(model), data, options.onProgress);
  writeFileAtomic(join(out, 'metrics.json'), `${JSON.stringify(scores, null, 2)}\n`);
  return { model, scores, history };
}

/** The tests of a model: every voice under every condition, and the people who were left out. */
export function testVoice(
  model: VoiceModel,
  data: Pick<VoiceData, 'validation' | 'testSynthetic' | 'testReal'>,
  onProgress?: VoiceRunOptions['onProgress'],
): VoiceScores {
  const make = modelOpening(model);
  const voicesOf = (clips: readonly VoiceClip[]): string[] => [...new Set(clips.map(({ speaker }) => speaker))];
  let done = 0;
  const all = (voicesOf([...data.validation, ...data.testSynthetic]).length + 1) * conditions.length;
  const score = (clips: readonly VoiceClip[]): VoiceScore[] =>
    voicesOf(clips).flatMap((voice) => {
      const own = clips.filter(({ speaker }) => speaker === voice);
      return conditions.map((condition) => {
        onProgress?.('testing', done++, all);
        return { voice, condition, ...assessExact(make, own, condition) };
      });
    });
  const [validation, exact] = [score(data.validation), score(data.testSynthetic)];
  const seen =
    data.testReal.length === 0
      ? []
      : conditions.map((condition) => {
          onProgress?.('testing', done++, all);
          return { condition, ...assessSeen(make, data.testReal, condition) };
        });
  return { exact, validation, seen };
}

function checkSpeakers({ testSpeakers }: VoiceConfig, { real, testReal }: VoiceData): void {
  const known = [...new Set([...real, ...testReal].map(({ speaker }) => speaker))];
  const unknown = testSpeakers.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new ConfigError(
    `Expected testSpeakers among the folders of the clips (${known.join(', ') || 'none'}), got ${unknown.join(', ')}`,
  );
}
