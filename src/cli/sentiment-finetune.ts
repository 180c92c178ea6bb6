import { Trainer } from '../pipeline/index.js';
import {
  keepReader,
  prepareFinetuning,
  readerScores,
  readFinetuneConfig,
  SentimentReader,
} from '../sentiment/index.js';
import { follow } from './follow.js';
import { print, say } from './report.js';
import { goOn } from './sentiment-pretrain.js';
import type { SentimentFinetuneFlags } from './sentiment-program.js';
import { scoreLines } from './sentiment-reader.js';

/** `headrace sentiment finetune`. */
export async function finetune(name: string, flags: SentimentFinetuneFlags): Promise<void> {
  const { data, out, bert, vectors, set, threads, resume, json } = flags;
  const config = readFinetuneConfig(name, set);
  const places = { data, out, bert, vectors, onProgress: say };
  const settings = await prepareFinetuning(config, places);
  const run = new Trainer({ ...settings, threads }, { resume });
  const { stopped, ...result } = await follow(run, out, goOn(`finetune ${name}`, flags));
  if (stopped) {
    print(json, { ...result, reader: null, scores: null }, `${result.steps} steps`);
    return;
  }
  const reader = await keepReader(config, places);
  const scores = await readerScores(SentimentReader.load(reader), data);
  print(json, { ...result, reader, scores }, `${scoreLines(scores)}\nthe reader: ${reader}`);
}
