/** The door to the addon's functions for ranks. */
import { isMainThread } from 'node:worker_threads';
import { findAddon } from '../torch/addon-place.js';
import { ConfigError } from '../torch/index.js';
import { type Native, type NativeRanks, native, readRecord } from '../torch/native.js';

const complete = (addon: Native): addon is Native & NativeRanks => addon.groupCreate !== undefined;

/** Whether the addon can talk to other ranks (`torch.distributed.is_available`). */
export function isAvailable(): boolean {
  return complete(native);
}

/**
 * The functions for ranks.
 * @throws ConfigError (code NO_GLOO) that says how to get them, where the addon was built without Gloo's headers
 */
export function ranks(): NativeRanks {
  if (complete(native)) return native;
  throw new ConfigError(`ranks talk through Gloo, and the addon was built without its headers: ${glooAdvice()}`, {
    code: 'NO_GLOO',
  });
}

/** How to build the addon with Gloo's headers. */
export function glooAdvice(): string {
  if (process.platform !== 'linux') return 'they are used on Linux only';
  const { found } = findAddon();
  const record = found === null ? null : readRecord(found);
  if (record === null || record.source === 'system') {
    return 'sudo apt-get install -y libgloo-dev, then npx headrace setup (Debian, Ubuntu)';
  }
  return (
    `libtorch ${record.version} in ${record.libDir} comes without them. Build Gloo (https://github.com/pytorch/gloo, at the ` +
    `commit that PyTorch ${record.version} has in third_party/gloo) and copy its headers with the config.h it makes to gloo/ in ` +
    "that libtorch's include folder, then npx headrace setup; or use Debian's libtorch-dev and libgloo-dev"
  );
}

// A thread that waits for another rank cannot be ended before its wait is over, and the process waits for its threads.
if (isMainThread && complete(native)) {
  const { groupsEnd } = native;
  process.once('exit', () => groupsEnd('the process ends'));
}
