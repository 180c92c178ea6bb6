// `headrace talk ...`: the verbs and their options. Light: what a verb does is imported when it runs, from talk-VERB.ts.

import { type Command, Option } from 'commander';
import { type LayoutName, layoutNames } from '../talkinghead/prepare/layout-names.js';
import {
  animationRates,
  type ClipPlace,
  clipFrames,
  clipPlaces,
  clipSizes,
  frameRates,
  jobCounts,
  leastClipSides,
  margins,
  portraitSizes,
  scales,
  seeds,
  setCounts,
  syntheticSizes,
} from '../talkinghead/ranges.js';
import { jsonOption, positive, requireOptions, whole, within } from './options.js';
import { addModels } from './talk-models-program.js';

// Each verb has three places here, in the order of the help: its flags, its line in addTalk, its options.

// fit: flags

export interface TalkFitFlags {
  output?: string;
  sheet?: string;
  face?: number;
  json: boolean;
}

// track: flags

export interface TalkTrackFlags {
  output: string;
  fps?: number;
  start?: number;
  end?: number;
  relative: 'none' | 'first' | 'neutral';
  raw: boolean;
  photo?: string[];
  face?: number;
  allowTruncated: boolean;
  json: boolean;
}

// animate: flags

export interface TalkAnimateFlags {
  portrait: string;
  photo?: string[];
  audio: string;
  model: string;
  transcript?: string;
  output: string;
  emotion?: string;
  pose?: string;
  fps?: number;
  size?: number;
  full: boolean;
  face?: number;
  allowTruncated: boolean;
  preview: boolean;
  mark: boolean;
  grain: boolean;
  poseScale?: number;
  emotionScale?: number;
  mouthScale?: number;
  seed: number;
  report?: string;
  json: boolean;
}

// synth: flags

export interface TalkSynthFlags {
  seed: number;
  count: number;
  out: string;
  size: number;
  people?: number;
  clips: boolean;
  speech?: string[];
  frames?: number;
  fps: number;
  place: ClipPlace;
  depth: boolean;
  json: boolean;
}

// prepare: flags

export interface TalkPrepareFlags {
  out: string;
  layout?: LayoutName;
  fps: number;
  size: number;
  margin: number;
  minFrames: number;
  maxFrames: number;
  minSide?: number;
  jobs?: number;
  json: boolean;
}

/** @param remarks - lines before the example */
export type Verb = (name: string, description: string, example: string, remarks?: string) => Command;

const faceOption = (): Option =>
  new Option('--face <n>', 'which face, of several: 0 is the one that stands out most').argParser(whole(0));

const truncatedOption = (of: string): Option =>
  new Option('--allow-truncated', `take what there is of ${of} that was cut short`).default(false);

const photoOption = (help: string): Option =>
  new Option('--photo <file>', help).argParser((file: string, before: string[] = []) => [...before, file]);

/** Adds the command `talk` with its verbs. */
export function addTalk(program: Command): void {
  const talk = program
    .command('talk')
    .description('talking heads: a photograph speaks')
    .addHelpText('after', '\nExample:\n  headrace talk animate --portrait p.jpg --audio speech.wav -o out.mp4');
  const verb: Verb = (name, description, example, remarks = '') =>
    talk
      .command(name)
      .description(description)
      .addHelpText('after', `${remarks}\nExample:\n  ${example}`)
      .allowExcessArguments(false);
  // fit
  addFit(verb);

  // track
  addTrack(verb);

  // animate
  addAnimate(verb);

  // synth
  addSynth(verb);

  // prepare
  addPrepare(verb);

  // train, evaluate, swap
  addModels(verb);
}

// fit

function addFit(verb: Verb): void {
  verb(
    'fit',
    'fit the face model to a photograph: camera, pose, person, expression, gaze',
    'headrace talk fit p.jpg -o fit.json --sheet sheet.png',
    '\nSeveral photographs of one person give one shape together. What cannot be fitted is refused with the\nreason: no face, too small, turned too far, covered.\n',
  )
    .argument('<photos...>', 'a photograph, or several of one person')
    .option('-o, --output <file>', 'JSON; with several photographs NAME-1.json, NAME-2.json, ...')
    .option(
      '--sheet <file>',
      'a picture (.png, .jpg, .webp) of the landmarks, the fitted face over the photograph, and the numbers',
    )
    .addOption(faceOption())
    .addOption(jsonOption())
    .action(async (photos: string[], flags: TalkFitFlags) => {
      const { fitTalk } = await import('./talk-fit.js');
      await fitTalk(photos, flags);
    });
}

