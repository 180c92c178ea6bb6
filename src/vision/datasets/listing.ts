/**
 * What a folder of images holds, as torchvision's ImageFolder reads it: one folder a class, whose images may lie in folders of their
 * own, in the order of their names; links are followed.
 */
import { type Dirent, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { splitBySeed } from '../../data/index.js';
import { imageExtensions, isImageName } from '../../media/images/names.js';
import { DataError } from '../../torch/errors.js';

/** The images of one part of a data set. */
export interface Listing {
  readonly classes: readonly string[];
  readonly paths: readonly string[];
  readonly labels: readonly number[];
}

/** Both parts, where they come from, and what else lies there. */
export interface FolderListing {
  readonly train: Listing;
  readonly test: Listing;
  readonly trainFrom: string;
  readonly testFrom: string;
  /** What is not read, a sentence each. */
  readonly notes: readonly string[];
}

/** Share of the test part where the folder has none. */
const testShare = 0.2;

const trainNames: readonly string[] = ['train', 'training'];
/** The first of these that is there is what a run is tested on. */
const testNames: readonly string[] = ['test', 'testing', 'val', 'valid', 'validation', 'dev', 'eval'];

/** Python's order of texts: by code points, where JavaScript's is by UTF-16 units. */
function byCodePoints(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  const at = x.findIndex((character, i) => character !== y[i]);
  if (at < 0) return x.length - y.length;
  return (x[at]?.codePointAt(0) as number) - (y[at]?.codePointAt(0) ?? -1);
}

/** Names that are not hidden, sorted; what a link leads to counts. */
function entries(dir: string): { folders: string[]; files: string[] } {
  const folders: string[] = [];
  const files: string[] = [];
  let found: Dirent[];
  try {
    found = readdirSync(dir, { withFileTypes: true });
  } catch (cause) {
    throw new DataError(`Cannot read the folder ${dir}: ${(cause as Error).message}`, { cause });
  }
  for (const entry of found) {
    if (entry.name.startsWith('.')) continue;
    const path = join(dir, entry.name);
    // A link that leads nowhere is a file: reading it tells that.
    const isFolder = entry.isSymbolicLink() ? existsSync(path) && statSync(path).isDirectory() : entry.isDirectory();
    (isFolder ? folders : files).push(entry.name);
  }
  return { folders: folders.sort(byCodePoints), files: files.sort(byCodePoints) };
}

/** Every image below a folder, in torchvision's order, and how many other files there are of each kind. */
export function imagesBelow(dir: string): { paths: string[]; others: Map<string, number> } {
  const others = new Map<string, number>();
  const found: { folder: string; files: string[] }[] = [];
  const visit = (folder: string, above: readonly string[]): void => {
    const real = realpathSync(folder);
    if (above.includes(real)) return; // a link to a folder that it lies in
    const { folders, files } = entries(folder);
    const images = files.filter(isImageName);
    for (const name of files) if (!isImageName(name)) count(others, extname(name).toLowerCase() || name);
    found.push({ folder, files: images });
    for (const name of folders) visit(join(folder, name), [...above, real]);
  };
  visit(dir, []);
  found.sort((a, b) => byCodePoints(a.folder, b.folder));
  return { paths: found.flatMap(({ folder, files }) => files.map((name) => join(folder, name))), others };
}

function count(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

/**
 * Lists `dir/train/CLASS/**` and `dir/test/CLASS/**` (or `val`, `valid`, `validation`), or `dir/CLASS/**`, of which a fifth of each
 * class, chosen by the seed, becomes the test part.
 * @throws DataError for classes that differ between the parts, and for classes without images
 */
export function listFolder(dir: string, seed: number): FolderListing {
  if (!existsSync(dir)) throw new DataError(`No folder ${dir}: expected train/ and test/ in it, or one folder a class`);
  if (!statSync(dir).isDirectory()) throw new DataError(`${dir} is a file: expected a folder with one folder a class`);
  const notes: string[] = [];
  const { folders } = entries(dir);
  const named = (names: readonly string[]): string[] =>
    names.flatMap((name) => folders.filter((folder) => folder.toLowerCase() === name));
  const holdsClasses = (name: string): boolean => entries(join(dir, name)).folders.length > 0;
  const trainName = named(trainNames).find(holdsClasses);
  if (trainName === undefined) return { ...split(dir, listClasses(dir, notes), seed), ...splitNames(dir), notes };
  const tests = named(testNames);
  for (const name of tests.filter((test) => !holdsClasses(test))) {
    notes.push(`${name}/ holds no folders of classes, so its images have no labels: not read`);
  }
  const testName = tests.find(holdsClasses);
  for (const name of folders) {
    if (name === trainName || name === testName || (tests.includes(name) && !holdsClasses(name))) continue;
    notes.push(`${name}/ is not read`);
  }
  const trainFrom = join(dir, trainName);
  const train = listClasses(trainFrom, notes);
  if (testName === undefined) return { ...split(trainFrom, train, seed), ...splitNames(trainFrom), notes };
  const test = listClasses(join(dir, testName), notes);
  checkSameClasses(dir, train, trainName, test, testName);
  return { train, test, trainFrom, testFrom: join(dir, testName), notes };
}

const splitNames = (dir: string): { trainFrom: string; testFrom: string } => ({
  trainFrom: `${dir} (four fifths)`,
  testFrom: `${dir} (a fifth of each class, held out)`,
});

function checkSameClasses(dir: string, train: Listing, trainName: string, test: Listing, testName: string): void {
  if (train.classes.join('\0') === test.classes.join('\0')) return;
  const only = (a: Listing, b: Listing): string =>
    a.classes.filter((name) => !b.classes.includes(name)).join(', ') || 'none';
  throw new DataError(
    `${dir}: classes only in ${trainName}: ${only(train, test)}; only in ${testName}: ${only(test, train)}: ` +
      'a model is tested on the classes that it was trained on',
  );
}

function split(dir: string, all: Listing, seed: number): { train: Listing; test: Listing } {
  const { train, test } = splitBySeed(all.labels, testShare, seed);
  if (test.length === 0) {
    throw new DataError(
      `${dir}: expected images enough to hold out a fifth of each class, found ${all.paths.length} in ` +
        `${all.classes.length} classes: add images, or put those to test on into test/ beside train/`,
    );
  }
  const pick = (indices: readonly number[]): Listing => ({
    classes: all.classes,
    paths: indices.map((i) => all.paths[i] as string),
    labels: indices.map((i) => all.labels[i] as number),
  });
  return { train: pick(train), test: pick(test) };
}

function listClasses(dir: string, notes: string[]): Listing {
  const { folders, files } = entries(dir);
  if (folders.length < 2) {
    throw new DataError(
      `${dir}: expected a folder for each of two or more classes, found ${folders.join(', ') || 'none'}`,
    );
  }
  const loose = files.filter(isImageName).length;
  if (loose > 0) notes.push(`${loose} images in ${dir} itself belong to no class: not read`);
  const others = new Map<string, number>();
  const empty: string[] = [];
  const paths: string[] = [];
  const labels: number[] = [];
  folders.forEach((name, label) => {
    const below = imagesBelow(join(dir, name));
    if (below.paths.length === 0) empty.push(name);
    for (const path of below.paths) {
      paths.push(path);
      labels.push(label);
    }
    for (const [kind, number] of below.others) count(others, kind, number);
  });
  if (empty.length > 0) {
    const which = empty.map((name) => join(dir, name)).join(', ');
    throw new DataError(
      `${which} ${empty.length > 1 ? 'hold' : 'holds'} no image (${imageExtensions.join(' ')}): remove what is no class`,
    );
  }
  if (others.size > 0) notes.push(describeOthers(basename(dir), others));
  // Of one form, whatever wrote the names: macOS keeps accents as signs of their own.
  return { classes: folders.map((name) => name.normalize('NFC')), paths, labels };
}

function describeOthers(dir: string, others: ReadonlyMap<string, number>): string {
  const total = [...others.values()].reduce((sum, number) => sum + number, 0);
  const kinds = [...others].slice(0, 5).map(([kind, number]) => `${number} ${kind}`);
  return `${total} files in ${dir}/ that are no images were passed over (${kinds.join(', ')}${others.size > 5 ? ', ...' : ''})`;
}
