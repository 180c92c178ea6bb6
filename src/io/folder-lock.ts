/** One owner of a folder at a time, named in a file of the folder; the lock of an owner that has died is taken over. */

import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ConfigError, DataError } from '../torch/errors.js';
import { expectText } from '../torch/expect.js';
import { checkOptions } from '../torch/options.js';
import { reason } from './file.js';

const NAME = 'run.lock';

/** Who holds a lock. All JSON, written for people to read, too. */
export interface LockOwner {
  readonly pid: number;
  readonly host: string;
  /** When the lock was taken, in ISO 8601. */
  readonly since: string;
  /** When the process began, in ticks since the start of the machine; null where the system does not tell. */
  readonly started: string | null;
  /** Which start of the machine; null where the system does not tell. */
  readonly boot: string | null;
  /** Numbers of processes mean something within this alone (containers); null where the system does not tell. */
  readonly processes: string | null;
  /** Different for each lock ever taken. */
  readonly token: string;
}

const held = new Set<FolderLock>();

/**
 * The lock of a folder, held until it is released or the process ends: one that was killed leaves it to be taken over.
 *
 * Taking over is free of races: a claim is a file named after the dead lock's token, made by a hard link, which only one can
 * make; it counts only if the dead lock still stands then, and replaces it by a rename.
 */
export class FolderLock {
  private constructor(
    readonly folder: string,
    readonly owner: LockOwner,
    private readonly elsewhereIsDead: boolean,
  ) {}

  /**
   * @param options.elsewhereIsDead - whether an owner that cannot be looked at from here has died, as who starts a run again
   * knows; one that has not finds that its lock does not stand any more
   * @throws ConfigError naming the owner, where one is alive or cannot be looked at from here
   * @throws DataError where the folder is absent, or cannot be written to
   */
  static take(folder: string, options: { readonly elsewhereIsDead?: boolean } = {}): FolderLock {
    expectText('FolderLock.take', folder, 'a folder');
    checkOptions('FolderLock.take', options, ['elsewhereIsDead']);
    const lock = new FolderLock(folder, describeSelf(), options.elsewhereIsDead ?? false);
    const own = join(folder, `.${NAME}.${lock.owner.token}`);
    writeOwner(own, lock.owner);
    try {
      while (!lock.#try(own));
    } finally {
      rmSync(own, { force: true });
    }
    if (held.size === 0) process.on('exit', releaseAll);
    held.add(lock);
    return lock;
  }

  /** Where a process finds the lock, and what it names there: one that does sees the same folder. */
  get mark(): { readonly path: string; readonly token: string } {
    return { path: join(this.folder, NAME), token: this.owner.token };
  }

  /** Whether the lock still stands: the folder may have been removed meanwhile, and made anew by another run. */
  stands(): boolean {
    return readOwner(join(this.folder, NAME))?.token === this.owner.token;
  }

  /** Lets go. May be called again. Whatever stands in the lock's place by now is another's, and stays. */
  release(): void {
    if (!held.delete(this)) return;
    if (held.size === 0) process.off('exit', releaseAll);
    try {
      if (this.stands()) rmSync(join(this.folder, NAME), { force: true });
    } catch {
      // The folder is gone or closed to us; a lock that stays is that of a dead owner soon.
    }
  }

  /** One try; false where somebody else was at it just now. */
  #try(own: string): boolean {
    const path = join(this.folder, NAME);
    if (link(own, path)) return true;
    const dead = this.#deadOwners();
    if (dead === null) return false;
    const claim = claimOf(this.folder, dead.at(-1)!);
    if (!link(own, claim)) return false;
    let won = false;
    try {
      // Where the lock is another by now, whoever took it over came first.
      won = this.#deadOwners(claim)?.at(-1)?.token === dead.at(-1)!.token;
      if (won) renameSync(claim, path);
    } finally {
      if (!won) rmSync(claim, { force: true });
    }
    for (const owner of dead.slice(0, -1)) rmSync(claimOf(this.folder, owner), { force: true });
    return won;
  }

