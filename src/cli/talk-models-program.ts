// `headrace talk train`, `evaluate` and `swap`: what makes models, measures them and shows what they do.

import { Argument, type Command, Option } from 'commander';
import type { ExpressionName } from '../media/index.js';
import type { Factor } from '../talkinghead/index.js';
import { evaluatedSizes, frameRates, seeds, threadCounts } from '../talkinghead/ranges.js';
import { jsonOption, keyValue, list, requireOptions, whole, within } from './options.js';
import type { Verb } from './talk-program.js';

// train: flags

export interface TalkTrainFlags {
  out: string;
  clips?: string;
  data?: string;
  seed?: number;
  threads?: number;
  set: Record<string, unknown>;
  resume: boolean;
  json: boolean;
}

// ablate: flags

export interface TalkAblateFlags extends Omit<TalkTrainFlags, 'resume' | 'clips'> {
  clips?: number;
  rows: string[];
  seeds: number;
}

// evaluate: flags

export interface TalkEvaluateFlags {
  model?: 'irfd' | 'syncnet' | 'speak';
  sync?: string;
  emotion?: ExpressionName;
  identity?: string;
  size: number;
  fps?: number;
  json: boolean;
}

// swap: flags

export interface TalkSwapFlags {
  model: string;
  factor?: Factor;
  output: string;
}

export function addModels(verb: Verb): void {
  addTrain(verb);
  addAblate(verb);
  addEvaluate(verb);
  addSwap(verb);
}

// train

function addTrain(verb: Verb): void {
  verb(
    'train',
    'train what moves a mouth by speech (voice), on synthesisers and videos of people; what hears moods (emotion), on EmoDB; what tells who, how and where a face is (irfd), and what its encoders may begin with (trunk), on clips of talk synth; or, on clips of talk prepare or talk synth --speech, whether a mouth says what is heard (syncnet), and pictures that speak (speak)',
    'headrace talk train voice standard --clips data/grid --set testSpeakers=["s3","s4"] --out runs/voice',
  )
    .addArgument(
      new Argument('<what>', 'which model').choices(['voice', 'emotion', 'trunk', 'irfd', 'syncnet', 'speak']),
    )
    .argument(
      '<config>',
      'a recipe (standard; of irfd and speak literal and paper, of syncnet paper, of trunk backprop, too) or a JSON file that changes one',
    )
    .option('--out <dir>', 'folder of the run (required)')
    .option(
      '--clips <dir>',
      'videos of people who speak, DIR/SPEAKER/NAME.mpg, their words in NAME.txt or a name of GRID',
    )
    .option(
      '--data <dir>',
      'of voice where prepared clips are kept and found again (default: data in the folder of the run), of trunk, irfd, syncnet and speak the set to learn from (required)',
    )
    .addOption(new Option('--seed <n>', 'start of every random number (default: 1)').argParser(whole(...seeds)))
    .addOption(new Option('--threads <n>', 'threads (default: 1)').argParser(whole(...threadCounts)))
    .addOption(
      new Option('--set <path=value>', 'any setting, such as loss.opening=0.5; may be repeated')
        .argParser(keyValue)
        .default({}, 'none'),
    )
    .option('--resume', 'go on with a run that was broken off', false)
    .addOption(jsonOption())
    .action(async (what: string, config: string, flags: TalkTrainFlags, command: Command) => {
      requireOptions(
        command,
        'out',
        ...({ emotion: ['clips'], trunk: ['data'], irfd: ['data'], syncnet: ['data'], speak: ['data'] }[what] ?? []),
      );
      const trainings = await import('./talk-train.js');
      const train = {
        voice: trainings.trainTalk,
        emotion: trainings.trainHeardEmotion,
        trunk: trainings.trainEncoderTrunk,
        irfd: trainings.trainFactors,
        syncnet: trainings.trainSyncNet,
        speak: trainings.trainSpeak,
      }[what]!;
      await train(config, flags);
    });
}

// ablate

