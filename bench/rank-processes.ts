/** Processes that are ranks of one run, started as torchrun starts them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { freePort } from 'headrace/distributed';

/**
 * Runs a command in so many processes, and waits for their ends.
 * @param more - environment variables
 * @returns what each wrote to stdout, by rank
 * @throws where one fails
 */
export async function runRanks(
  count: number,
  command: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const master = { MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(await freePort()), WORLD_SIZE: String(count) };
  const children = Array.from({ length: count }, (_, rank) => {
    const env = { ...process.env, ...master, ...more, RANK: String(rank), LOCAL_RANK: String(rank) };
    return spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  });
  const ended = children.map(async (child, rank) => {
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number | null]>]);
    if (code !== 0) throw new Error(`rank ${rank} of ${command} ${args.join(' ')} ended with ${code}`);
    return said;
  });
  try {
    return await Promise.all(ended);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}
