/** The videos of files and folders. */
import { readdirSync, statSync } from 'node:fs';
import { basename, extname, join, relative, sep } from 'node:path';
import { DataError } from '../../torch/index.js';

/** Endings by which videos are known in a folder; a file that is named by itself may have any. */
const endings = new Set('.mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .flv .wmv .3gp .mts .m2ts .ts .ogv'.split(' '));

export interface FoundVideo {
  readonly path: string;
  /** Its path below the folder that was given, that folder's name first, with `/`: what layouts are told by. */
  readonly name: string;
}

/**
 * All videos of the files and folders, in the order of their names, each once.
 * @throws DataError for what does not exist or cannot be read
 */
export function findVideos(inputs: readonly string[]): FoundVideo[] {
  const found = new Map<string, FoundVideo>();
  for (const input of inputs) {
    const stat = statSync(input, { throwIfNoEntry: false });
    if (stat === undefined) throw new DataError(`No such file or folder: ${input} (looked from ${process.cwd()})`);
    const paths = stat.isDirectory() ? below(input) : [input];
    for (const path of paths) {
      const name = stat.isDirectory()
        ? join(basename(join(process.cwd(), input)), relative(input, path))
        : basename(path);
      found.set(path, { path, name: name.split(sep).join('/') });
    }
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function below(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.')) return []; // unfinished files, and those of file managers
    if (entry.isDirectory()) return below(path);
    return endings.has(extname(entry.name).toLowerCase()) ? [path] : [];
  });
}