function addAblate(verb: Verb): void {
  verb(
    'ablate',
    'train a model of irfd or speak and the same with one thing changed, by as many steps each, and measure all on people left out: the printed losses, each loss left out; of speak also the other form, and without IRFD. The same command goes on where it was broken off',
    'headrace talk ablate irfd standard --data data/faces --set steps=1500 --seeds 2 --out runs/losses',
  )
    .addArgument(new Argument('<what>', 'which model').choices(['irfd', 'speak']))
    .argument('<config>', 'a recipe (standard, literal, paper) or a JSON file that changes one')
    .option('--data <dir>', 'the set to learn from (required)')
    .option('--out <dir>', 'folder of all runs (required)')
    .addOption(
      new Option('--rows <list>', 'some rows, such as full,literal,"without gan"').argParser(list).default([], 'all'),
    )
    .addOption(new Option('--seeds <n>', 'runs of each row').argParser(whole(1, 100)).default(1))
    .addOption(new Option('--seed <n>', 'the first of them (default: 1)').argParser(whole(...seeds)))
    .addOption(
      new Option('--clips <n>', 'of speak, clips that each row is measured on (default: 8)').argParser(
        whole(1, 10_000),
      ),
    )
    .addOption(new Option('--threads <n>', 'threads (default: 1)').argParser(whole(...threadCounts)))
    .addOption(
      new Option('--set <path=value>', 'any setting, of all rows; may be repeated')
        .argParser(keyValue)
        .default({}, 'none'),
    )
    .addOption(jsonOption())
    .action(async (what: 'irfd' | 'speak', config: string, flags: TalkAblateFlags, command: Command) => {
      requireOptions(command, 'data', 'out');
      const { ablateIrfd, ablateSpeak } = await import('./talk-ablate.js');
      await (what === 'irfd' ? ablateIrfd : ablateSpeak)(config, flags);
    });
}

// evaluate

const expressionNames: readonly ExpressionName[] = [
  'neutral',
  'happy',
  'sad',
  'angry',
  'fearful',
  'disgusted',
  'surprised',
];

function addEvaluate(verb: Verb): void {
  verb(
    'evaluate',
    'measure generated videos against references: pictures, landmarks, identity, pose, emotion, sync, with controls; or a model on people it has not seen',
    'headrace talk evaluate out.mp4 truth.mp4',
    '\nWith --model: the folder of a run of talk train, and the set it was trained on. Of speak the portrait mode is\nmeasured beside it.\n',
  )
    .argument('<generated>', 'a video, or a folder of videos')
    .argument('<reference>', 'the true one, or a folder with videos of the same names')
    .addOption(new Option('--model <kind>', 'measure a model instead of videos').choices(['irfd', 'syncnet', 'speak']))
    .option(
      '--sync <path>',
      'of --model speak: a run of talk train syncnet, or its model, to measure mouth and sound by',
    )
    .addOption(
      new Option(
        '--emotion <name>',
        "the expression that was meant (default: that of the reference's name, in a data set's layout)",
      ).choices(expressionNames),
    )
    .option('--identity <file>', "a picture of the person who is meant (default: the reference's face)")
    .addOption(new Option('--size <n>', 'pixels of the face crops').argParser(whole(...evaluatedSizes)).default(256))
    .addOption(
      new Option('--fps <n>', "frames a second (default: the reference's own)").argParser(within(...frameRates)),
    )
    .addOption(jsonOption())
    .action(async (generated: string, reference: string, flags: TalkEvaluateFlags) => {
      const { evaluateModel, evaluateTalkVideos } = await import('./talk-evaluate.js');
      const { model, ...rest } = flags;
      await (model
        ? evaluateModel(model, generated, reference, flags)
        : evaluateTalkVideos(generated, reference, rest));
    });
}

// swap

function addSwap(verb: Verb): void {
  verb(
    'swap',
    'exchange who, how or where between two faces: a picture of what a model of talk train irfd makes of it',
    'headrace talk swap a.png b.png --model runs/irfd --factor pose -o grid.png',
    '\nThe grid has a row for each face: itself, the other, itself out of its own codes, and with the code of the\nother. Pictures are framed as those of talk synth; of others the middle square is taken.\n',
  )
    .argument('<a>', 'a picture of a face')
    .argument('<b>', 'another')
    .option('--model <path>', 'a run of talk train irfd, or its model (required)')
    .addOption(
      new Option('--factor <name>', 'what is exchanged (default: each in turn)').choices([
        'identity',
        'emotion',
        'pose',
      ]),
    )
    .option('-o, --output <file>', '.png, .jpg or .webp (required)')
    .action(async (a: string, b: string, flags: TalkSwapFlags, command: Command) => {
      requireOptions(command, 'model', 'output');
      const { swapTalk } = await import('./talk-swap.js');
      await swapTalk(a, b, flags);
    });
}
