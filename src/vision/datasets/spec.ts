/** The strings that name a data set on the command line. */
import { resolve } from 'node:path';
import { ConfigError } from '../../torch/errors.js';

const kinds = ['mnist', 'cifar10', 'svhn', 'stl10', 'folder'] as const;
export type DataKind = (typeof kinds)[number];

export interface DataSpec {
  readonly kind: DataKind;
  /** Null for the embedded digits only. */
  readonly dir: string | null;
}

/** @throws ConfigError listing the forms that are understood */
export function parseDataSpec(spec: string): DataSpec {
  const colon = spec.indexOf(':');
  const kind = (colon < 0 ? spec : spec.slice(0, colon)) as DataKind;
  const dir = colon < 0 ? null : spec.slice(colon + 1);
  const forms = 'mnist, mnist:DIR, cifar10:DIR, svhn:DIR, stl10:DIR or folder:DIR';
  if (!kinds.includes(kind)) throw new ConfigError(`unknown data '${spec}': expected ${forms}`);
  if (dir === '' || (dir === null && kind !== 'mnist')) {
    const fetchable = kind === 'cifar10' || kind === 'svhn' || kind === 'stl10';
    const hint = fetchable ? `; 'headrace data get ${kind}' fetches it from its official source` : '';
    throw new ConfigError(`data '${spec}' needs a folder: ${kind}:DIR${hint}`);
  }
  return { kind, dir };
}

/** The same data set from any working directory. @throws ConfigError as {@link parseDataSpec} */
export function absoluteDataSpec(spec: string): string {
  const { kind, dir } = parseDataSpec(spec);
  return dir === null ? kind : `${kind}:${resolve(dir)}`;
}
