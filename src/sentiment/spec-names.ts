/** What `--data` takes before the colon, with what must come after it. For `--help` too, so nothing here touches libtorch. */
export const sentimentSpecPaths = {
  mosi: 'DIR',
  'mosi-bclstm': 'DIR',
  'mosi-bclstm-clean': 'DIR',
  meld: 'DIR',
  'meld-emotion': 'DIR',
  mmsa: 'FILE',
  folder: 'DIR',
  csd: 'DIR',
  table: 'FILE',
  synthetic: 'NAME=VALUE,..',
} as const;

/** `mosi:DIR | ... | PATH`. */
export const sentimentSpecs = [
  ...Object.entries(sentimentSpecPaths).map(([name, path]) => `${name}:${path}`),
  'PATH',
].join(' | ');
