// What is measured of talking heads, as tables.

import { formatColumns } from '../report/index.js';
import {
  type ControlFigures,
  type ControlRowName,
  controlRows,
  type EvaluatedRow,
  type Evaluation,
  evaluatedRows,
  type Figures,
  factors,
  type IrfdEvaluation,
  matrixRows,
  metricNames,
  metricUnits,
  modes,
  type SpeakEvaluation,
  type SyncScores,
  type VoiceScores,
} from '../talkinghead/index.js';

const columns: Readonly<Record<EvaluatedRow, string>> = {
  generated: 'generated',
  truth: 'truth itself',
  still: 'a still',
  shuffled: 'other sound',
};

export function figuresTable(figures: Figures): string {
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

/** Both modes side by side, with what the clips themselves come to, and what each does when a source is another's. */
export function modesTables(found: SpeakEvaluation): string {
  const { clips, self, refused } = found;
  const of = (evaluation: Evaluation | null, row: EvaluatedRow, name: (typeof metricNames)[number]): string =>
    evaluation === null ? '-' : shown(evaluation.mean[row][name]);
  const any = self.speak ?? self.portrait;
  const rows = metricNames.map((name) => [
    name,
    of(self.speak, 'generated', name),
    of(self.portrait, 'generated', name),
    of(any, 'truth', name),
    of(any, 'still', name),
    of(self.speak, 'shuffled', name),
    metricUnits[name],
  ]);
  const head = ['', 'speak', 'portrait', columns.truth, columns.still, 'speak, other sound', ''];
  const lost = refused.map(({ mode, row, clip, why }) => `${mode} could not make ${clip}${madeBy(row)}: ${why}`);
  const told = `${any?.videos.length ?? 0} of ${clips} clips of people left out, driven by themselves`;
  return [`${told}\n${formatColumns([head, ...rows], [0, 6])}`, ...lost, controlTable(found), ...syncRows(found)].join(
    '\n',
  );
}

/** How well mouths go with the sound, by a SyncNet. */
function syncRows({ sync }: SpeakEvaluation): string[] {
  if (sync === null) return [];
  const rows = [...modes, 'truth' as const].flatMap((name) => {
    const scores = sync[name];
    if (scores === null) return [];
    const { confidence, distance, deviations, shuffled, clips } = scores;
    return [
      [
        `${name === 'truth' ? 'the clips themselves' : name}, ${clips} films`,
        `${confidence.toFixed(3)} (${shuffled.confidence.toFixed(3)})`,
        `${distance.toFixed(3)} (${shuffled.distance.toFixed(3)})`,
        deviations === null ? '-' : deviations.toFixed(1),
      ],
    ];
  });
  const head = ['mouth and sound, in brackets with other sound', 'LSE-C', 'LSE-D', 'deviations above other sound'];
  return [`\n${formatColumns([head, ...rows])}`];
}

const madeBy = (row: ControlRowName): string => (row === 'none' ? '' : ` with another's ${row}`);

/** Of each figure what was meant, and in brackets how it is against the clip that was not. */
function controlTable({ control, truth, people }: SpeakEvaluation): string {
  const degrees = (value: number | null): string => (value === null ? '-' : value.toFixed(1));
  const percent = (value: number | null): string => (value === null ? '-' : share(value));
  const cells = ({ pose, emotion, identity }: ControlFigures): string[] => [
    degrees(pose),
    percent(emotion),
    percent(identity),
  ];
  const rows = modes.flatMap((mode) =>
    controlRows.flatMap((name) => {
      const row = control[mode]?.[name];
      if (!row) return [];
      const other = cells(row.other);
      const what = `${mode}, ${name === 'none' ? 'all its own' : `another's ${name}`}, ${row.films} films`;
      return [[what, ...cells(row.meant).map((cell, i) => `${cell} (${other[i]})`)]];
    }),
  );
  const head = ['one source in turn of another clip', 'pose, degrees', 'emotion', `identity among ${people}`];
  const note = 'In brackets: against the other clip of the two, which should be far.';
  return `\n${formatColumns([head, ...rows, ['the clips themselves', ...cells(truth)]])}\n${note}`;
}

const share = (value: number): string => `${(100 * value).toFixed(1)} %`;

export function factorTables({ people, exchanges, matrix, codes, chance }: IrfdEvaluation): string {
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

/** The scores as a table. */
export function syncTable({ clips, accuracy, deviations, shuffled, ...own }: SyncScores): string {
  const row = (name: string, { found, confidence, distance }: SyncScores['shuffled']): string[] => [
    name,
    `${(100 * found).toFixed(1)} %`,
    confidence.toFixed(3),
    distance.toFixed(3),
  ];
  const head = [`${clips} clips of people left out`, 'found within a frame', 'LSE-C', 'LSE-D'];
  const table = formatColumns([head, row('own sound', own), row("another clip's sound", shuffled)]);
  const above =
    deviations === null ? '' : `\nLSE-C is ${deviations.toFixed(1)} standard deviations above another clip's sound`;
  return `${table}\nin sync nearer than 3 to 15 frames away: ${(100 * accuracy).toFixed(1)} % (50 % by guessing)${above}`;
}

/** The scores as a table. */
export function voiceTable({ exact, seen }: VoiceScores): string {
  const two = (value: number): string => value.toFixed(2);
  const share = (value: number): string => `${(100 * value).toFixed(1)} %`;
  const rows = exact.map((row) => [
    row.voice,
    row.condition,
    two(row.r),
    two(row.loudness),
    share(row.closed),
    two(row.offset),
    `${two(row.silent)} / ${two(row.spoken)}`,
  ]);
  const table = formatColumns([
    ['voice, exact mouth', 'heard', 'r', 'loudness', 'lips closed', 'frames late', 'cm silent / spoken'],
    ...rows,
  ]);
  if (seen.length === 0) return table;
  const people = seen.map((row) => [
    `${row.clips} clips`,
    row.condition,
    two(row.r),
    two(row.loudness),
    two(row.partial),
    two(row.offset),
  ]);
  const head = ['people left out, seen mouth', 'heard', 'r', 'loudness', 'r beyond loudness', 'frames late'];
  return `${table}\n\n${formatColumns([head, ...people])}`;
}
