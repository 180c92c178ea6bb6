// Training by branches gives the figures that it gave when they were stored: losses, drifts and sizes of the weights.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { prepareData, SeedTrainer, type SentimentConfig } from 'headrace/sentiment';
import { smallConfig, smallData } from './train-support.js';

type Figures = Readonly<Record<string, number>>;

const path = fileURLToPath(new URL('../../../test/sentiment/golden/branches.json', import.meta.url));
const runs: Readonly<Record<string, Partial<SentimentConfig>>> = {
  'generated labels, windows of two batches': { accumulate: 2, maxEpochs: 5 },
  'two modalities, the labels of the whole': {
    modalities: ['text', 'audio'],
    unimodal: { labels: 'multimodal' },
    clipNorm: 1,
  },
};

async function figuresOf(change: Partial<SentimentConfig>): Promise<Figures> {
  const config = smallConfig('self-mm', { schedule: 'ppll', batchSize: 7, ...change });
  const trainer = new SeedTrainer(config, prepareData(config, smallData()), 1);
  const result = (await trainer.run())!;
  const figures: [string, number][] = [['best epoch', result.bestEpoch]];
  for (const { epoch, train, validLoss, drift } of result.history) {
    for (const [name, loss] of Object.entries(train)) figures.push([`epoch ${epoch}, ${name}`, loss]);
    for (const [name, way] of Object.entries(drift)) figures.push([`epoch ${epoch}, drift of ${name}`, way]);
    figures.push([`epoch ${epoch}, validation`, validLoss]);
  }
  for (const [name, score] of Object.entries(result.test)) figures.push([`test ${name}`, score]);
  for (const [key, value] of trainer.network.stateDict()) {
    // What is added to all scores of a softmax does not change it: its gradient is rounding, which Adam makes steps of.
    if (key.endsWith('pool.score.bias')) continue;
    figures.push([key, value.abs().float().sum().item()]);
  }
  return Object.fromEntries(figures);
}

// HEADRACE_STORE=1 stores what comes out instead: for a change that is meant to give other figures.
const stored = process.env.HEADRACE_STORE ? null : (JSON.parse(readFileSync(path, 'utf8')) as Record<string, Figures>);
const fresh: Record<string, Figures> = {};
for (const [name, change] of Object.entries(runs)) {
  test(`branches give the stored figures: ${name}`, async () => {
    const found = await figuresOf(change);
    fresh[name] = found;
    if (stored === null) return writeFileSync(path, `${JSON.stringify(fresh, null, 1)}\n`);
    assert.deepEqual(Object.keys(found), Object.keys(stored[name]!));
    // Kernels of other processors round otherwise, which a correlation of predictions that hardly differ magnifies.
    for (const [what, value] of Object.entries(stored[name]!)) {
      const allowed = (what.startsWith('test ') ? 1e-3 : 1e-4) * Math.max(1, Math.abs(value));
      assert.ok(Math.abs(found[what]! - value) <= allowed, `${what}: ${found[what]}, ${value}`);
    }
  });
}
