/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Files: safetensors, PyTorch's, NumPy, pickle, HDF5, MATLAB and IDX readers that never run what they read, and writers that never leave half a
 * file.
 */
export { AtomicFile, sweepUnfinished, writeFileAtomic } from './atomic.js';
export { ByteRange, type ByteSource, MemoryBytes } from './bytes.js';
export { FileReader } from './file.js';
export { FolderLock, type LockOwner } from './folder-lock.js';
export { Hdf5File, type Hdf5Options } from './hdf5.js';
export type { Hdf5Info } from './hdf5-messages.js';
export { loadIdx, parseIdx, readIdx } from './idx.js';
export {
  isAnything,
  isAtLeast,
  isFlag,
  isList,
  isNumber,
  isObject,
  isOneOf,
  isText,
  isWhole,
  leaf,
  optional,
  orNull,
  readJsonFile,
  type Shape,
} from './json-file.js';
export { LazyArray, ObjectArray } from './lazy-array.js';
export type { ReadLimits } from './limits.js';
export { loadMat, type MatArray, readMat } from './mat.js';
export { encodeNpy, loadNpy, parseNpy, saveNpy } from './npy.js';
export { loadNpz, type NpzArrays, NpzFile, type NpzOptions, saveNpz } from './npz.js';
export { NumpyType } from './numpy-types.js';
export { PickleFile, type PickleOptions, parsePickle } from './pickle.js';
export type { Python2Encoding } from './pickle-settle.js';
export { type PickleKey, PickleTuple, type PickleValue } from './pickle-values.js';
export { type NumberArray, type RawArray, viewNumbers } from './raw.js';
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
export { loadTorch, TorchFile, type TorchOptions, type TorchValue } from './torch.js';
export { TorchStorage, TorchTensor } from './torch-tensor.js';
export { saveTorch } from './torch-write.js';
export { type ZipEntry, ZipFile } from './zip.js';
export { writeZip, type ZipMember } from './zip-write.js';
