import { ProcessGroup, readLaunch } from '../distributed/index.js';
import { overRanks } from '../pipeline/index.js';
import { ConfigError } from '../torch/index.js';
import { exitCodes, onInterrupt } from './report.js';
import { becomeRank, isSpare } from './spare.js';

/**
 * Does a command's work alone, or as one of the ranks that a launcher has started: rank 0 leads.
 * @param lead - is told whether the launcher has started it again, by the same command line
 * @param prepare - what a process can do ahead that may become rank 0
 */
export async function asRank(
  lead: (group: ProcessGroup | null, again: boolean) => Promise<void>,
  prepare: () => Promise<unknown> = async () => {},
): Promise<void> {
  if (isSpare()) {
    // What fails fails again once this is a rank, and is told then.
    if (process.env.GROUP_RANK === '0') await prepare().catch(() => {});
    await becomeRank();
  }
  const launch = readLaunch(process.env);
  const anew = launch !== null && launch.restarts > 0;
  if (launch === null || launch.worldSize === 1) return lead(null, anew);
  const group = ProcessGroup.join(launch);
  const again = anew || group.starts > 1;
  // Ctrl-C reaches rank 0 as well, which ends the run.
  const release = group.rank === 0 ? () => {} : onInterrupt(() => {});
  try {
    if (!(await overRanks(group, () => lead(group, again)))) process.exitCode = exitCodes.failed;
  } finally {
    release();
  }
}

/** @throws ConfigError where a launcher has started several processes of a verb that is the work of one */
export function refuseRanks(verb: string): void {
  const launch = readLaunch(process.env);
  if (launch === null || launch.worldSize === 1) return;
  throw new ConfigError(
    `headrace ${verb} works in one process (--stages are threads of it), and a launcher has started ${launch.worldSize}: ` +
      'start it by itself',
  );
}
