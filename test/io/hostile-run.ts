// node --expose-gc: reads the files that it is given, one after the other, and prints a line of JSON for each: how reading ended, and the most memory so far.
import {
  loadIdx,
  loadMat,
  loadNpy,
  loadNpz,
  loadSafetensors,
  loadTorch,
  PickleFile,
  readSafetensorsIndex,
} from 'headrace/io';

const readers: Readonly<Record<string, (path: string) => unknown>> = {
  safetensors: loadSafetensors,
  json: readSafetensorsIndex,
  npz: loadNpz,
  npy: loadNpy,
  idx: loadIdx,
  mat: loadMat,
  pkl: (path) => PickleFile.open(path),
  pt: (path) => loadTorch(path),
};

/** Kibibytes. */
const peak = (): number => process.resourceUsage().maxRSS;

console.log(JSON.stringify({ peak: peak() }));
for (const path of process.argv.slice(2)) {
  let ended = 'read';
  try {
    readers[path.slice(path.lastIndexOf('.') + 1)]!(path);
  } catch (error) {
    ended = String(error).slice(0, 2000);
  }
  console.log(JSON.stringify({ path, ended, peak: peak() }));
  globalThis.gc?.(); // what one file took is not counted for the next
}
