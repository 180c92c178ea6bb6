import { extname } from 'node:path';
import { writableImages } from '../media/images/names.js';
import { readImage, writeImage } from '../media/index.js';
import { type FaceFit, fitPhotographs, fitSheet } from '../talkinghead/index.js';
import { StepProgress } from './reading.js';
import { checkApart, checkEnding, checkFolderOf, inFlags, print, say } from './report.js';
import type { TalkFitFlags } from './talk-program.js';

/** `headrace talk fit`. */
export async function fitTalk(photos: readonly string[], flags: TalkFitFlags): Promise<void> {
  const { face, output, sheet, json } = flags;
  if (output !== undefined) {
    checkEnding('--output', output, ['.json']);
    checkFolderOf('--output', output);
  }
  if (sheet !== undefined) {
    checkEnding('--sheet', sheet, Object.keys(writableImages));
    checkFolderOf('--sheet', sheet);
    for (const photo of photos) checkApart('--sheet', sheet, { 'the photograph': photo });
  }
  const steps = new StepProgress('fitting');
  const note = (remark: string): void => {
    steps.finish();
    say(`note: ${inFlags(remark)}`);
  };
  const onStep = (what: string, step: number, of: number): void => steps.begin(what, step, of);
  const fits = await fitPhotographs(photos, { ...(face !== undefined && { face }), note, onStep }).finally(() =>
    steps.finish(),
  );
  const named = (file: string | undefined, i: number): string | null =>
    file === undefined ? null : fits.length === 1 ? file : numbered(file, i + 1);
  const results = [];
  for (const [i, fit] of fits.entries()) {
    const [out, drawn] = [named(output, i), named(sheet, i)];
    if (out !== null) fit.save(out);
    if (drawn !== null) await writeImage(drawn, fitSheet(await readImage(photos[i]!), fit));
    results.push({ photo: photos[i]!, out, sheet: drawn, ...summary(fit) });
  }
  print(json, fits.length === 1 ? results[0]! : { photos: results }, results.map(line).join('\n'));
}

/** `sheet.png` and 2 to `sheet-2.png`. */
function numbered(file: string, number: number): string {
  const ending = extname(file);
  return `${file.slice(0, file.length - ending.length)}-${number}${ending}`;
}

type Summary = Pick<FaceFit, 'width' | 'height' | 'pose' | 'gaze' | 'residual' | 'eyeDistance'>;

function summary({ width, height, pose, gaze, residual, eyeDistance }: FaceFit): Summary {
  return { width, height, eyeDistance, pose, gaze, residual };
}

function line(result: Summary & { photo: string; out: string | null; sheet: string | null }): string {
  const { photo, pose, residual, eyeDistance } = result;
  const pictured = `yaw ${pose.yaw.toFixed(1)}, pitch ${pose.pitch.toFixed(1)}, roll ${pose.roll.toFixed(1)} degrees`;
  const off = `eyes ${residual.eyes.toFixed(2)} %, lips ${residual.lips.toFixed(2)} % of the eyes' distance (${eyeDistance.toFixed(0)} pixels) off`;
  const written = [result.out, result.sheet].filter((file) => file !== null);
  return `${photo}: ${pictured}; ${off}${written.length > 0 ? `; written to ${written.join(' and ')}` : ''}`;
}