// track

function addTrack(verb: Verb): void {
  verb(
    'track',
    "follow the face of a video: a track of ARKit's 52 weights, head pose and gaze",
    'headrace talk track v.mp4 -o track.json',
  )
    .argument('<video>', 'a video with a face')
    .option('-o, --output <file>', '.json, or .csv as Live Link Face writes it (required)')
    .addOption(new Option('--fps <n>', "frames a second (default: the video's own)").argParser(within(...frameRates)))
    .addOption(new Option('--start <s>', 'seconds from which on').argParser(positive))
    .addOption(new Option('--end <s>', 'seconds up to which').argParser(positive))
    .addOption(
      new Option(
        '--relative <to>',
        'what motion is told from: the camera and a face at rest, the first frame, or the usual face',
      )
        .choices(['none', 'first', 'neutral'])
        .default('none'),
    )
    .option('--raw', 'leave in what trembles', false)
    .addOption(photoOption("a photograph that tells the person's shape; may be repeated (default: the video)"))
    .addOption(faceOption())
    .addOption(truncatedOption('a video'))
    .addOption(jsonOption())
    .action(async (video: string, flags: TalkTrackFlags, command: Command) => {
      requireOptions(command, 'output');
      const { trackTalk } = await import('./talk-track.js');
      await trackTalk(video, flags);
    });
}

// animate

const consent = `
Make heads speak of people who agreed to it, and say that what you show is made. The file says in its
metadata that it is synthetic; --mark says so in the picture.
`;

function addAnimate(verb: Verb): void {
  verb(
    'animate',
    'make a portrait speak: a photograph and a recording to a video',
    'headrace talk animate --portrait p.jpg --audio speech.wav --emotion happy:0.6 -o out.mp4',
    consent,
  )
    .option('--portrait <file>', 'a photograph with a face (required)')
    .addOption(photoOption('a further photograph of the same person, which tells the shape better; may be repeated'))
    .option('--audio <file>', 'what is said: a recording or a video, of any format and length (required)')
    .option(
      '--model <what>',
      "portrait, which moves the photograph's own pixels, or the folder of a run of talk train speak, which makes new ones",
      'portrait',
    )
    .option(
      '--transcript <words>',
      'all the words that are said, in English, or a text file of them: the mouth says exactly those (needs pocketsphinx)',
    )
    .option(
      '-o, --output <file>',
      '.mp4, .mov, .mkv, .webm, .gif, a folder (frames/) or NAME-%05d.png, or - for raw RGB (required)',
    )
    .option(
      '--emotion <what>',
      'happy:0.7, a timeline such as happy@0-2.5,sad@2.5-, auto, or a video or track (.csv, .json) whose face is followed; of a trained model also a picture',
    )
    .option(
      '--pose <what>',
      'idle (default), still, ranges such as yaw=-15..15,pitch=0, or a video or track (.csv, .json) whose head is followed',
    )
    .addOption(
      new Option('--fps <n>', 'pictures a second (default: 25; a trained model has its own)').argParser(
        within(...animationRates),
      ),
    )
    .addOption(
      new Option('--size <n>', "pixels of the longer side (default: the photograph's own, at most 2048)").argParser(
        whole(...portraitSizes),
      ),
    )
    .option('--full', 'the whole photograph, not the head alone', false)
    .addOption(faceOption())
    .addOption(truncatedOption('recordings and videos'))
    .option('--preview', 'quick: 256 pixels at most, to see what comes', false)
    .option('--mark', 'a visible mark that says that the video is synthetic', false)
    .option('--grain', "fresh film grain, like the photograph's, where pixels are made", false)
    .addOption(new Option('--pose-scale <x>', 'times the motion of the head').argParser(within(...scales.pose)))
    .addOption(new Option('--emotion-scale <x>', 'times the expression').argParser(within(...scales.emotion)))
    .addOption(new Option('--mouth-scale <x>', 'times the motion of the mouth').argParser(within(...scales.mouth)))
    .addOption(new Option('--seed <n>', 'start of every random number').argParser(whole(...seeds)).default(0))
    .option('--report <file>', 'JSON: what was asked for, and what came out')
    .addOption(jsonOption())
    .action(async (flags: TalkAnimateFlags, command: Command) => {
      requireOptions(command, 'portrait', 'audio', 'output');
      const { animateTalk } = await import('./talk-animate.js');
      await animateTalk(flags);
    });
}

