/** `headrace setup`: libtorch, and the addon built against it. Touches nothing that needs them. */
import { HeadraceError } from '../torch/errors.js';
import { print } from './report.js';

/** What the set-up's own scripts give; they are plain Node, since a clone runs them before anything is compiled. */
interface SetupScripts {
  setupAddon(options: { rebuild: boolean }): Promise<{
    libtorch: { version: string; source: string; libDir: string; cuda: boolean };
    addon: string;
    was: 'there' | 'in the cache' | 'built';
  }>;
}

/**
 * Finds libtorch, installs it with apt where there is none and the user may, and builds the addon unless it is built. Progress
 * goes to stderr.
 * @throws HeadraceError that says what is missing, where it was looked for, and how to supply it
 */
export async function setUp(flags: { rebuild: boolean; json: boolean }): Promise<void> {
  const begun = Date.now();
  const { setupAddon } = (await import(new URL('../../scripts/setup.mjs', import.meta.url).href)) as SetupScripts;
  let done: Awaited<ReturnType<SetupScripts['setupAddon']>>;
  try {
    done = await setupAddon({ rebuild: flags.rebuild });
  } catch (error) {
    if (!(error instanceof Error && error.constructor.name === 'SetupError')) throw error;
    throw new HeadraceError(error.message, { code: 'SETUP', cause: error });
  }
  const { libtorch, addon, was } = done;
  await import('../torch/index.js'); // what was built must load
  const { version, source, libDir, cuda } = libtorch;
  print(
    flags.json,
    { libtorch: { version, source, folder: libDir, cuda }, addon, was, seconds: (Date.now() - begun) / 1000 },
    `Headrace is set up: ${addon}${was === 'there' ? ' was there already' : ''}, for libtorch ${version} in ${libDir}`,
  );
}
