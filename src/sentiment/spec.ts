/** Data sets as a command line names them. */
import { ConfigError } from '../torch/index.js';
import { type SentimentFormat, type SentimentSource, sentimentFormat } from './datasets/index.js';
import { type sentimentSpecPaths, sentimentSpecs } from './spec-names.js';

type Kind = keyof typeof sentimentSpecPaths;

/** What stands before the colon, and what it means. */
const kinds: Readonly<Record<Kind, (path: string) => SentimentSource>> = {
  mosi: (path) => ({ format: 'mosi-folder', path, split: 'std' }),
  'mosi-bclstm': (path) => ({ format: 'mosi-folder', path, split: 'bclstm' }),
  'mosi-bclstm-clean': (path) => ({ format: 'mosi-folder', path, split: 'bclstm', validFrom: 'test', validShare: 0.3 }),
  meld: (path) => ({ format: 'meld', path }),
  'meld-emotion': (path) => ({ format: 'meld', path, target: 'emotion' }),
  mmsa: (path) => ({ format: path.endsWith('.npz') ? 'mmsa-npz' : 'mmsa-pickle', path }),
  folder: (path) => ({ format: 'label-csv', path }),
  csd: (path) => ({ format: 'csd', path }) as SentimentSource,
  table: (path) => ({ format: 'table', path }),
  synthetic: (path) => ({ format: 'synthetic', path: 'made up', ...settingsIn(path) }),
};

/** `count=600,noise=2`; nothing for an empty text. */
function settingsIn(text: string): Record<string, number> {
  const parts = text.split(',').filter((part) => part !== '');
  return Object.fromEntries(
    parts.map((part) => {
      const [, name, value] = /^(\w+)=(.+)$/.exec(part) ?? [];
      if (name !== undefined && Number.isFinite(Number(value))) return [name, Number(value)];
      throw new ConfigError(`Expected synthetic data as synthetic:count=600,noise=2, got '${part}' in it`);
    }),
  );
}

/**
 * A name of {@link sentimentSpecs} with a path, such as `mosi:DIR`; a path alone is told by what lies there.
 * @throws ConfigError for an unknown kind, DataError when nothing is at the path
 */
export function parseSentimentSpec(spec: string): SentimentSource {
  const colon = spec.indexOf(':');
  const kind = colon > 0 ? spec.slice(0, colon) : '';
  if (Object.hasOwn(kinds, kind)) return kinds[kind as Kind](spec.slice(colon + 1));
  if (colon > 0 && /^[a-z-]+$/.test(kind)) {
    throw new ConfigError(`Expected data as ${sentimentSpecs}, got '${spec}'`);
  }
  const byFormat: Readonly<Record<SentimentFormat, Kind>> = {
    'mosi-folder': 'mosi',
    meld: 'meld',
    'mmsa-pickle': 'mmsa',
    'mmsa-npz': 'mmsa',
    'label-csv': 'folder',
    csd: 'csd',
    table: 'table',
    synthetic: 'synthetic',
  };
  return kinds[byFormat[sentimentFormat(spec)]](spec);
}
