/**
 * Two machines on one: network namespaces with a link between them, which can be cut, and a second one for those who want two
 * networks.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const name = (rank: number): string => `headrace-${process.pid}-${rank}`;
const link = (rank: number): string => `hr${rank}-${process.pid}`;
const second = (rank: number): string => `hs${rank}-${process.pid}`;
const address = (rank: number, network = 57): string => `10.213.${network}.${rank + 1}`;
const ip = (...words: string[]): void => {
  execFileSync('ip', words, { stdio: 'ignore' });
};

/** Linux tells some time after both ends of a link are up that it can be used; until then Node does not list its address. */
async function running(rank: number, device: string): Promise<void> {
  const told = (): string => execFileSync('ip', ['-n', name(rank), '-o', 'link', 'show', device], { encoding: 'utf8' });
  for (const begun = Date.now(); !told().includes('state UP'); await sleep(20))
    if (Date.now() - begun > 10_000) throw new Error(`the link ${device} of ${name(rank)} is not up after 10 s`);
}

export class Network {
  /** Null where this process may not make one. */
  static async open(): Promise<Network | null> {
    if (spawnSync('ip', ['netns', 'add', name(0)]).status !== 0) return null;
    const network = new Network();
    ip('netns', 'add', name(1));
    for (const [i, each] of [link, second].entries()) {
      ip('link', 'add', each(0), 'netns', name(0), 'type', 'veth', 'peer', 'name', each(1), 'netns', name(1));
      for (const rank of [0, 1]) {
        ip('-n', name(rank), 'addr', 'add', `${address(rank, 57 + i)}/24`, 'dev', each(rank));
        ip('-n', name(rank), 'link', 'set', each(rank), 'up');
      }
    }
    for (const rank of [0, 1]) ip('-n', name(rank), 'link', 'set', 'lo', 'up');
    for (const rank of [0, 1]) for (const each of [link, second]) await running(rank, each(rank));
    return network;
  }

  #restoring: NodeJS.Timeout | undefined;

  readonly host = address(0);
  readonly port = 29500;
  readonly master = `${this.host}:${this.port}`;

  /** A machine's interface to the second link. */
  readonly second = second;

  /** What a command on a machine begins with. */
  on(rank: number): string[] {
    return ['ip', 'netns', 'exec', name(rank)];
  }

  /** Cuts the link of a machine for a while. */
  cut(rank: number, ms: number): void {
    ip('-n', name(rank), 'link', 'set', link(rank), 'down');
    this.#restoring = setTimeout(() => ip('-n', name(rank), 'link', 'set', link(rank), 'up'), ms);
  }

  /** Cuts the second link for good. */
  cutSecond(): void {
    ip('-n', name(0), 'link', 'set', second(0), 'down');
  }

  close(): void {
    clearTimeout(this.#restoring); // its machine is about to go
    for (const rank of [0, 1]) spawnSync('ip', ['netns', 'del', name(rank)]);
  }
}
