/** Where a benchmark ran. */
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** What `headrace doctor --json` tells, as far as it is of use here. */
interface Findings {
  readonly libtorch: { readonly version: string } | null;
  readonly blas: { readonly kind: string; readonly path: string | null; readonly kernels: string | null } | null;
  readonly platform: string;
  readonly cores: number;
  readonly allocatorTuned: boolean;
  readonly mkldnn: boolean;
}

export interface Host {
  /** The processor and its cores as part of a file's name: `amd-epyc-2-cores`. */
  readonly kind: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly libtorch: string;
  readonly blas: string;
  readonly blasPath: string | null;
  /** The processor whose kernels OpenBLAS uses, which decides the speed of products. Sessions before this field lack it. */
  readonly blasKernels?: string | null;
  readonly allocatorTuned: boolean;
  /** Whether Headrace uses it here. */
  readonly oneDnn: boolean;
  /** `unknown` outside a checkout; with `+changes` where files differ from it. */
  readonly commit: string;
}

export function describeHost(): Host {
  const doctor = execFileSync(process.execPath, ['dist/cli/main.js', 'doctor', '--json'], { cwd: root });
  const found = JSON.parse(doctor.toString()) as Findings;
  const cpu = (cpus()[0]?.model ?? process.arch).trim();
  const slug = cpu.toLowerCase().replace(/\(.*?\)|@.*$/g, '');
  return {
    kind: `${slug.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}-${found.cores}-cores`,
    cpu,
    cores: found.cores,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: found.platform,
    node: process.version,
    libtorch: found.libtorch?.version ?? 'unknown',
    blas: found.blas?.kind ?? 'unknown',
    blasPath: found.blas?.path ?? null,
    blasKernels: found.blas?.kernels ?? null,
    allocatorTuned: found.allocatorTuned,
    oneDnn: found.mkldnn,
    commit: commit(),
  };
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'native', 'bench/*.ts');
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed === '' ? '' : '+changes'}`;
  } catch {
    return 'unknown';
  }
}

export function hostLine(host: Host): string {
  const { cpu, cores, memoryGiB, platform, node, libtorch, blas, blasKernels, commit: at } = host;
  const kernels = blasKernels ? ` (${blasKernels})` : '';
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}; libtorch ${libtorch}, BLAS ${blas}${kernels}, Node ${node}; commit ${at}`;
}
