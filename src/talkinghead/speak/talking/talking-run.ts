/** A run of the second stage's training, and the file that it comes to: `speak.safetensors` in the run's folder. */
import { join } from 'node:path';
import { writeImage } from '../../../media/index.js';
import { noGrad, ops, scope, type Tensor } from '../../../torch/index.js';
import { tiled } from '../../render/tiles.js';
import { Chance } from '../../training/chance.js';
import { Crew } from '../../training/crew.js';
import { TrainingFolder } from '../../training/run-folder.js';
import type { StepRecord } from '../../training/steps.js';
import { checkClips, loadClips, type SpeakClips } from '../clips/speak-clips.js';
import { asImages } from '../faces.js';
import { loadIrfd } from '../irfd-run.js';
import { type SoundEncoder, soundEncoder } from './sound-encoder.js';
import { judgesOf, startOf } from './talking-base.js';
import { TalkingSource, talkingBatch } from './talking-batch.js';
import type { TalkingConfig } from './talking-config.js';
import { knownOf, saveTalking } from './talking-model.js';
import { talkingReplica } from './talking-replica.js';
import { TalkingTrainer } from './talking-trainer.js';

export interface TalkingRunOptions {
  /** Clips with sound: what `headrace talk prepare` or `talk synth --speech` has made. */
  readonly data: string;
  /** Folder of the run. */
  readonly out: string;
  readonly resume?: boolean;
  readonly onProgress?: (what: 'reading' | 'hearing' | 'training', done: number, all: number) => void;
  readonly onRecord?: (record: StepRecord) => void;
  readonly note?: (text: string) => void;
  readonly shouldStop?: () => boolean;
}

export interface TalkingResult {
  readonly model: string;
  /** True frames over made ones. */
  readonly sheet: string;
  readonly history: readonly StepRecord[];
}

/**
 * Trains the second stage, or goes on with a run that was broken off.
 * @returns null where it was asked to stop
 * @throws ConfigError, DataError
 */
export async function trainTalking(config: TalkingConfig, options: TalkingRunOptions): Promise<TalkingResult | null> {
  const { data, out, onProgress, onRecord, note, shouldStop } = options;
  const { testPeople, steps, threads, lr } = config;
  // Whatever is lacking is told before there is a folder.
  const irfd = loadIrfd(config.irfd);
  const found = checkClips(data, { testPeople, leastFrames: config.frames });
  const judges = judgesOf(config, irfd.model, found.prepared.settings.fps, data);
  const { looker } = judges;
  const encoder = soundEncoder(config.sound);
  using kept = new TrainingFolder(out, config, options.resume ?? false);
  if (found.leftOut > 0) note?.(`${found.leftOut} clips are left out: without sound, or too short`);
  if (config.loss.perceptual > 0) note?.(`pictures are compared by ${looker.name}`);
  note?.(`sound is heard by ${encoder.name}`);
  const hooks = (what: Parameters<NonNullable<typeof onProgress>>[0]) => ({
    onProgress: (done: number, all: number) => onProgress?.(what, done, all),
    shouldStop,
  });
  const size = irfd.config.size * config.scale;
  const clipSize = found.prepared.settings.size;
  if (clipSize < size) note?.(`clips of ${clipSize} pixels are made larger, to ${size}: prepare them at that size`);
  const clips = await loadClips(found, size, hooks('reading'));
  const heard = clips && (await hearAll(encoder, clips, hooks('hearing')));
  if (clips === null || heard === null) return null;
  const coderShape = irfd.config;
  const coder = startOf(config, irfd.model, coderShape);
  const crew = Crew.of(config.replicas, talkingReplica(config, clips, heard, data));
  const trainer = new TalkingTrainer(config, { clips, heard, coder, judges }, crew?.replicas ?? null);
  const told = { model: 'speak', steps, threads, lr, batch: config.clips * config.frames };
  const draw = (path: string): Promise<void> => writeTalkingSheet(path, trainer, config);
  const history = await trainer.run(
    kept.keeping(
      told,
      {
        onStep: (done, all) => onProgress?.('training', done, all),
        from: kept.state(),
        ...(onRecord && { onRecord }),
        ...(shouldStop && { shouldStop }),
      },
      { every: config.sheetEvery, write: draw },
    ),
    crew,
  );
  if (history === null) return null;
  const [model, sheet] = [join(out, 'speak.safetensors'), join(out, 'sheet.png')];
  const known = knownOf(clips, coder.eval(), config.hideMouth);
  saveTalking(model, { config, fps: clips.fps, generator: trainer.generator, coder, ...known }, coderShape);
  await draw(sheet);
  return { model, sheet, history };
}

/** What is heard at each frame of all clips, [N, size]; null where it was asked to stop. */
export async function hearAll(
  encoder: SoundEncoder,
  { train, test, fps, pictures }: SpeakClips,
  {
    onProgress,
    shouldStop,
  }: { onProgress?: (done: number, all: number) => void; shouldStop?: (() => boolean) | undefined },
): Promise<Tensor | null> {
  const all = [...train, ...test].sort((a, b) => a.first - b.first);
  const rows: Tensor[] = [];
  for (const [i, { samples, frames }] of all.entries()) {
    if (shouldStop?.()) return null;
    rows.push(encoder.rows(samples, frames, fps));
    onProgress?.(i + 1, all.length);
    // Signals are heard between clips.
    await new Promise(setImmediate);
  }
  const heard = scope(() => ops.cat(rows, 0).reshape([pictures.shape[0]!, encoder.size]).keep());
  for (const row of rows) row.dispose();
  return heard;
}

const sheetClips = 3;

/** True frames of people whom it has not seen, and under them what it makes; the last of those it has, where none were left out. */
async function writeTalkingSheet(path: string, trainer: TalkingTrainer, config: TalkingConfig): Promise<void> {
  const { clips, heard, coder } = trainer.base;
  const from = clips.test.length > 0 ? clips.test : clips.train.slice(-sheetClips);
  const settings = { ...config, clips: sheetClips, augment: false, emotionFrom: shownFrom(config) };
  const learning = coder.training;
  trainer.generator.eval();
  coder.eval();
  const rows = noGrad(() =>
    scope(() => {
      const chance = new Chance(1);
      const drawn = new TalkingSource(from, settings).draw(chance);
      const batch = talkingBatch(clips, heard, coder, drawn, settings, chance);
      const columns = [batch.portraits, batch.truth, trainer.make(batch).pictures].map(asImages);
      const { frames } = config;
      return Array.from({ length: sheetClips }, (_, k) => {
        const some = (images: (typeof columns)[number]) => images.slice(k * frames, (k + 1) * frames);
        const [portraits, truth, made] = columns as [(typeof columns)[0], (typeof columns)[0], (typeof columns)[0]];
        return [portraits[k]!, ...some(truth), portraits[k]!, ...some(made)];
      }).flat();
    }),
  );
  trainer.generator.train();
  coder.train(learning);
  await writeImage(path, tiled(rows, config.frames + 1, { gap: 2, fill: 255 }));
}

/** People left out may have one clip of an emotion alone. */
function shownFrom({ emotionFrom }: TalkingConfig): TalkingConfig['emotionFrom'] {
  return emotionFrom === 'label' ? 'clip' : emotionFrom;
}
