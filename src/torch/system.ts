/** The libtorch in use and its threads. */
import { ConfigError } from './errors.js';
import { type NativeInfo, native } from './native.js';

/** Facts about the libtorch that the addon was built against. */
export function buildInfo(): NativeInfo {
  return native.buildInfo();
}

/** Every aten schema of this libtorch, as text. */
export function operatorSchemas(): string[] {
  return native.schemas();
}

/** Intra-op threads of the calling thread. */
export function getNumThreads(): number {
  return native.getThreads();
}

/** Sets the intra-op threads of the calling thread (`torch.set_num_threads`). */
export function setNumThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1) throw new ConfigError(`expected a number of threads >= 1, got ${count}`);
  native.setThreads(count);
}
