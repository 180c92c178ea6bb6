// A process that a launcher starts ahead, to take the place of a rank that is lost: how it learns which one.

import { once } from 'node:events';

/** torchrun's variables of a rank. */
export type RankVariables = Readonly<Record<string, string>>;

/** By which the system knows a process that has become a rank: its environment there is still a spare's. */
const titleOf = ({ RANK }: RankVariables): string => `headrace rank ${RANK}`;

/** Whether this process is no rank yet. */
export const isSpare = (): boolean => process.env.HEADRACE_SPARE === '1';

/** Waits until this process is told its rank, whose variables then stand in its environment. */
export async function becomeRank(): Promise<void> {
  const [variables] = (await once(process, 'message')) as [RankVariables];
  process.removeAllListeners('disconnect');
  process.disconnect();
  delete process.env.HEADRACE_SPARE;
  Object.assign(process.env, variables);
  process.title = titleOf(variables);
}
