import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { resolveRef } from 'headrace/pipeline';
import { ConfigError } from 'headrace/torch';
import { headrace, temporaryFolder } from './run.js';

const folder = temporaryFolder();
after(() => folder.remove());

const train = (...more: string[]): string[] => [
  'train',
  'resnet20',
  '--data',
  'mnist',
  '--out',
  folder.at('run'),
  ...more,
];

/** The command fails with this code, and says this in one line on stderr and nothing on stdout. */
async function fails(args: readonly string[], code: number, message: RegExp): Promise<void> {
  const outcome = await headrace(args);
  assert.equal(outcome.code, code, outcome.stderr);
  assert.equal(outcome.stdout, '');
  assert.match(outcome.stderr, /^headrace: [^\n]+\n$/);
  assert.match(outcome.stderr, message);
}

describe('wrong usage exits with 2', () => {
  it('suggests the nearest flag and verb', async () => {
    await Promise.all([
      fails(train('--stags', '2'), 2, /unknown option '--stags' \(Did you mean --stages\?\)/),
      fails(
        ['sentiment', 'train', 'ours', '--dta', 'x', '--out', 'x'],
        2,
        /unknown option '--dta' \(Did you mean --data\?\)/,
      ),
      fails(['trian'], 2, /unknown command 'trian' \(Did you mean train\?\)/),
    ]);
  });

  it('names the option whose value is wrong', async () => {
    await Promise.all([
      fails(train('--steps', 'many'), 2, /'--steps <n>' argument 'many' is invalid\. Expected a whole number >= 1/),
      fails(train('--batch', '0'), 2, /'--batch <n>' argument '0'/),
      fails(train('--replicas', '2,0'), 2, /'--replicas <n>' argument '2,0' is invalid\. Expected a whole number >= 1/),
      fails(train('--lr', '-1'), 2, /'--lr <x>' argument '-1' is invalid\. Expected a number >= 0/),
      fails(train('--schedule', 'gpip'), 2, /Allowed choices are bp, sequential, ppll, gpipe, 1f1b/),
      fails(train('--steps', '1', '--epochs', '1'), 2, /'--epochs <n>' cannot be used with option '--steps <n>'/),
      fails(train('--model-option', 'depth'), 2, /Expected key=value/),
      fails(['compare', 'resnet20', '--data', 'mnist', '--schedules', 'bp,pp'], 2, /got pp\./),
      fails(['data', 'get', 'imagenet'], 2, /Allowed choices are cifar10, svhn, stl10/),
    ]);
  });

  it('names the option that is missing', async () => {
    await Promise.all([
      fails(['talk', 'animate', 'a.jpg', 'a.wav'], 2, /Expected 0 arguments but got 2; --help shows an example/),
      fails(['talk', 'fit'], 2, /missing required argument 'photos'; --help shows an example/),
      fails(['train', 'resnet20', '--out', folder.at('run')], 2, /expected the option --data <spec>/),
      fails(['train', 'resnet20', '--data', 'mnist'], 2, /expected the option --out <dir>/),
      fails(['export', folder.path], 2, /expected the option -o, --output <file>/),
      fails(
        ['sentiment', 'train', 'ours', '--out', 'x'],
        2,
        /expected the option --data <spec>; headrace sentiment train --help/,
      ),
      fails(['sentiment', 'eval', folder.path], 2, /expected the option --data <spec>/),
      fails(['sentiment', 'pack', folder.path], 2, /expected the option --out <dir>/),
      fails(['sentiment', 'features', 'a.wav'], 2, /expected the option -o, --output <file>/),
    ]);
  });

  it('shows an example in the help of every verb and group of verbs', async () => {
    const sentiment = ['train', 'eval', 'compare', 'predict', 'pack', 'features', 'ablate'].map((verb) => [
      'sentiment',
      verb,
    ]);
    const alone = ['train', 'eval', 'predict', 'export', 'compare', 'plan', 'setup', 'doctor', 'data', 'sentiment'];
    for (const words of [[], ...alone.map((verb) => [verb]), ['data', 'get'], ...sentiment]) {
      const { code, stdout } = await headrace([...words, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`Example:\n  headrace ${words.join(' ')}`), words.join(' '));
    }
  });

  it('shows the help when no verb is given', async () => {
    const outcome = await headrace([]);
    assert.equal(outcome.code, 2);
    assert.match(outcome.stderr, /Usage: headrace/);
  });
});

describe('errors of the user exit with 1', () => {
  it('unknown model', async () => {
    await fails(
      ['train', 'resnet31', '--data', 'mnist', '--out', folder.at('run')],
      1,
      /model among resnet20, .*, got resnet31\. Did you mean resnet32\?/,
    );
  });

  it('unknown model option', async () => {
    await fails(train('--model-option', 'dept=3'), 1, /options of resnet20 among .*, got dept/);
  });

  it('data that are absent, or not understood', async () => {
    const given = (data: string): string[] => ['train', 'resnet20', '--data', data, '--out', folder.at('run')];
    await Promise.all([
      fails(given(`cifar10:${folder.at('absent')}`), 1, /absent/),
      fails(given(`folder:${folder.at('absent')}`), 1, /No folder .*absent/),
      fails(given('cifar10'), 1, /needs a folder: cifar10:DIR; 'headrace data get cifar10'/),
      fails(given('imagenet:x'), 1, /unknown data 'imagenet:x'/),
    ]);
  });

  it('a folder that cannot be written', async () => {
    // A file in its way: permissions do not stop root.
    const file = folder.at('file');
    writeFileSync(file, '');
    await fails(
      ['train', 'resnet20', '--data', 'mnist', '--out', `${file}/run`, '--steps', '1'],
      1,
      /file\/run: ENOTDIR/,
    );
  });

  it("what a model or data of one's own throw is told with its place, and is no bug of headrace", async () => {
    const [model, data] = [folder.at('own.mjs'), folder.at('points.mjs')];
    writeFileSync(model, 'export const net = () => {\n  throw new Error("no\\nnet");\n};\n');
    writeFileSync(data, 'const make = () => none.x;\nexport default () => make();\n');
    const own = (name: string): string[] => ['train', `${model}:${name}`, '--data', data, '--out', folder.at('run')];
    await fails(own('net'), 1, /net of \/.*own\.mjs failed: Error: no net \(at \/.*own\.mjs:2\)\n$/);
    const where = `the default export of ${data} failed: ReferenceError: none is not defined (at ${data}:1)`;
    await assert.rejects(resolveRef({ module: data, export: 'default', options: null }), new ConfigError(where));
    writeFileSync(model, '\nnone.x;\n');
    await fails(own('net'), 1, /Cannot import file:.*own\.mjs: none is not defined \(at \/.*own\.mjs:2\)/);
  });

  it('more stages than layers', async () => {
    await fails(train('--stages', '40'), 1, /at most 20 stages.*got 40/);
  });

  it('a folder that holds no run', async () => {
    await Promise.all([
      fails(['eval', folder.path, '--data', 'mnist'], 1, /folder of a run/),
      fails(['export', folder.path, '-o', folder.at('x.safetensors')], 1, /checkpoint|run/),
      fails(['train', 'resnet20', '--out', folder.at('absent'), '--resume'], 1, /folder of a run/),
    ]);
  });

  it('with HEADRACE_DEBUG=1 shows the stack', async () => {
    const { code, stderr } = await headrace(['train', 'no', '--data', 'mnist', '--out', folder.at('run')], {
      env: { HEADRACE_DEBUG: '1' },
    });
    assert.equal(code, 1);
    assert.match(stderr, /ConfigError: .*\n {4}at .*\.(js|ts):/);
  });
});
