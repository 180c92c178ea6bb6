import { formatProgress, getDataset } from '../vision/index.js';
import { ictFaceKit } from './ict-facekit.js';
import { print, say } from './report.js';

/** `headrace data get`. Ctrl-C leaves what has come, and the next call goes on from there. */
export async function getData(name: string, flags: { out?: string; json: boolean }): Promise<void> {
  const dir = flags.out ?? `data/${name}`;
  const { isTTY } = process.stderr;
  let shown = 0;
  const face = name === 'ict-facekit';
  const { spec, fetched } = await getDataset(name, {
    dir,
    ...(face && { source: ictFaceKit }),
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
  const names = fetched.length > 5 ? `${fetched.length} files` : fetched.join(', ');
  const next = face ? `make the face of it: node scripts/face-model.mjs ${dir}` : `train with --data ${spec}`;
  const what = fetched.length > 0 ? `fetched ${names}` : 'all there already';
  print(flags.json, face ? { name, dir, fetched } : { name, spec, fetched }, `${what}; ${next}`);
}
