/** Two machines on one: network namespaces with an address each and a link between them, which can be cut. */
import { execFileSync, spawnSync } from 'node:child_process';

const name = (rank: number): string => `headrace-${process.pid}-${rank}`;
const link = (rank: number): string => `hr${rank}-${process.pid}`;
const address = (rank: number): string => `10.213.57.${rank + 1}`;
const ip = (...words: string[]): void => {
  execFileSync('ip', words, { stdio: 'ignore' });
};

export class Network {
  /** Null where this process may not make one. */
  static open(): Network | null {
    if (spawnSync('ip', ['netns', 'add', name(0)]).status !== 0) return null;
    const network = new Network();
    ip('netns', 'add', name(1));
    ip('link', 'add', link(0), 'netns', name(0), 'type', 'veth', 'peer', 'name', link(1), 'netns', name(1));
    for (const rank of [0, 1]) {
      ip('-n', name(rank), 'addr', 'add', `${address(rank)}/24`, 'dev', link(rank));
      ip('-n', name(rank), 'link', 'set', 'lo', 'up');
      ip('-n', name(rank), 'link', 'set', link(rank), 'up');
    }
    return network;
  }

  readonly master = `${address(0)}:29500`;

  /** What a command on a machine begins with. */
  on(rank: number): string[] {
    return ['ip', 'netns', 'exec', name(rank)];
  }

  /** Cuts the link of a machine for a while. */
  cut(rank: number, ms: number): void {
    ip('-n', name(rank), 'link', 'set', link(rank), 'down');
    setTimeout(() => ip('-n', name(rank), 'link', 'set', link(rank), 'up'), ms);
  }

  close(): void {
    for (const rank of [0, 1]) spawnSync('ip', ['netns', 'del', name(rank)]);
  }
}
