import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { loadSafetensors, loadTorch } from 'headrace/io';
import { buildModel, loadModel } from 'headrace/pipeline';
import { noGrad, type Tensor } from 'headrace/torch';
import { loadDataset, modelSpec } from 'headrace/vision';
import sharp from 'sharp';
import { headrace, lastJson, temporaryFolder } from './run.js';

const folder = temporaryFolder();
after(() => folder.remove());

interface Likely {
  readonly class: string;
  readonly probability: number;
}

/** What the exported model, built here, says of uint8 images. */
async function probabilities(images: Tensor): Promise<number[][]> {
  const file = folder.at('exported.safetensors');
  assert.equal((await headrace(['export', out, '-o', file])).code, 0);
  const model = buildModel(modelSpec({ name: 'resnet20', classes: 10, channels: 1, imageSize: 28 }));
  model.loadStateDict(loadSafetensors(file).tensors);
  model.eval();
  const { mean, std } = await loadDataset({ spec: 'mnist', limit: 96 });
  const scaled = images.to({ dtype: 'float32' }).div(255).sub(mean[0]!).div(std[0]!);
  return noGrad(() => model.forward(scaled))
    .softmax(1)
    .tolist() as number[][];
}

const small = ['--data', 'mnist', '--limit', '96', '--batch', '32'];
const out = folder.at('run');

describe('a short run', () => {
  before(async () => {
    const args = ['train', 'resnet20', ...small, '--cut', '4', '--steps', '4', '--out', out, '--json'];
    const run = await headrace(args, { asProcess: true });
    assert.equal(run.code, 0, run.stderr);
    const json = lastJson(run);
    const keys = ['model', 'schedule', 'stages', 'steps', 'samplesPerSecond', 'metrics', 'best', 'out'];
    assert.deepEqual(Object.keys(json), keys);
    const { model, schedule, stages, steps } = json;
    assert.deepEqual(
      { model, schedule, stages, steps, out: json.out },
      { model: 'resnet20', schedule: 'ppll', stages: 2, steps: 4, out },
    );
    assert.deepEqual(Object.keys(json.metrics as object), ['accuracy', 'loss']);
    assert.equal(typeof json.samplesPerSecond, 'number');
    assert.equal(run.stdout.trimEnd().split('\n').length, 1, 'stdout holds the object alone');
  });

  it('leaves config, events, metrics and checkpoint', () => {
    for (const name of ['config.json', 'events-0.jsonl', 'events-1.jsonl', 'metrics.json', 'checkpoint']) {
      assert.ok(existsSync(`${out}/${name}`), name);
    }
    const config = JSON.parse(readFileSync(`${out}/config.json`, 'utf8'));
    assert.deepEqual(config.cut, [4]);
    assert.equal(config.batchSize, 32);
  });

  it('is tested by its best weights, in any number of stages', async () => {
    const outcome = await headrace(['eval', out, ...small, '--stages', '3', '--best', '--json']);
    assert.equal(outcome.code, 0, outcome.stderr);
    const { metrics, count, ...rest } = lastJson(outcome);
    assert.deepEqual(rest, {});
    assert.equal(count, 96);
    const { best, evaluations } = JSON.parse(readFileSync(`${out}/metrics.json`, 'utf8'));
    assert.deepEqual(metrics, best.metrics);
    assert.ok(evaluations.some(({ step }: { step: number }) => step === best.step));
  });

  it('is exported as one file, with which another run begins; what is frozen stays', async () => {
    const file = folder.at('weights.safetensors');
    const outcome = await headrace(['export', out, '-o', file, '--json']);
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.deepEqual(lastJson(outcome), { out: file, keys: 128, step: 4 });
    const fine = folder.at('fine');
    const begin = ['--init', file, '--freeze', 'conv1,bn1,layer1', '--cut', '4', '--steps', '1', '--out', fine];
    const run = await headrace(['train', 'resnet20', ...small, ...begin]);
    assert.equal(run.code, 0, run.stderr);
    const [before, now] = [loadSafetensors(file).tensors, (await loadModel(fine)).stateDict()];
    const same = [...before.keys()].filter((key) => before.get(key)!.equal(now.get(key)!));
    assert.deepEqual(
      same.filter((key) => !/^(conv1|bn1|layer1)\./.test(key)),
      [],
    );
    assert.equal(same.length, [...before.keys()].filter((key) => /^(conv1|bn1|layer1)\./.test(key)).length);
  });

  it('is exported as a state dict of PyTorch where the file says so, and as nothing else', async () => {
    const [pth, safe] = [folder.at('weights.pth'), folder.at('weights.safetensors')];
    assert.equal((await headrace(['export', out, '-o', pth])).code, 0);
    assert.equal(readFileSync(pth).toString('latin1', 0, 2), 'PK', 'the zip archive that torch.save writes');
    const [weights, same] = [loadTorch(pth), loadSafetensors(safe).tensors];
    assert.deepEqual([...weights.keys()].sort(), [...same.keys()].sort());
    for (const [name, tensor] of weights) assert.ok(tensor.equal(same.get(name)!), name);
    const odd = await headrace(['export', out, '-o', folder.at('weights.bin')]);
    assert.equal(odd.code, 1);
    assert.match(odd.stderr, /Expected a file that ends in \.safetensors, or in \.pth or \.pt for torch\.load, got/);
    assert.ok(!existsSync(folder.at('weights.bin')));
  });

  it('classifies image files as the model itself does', async () => {
    const images = (await loadDataset({ spec: 'mnist', limit: 96 })).test.images.narrow(0, 0, 2);
    const files = ['a.png', 'b.png'].map((name) => folder.at(name));
    for (const [i, file] of files.entries()) {
      const raw = { width: 28, height: 28, channels: 1 } as const;
      await sharp(images.select(0, i).bytes(), { raw }).png().toFile(file);
    }
    const outcome = await headrace(['predict', out, ...files, '--top', '10', '--json']);
    assert.equal(outcome.code, 0, outcome.stderr);
    const { predictions } = lastJson(outcome) as { predictions: { file: string; top: Likely[] }[] };
    const expected = await probabilities(images);
    for (const [i, { file, top }] of predictions.entries()) {
      assert.equal(file, files[i]);
      assert.equal(top.length, 10);
      for (const likely of top) assert.ok(Math.abs(likely.probability - expected[i]![Number(likely.class)]!) < 1e-5);
    }
    const missing = await headrace(['predict', out, folder.at('none.png')]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /none\.png/);
  });

  it('goes on with --resume, and refuses what its weights do not allow', async () => {
    const again = ['train', 'resnet20', '--out', out, '--resume', '--json'];
    const longer = await headrace([...again, ...small, '--steps', '6']);
    assert.equal(longer.code, 0, longer.stderr);
    assert.equal(lastJson(longer).steps, 6);
    const recut = await headrace([...again, '--steps', '8', '--cut', '5']);
    assert.equal(recut.code, 0, recut.stderr);
    assert.match(recut.stderr, /stage 0: the checkpoint has no head for this border; it starts with fresh weights/);
    const batch = await headrace([...again, '--batch', '16']);
    assert.equal(batch.code, 1);
    assert.match(
      batch.stderr,
      /^headrace: The run in .* has --batch 32; it cannot go on with 16\. Leave out --batch .*\n$/,
    );
    const model = await headrace(['train', 'resnet32', '--out', out, '--resume']);
    assert.match(model.stderr, /^headrace: The run in .* trains resnet20, not resnet32/);
  });

  it('is not overwritten', async () => {
    const outcome = await headrace(['train', 'resnet20', ...small, '--cut', '4', '--steps', '4', '--out', out]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, /holds a run already: resume it \(--resume\), or give another folder/);
  });
});

