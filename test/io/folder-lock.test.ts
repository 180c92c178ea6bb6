// One owner of a folder at a time: who holds it is named, the dead are followed, and of many that try at once one gets it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { FolderLock, type LockOwner } from 'headrace/io';

const folder = mkdtempSync(join(tmpdir(), 'headrace-lock-'));
const path = join(folder, 'run.lock');
after(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});

const read = (): LockOwner => JSON.parse(readFileSync(path, 'utf8'));
const write = (change: Partial<LockOwner>, file = path): LockOwner => {
  const lock = FolderLock.take(folder);
  const owner = { ...lock.owner, ...change };
  lock.release();
  writeFileSync(file, JSON.stringify(owner));
  return owner;
};

/** Runs a program that has FolderLock and the folder; resolves to what it prints. */
function inProcess(body: string): { text: Promise<string>; pid: number; kill: () => void } {
  const code = `import { FolderLock } from 'headrace/io'; const folder = ${JSON.stringify(folder)}; ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const ended = new Promise<string>((resolve) => child.on('close', () => resolve(text)));
  return { text: ended, pid: child.pid!, kill: () => child.kill('SIGKILL') };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 5000, 'waited too long');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('the second to take a lock is told who has it, and gets it when the first lets go', () => {
  const first = FolderLock.take(folder);
  assert.equal(read().pid, process.pid);
  assert.throws(() => FolderLock.take(folder), {
    name: 'ConfigError',
    code: 'LOCKED',
    message: new RegExp(`^${folder} is in use by this process on .+ since 2\\d{3}-.*Z\\. Wait until it has ended`),
  });
  first.release();
  first.release();
  assert.deepEqual(readdirSync(folder), []);
  FolderLock.take(folder).release();
});

test('another process that lives is named, one that was killed is followed', async () => {
  const other = inProcess('FolderLock.take(folder); setInterval(() => {}, 1000);');
  // Taken, and done with the file that became the lock: killed between the two, it would leave that, too.
  await until(() => existsSync(path) && readdirSync(folder).length === 1);
  assert.throws(() => FolderLock.take(folder), new RegExp(`is in use by process ${other.pid} on `));
  other.kill();
  await other.text;
  assert.ok(existsSync(path), 'a killed process leaves its lock');
  const lock = FolderLock.take(folder);
  assert.equal(read().pid, process.pid);
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
});

test('a process that ends in order lets go', async () => {
  await inProcess('FolderLock.take(folder); process.exit(3);').text;
  assert.deepEqual(readdirSync(folder), []);
});

test('a number that another process has by now does not keep a lock, nor does one from before the machine was started', () => {
  for (const change of [{ started: '1' }, { boot: 'another' }]) {
    write({ pid: process.ppid, ...change });
    FolderLock.take(folder).release();
    assert.deepEqual(readdirSync(folder), []);
  }
});

test('of an owner on another machine, or in another container, nothing is assumed but what the caller knows', () => {
  for (const change of [{ host: 'elsewhere' }, { processes: 'pid:[1]' }]) {
    const { token } = write(change);
    assert.throws(() => FolderLock.take(folder), /cannot be seen from .*remove .*run\.lock; if not, wait for it/);
    assert.equal(read().token, token);
    const lock = FolderLock.take(folder, { elsewhereIsDead: true });
    assert.equal(read().token, lock.owner.token);
    lock.release();
  }
  write({});
  assert.throws(() => FolderLock.take(folder, { elsewhereIsDead: true }), /is in use by this process/);
  rmSync(path);
});

test('a lock that names nobody is not taken, and says what to do', () => {
  writeFileSync(path, '{"pid":');
  assert.throws(() => FolderLock.take(folder), { name: 'DataError', message: /run\.lock to name .* remove it/ });
});

test('a claim whose maker died before it took the lock over is followed, too', () => {
  const dead = write({ started: '1', token: 'first' });
  write({ started: '1', token: 'second' }, join(folder, `.run.lock.after-${dead.token}`));
  writeFileSync(path, JSON.stringify(dead));
  const lock = FolderLock.take(folder);
  assert.equal(read().token, lock.owner.token);
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
});

test('what stands in the place of a lock by its end is left alone', () => {
  const lock = FolderLock.take(folder);
  assert.ok(lock.stands());
  rmSync(path);
  assert.ok(!lock.stands());
  writeFileSync(path, JSON.stringify({ ...lock.owner, token: 'of another' }));
  assert.ok(!lock.stands());
  lock.release();
  assert.equal(read().token, 'of another');
});

test('of several processes that find a dead lock, one at a time owns the folder', async () => {
  write({ started: '1' });
  // Each owner makes a file that must not be there, holds it, and removes it.
  // Half of the times it ends as one that was killed: its lock stays, and is dead by its start.
  const body = `
    import { renameSync, rmSync, writeFileSync } from 'node:fs';
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const take = async () => {
      for (;;) {
        try {
          return FolderLock.take(folder);
        } catch (error) {
          if (error.code !== 'LOCKED') throw error;
          await pause(1);
        }
      }
    };
    for (let turn = 0; turn < 15; turn++) {
      const lock = await take();
      writeFileSync(folder + '/owned', '', { flag: 'wx' });
      await pause(2);
      rmSync(folder + '/owned');
      if (turn % 2 === 0) {
        const own = folder + '/' + process.pid;
        writeFileSync(own, JSON.stringify({ ...lock.owner, token: lock.owner.token + '-', started: '1' }));
        renameSync(own, folder + '/run.lock');
      }
      lock.release();
    }
    console.log('done');`;
  const outcomes = await Promise.all([0, 1, 2].map(() => inProcess(body).text));
  assert.deepEqual(outcomes, ['done\n', 'done\n', 'done\n']);
});
