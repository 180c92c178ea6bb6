import { formatProgress, getDataset } from '../vision/index.js';
import { print, say } from './report.js';

/** `headrace data get`. Ctrl-C leaves what has come, and the next call goes on from there. */
export async function getData(name: string, flags: { out?: string; json: boolean }): Promise<void> {
  const dir = flags.out ?? `data/${name}`;
  const { isTTY } = process.stderr;
  let shown = 0;
  const { spec, fetched } = await getDataset(name, {
    dir,
    onProgress: (progress) => {
      const text = formatProgress(progress);
      if (isTTY) process.stderr.write(`\r\x1b[K${text}`);
      else if (Date.now() - shown > 10_000) {
        shown = Date.now();
        say(text);
      }
    },
  });
  if (isTTY && fetched.length > 0) say('');
  const what = fetched.length > 0 ? `fetched ${fetched.join(', ')}` : 'all there already';
  print(flags.json, { name, spec, fetched }, `${what}; train with --data ${spec}`);
}
