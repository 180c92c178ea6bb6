import { formatColumns } from '../report/index.js';
import {
  type EvaluatedRow,
  type Evaluation,
  evaluatedRows,
  evaluateIrfd,
  evaluateSpeak,
  evaluateSync,
  evaluateTalk,
  type Figures,
  factors,
  type IrfdEvaluation,
  matrixRows,
  metricNames,
  metricUnits,
  type SpeakEvaluation,
} from '../talkinghead/index.js';
import { PartsProgress } from './reading.js';
import { exitCodes, onInterrupt, print, say } from './report.js';
import type { TalkEvaluateFlags } from './talk-models-program.js';
import { syncTable } from './talk-train.js';

const columns: Readonly<Record<EvaluatedRow, string>> = {
  generated: 'generated',
  truth: 'truth itself',
  still: 'a still',
  shuffled: 'other sound',
};

/** `headrace talk evaluate`: the figures of videos beside references, and those of the controls. */
export async function evaluateTalkVideos(
  generated: string,
  reference: string,
  { json, ...options }: Omit<TalkEvaluateFlags, 'model'>,
): Promise<void> {
  const { videos, mean } = await evaluateTalk(generated, reference, {
    ...options,
    onVideo: ({ generated: path, reference: truth, notes }, done, total) => {
      if (total > 1) say(`${done}/${total} ${path}`);
      // Damage names its file, which may be the reference.
      const names = (note: string): boolean => note.startsWith(path) || note.startsWith(truth);
      for (const note of notes) say(`note: ${names(note) ? note : `${path}: ${note}`}`);
    },
  });
  const count = videos.length === 1 ? '' : `means of ${videos.length} videos\n`;
  const frames = videos.reduce((sum, video) => sum + video.frames, 0);
  print(json, { videos, mean }, `${count}${table(mean)}\n${frames} frames compared`);
}

function table(figures: Figures): string {
  const rows = metricNames.map((name) => [
    name,
    ...evaluatedRows.map((row) => shown(figures[row][name])),
    metricUnits[name],
  ]);
  return formatColumns([['', ...evaluatedRows.map((row) => columns[row]), ''], ...rows], [0, evaluatedRows.length + 1]);
}

function shown(value: number | null): string {
  if (value === null) return '-';
  if (!Number.isFinite(value)) return 'equal';
  return value.toFixed(Math.abs(value) < 10 ? 3 : 1);
}

type Watching = {
  readonly onProgress: (what: string, done: number, all: number) => void;
  readonly note: (remark: string) => void;
  readonly shouldStop: () => boolean;
};

/** What is measured of a kind of model, and how it is shown; null where it was asked to stop. */
const measures: Readonly<
  Record<
    NonNullable<TalkEvaluateFlags['model']>,
    (run: string, data: string, watching: Watching) => Promise<{ found: object; text: string } | null>
  >
> = {
  irfd: async (run, data, watching) => {
    const { onProgress, shouldStop } = watching;
    const found = await evaluateIrfd(run, data, { onProgress, shouldStop });
    return found && { found, text: factorTables(found) };
  },
  syncnet: async (run, data, watching) => {
    const found = await evaluateSync(run, data, watching);
    return found && { found, text: syncTable(found) };
  },
  speak: async (run, data, watching) => {
    const found = await evaluateSpeak(run, data, watching);
    return found && { found, text: modesTable(found) };
  },
};

/** `headrace talk evaluate --model KIND`: what a model comes to on people whom it has not seen. */
export async function evaluateModel(
  kind: NonNullable<TalkEvaluateFlags['model']>,
  run: string,
  data: string,
  { json }: TalkEvaluateFlags,
): Promise<void> {
  const progress = new PartsProgress();
  let stopped = false;
  const release = onInterrupt(() => {
    stopped = true;
  });
  try {
    const measured = await measures[kind](run, data, {
      onProgress: (what, done, all) => progress.update(what, done, all),
      note: (remark) => progress.keep(`note: ${remark}`),
      shouldStop: () => stopped,
    });
    progress.finish();
    if (measured === null) process.exitCode = exitCodes.interrupted;
    else print(json, measured.found, measured.text);
  } finally {
    progress.finish();
    release();
  }
}

/** Both modes side by side, with what the clips themselves come to. */
function modesTable({ clips, failed, speak, portrait }: SpeakEvaluation): string {
  const shownOf = (of: Evaluation | null, row: EvaluatedRow, name: (typeof metricNames)[number]): string =>
    of === null ? '-' : shown(of.mean[row][name]);
  const rows = metricNames.map((name) => [
    name,
    shownOf(speak, 'generated', name),
    shownOf(portrait, 'generated', name),
    shownOf(speak, 'truth', name),
    shownOf(speak, 'still', name),
    shownOf(speak, 'shuffled', name),
    metricUnits[name],
  ]);
  const head = ['', 'speak', 'portrait', columns.truth, columns.still, 'speak, other sound', ''];
  const measured = (speak ?? portrait)?.videos.length ?? 0;
  const lost = `speak could not make ${failed.speak}, portrait ${failed.portrait}`;
  return `${measured} of ${clips} clips of people left out, driven by themselves; ${lost}\n${formatColumns([head, ...rows], [0, 6])}`;
}

const share = (value: number): string => `${(100 * value).toFixed(1)} %`;

function factorTables({ people, exchanges, matrix, codes, chance }: IrfdEvaluation): string {
  const names = { made: '', exact: 'the exact picture', unchanged: 'nothing exchanged' };
  const rows = (['none', ...factors] as const).flatMap((name) =>
    matrixRows
      .filter((row) => name !== 'none' || row !== 'unchanged')
      .map((row) => {
        const { pixels, pose, emotion, identity } = matrix[name][row];
        const what = name === 'none' ? 'own codes' : `${name}, ${exchanges[name]} exchanges`;
        return [
          row === 'made' ? what : `  ${names[row]}`,
          pixels.toFixed(1),
          pose.toFixed(1),
          share(emotion),
          share(identity),
        ];
      }),
  );
  const head = [`${people} people left out`, 'pixels of 255', 'pose, degrees', 'emotion', 'identity'];
  const told = factors.map((name) => {
    const { identity, emotion, pose } = codes[name];
    return [name, share(identity), share(emotion), share(pose)];
  });
  const guess = ['by guessing', share(chance.identity), share(chance.emotion), '0.0 %'];
  const second = ['code of', 'identity', 'emotion', 'pose, of variance'];
  return `${formatColumns([head, ...rows])}\n\n${formatColumns([second, ...told, guess])}`;
}