it('Ctrl-C checkpoints, stops, and says how to go on', async () => {
  const where = folder.at('interrupted');
  const args = [
    'train',
    'resnet20',
    ...small,
    '--cut',
    '4',
    '--steps',
    '100000',
    '--checkpoint-every',
    '2',
    '--out',
    where,
  ];
  const outcome = await headrace(args, {
    whenStarted: (child) => {
      const poll = setInterval(() => {
        if (!existsSync(`${where}/checkpoint/state.json`)) return;
        clearInterval(poll);
        child.kill('SIGINT');
      }, 50);
    },
  });
  assert.equal(outcome.code, 130, outcome.stderr);
  assert.match(outcome.stderr, /Ctrl-C again ends at once/);
  assert.match(outcome.stderr, new RegExp(`To go on: headrace train resnet20 --out ${where} --resume\\n`));
  const evaluated = await headrace(['eval', where, ...small, '--json']);
  assert.equal(evaluated.code, 0, evaluated.stderr);
});

it('compare prints medians, rounds and ratios', async () => {
  const flags = ['--cut', '4', '--steps', '2', '--rounds', '2', '--warm-up', '1', '--microbatches', '2', '--json'];
  const outcome = await headrace(['compare', 'resnet20', ...small, '--schedules', 'bp,ppll,1f1b', ...flags]);
  assert.equal(outcome.code, 0, outcome.stderr);
  const json = lastJson(outcome) as { model: string; stages: number; results: object; ratios: Record<string, number> };
  assert.equal(json.model, 'resnet20');
  assert.equal(json.stages, 2);
  assert.deepEqual(Object.keys(json.results), ['bp', 'ppll', '1f1b']);
  for (const { samplesPerSecond, rounds } of Object.values(json.results) as {
    samplesPerSecond: number;
    rounds: number[];
  }[]) {
    assert.equal(rounds.length, 2);
    assert.ok(Math.abs(samplesPerSecond - (rounds[0]! + rounds[1]!) / 2) < 1e-9);
  }
  assert.ok(json.ratios['ppll/bp']! > 0 && json.ratios['1f1b/ppll']! > 0);
});

it('plan prints where to cut and what to expect', async () => {
  const text = await headrace(['plan', 'resnet20', '--batch', '4', '--seconds', '0']);
  assert.equal(text.code, 0, text.stderr);
  assert.match(text.stdout, /^resnet20, batches of 4 on cpu/);
  assert.match(text.stdout, /cut after layers: \d+\npredicted: /);
});
