import { Trainer } from '../pipeline/index.js';
import { formatMetrics } from '../run/index.js';
import { keepEncoder, preparePretraining, readPretrainConfig } from '../sentiment/index.js';
import { follow } from './follow.js';
import { print, say } from './report.js';
import type { SentimentPretrainFlags } from './sentiment-program.js';

/** `headrace sentiment pretrain`. */
export async function pretrain(name: string, flags: SentimentPretrainFlags): Promise<void> {
  const { data, out, bert, vectors, set, threads, resume, json } = flags;
  const config = readPretrainConfig(name, set);
  const settings = preparePretraining(config, { data, out, bert, vectors, onProgress: say });
  if (config.epochs === 0) {
    const encoder = await keepEncoder(config, settings);
    print(json, { steps: 0, encoder }, `the encoder as it begins, as Hugging Face keeps a BERT: ${encoder}`);
    return;
  }
  const run = new Trainer({ ...settings, threads }, { resume });
  const { stopped, ...result } = await follow(run, out, goOn(`pretrain ${name}`, flags));
  const folder = stopped ? null : await keepEncoder(config, settings);
  const metrics = result.metrics === null ? '' : `, held out ${formatMetrics(result.metrics)}`;
  const kept = folder === null ? '' : `\nthe encoder, as Hugging Face keeps a BERT: ${folder}`;
  print(json, { ...result, encoder: folder }, `${result.steps} steps${metrics}${kept}`);
}

/** The command that goes on. @param verb - with its configuration */
export function goOn(verb: string, { data, out, bert, vectors, set }: SentimentPretrainFlags): string {
  const changes = Object.entries(set).map(([path, value]) => ` --set ${path}=${JSON.stringify(value)}`);
  const from = [bert === undefined ? '' : ` --bert ${bert}`, vectors === undefined ? '' : ` --vectors ${vectors}`];
  return `headrace sentiment ${verb} --data ${data}${from.join('')} --out ${out}${changes.join('')} --resume`;
}
