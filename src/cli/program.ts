// Every verb and every option, declared in one place. What they do is imported only when they run, so that `--help` is
// instant.

import { Argument, Command, Option } from 'commander';
import { epochsOf, modelNames } from '../vision/names.js';
import {
  addModelOptions,
  batchOption,
  bestOption,
  type CompareFlags,
  dataOption,
  type EvalFlags,
  type ExportFlags,
  givenOf,
  hostAndPort,
  jsonOption,
  limitOption,
  list,
  nodeOf,
  optimizerNames,
  ownDevicesOption,
  type PlanFlags,
  type PredictFlags,
  positive,
  requireOptions,
  scheduleList,
  scheduleOption,
  skipBadOption,
  type TrainFlags,
  threadsOption,
  whole,
} from './options.js';
import type { LaunchFlags } from './placement.js';
import { addSentiment } from './sentiment-program.js';
import { addTalk } from './talk-program.js';

/** What a model's recipe says. */
const epochsHelp = Object.entries(epochsOf)
  .map(
    ([family, epochs]) =>
      `${family}: ${Object.entries(epochs)
        .map((entry) => entry.join(' '))
        .join(', ')}`,
  )
  .join('; ');

/** The whole command line. Parsing throws a CommanderError on wrong usage; actions set `process.exitCode`. */
export function buildProgram(version: string): Command {
  const program = new Command('headrace')
    .description('Trains deep models from TypeScript on libtorch, by pipeline parallelism with local learning.')
    .version(version, '-V, --version')
    .addHelpText('after', '\nExample:\n  headrace train resnet20 --data mnist --stages 2 --epochs 3 --out runs/digits')
    .configureOutput({ outputError: (text, write) => write(`${oneLine(text)}\n`) })
    .exitOverride();
  const verb: Verb = (name, description, example, remarks = '') =>
    program
      .command(name)
      .description(description)
      .addHelpText('after', `${remarks}\nExample:\n  ${example}`)
      .allowExcessArguments(false);
  addTrain(verb);
  addRunVerbs(verb);
  addCompare(verb);
  addPlan(verb);
  addLaunch(verb);
  addHouse(verb, program);
  addSentiment(program);
  addTalk(program);
  return program;
}

/** Commander's message, as ours look. */
function oneLine(text: string): string {
  return text
    .trim()
    .replace(/^(error: (?:too many|missing required) argument.*?)\.?$/s, '$1; --help shows an example')
    .replace(/^error:/, 'headrace:')
    .replace(/\s*\n\s*/g, ' ');
}

const setupHelp = `Finds libtorch and builds the addon against it: once after npm install, as npx headrace setup. What was done
before is skipped.

Libtorch 1.13 or newer is taken from the folder in LIBTORCH, else from the system (libtorch-dev), else from Python's torch.
On Debian and Ubuntu it is installed with apt where there is none and you are root or may use sudo; that is said first.
The addon is built in the package's folder or, where that cannot be written to, in HEADRACE_CACHE (default: ~/.cache/headrace).
headrace doctor says what would be used, and changes nothing.`;

/** @param remarks - lines before the example */
type Verb = (name: string, description: string, example: string, remarks?: string) => Command;

const dataExample = 'headrace data get cifar10 --out data/cifar10';

const dataHelp = `
From weights that exist, all but the last group and the classifier kept as they are:
  headrace train resnet18 --data folder:photos --image-size 96 --init resnet18.safetensors --freeze conv1,bn1,layer1,layer2,layer3 --out runs/fine

A model and data of your own, functions that files export (default, or after a colon):
  headrace train ./my-model.js --data ./my-data.js:points --epochs 5 --out runs/own

Data of your own: a folder with one folder a class, or with train/ and test/ (or valid/) that hold them:
  headrace train resnet18 --data folder:photos --image-size 96 --skip-bad --transforms randomHorizontalFlip,randAugment --out runs/photos
`;

