import { formatColumns } from '../pipeline/index.js';
import {
  type EvaluatedRow,
  evaluatedRows,
  evaluateTalk,
  type Figures,
  metricNames,
  metricUnits,
} from '../talkinghead/index.js';
import { print, say } from './report.js';
import type { TalkEvaluateFlags } from './talk-program.js';

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
  { json, ...options }: TalkEvaluateFlags,
): Promise<void> {
  const { videos, mean } = await evaluateTalk(generated, reference, {
    ...options,
    onVideo: ({ generated: path, notes }, done, total) => {
      if (total > 1) say(`${done}/${total} ${path}`);
      for (const note of notes) say(`note: ${path}: ${note}`);
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