// synth

function addSynth(verb: Verb): void {
  verb(
    'synth',
    'draw people who do not exist, with exact labels: pictures or clips to train and to measure on',
    'headrace talk synth --seed 1 --count 100 --out data/faces',
  )
    .option('--out <dir>', 'the folder to fill; one that was broken off is filled to the end (required)')
    .addOption(new Option('--seed <n>', 'start of every random number').argParser(whole(...seeds)).default(1))
    .addOption(new Option('--count <n>', 'how many stills or clips').argParser(whole(...setCounts)).default(100))
    .addOption(new Option('--size <n>', 'pixels of width and height').argParser(whole(...syntheticSizes)).default(128))
    .addOption(
      new Option('--people <n>', 'how many people they show (default: each another)').argParser(whole(...setCounts)),
    )
    .option('--clips', 'short clips instead of stills', false)
    .addOption(
      new Option(
        '--speech <who>',
        "clips of people who speak, with sound, in the form of talk prepare: a synthesiser's voice (flite:slt), a recording or a folder of them; may be repeated",
      ).argParser((who: string, before: string[] = []) => [...before, who]),
    )
    .addOption(
      new Option('--frames <n>', 'pictures of each clip (default: 50); of speech at most (default: 75)').argParser(
        whole(...clipFrames),
      ),
    )
    .addOption(new Option('--fps <n>', 'pictures a second of clips').argParser(within(...frameRates)).default(25))
    .addOption(
      new Option('--place <whose>', 'light, camera and background of speech: of every clip, or of a person')
        .choices(clipPlaces)
        .default('clip'),
    )
    .option('--depth', 'write distances from the camera, too', false)
    .addOption(jsonOption())
    .action(async (flags: TalkSynthFlags, command: Command) => {
      requireOptions(command, 'out');
      const { synthTalk } = await import('./talk-synth.js');
      await synthTalk(flags);
    });
}

// prepare

function addPrepare(verb: Verb): void {
  verb(
    'prepare',
    'videos to training clips: face crops, sound, landmarks, pose, expression weights, labels by file name',
    'headrace talk prepare data/grid --out clips',
  )
    .argument('<in...>', 'videos, or folders of videos')
    .option('--out <dir>', 'the folder of clips; one that was begun goes on (required)')
    .addOption(
      new Option('--layout <name>', 'take only files named so (default: all, each by its own name)').choices(
        layoutNames,
      ),
    )
    .addOption(new Option('--fps <n>', 'frames a second').argParser(within(...frameRates)).default(25))
    .addOption(new Option('--size <n>', "pixels of the clips' sides").argParser(whole(...clipSizes)).default(256))
    .addOption(
      new Option('--margin <x>', "of the face's box, added on each side").argParser(within(...margins)).default(0.1),
    )
    .addOption(new Option('--min-frames <n>', 'shorter clips are rejected').argParser(whole(...clipFrames)).default(64))
    .addOption(new Option('--max-frames <n>', 'longer clips are cut').argParser(whole(...clipFrames)).default(1024))
    .addOption(
      new Option('--min-side <n>', 'smaller squares are rejected, in pixels (default: half of --size)').argParser(
        whole(...leastClipSides),
      ),
    )
    .addOption(
      new Option('--jobs <n>', 'videos at once (default: the cores, at most 8)').argParser(whole(...jobCounts)),
    )
    .addOption(jsonOption())
    .action(async (inputs: string[], flags: TalkPrepareFlags, command: Command) => {
      requireOptions(command, 'out');
      const { prepareClips } = await import('./talk-prepare.js');
      await prepareClips(inputs, flags);
    });
}