function addTrain(verb: Verb): void {
  const train = verb(
    'train',
    'train a model',
    'headrace train resnet20 --data mnist --stages 2 --epochs 3 --out runs/digits',
    dataHelp,
  ).argument('[model]', `${modelNames.join(', ')}; a file that exports your own; a run that goes on knows its own`);
  addModelOptions(train)
    .option('--out <dir>', 'folder of the run: config, events, metrics, checkpoint (required)')
    .addOption(scheduleOption())
    .addOption(
      new Option('--epochs <n>', `passes over the data (default: ${epochsHelp})`)
        .argParser(whole(1))
        .conflicts('steps'),
    )
    .addOption(new Option('--steps <n>', 'optimizer steps, in place of epochs').argParser(whole(1)))
    .addOption(new Option('--lr <x>', "highest learning rate (default: the model's recipe)").argParser(positive))
    .addOption(new Option('--optimizer <name>', "(default: the model's recipe)").choices(optimizerNames))
    .addOption(new Option('--weight-decay <x>', "(default: the model's recipe)").argParser(positive))
    .option('--init <file>', "begin with the weights of this safetensors file, with PyTorch's keys")
    .addOption(new Option('--freeze <names>', 'parts that stay as they are: conv1,bn1,layer1').argParser(list))
    .option('--no-augment', 'train on the images as they are')
    .addOption(
      new Option('--eval-every <n>', 'epochs between tests; 0: only at the end').argParser(whole(0)).default(1),
    )
    .addOption(
      new Option(
        '--patience <n>',
        'end after so many epochs without a better test (default: go on to the end)',
      ).argParser(whole(1)),
    )
    .addOption(
      new Option('--wire <dtype>', 'how float32 travels between processes: as it is, or rounded, in half the bytes')
        .choices(['exact', 'bfloat16'])
        .default('exact'),
    )
    .addOption(
      new Option('--checkpoint-every <n>', 'steps between checkpoints; 0: only at the end')
        .argParser(whole(0))
        .default(0),
    )
    .option('--allow-nan', 'go on when a loss is not a number', false)
    .option(
      '--resume [dir]',
      'go on with the run in this folder (or --out): all settings are its own where no option says otherwise',
      false,
    )
    .option(
      '--auto-resume',
      'go on with the run in --out where it holds one, else begin: for jobs that are restarted',
      false,
    )
    .addOption(jsonOption())
    .action(async (name: string | undefined, given: TrainFlags, command: Command) => {
      const { model, flags } = resumeFlags(name, given, command);
      if (!flags.resume && model === undefined) {
        command.error("headrace: missing required argument 'model'; headrace train --help lists the models");
      }
      requireOptions(command, ...(flags.resume ? ['out'] : ['data', 'out']));
      const { train: run } = await import('./train.js');
      await run(model, flags, givenOf(command));
    });
}

/** `--resume DIR` says where the run is, as `--out DIR --resume` does; between that and `--out` it is the model's name. */
function resumeFlags(
  model: string | undefined,
  flags: TrainFlags & { resume: boolean | string },
  command: Command,
): { model: string | undefined; flags: TrainFlags } {
  const { resume } = flags;
  if (typeof resume !== 'string') return { model, flags };
  if (flags.out === undefined) command.setOptionValueWithSource('out', resume, 'cli');
  else if (model === undefined && flags.out !== resume) return { model: resume, flags: { ...flags, resume: true } };
  else if (flags.out !== resume)
    command.error(`headrace: expected one folder, got --resume ${resume} and --out ${flags.out}`);
  return { model, flags: { ...flags, out: resume, resume: true } };
}

function addRunVerbs(verb: Verb): void {
  verb('eval', 'test a trained model on held-out images', 'headrace eval runs/digits')
    .argument('<dir>', 'folder of a run')
    .addOption(dataOption('(default: what it was trained on)'))
    .addOption(bestOption())
    .addOption(new Option('--stages <n>', 'run it in this many stages (default: 1)').argParser(whole(1)))
    .addOption(batchOption())
    .addOption(threadsOption())
    .addOption(ownDevicesOption())
    .addOption(limitOption())
    .addOption(skipBadOption())
    .addOption(jsonOption())
    .action(async (folder: string, flags: EvalFlags) => {
      const { evaluateRun } = await import('./eval.js');
      await evaluateRun(folder, flags);
    });
  verb('predict', 'classify image files by a trained model', 'headrace predict runs/digits seven.png scans/')
    .argument('<dir>', 'folder of a run')
    .argument('<images...>', 'image files, and folders of them; they are resized to what the model takes')
    .addOption(bestOption())
    .addOption(new Option('--top <n>', 'likeliest classes to name').argParser(whole(1)).default(3))
    .addOption(batchOption())
    .addOption(threadsOption())
    .addOption(ownDevicesOption())
    .addOption(jsonOption())
    .action(async (folder: string, images: string[], flags: PredictFlags) => {
      const { predictImages } = await import('./predict.js');
      await predictImages(folder, images, flags);
    });
  verb(
    'export',
    'write one ordinary model, without the local heads',
    'headrace export runs/digits -o digits.safetensors',
  )
    .argument('<dir>', 'folder of a run')
    .option('-o, --output <file>', 'the file to write: .safetensors, or .pth or .pt for torch.load (required)')
    .addOption(bestOption())
    .addOption(jsonOption())
    .action(async (folder: string, flags: ExportFlags, command: Command) => {
      requireOptions(command, 'output');
      const { exportRun } = await import('./export.js');
      await exportRun(folder, flags);
    });
}

