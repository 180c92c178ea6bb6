/** Files: safetensors, NumPy, MATLAB and IDX readers that never run what they read, and writers that never leave half a file. */
export { AtomicFile, writeFileAtomic } from './atomic.js';
export { FileReader } from './file.js';
export { loadIdx, parseIdx, readIdx } from './idx.js';
export { loadMat, type MatArray, readMat } from './mat.js';
export { encodeNpy, loadNpy, parseNpy, saveNpy } from './npy.js';
export { type RawArray, viewNumbers } from './raw.js';
export {
  loadSafetensors,
  type NamedTensors,
  readSafetensorsIndex,
  SafetensorsFile,
  type SafetensorsIndex,
  SafetensorsModel,
  saveSafetensors,
  writeSafetensorsIndex,
} from './safetensors.js';
export type { TensorEntry } from './safetensors-header.js';
