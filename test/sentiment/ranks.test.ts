// Branches in processes of their own learn what they learn on threads.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { prepareData, type SeedResult, SeedTrainer, saveMmsaNpz } from 'headrace/sentiment';
import { headrace, type Outcome, temporaryFolder } from '../cli/run.js';
import { needsGloo } from '../distributed/ranks.js';
import { smallConfig, smallData } from './train-support.js';

const folder = temporaryFolder();
after(() => folder.remove());
const program = fileURLToPath(new URL('./ranks-run.js', import.meta.url));

const launch = (processes: number, args: readonly string[]): Promise<Outcome> =>
  headrace(['launch', '--standalone', '--processes', String(processes), '--', ...args], {
    env: { OMP_NUM_THREADS: '1' },
  });

/** All of a result but the clock. */
function timeless({ seconds: _, utterancesPerSecond: __, history, ...rest }: SeedResult): unknown {
  return { ...rest, history: history.map(({ utterancesPerSecond: ___, ...record }) => record) };
}

test(
  'branches over 3 processes, which look at each other, give the bits of branches on threads; one that fails is named',
  needsGloo,
  async () => {
    const alignment = { on: 'feature', weights: { 'audio-vision': 1, 'text-vision': 1 } } as const;
    const change = { accumulate: 2, maxEpochs: 2, modelOptions: { out: { audio: 16, vision: 16 } }, alignment };
    const faulty = { change: { maxEpochs: 2 }, faults: { at: { stage: 3, step: 3, kind: 'throw' } } };
    const runs = [{ change, faults: { delayMs: 3 } }, faulty];
    const { code, stdout, stderr } = await launch(3, [program, JSON.stringify(runs)]);
    assert.match(stdout, /^{.*}\n$/, stderr);
    const ranks = JSON.parse(stdout) as { result: SeedResult; weights: Record<string, number[]> };
    const config = smallConfig('self-mm', { schedule: 'ppll', batchSize: 7, ...change });
    const trainer = new SeedTrainer(config, prepareData(config, smallData()), 1);
    const result = (await trainer.run())!;
    assert.deepEqual(timeless(ranks.result), JSON.parse(JSON.stringify(timeless(result))));
    const weights = [...trainer.network.stateDict()].map(([key, value]) => [key, [...value.bytes()]]);
    assert.deepEqual(ranks.weights, Object.fromEntries(weights));
    assert.equal(code, 1);
    assert.match(stderr, /seed 1, fusion: rank 2: stage 3, action 3F0, step 3: injected fault/);
  },
);

test('headrace launch -- sentiment train gives the weights of headrace sentiment train', needsGloo, async () => {
  const data = folder.at('small.npz');
  saveMmsaNpz(smallData(), data);
  const fixed = ['--schedule', 'ppll', '--seeds', '2', '--set', 'batchSize=7', '--set', 'maxEpochs=1'];
  const args = ['sentiment', 'train', 'self-mm', '--data', `mmsa:${data}`, ...fixed];
  const [threads, ranks] = [folder.at('threads'), folder.at('ranks')];
  const one = await headrace([...args, '--out', threads]);
  assert.equal(one.code, 0, one.stderr);
  const two = await launch(2, [...args, '--out', ranks]);
  assert.equal(two.code, 0, two.stderr);
  assert.match(two.stdout, /kept in .*ranks\n$/);
  for (const seed of ['seed-1111', 'seed-1112']) {
    const [a, b] = [threads, ranks].map((out) => readFileSync(`${out}/${seed}/model.safetensors`)) as [Buffer, Buffer];
    assert.ok(a.equals(b), seed);
  }
});