function addCompare(verb: Verb): void {
  const compare = verb(
    'compare',
    'measure schedules against each other, in turns in one session',
    'headrace compare resnet20 --data mnist --schedules sequential,ppll,1f1b --stages 2 --steps 20',
  ).argument('<model>', 'as for train');
  addModelOptions(compare)
    .addOption(
      new Option('--schedules <list>', 'schedules to compare')
        .argParser(scheduleList)
        .default(['bp', 'sequential', 'ppll', 'gpipe', '1f1b'], 'bp,sequential,ppll,gpipe,1f1b'),
    )
    .addOption(new Option('--steps <n>', 'steps timed in each round').argParser(whole(1)).default(20))
    .addOption(new Option('--rounds <n>', 'rounds; the median counts').argParser(whole(1)).default(3))
    .addOption(new Option('--warm-up <n>', 'steps before the timed ones').argParser(whole(0)).default(3))
    .addOption(jsonOption())
    .action(async (model: string, flags: CompareFlags, command: Command) => {
      requireOptions(command, 'data');
      const { compareSchedules } = await import('./compare.js');
      await compareSchedules(model, flags, givenOf(command));
    });
}

function addPlan(verb: Verb): void {
  const plan = verb(
    'plan',
    'measure every layer, and say where to cut and what to expect',
    'headrace plan resnet32 --stages 4 --batch 128',
  ).argument('<model>', 'as for train');
  addModelOptions(plan)
    .addOption(scheduleOption())
    .addOption(new Option('--seconds <n>', 'time to measure').argParser(positive).default(10))
    .option(
      '--scale',
      'ppll beside 1f1b on up to 64 stages and 8 replicas, over links of 10, 100 and 400 Gbit/s',
      false,
    )
    .addOption(
      new Option('--faster <x>', 'with --scale: devices so many times as fast as this').argParser(positive).default(1),
    )
    .addOption(jsonOption())
    .action(async (model: string, flags: PlanFlags, command: Command) => {
      const { planModel } = await import('./plan.js');
      await planModel(model, flags, givenOf(command));
    });
}

const launchHelp = `
A command of headrace, or a program of yours (a file), runs in each process, with torchrun's variables: RANK, WORLD_SIZE, LOCAL_RANK,
MASTER_ADDR, MASTER_PORT. Rank 0 prints as it is, the lines of the others begin with their rank. The first that fails ends all; with
--restarts all are started again, and headrace train goes on from its last checkpoint (--checkpoint-every says how often it makes one). With
--recovery stage a rank that was killed is started again alone: the others wait, or work on (headrace train by ppll, without replicas). On
several machines, run the same line on each, with its own --node; Kubernetes' jobs say it by PET_NNODES and the like.
`;

function addLaunch(verb: Verb): void {
  verb(
    'launch',
    'start the processes of a run on this machine, or a part of them',
    'headrace launch --standalone --processes 2 -- ranks.js',
    launchHelp,
  )
    .argument('<words...>', 'after --: the command, with its options')
    .option('--standalone', 'this machine alone', false)
    .addOption(new Option('--processes <n>', 'processes on this machine (default: 1)').argParser(whole(1)))
    .addOption(new Option('--node <k/n>', 'the machine, counted from 1, of how many').argParser(nodeOf))
    .addOption(new Option('--master <host:port>', 'where the ranks meet: a port of machine 1').argParser(hostAndPort))
    .addOption(
      new Option('--restarts <n>', 'start ranks again when one has failed, so often').argParser(whole(0)).default(0),
    )
    .addOption(
      new Option('--recovery <who>', 'who is started again: all ranks, or only the stage whose rank was killed')
        .choices(['all', 'stage'])
        .default('all'),
    )
    .addOption(
      new Option(
        '--timeout <seconds>',
        'a rank that is silent, or does not come, for so long is lost (default: HEADRACE_TIMEOUT, else 10, and 60 to come)',
      ).argParser(whole(1)),
    )
    .action(async (words: string[], flags: LaunchFlags) => {
      const { launch } = await import('./launch.js');
      await launch(words, flags);
    });
}

function addHouse(verb: Verb, program: Command): void {
  verb('setup', setupHelp, 'headrace setup')
    .summary('find libtorch and build the addon: once after npm install')
    .option('--rebuild', 'build the addon also where there is one', false)
    .addOption(jsonOption())
    .action(async (flags: { rebuild: boolean; json: boolean }) => {
      const { setUp } = await import('./setup.js');
      await setUp(flags);
    });
  verb('doctor', 'print what was found: Node, libtorch, threads, devices', 'headrace doctor')
    .addOption(jsonOption())
    .action(async (flags: { json: boolean }) => {
      const { doctor } = await import('./doctor.js');
      await doctor(flags);
    });
  const data = program.command('data').description('data sets').addHelpText('after', `\nExample:\n  ${dataExample}`);
  data
    .command('get')
    .description('download a data set, or the face model that ours is made of, from its official source, and check it')
    .addArgument(new Argument('<name>', 'data set').choices(['cifar10', 'svhn', 'stl10', 'ict-facekit']))
    .option('--out <dir>', 'folder to write to (default: data/NAME)')
    .addOption(jsonOption())
    .addHelpText('after', `\nExample:\n  ${dataExample}`)
    .allowExcessArguments(false)
    .action(async (name: string, flags: { out?: string; json: boolean }) => {
      const { getData } = await import('./data.js');
      await getData(name, flags);
    });
}
