// Which ranks of a run this machine has: by options, or by the variables of Kubernetes' jobs.

import { availableParallelism } from 'node:os';
import { readNodes } from '../distributed/launcher.js';
import { freePort } from '../distributed/ports.js';
import { ConfigError } from '../torch/errors.js';

export interface LaunchFlags {
  standalone: boolean;
  processes?: number;
  node?: { number: number; of: number };
  master?: { host: string; port: number };
  /** How often all ranks are started again when one has failed, or the one that was killed. */
  restarts: number;
  /** Whether a rank that was killed is started again alone. */
  recovery: 'all' | 'stage';
  /** Seconds after which a rank that is silent, or does not come, is lost. */
  timeout?: number;
}

/** What the ranks of this machine are among all. */
export interface Placement {
  readonly processes: number;
  readonly node: { readonly number: number; readonly of: number };
  readonly master: { readonly host: string; readonly port: number };
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where this machine stands, by the options, or by the variables of Kubernetes' jobs where neither `--standalone` nor `--node`
 * is given.
 * @throws ConfigError that says which option is missing
 */
export async function placement(flags: LaunchFlags, env: Environment): Promise<Placement> {
  const { standalone, node, master, processes } = flags;
  if (standalone) {
    if (node !== undefined || master !== undefined) {
      throw new ConfigError('--standalone is one machine alone: leave out --node and --master');
    }
    const own = { host: '127.0.0.1', port: await freePort() };
    return { processes: processes ?? 1, node: { number: 1, of: 1 }, master: own };
  }
  if (node !== undefined && master !== undefined) return { processes: processes ?? 1, node, master };
  if (node === undefined && master === undefined && env.PET_NNODES) return ofKubernetes(processes, env);
  throw new ConfigError(
    'expected --standalone, or --node K/N with --master HOST:PORT (the same master on all machines)',
  );
}

async function ofKubernetes(processes: number | undefined, env: Environment): Promise<Placement> {
  const names = ['PET_NNODES', 'PET_NODE_RANK', 'PET_MASTER_ADDR', 'PET_MASTER_PORT'];
  const missing = names.filter((name) => !env[name]);
  if (missing.length > 0)
    throw new ConfigError(`PET_NNODES is set, and ${missing.join(', ')} missing: set all or none`);
  const whole = (name: string, least: number): number => {
    const value = Number(env[name]);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new ConfigError(`expected ${name} a whole number >= ${least}, got '${env[name]}'`);
  };
  const node = { number: whole('PET_NODE_RANK', 0) + 1, of: readNodes(env) };
  const master = { host: env.PET_MASTER_ADDR!, port: whole('PET_MASTER_PORT', 1) };
  if (node.number > node.of)
    throw new ConfigError(`expected PET_NODE_RANK below PET_NNODES ${node.of}, got ${node.number - 1}`);
  return { processes: processes ?? (await processesOf(env.PET_NPROC_PER_NODE || '1')), node, master };
}

/** A number of processes, or torchrun's words for one: a process for each GPU or core, `auto` for each GPU where there is one. */
async function processesOf(text: string): Promise<number> {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  if (text === 'cpu') return availableParallelism();
  if (text !== 'gpu' && text !== 'auto')
    throw new ConfigError(`expected PET_NPROC_PER_NODE a whole number >= 1, gpu, cpu or auto, got '${text}'`);
  const { buildInfo } = await import('../torch/index.js');
  const { cudaDevices, libtorch } = buildInfo();
  if (cudaDevices > 0) return cudaDevices;
  if (text === 'auto') return availableParallelism();
  throw new ConfigError(
    `PET_NPROC_PER_NODE asks for a process for each GPU, and libtorch ${libtorch} sees none on this machine: set a number, or cpu`,
  );
}

/** torchrun's variables of each rank of this machine. @param round - which start this is, counted from 0 */
export function rankVariables(
  { processes, node, master }: Placement,
  {
    restarts,
    round,
    timeout,
    recovery,
  }: Pick<LaunchFlags, 'restarts' | 'timeout' | 'recovery'> & { readonly round: number },
): Record<string, string>[] {
  return Array.from({ length: processes }, (_, local) => ({
    RANK: String((node.number - 1) * processes + local),
    WORLD_SIZE: String(node.of * processes),
    LOCAL_RANK: String(local),
    LOCAL_WORLD_SIZE: String(processes),
    GROUP_RANK: String(node.number - 1),
    MASTER_ADDR: master.host,
    MASTER_PORT: String(master.port),
    TORCHELASTIC_RESTART_COUNT: String(round),
    TORCHELASTIC_MAX_RESTARTS: String(restarts),
    ...(timeout === undefined ? {} : { HEADRACE_TIMEOUT: String(timeout) }),
    // The launcher of the first machine keeps the store, as torchrun's agent does, so that rank 0 may go as well.
    ...(recovery === 'stage' ? { HEADRACE_RECOVERY: recovery, TORCHELASTIC_USE_AGENT_STORE: 'True' } : {}),
  }));
}
