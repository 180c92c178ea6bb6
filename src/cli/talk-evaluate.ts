import { evaluateIrfd, evaluateSpeak, evaluateSync, evaluateTalk } from '../talkinghead/index.js';
import { ConfigError } from '../torch/index.js';
import { print, say } from './report.js';
import type { TalkEvaluateFlags } from './talk-models-program.js';
import { factorTables, figuresTable, modesTables, syncTable } from './talk-tables.js';
import { type Watching, watched } from './watched.js';

/** `headrace talk evaluate`: the figures of videos beside references, and those of the controls. */
export async function evaluateTalkVideos(
  generated: string,
  reference: string,
  { json, sync, ...options }: Omit<TalkEvaluateFlags, 'model'>,
): Promise<void> {
  expectNoSync(sync);
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
  print(json, { videos, mean }, `${count}${figuresTable(mean)}\n${frames} frames compared`);
}

function expectNoSync(sync: string | undefined): void {
  if (sync !== undefined) throw new ConfigError('--sync measures what a model has made: give --model speak, too');
}

/** What is measured of a kind of model, and how it is shown; null where it was asked to stop. */
const measures: Readonly<
  Record<
    NonNullable<TalkEvaluateFlags['model']>,
    (
      run: string,
      data: string,
      watching: Watching,
      flags: TalkEvaluateFlags,
    ) => Promise<{ found: object; text: string } | null>
  >
> = {
  irfd: async (run, data, { onProgress, shouldStop }) => {
    const found = await evaluateIrfd(run, data, { onProgress, shouldStop });
    return found && { found, text: factorTables(found) };
  },
  syncnet: async (run, data, { onProgress, shouldStop }) => {
    const found = await evaluateSync(run, data, { onProgress, shouldStop });
    return found && { found, text: syncTable(found) };
  },
  speak: async (run, data, { onProgress, note, shouldStop }, { sync }) => {
    const found = await evaluateSpeak(run, data, { onProgress, note, shouldStop, ...(sync !== undefined && { sync }) });
    return found && { found, text: modesTables(found) };
  },
};

/** `headrace talk evaluate --model KIND`: what a model comes to on people whom it has not seen. */
export async function evaluateModel(
  kind: NonNullable<TalkEvaluateFlags['model']>,
  run: string,
  data: string,
  flags: TalkEvaluateFlags,
): Promise<void> {
  if (kind !== 'speak') expectNoSync(flags.sync);
  const stopping = 'stopping after what is being measured';
  const measured = await watched({ stopping, stopped: 'stopped; nothing is measured' }, (watching) =>
    measures[kind](run, data, watching, flags),
  );
  if (measured !== null) print(flags.json, measured.found, measured.text);
}
