// The texts that models/sentiment-text is trained on, as a folder with a label.csv: those of CMU-MOSI with their scores, and those
// of MELD, negative and positive as -1.5 and 1.5; of MELD's neutral ones, which are many, every third, as 0.
//
//   node scripts/sentiment-text-data.mjs MOSI_DIR MELD_DIR OUT_DIR
//
// Training and validation parts stay what they are; the test part is CMU-MOSI's.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadMeldFolder, loadMosiFolder } from '../dist/sentiment/index.js';

const [mosi, meld, out] = process.argv.slice(2);
if (!out) {
  console.error('usage: node scripts/sentiment-text-data.mjs MOSI_DIR MELD_DIR OUT_DIR');
  process.exit(2);
}
const scores = { negative: -1.5, neutral: 0, positive: 1.5 };
const rows = [['video_id', 'clip_id', 'text', 'label', 'mode']];
for (const { id, video, text, label, split } of loadMosiFolder(mosi, { split: 'std', features: [] }).utterances) {
  rows.push([`mosi-${video}`, id, text, label, split]);
}
let neutral = 0;
for (const { id, video, text, split, extra } of loadMeldFolder(meld).utterances) {
  if (split === 'test' || (extra.sentiment === 'neutral' && neutral++ % 3 !== 0)) continue;
  rows.push([`meld-${video}`, id, text, scores[extra.sentiment], split]);
}
const quoted = (cell) => `"${String(cell).replaceAll('"', '""')}"`;
mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'label.csv'), `${rows.map((row) => row.map(quoted).join(',')).join('\n')}\n`);
console.log(`${rows.length - 1} texts in ${join(out, 'label.csv')}`);
