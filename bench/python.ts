/** A Python process with PyTorch that answers requests, so that both sides stay warm and take turns. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Host } from './host.js';

const peerPath = fileURLToPath(new URL('../../bench/python/peer.py', import.meta.url));

/** A Python that has torch: the environment variable HEADRACE_PYTHON, or one that is installed. Null where there is none. */
export function findPython(): string | null {
  const asked = process.env.HEADRACE_PYTHON;
  const candidates = asked ? [asked] : ['python3', '/usr/bin/python3'];
  return candidates.find(hasTorch) ?? null;
}

export const NO_PYTHON =
  'No Python with torch was found, so nothing stands beside these numbers: ' +
  'install python3-torch, or name a Python that has torch in HEADRACE_PYTHON.';

function hasTorch(python: string): boolean {
  try {
    execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export class PythonPeer {
  #replies: AsyncIterator<string>;

  private constructor(
    private readonly child: ChildProcess,
    lines: Interface,
  ) {
    this.#replies = lines[Symbol.asyncIterator]();
  }

  /** The version of its torch. */
  torch = '';

  /** With the BLAS that Headrace uses, and without oneDNN where that cannot be trusted (docs/install.md says where). */
  static async start(python: string, threads: number, { blasPath, oneDnn }: Host): Promise<PythonPeer> {
    const env = { ...process.env, ...(blasPath ? { LD_PRELOAD: blasPath } : {}) };
    const args = [peerPath, String(threads), oneDnn ? 'onednn' : 'no-onednn'];
    const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
    const peer = new PythonPeer(child, createInterface({ input: child.stdout }));
    peer.torch = (await peer.#reply<{ torch: string }>()).torch;
    return peer;
  }

  async ask<T>(request: Record<string, unknown>): Promise<T> {
    this.child.stdin!.write(`${JSON.stringify(request)}\n`);
    return this.#reply<T>();
  }

  async #reply<T>(): Promise<T> {
    const { value, done } = await this.#replies.next();
    if (done) throw new Error(`The Python process (${peerPath}) ended without an answer`);
    return JSON.parse(value) as T;
  }

  close(): void {
    this.child.stdin!.end();
  }
}