  /**
   * The owner of the lock, and of claims to it whose makers died before they took it over, in order. Null where there is
   * none any more. @param besides - a claim not to look at
   */
  #deadOwners(besides?: string): LockOwner[] | null {
    const owners: LockOwner[] = [];
    for (let path = join(this.folder, NAME); path !== besides; path = claimOf(this.folder, owners.at(-1)!)) {
      const owner = readOwner(path);
      if (owner === null) break;
      const given = this.elsewhereIsDead && isElsewhere(owner, this.owner);
      if (!given && !hasEnded(owner, this.owner)) throw refusal(this.folder, owner, this.owner);
      owners.push(owner);
    }
    return owners.length === 0 ? null : owners;
  }
}

function releaseAll(): void {
  for (const lock of [...held]) lock.release();
}

function claimOf(folder: string, owner: LockOwner): string {
  return join(folder, `.${NAME}.after-${owner.token}`);
}

function refusal(folder: string, owner: LockOwner, self: LockOwner): ConfigError {
  const { pid, host, since } = owner;
  const who = pid === self.pid && !isElsewhere(owner, self) ? 'this process' : `process ${pid}`;
  const message = `${folder} is in use by ${who} on ${host} since ${since}`;
  if (isElsewhere(owner, self)) {
    return new ConfigError(
      `${message}, and whether that still runs cannot be seen from ${self.host}. If it has ended, ` +
        `remove ${join(folder, NAME)}; if not, wait for it, or give another folder.`,
      { code: 'LOCKED' },
    );
  }
  return new ConfigError(`${message}. Wait until it has ended, or give another folder.`, { code: 'LOCKED' });
}

function isElsewhere(owner: LockOwner, self: LockOwner): boolean {
  return owner.host !== self.host || owner.processes !== self.processes;
}

/** Whether an owner is known to have died. A process that has its number by now began at another time. */
function hasEnded(owner: LockOwner, self: LockOwner): boolean {
  if (owner.host !== self.host) return false;
  if (owner.boot !== self.boot) return true;
  if (owner.processes !== self.processes) return false;
  return !isAlive(owner.pid) || startOf(owner.pid) !== owner.started;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function describeSelf(): LockOwner {
  return {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    started: startOf(process.pid),
    boot: tellOf(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    processes: tellOf(() => readlinkSync('/proc/self/ns/pid')),
    token: randomUUID(),
  };
}

/** Field 22 of `/proc/PID/stat`; the name before it, in brackets, may hold anything. See proc(5). */
function startOf(pid: number): string | null {
  return tellOf(() => {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  });
}

/** Null where the system has no such file. */
function tellOf(read: () => string | null): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function writeOwner(path: string, owner: LockOwner): void {
  try {
    const fd = openSync(path, 'wx');
    try {
      writeSync(fd, `${JSON.stringify(owner, null, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new DataError(`Cannot write ${path}: ${reason(error)}`, { cause: error });
  }
}

/** Null where there is no such file. @throws DataError where it is no lock */
function readOwner(path: string): LockOwner | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new DataError(`Cannot read ${path}: ${reason(error)}`, { cause: error });
  }
  try {
    const owner = JSON.parse(text) as LockOwner;
    if (Number.isSafeInteger(owner.pid) && typeof owner.host === 'string' && typeof owner.token === 'string')
      return owner;
  } catch {
    // Told of below.
  }
  throw new DataError(
    `Expected ${path} to name the process that uses the folder, found something else. If none does, remove it.`,
  );
}

/** File systems without hard links say so by one of these. */
const noLinks = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'];

/** Gives a file a second name, or where there are no hard links a copy; false where the name is taken. */
function link(file: string, name: string, make: (from: string, to: string) => void = linkSync): boolean {
  try {
    make(file, name);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (make === linkSync && noLinks.includes(code)) {
      return link(file, name, (from, to) => copyFileSync(from, to, constants.COPYFILE_EXCL));
    }
    throw new DataError(`Cannot write ${name}: ${reason(error)}`, { cause: error });
  }
}
