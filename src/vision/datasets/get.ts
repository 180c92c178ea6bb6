/** `headrace data get`: the data sets' official sources. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve, win32 } from 'node:path';
import { ConfigError, DataError } from '../../torch/errors.js';
import { type DownloadProgress, downloadFile } from './download.js';

/** Where a data set comes from and how one knows that it is whole. */
export interface DatasetSource {
  readonly baseUrl: string;
  /** Each with the sum that the source publishes, or with what looks at its content where it publishes none. */
  readonly files: readonly {
    readonly file: string;
    readonly md5?: string;
    readonly check?: (path: string) => void;
  }[];
  /** For a `.tar.gz`: the folder in it, and the files of that folder which a loader needs. */
  readonly archive?: { readonly folder: string; readonly members: readonly string[] };
  /** Who publishes it and on what terms, in a line. */
  readonly terms: string;
}

const cifarFiles = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);

/** Checksums: CIFAR-10 from its page; SVHN and STL-10, whose pages give none, as torchvision carries them. */
export const datasetSources: Readonly<Record<string, DatasetSource>> = {
  cifar10: {
    baseUrl: 'https://www.cs.toronto.edu/~kriz/',
    files: [{ file: 'cifar-10-binary.tar.gz', md5: 'c32a1d4ab5d03f1284b67883e8d87530' }],
    archive: { folder: 'cifar-10-batches-bin', members: [...cifarFiles, 'test_batch.bin'] },
    terms: 'CIFAR-10, Krizhevsky 2009; no licence stated',
  },
  svhn: {
    baseUrl: 'http://ufldl.stanford.edu/housenumbers/',
    files: [
      { file: 'train_32x32.mat', md5: 'e26dedcc434d2e4c54c9b2d4a06d8373' },
      { file: 'test_32x32.mat', md5: 'eb5a983be6a315427106f1b164d9cef3' },
    ],
    terms: 'SVHN, Netzer et al. 2011; for non-commercial use only',
  },
  stl10: {
    baseUrl: 'http://ai.stanford.edu/~acoates/stl10/',
    files: [{ file: 'stl10_binary.tar.gz', md5: '91f7769df0f17e558f3565bffb0c7dfb' }],
    archive: {
      folder: 'stl10_binary',
      members: ['train_X.bin', 'train_y.bin', 'test_X.bin', 'test_y.bin', 'class_names.txt'],
    },
    terms: 'STL-10, Coates et al. 2011; images from ImageNet, see its terms',
  },
};

export interface GetOptions {
  /** Where the files go; made where absent. */
  readonly dir: string;
  /** A mirror: replaces the official address, with the same files and checksums. */
  readonly baseUrl?: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /** Another source in place of the official one. */
  readonly source?: DatasetSource;
  /** Between attempts after a broken connection; 1000 ms by default. */
  readonly retryDelayMs?: number;
}

/**
 * Downloads, checks and unpacks a data set; what is there already is kept. Stopping it leaves a `.part` file that the next call continues.
 * @param name `cifar10`, `svhn` or `stl10`
 * @returns the SPEC to train with, such as `cifar10:data/cifar10`
 * @throws ConfigError for an unknown name; DataError when the source, the connection or the archive fails
 */
export async function getDataset(name: string, options: GetOptions): Promise<{ spec: string; fetched: string[] }> {
  const source = options.source ?? (Object.hasOwn(datasetSources, name) ? datasetSources[name] : undefined);
  if (source === undefined) {
    throw new ConfigError(`unknown data set '${name}': expected ${Object.keys(datasetSources).join(', ')}`);
  }
  const { dir, onProgress, signal, retryDelayMs } = options;
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw new DataError(`Cannot make the folder ${dir}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  const fetched: string[] = [];
  const base = withSlash(options.baseUrl ?? source.baseUrl);
  const tell = (k: number): GetOptions['onProgress'] =>
    source.files.length === 1
      ? onProgress
      : (progress) => onProgress?.({ ...progress, file: `${k + 1}/${source.files.length} ${progress.file}` });
  for (const [k, { file, md5, check }] of source.files.entries()) {
    const path = join(dir, file);
    if (isComplete(dir, source, path)) continue;
    if (!existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true });
      const url = new URL(file, base).href;
      await downloadFile({ url, path, md5, check, onProgress: tell(k), signal, retryDelayMs });
    }
    if (source.archive !== undefined) {
      onProgress?.({ phase: 'unpack', file, received: 0, total: null, bytesPerSecond: 0, secondsLeft: null });
      await unpack(path, dir, source.archive);
    }
    fetched.push(file);
  }
  return { spec: `${name}:${dir}`, fetched };
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

/** A name without `.part` has passed its checksum; members of an archive appear only when all of it is unpacked. */
function isComplete(dir: string, { archive }: DatasetSource, path: string): boolean {
  if (archive === undefined) return existsSync(path);
  return archive.members.every((member) => existsSync(join(dir, archive.folder, member)));
}

/**
 * Unpacks beside the target, then moves the files into place and deletes the archive.
 * @throws DataError for names that leave the folder, links and special files, and archives without the files expected
 */
async function unpack(
  archive: string,
  dir: string,
  { folder, members }: NonNullable<DatasetSource['archive']>,
): Promise<void> {
  const { extract } = await import('tar');
  const temporary = join(dir, '.unpacking');
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary);
  const refused: string[] = [];
  try {
    await extract({
      file: resolve(archive),
      cwd: temporary,
      strict: true,
      filter: (path, entry) => {
        const fine = isInside(path) && 'type' in entry && (entry.type === 'File' || entry.type === 'Directory');
        if (!fine) refused.push(path);
        return fine;
      },
    });
    if (refused.length > 0)
      throw new Error(`it holds names or links that it should not: ${refused.slice(0, 5).join(', ')}`);
    const missing = members.filter((member) => !existsSync(join(temporary, folder, member)));
    if (missing.length > 0) throw new Error(`${folder} in it lacks ${missing.join(', ')}`);
    mkdirSync(join(dir, folder), { recursive: true });
    for (const name of readdirSync(join(temporary, folder)))
      renameSync(join(temporary, folder, name), join(dir, folder, name));
  } catch (error) {
    throw new DataError(`Cannot unpack ${archive}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  rmSync(archive);
}

/** Neither absolute (anywhere) nor with a step upwards. */
function isInside(path: string): boolean {
  return !isAbsolute(path) && !win32.isAbsolute(path) && !path.split(/[/\\]/).includes('..');
}
