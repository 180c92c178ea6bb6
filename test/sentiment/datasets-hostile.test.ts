import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadMmsaPickle } from 'headrace/sentiment';
import { DataError } from 'headrace/torch';
import { stored } from './datasets-support.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-hostile-'));
after(() => rmSync(folder, { recursive: true }));

/** Whole numbers below a limit, the same everywhere. */
function draws(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A call of os.system, protocols 0 and 4, in place of any value. */
const calls = (trace: string): Buffer[] => [
  Buffer.from(`cos\nsystem\n(S'touch ${trace}'\ntR`),
  Buffer.concat([
    Buffer.from('\x8c\x05posix\x8c\x06system\x93\x8c', 'latin1'),
    text(`touch ${trace}`),
    Buffer.from('\x85R', 'latin1'),
  ]),
];

const text = (words: string): Buffer => Buffer.concat([Buffer.from([words.length]), Buffer.from(words)]);

/** Puts faults into a data set: changed, lost and foreign bytes, a huge length, a cut, a class to construct. */
function damaged(sound: Buffer, next: (below: number) => number, trace: string): Buffer {
  const at = next(sound.length);
  const [before, after] = [sound.subarray(0, at), sound.subarray(at + 1)];
  switch (next(6)) {
    case 0:
      return Buffer.concat([before, Buffer.from([next(256)]), after]);
    case 1:
      return Buffer.concat([before, sound.subarray(at + 1 + next(4))]);
    case 2:
      return Buffer.concat([before, Buffer.from([0xff, 0xff, 0xff, 0x7f]), sound.subarray(at + 4)]);
    case 3:
      return Buffer.from(before);
    case 4:
      return Buffer.concat([before, Buffer.from([0x8e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]), after]);
    default:
      return Buffer.concat([before, calls(trace)[next(2)]!, sound.subarray(at)]);
  }
}

test('500 damaged or hostile data sets give an error each, or the data; nothing runs, and memory is bounded', () => {
  const sound = readFileSync(stored('unaligned.pkl'));
  const next = draws(11);
  const [path, trace] = [join(folder, 'set.pkl'), join(folder, 'ran')];
  const before = process.memoryUsage().rss;
  let [errors, refused] = [0, 0];
  for (let i = 0; i < 500; i++) {
    writeFileSync(path, damaged(sound, next, trace));
    try {
      loadMmsaPickle(path).dispose();
    } catch (error) {
      assert.ok(error instanceof DataError, `${i}: ${String((error as Error).stack)}`);
      assert.match(error.message, /set\.pkl/, `${i}`);
      errors++;
      if (/refused "(os|posix)\.system"/.test(error.message)) refused++;
    }
  }
  assert.ok(errors > 250 && refused > 10, `${errors} errors, ${refused} calls refused`);
  assert.equal(existsSync(trace), false);
  assert.ok(process.memoryUsage().rss - before < 2 ** 28);
});
