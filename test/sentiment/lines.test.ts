// Texts that come a line each, from a file or standard input.
import assert from 'node:assert/strict';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { headrace } from '../cli/run.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-lines-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('lines of a file are read as they come, each told what is wrong with it', async () => {
  const long = `${'a great film, '.repeat(80_000)}\n`; // 1.1 MB
  const lines = [
    Buffer.from('I loved it.\n\nso \0good\n'),
    Buffer.from([0x62, 0x61, 0x64, 0xff, 0x0a]),
    Buffer.from(long),
    Buffer.from('a \ufffd of old\rand new\r\n'),
  ];
  const path = join(folder, 'lines.txt');
  writeFileSync(path, Buffer.concat([...lines, Buffer.from('the end')]));
  const outcome = await headrace(['sentiment', 'predict', '--file', path, '--json']);
  assert.equal(outcome.code, 1);
  const results = outcome.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    results.map(({ line }) => line),
    [1, 2, 3, 4, 5, 6, 7],
  );
  assert.equal(results[0]!.label, 'positive');
  assert.equal(results[1]!.error, 'nothing to read');
  assert.deepEqual([results[2]!.text, results[3]!.text, results[6]!.text], ['so good', 'bad', 'the end']);
  assert.equal(results[5]!.text, 'a \ufffd of old and new');
  assert.equal((results[4]!.text as string).length, 100_000);
  for (const told of [
    /line 2 has nothing to read/,
    /line 3: it has NUL/,
    /line 4: it is not UTF-8/,
    /line 5: it is longer/,
    /line 6: it has carriage returns within, which are read as spaces$/m,
  ]) {
    assert.match(outcome.stderr, told);
  }
});

test('lines of standard input are answered before it ends', async () => {
  let answered = '';
  const outcome = await headrace(['sentiment', 'predict', '--file', '-', '--json'], {
    whenStarted: ({ stdin, stdout }) => {
      stdin!.write('I loved it.\n');
      stdout!.on('data', (chunk) => {
        answered += chunk;
        if (answered.split('\n').length === 2) stdin!.end('I hated it.');
      });
    },
  });
  assert.equal(outcome.code, 0, outcome.stderr);
  const labels = outcome.stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { label: string }).label);
  assert.deepEqual(labels, ['positive', 'negative']);
});

test('a hundred thousand lines of a file or of standard input are read in the memory of a few', async () => {
  const path = join(folder, 'many.txt');
  const blank = `${' '.repeat(2_000)}\n`;
  writeFileSync(path, `I loved it.\n${blank.repeat(999)}`.repeat(100)); // 200 MB, of which the heap has room for a third
  const env = { NODE_OPTIONS: '--max-old-space-size=64' };
  const outcomes = await Promise.all([
    headrace(['sentiment', 'predict', '--file', path], { asProcess: true, env }),
    headrace(['sentiment', 'predict', '--file', '-'], {
      env,
      whenStarted: ({ stdin }) => createReadStream(path).pipe(stdin!),
    }),
  ]);
  for (const { code, stdout, stderr } of outcomes) {
    assert.equal(code, 1, stderr.slice(-2000));
    const [first, second] = stdout.split('\n', 2) as [string, string];
    assert.match(first, /positive.*"I loved it\."/);
    assert.equal(second, 'nothing to read');
    assert.equal(stdout, `${first}\n${`${second}\n`.repeat(999)}`.repeat(100));
  }
});

test('it ends in peace once nobody reads what it says', async () => {
  let said = '';
  const outcome = await headrace(['sentiment', 'predict', '--file', '-'], {
    whenStarted: ({ stdin, stdout }) => {
      stdin!.on('error', () => {}); // it may end before it has taken all
      stdin!.write('I loved it.\n');
      stdout!.on('data', (chunk) => {
        said += chunk;
        stdout!.destroy();
        stdin!.end('I hated it.\n'.repeat(20_000));
      });
    },
  });
  assert.match(said, /positive/);
  assert.doesNotMatch(outcome.stderr, /EPIPE|headrace:/);
  assert.equal(outcome.code, 0, outcome.stderr);
});

test('a file that is not there, and two kinds of input at once, are refused', async () => {
  const [absent, both] = await Promise.all([
    headrace(['sentiment', 'predict', '--file', join(folder, 'nosuch.txt')]),
    headrace(['sentiment', 'predict', '--file', '-', '--text', 'good']),
  ]);
  assert.match(absent.stderr, /Cannot read .*nosuch\.txt/);
  assert.match(both.stderr, /Expected either recordings or videos to read, or --text "...", or --file/);
  assert.deepEqual([absent.code, both.code], [1, 1]);
});
