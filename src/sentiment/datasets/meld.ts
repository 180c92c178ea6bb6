/**
 * MELD (Poria et al., ACL 2019): utterances of a series' dialogues with sentiment (3 classes) and emotion (7). The three files of its
 * repository: `train_sent_emo.csv`, `dev_sent_emo.csv`, `test_sent_emo.csv`.
 */
import { join } from 'node:path';
import { ConfigError } from '../../torch/errors.js';
import { checkOptions } from '../../torch/options.js';
import { RowFaults, readCsv } from './csv.js';
import { SentimentData } from './data.js';
import { type SplitName, sourceFields, type Utterance, utterance } from './types.js';

/** How to read the files. */
export interface MeldOptions {
  /** What the classes are; `sentiment` by default. The other label is in each utterance's `extra`. */
  readonly target?: 'sentiment' | 'emotion';
}

const files: readonly (readonly [SplitName, string])[] = [
  ['train', 'train_sent_emo.csv'],
  ['valid', 'dev_sent_emo.csv'],
  ['test', 'test_sent_emo.csv'],
];
const columns = ['Utterance', 'Speaker', 'Emotion', 'Sentiment', 'Dialogue_ID', 'Utterance_ID'];
const classesOf = {
  sentiment: ['negative', 'neutral', 'positive'],
  emotion: ['anger', 'disgust', 'fear', 'joy', 'neutral', 'sadness', 'surprise'],
};

/**
 * Reads the three files. A dialogue stands for a video; utterances are called `train/dia0_utt0`, after the clips' names.
 * @throws DataError when a file is absent or lacks a column, or rows have unknown labels
 */
export function loadMeldFolder(folder: string, options: MeldOptions = {}): SentimentData {
  checkOptions('loadMeldFolder', options, [...sourceFields, 'target']);
  const { target = 'sentiment' } = options;
  if (!Object.hasOwn(classesOf, target))
    throw new ConfigError(`Expected target 'sentiment' or 'emotion', got '${String(target)}'`);
  const classes = classesOf[target];
  const utterances: Utterance[] = [];
  for (const [split, name] of files) {
    const path = join(folder, name);
    const faults = new RowFaults(path);
    for (const { line, cells } of readCsv(path, columns)) {
      const labels = { sentiment: cells.Sentiment?.toLowerCase() ?? '', emotion: cells.Emotion?.toLowerCase() ?? '' };
      const found = classes.indexOf(labels[target]);
      if (found < 0) faults.add(line, `expected ${classes.join(', ')} as ${target}, got '${labels[target]}'`);
      const dialogue = `${split}/dia${cells.Dialogue_ID}`;
      utterances.push(
        utterance({
          id: `${dialogue}_utt${cells.Utterance_ID}`,
          video: dialogue,
          split,
          text: cells.Utterance ?? '',
          class: found,
          start: seconds(cells.StartTime),
          end: seconds(cells.EndTime),
          extra: { speaker: cells.Speaker ?? '', ...labels },
        }),
      );
    }
    faults.check();
  }
  return new SentimentData({ name: 'MELD', utterances, classes });
}

/** 00:20:57,256 -> 1257.256; null for anything else. */
function seconds(time: string | undefined): number | null {
  const match = /^(\d+):(\d\d):(\d\d)[,.](\d{1,3})$/.exec(time?.trim() ?? '');
  if (match === null) return null;
  const [, hours, minutes, whole, part] = match as unknown as [string, string, string, string, string];
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(whole) + Number(part) / 10 ** part.length;
}
