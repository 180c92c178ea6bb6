// A photograph speaks: `npx tsx examples/talk.ts` in a clone after `npm run setup`, or with your own files:
// `npx tsx examples/talk.ts me.jpg hello.wav hello.mp4`. Ana and Ben are rendered: nobody looks like them.
import { Portrait } from 'headrace/talkinghead';

const here = (name: string): string => new URL(name, import.meta.url).pathname;
const [photograph = here('ana.jpg'), speech = here('hello.flac'), out = 'hello.mp4'] = process.argv.slice(2);

using portrait = await Portrait.load(photograph, { size: 512 });
const animation = portrait.animate({ speech, emotion: 'happy:0.5', pose: 'idle', seed: 1 });
const { frames, duration } = await animation.write(out);
console.log(`${frames} frames, ${duration} s, written to ${out}`);
