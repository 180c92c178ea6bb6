/** Ports of this machine at which ranks can meet. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { ConfigError } from '../torch/errors.js';

const FIRST = 10_000;
/** Where other launchers' ports begin: 29500 is torchrun's, and Slurm's jobs have those above (see {@link readLaunch}). */
const END = 29_500;
const TRIES = 1000;

/**
 * A free port of this machine that stays free until ranks meet at it: it lies outside the range from which the system serves
 * connections and servers that name none, and as long as this process lives, no other one is given it by this function.
 * @throws ConfigError where none can be had
 */
export async function freePort(): Promise<number> {
  const [first, end] = ports();
  for (let k = 0; k < TRIES; k++) {
    const port = randomInt(first, end);
    if (!(await claim(port))) continue;
    const server = await listen(createServer(), { port });
    if (server === null) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new ConfigError(`found no free port of ${first} to ${end - 1} in ${TRIES} tries`);
}

/** The first of those to choose from, and that after the last. */
function ports(): [number, number] {
  try {
    const [low, high] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
    if (low! < FIRST + TRIES) return [Math.min(high! + 1, 65_535 - TRIES), 65_535];
    return [FIRST, Math.min(low!, END)];
  } catch {
    return [FIRST, END]; // not Linux: others serve from 49152 on
  }
}

/** An address that other processes see, and that goes with this one, whatever ends it: Linux alone has such without files. */
async function claim(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const server = await listen(createServer(), { path: `\0headrace/port/${port}` });
  server?.unref();
  return server !== null;
}

/** Null where the address is taken. */
async function listen(server: Server, where: { port: number } | { path: string }): Promise<Server | null> {
  try {
    server.listen(where);
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}
