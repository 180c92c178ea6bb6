import { readImage, writeImage } from '../media/index.js';
import { factors, loadIrfd, swapFaces } from '../talkinghead/index.js';
import { say } from './report.js';
import type { TalkSwapFlags } from './talk-models-program.js';

/** `headrace talk swap`. */
export async function swapTalk(a: string, b: string, { model, factor, output }: TalkSwapFlags): Promise<void> {
  const { model: irfd } = loadIrfd(model);
  const grid = swapFaces(irfd, await readImage(a), await readImage(b), factor === undefined ? factors : [factor]);
  await writeImage(output, grid);
  say(`${output}: each face, the other, out of its own codes, and with the other's ${factor ?? factors.join(', ')}`);
}
