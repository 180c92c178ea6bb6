/** What started this process says who it is: torchrun, Slurm's srun, or Kubernetes, by variables of the environment. */
import { ConfigError } from '../torch/errors.js';

/** Who a process is among those of a run. */
export interface Launch {
  /** 0 to worldSize - 1. */
  readonly rank: number;
  readonly worldSize: number;
  /** The number among those on the same machine. */
  readonly localRank: number;
  /** Where the ranks meet. */
  readonly master: { readonly host: string; readonly port: number };
  /** How often the run was started again. */
  readonly restarts: number;
  /** Whether the launcher itself keeps the store there, as torchrun's agent does; else rank 0 does. */
  readonly storeKept: boolean;
  /** After how many milliseconds a rank that is silent, or does not come, is lost, where HEADRACE_TIMEOUT says it (in seconds). */
  readonly patienceMs?: number;
  /** `stage`: the launcher starts a rank that was killed again by itself, and the others go on (HEADRACE_RECOVERY). */
  readonly recovery?: 'stage';
}

/** Variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_PORT = 29500;

/**
 * Reads the variables of torchrun (also set by `headrace launch`), of srun, or of Kubernetes' training jobs (PET_..), whichever
 * is there, in this order.
 * @returns null where none of them started this process
 * @throws ConfigError where only a half of what one sets is there, or a value makes no sense
 */
export function readLaunch(env: Environment): Launch | null {
  const launch = readLauncher(env);
  if (launch === null) return null;
  const patienceMs = readPatience(env);
  return {
    ...launch,
    ...(patienceMs === null ? {} : { patienceMs }),
    ...(recoversByStage(env) ? { recovery: 'stage' } : {}),
  };
}

/** HEADRACE_TIMEOUT in milliseconds; null where it is not set. @throws ConfigError where it is no whole number */
export function readPatience(env: Environment): number | null {
  return has(env, 'HEADRACE_TIMEOUT') ? 1000 * whole(env, 'HEADRACE_TIMEOUT', 1) : null;
}

function recoversByStage(env: Environment): boolean {
  const word = env.HEADRACE_RECOVERY || 'all';
  if (word === 'all' || word === 'stage') return word === 'stage';
  throw new ConfigError(`expected HEADRACE_RECOVERY all or stage, got '${word}'`);
}

function readLauncher(env: Environment): Launch | null {
  if (has(env, 'RANK') || has(env, 'WORLD_SIZE')) return ofTorchrun(env);
  if (has(env, 'SLURM_PROCID') && has(env, 'SLURM_STEP_ID')) return ofSlurm(env);
  if (Object.keys(env).some((name) => name.startsWith('PET_') && has(env, name))) return ofKubernetes(env);
  return null;
}

function ofTorchrun(env: Environment): Launch {
  demand(env, 'torchrun', ['RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT']);
  const [rank, worldSize] = [whole(env, 'RANK', 0), whole(env, 'WORLD_SIZE', 1)];
  return checked({
    rank,
    worldSize,
    localRank: has(env, 'LOCAL_RANK') ? whole(env, 'LOCAL_RANK', 0) : 0,
    master: { host: text(env, 'MASTER_ADDR'), port: port(env, 'MASTER_PORT') },
    restarts: has(env, 'TORCHELASTIC_RESTART_COUNT') ? whole(env, 'TORCHELASTIC_RESTART_COUNT', 0) : 0,
    storeKept: env.TORCHELASTIC_USE_AGENT_STORE === 'True',
  });
}

function ofSlurm(env: Environment): Launch {
  demand(env, 'srun', ['SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID']);
  const list = env.SLURM_STEP_NODELIST || env.SLURM_JOB_NODELIST || env.SLURM_NODELIST;
  if (!list && !has(env, 'MASTER_ADDR')) {
    throw new ConfigError(
      'srun sets SLURM_PROCID here, but no list of nodes (SLURM_STEP_NODELIST, SLURM_JOB_NODELIST): set MASTER_ADDR to the ' +
        'name of the machine of rank 0',
    );
  }
  const host = has(env, 'MASTER_ADDR') ? text(env, 'MASTER_ADDR') : expandNodes(list!)[0]!;
  // Steps of several jobs may share a machine: the job's number spreads their ports.
  const spread = has(env, 'SLURM_JOB_ID') ? whole(env, 'SLURM_JOB_ID', 0) % 1000 : 0;
  return checked({
    rank: whole(env, 'SLURM_PROCID', 0),
    worldSize: whole(env, 'SLURM_NTASKS', 1),
    localRank: whole(env, 'SLURM_LOCALID', 0),
    master: { host, port: has(env, 'MASTER_PORT') ? port(env, 'MASTER_PORT') : DEFAULT_PORT + spread },
    restarts: has(env, 'SLURM_RESTART_COUNT') ? whole(env, 'SLURM_RESTART_COUNT', 0) : 0,
    storeKept: false,
  });
}

