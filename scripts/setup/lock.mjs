// Lets one set-up run at a time in a folder.

import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from './say.mjs';

/**
 * Runs `body` while holding the lock file. A lock left by a process that is gone is taken over.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} body
 * @returns {Promise<T>}
 */
export async function withLock(file, body) {
  mkdirSync(path.dirname(file), { recursive: true });
  for (let waited = false; !take(file); waited = true) {
    const [process] = holder(file).split(' ');
    if (!waited) say(`another set-up is running here${process ? ` (process ${process})` : ''}; waiting for it`);
    await sleep(200);
  }
  try {
    return await body();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file) {
  try {
    writeFileSync(file, identity(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    const found = holder(file);
    if (isAlive(found, file)) return false;
    removeLock(file, found);
    return take(file);
  }
}

// Two may find the same dead lock, and the slower one must not remove the lock that the faster one took meanwhile: what is
// moved away and turns out to be another's is put back.
function removeLock(file, dead) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    const found = readFileSync(aside, 'utf8');
    if (found !== dead) writeFileSync(file, found, { flag: 'wx' });
    rmSync(aside);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
}

function holder(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** A process by its number and, where the system tells, when it began: numbers are used again. */
function identity(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return String(pid);
  }
}

/** Milliseconds between making a lock file and writing into it, at most. */
const WRITING = 10_000;

function isAlive(found, file) {
  const pid = Number(found.split(' ')[0]);
  if (!(pid > 0)) return Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) < WRITING;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  return !found.includes(' ') || identity(pid) === found;
}