/**
 * How many machines PET_NNODES says.
 * @throws ConfigError for a range, by which torchrun goes on with fewer or more machines than it began with
 */
export function readNodes(env: Environment): number {
  const [, least, most] = /^\s*(\d+):(\d+)\s*$/.exec(env.PET_NNODES ?? '') ?? [];
  if (least === most) return whole(least === undefined ? env : { PET_NNODES: least }, 'PET_NNODES', 1);
  throw new ConfigError(
    `expected PET_NNODES one number of machines, got ${env.PET_NNODES}: their number is fixed here while a run goes on. ` +
      `Set it to ${most}, or to as many as always come`,
  );
}

/** One process a node: more of them are started by `headrace launch` or torchrun, which read the same variables. */
function ofKubernetes(env: Environment): Launch {
  demand(env, 'Kubernetes', ['PET_NNODES', 'PET_NODE_RANK', 'PET_MASTER_ADDR', 'PET_MASTER_PORT']);
  const each = env.PET_NPROC_PER_NODE;
  if (each !== undefined && each !== '' && each !== '1' && each !== 'auto') {
    throw new ConfigError(
      `PET_NPROC_PER_NODE asks for ${each} processes a node (gpu, cpu: one for each), and this is one process: start it by ` +
        '`headrace launch -- ...`, or by torchrun, which read the same variables, or ask for 1',
    );
  }
  return checked({
    rank: whole(env, 'PET_NODE_RANK', 0),
    worldSize: readNodes(env),
    localRank: 0,
    master: { host: text(env, 'PET_MASTER_ADDR'), port: port(env, 'PET_MASTER_PORT') },
    restarts: 0,
    storeKept: false,
  });
}

/**
 * The names in a list of Slurm's: `gpu[01-03,7],login` is gpu01, gpu02, gpu03, gpu7, login.
 * @throws ConfigError where brackets or ranges are not whole
 */
export function expandNodes(list: string): string[] {
  const names: string[] = [];
  // Commas within brackets part ranges, those outside part names.
  for (const item of list.match(/(?:[^,[\]]|\[[^[\]]*\])+/g) ?? []) names.push(...expandOne(item.trim(), list));
  const brackets = list.replace(/\[[^[\]]*\]/g, '');
  if (names.length === 0 || /[[\]]/.test(brackets)) throw badNodes(list);
  return names;
}

function expandOne(item: string, list: string): string[] {
  const found = /^([^[\]]*)\[([^[\]]*)\](.*)$/.exec(item);
  if (found === null) return [item];
  const [, before, ranges, after] = found as unknown as [string, string, string, string];
  const rest = expandOne(after, list);
  return ranges.split(',').flatMap((range) => {
    const ends = /^(\d+)(?:-(\d+))?$/.exec(range.trim());
    if (ends === null) throw badNodes(list);
    const [, first, last = first] = ends as unknown as [string, string, string?];
    const count = Number(last) - Number(first) + 1;
    if (count < 1 || count > 100_000) throw badNodes(list);
    return Array.from({ length: count }, (_, i) => String(Number(first) + i).padStart(first.length, '0')).flatMap(
      (number) => rest.map((tail) => `${before}${number}${tail}`),
    );
  });
}

const badNodes = (list: string): ConfigError =>
  new ConfigError(`expected a list of nodes as Slurm writes it, such as node[1-3,7], got '${list}'`);

const has = (env: Environment, name: string): boolean => env[name] !== undefined && env[name] !== '';

function demand(env: Environment, who: string, names: readonly string[]): void {
  const missing = names.filter((name) => !has(env, name));
  if (missing.length === 0) return;
  const there = names.filter((name) => has(env, name));
  throw new ConfigError(
    `the environment is half of what ${who} sets: ${there.join(', ') || 'none'} there, ${missing.join(', ')} missing. ` +
      'Start every rank by the launcher, or set all of them, or none',
  );
}

const text = (env: Environment, name: string): string => env[name]!.trim();

function whole(env: Environment, name: string, least: number): number {
  const value = Number(env[name]);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new ConfigError(`expected ${name} a whole number >= ${least}, got '${env[name]}'`);
}

function port(env: Environment, name: string): number {
  const value = whole(env, name, 1);
  if (value < 65_536) return value;
  throw new ConfigError(`expected ${name} a port from 1 to 65535, got '${env[name]}'`);
}

function checked(launch: Launch): Launch {
  const { rank, worldSize } = launch;
  if (rank < worldSize) return launch;
  throw new ConfigError(`expected a rank from 0 to ${worldSize - 1} in a world of ${worldSize}, got rank ${rank}`);
}
