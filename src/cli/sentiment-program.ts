// `headrace sentiment ...`: the verbs and their options. Light: what a verb does is imported when it runs.

import { type Command, Option } from 'commander';
import { sentimentSpecs } from '../sentiment/spec-names.js';
import { jsonOption, keyValue, list, positive, requireOptions, whole } from './options.js';

/** What `train` and `ablate` share. */
export interface SentimentTrainFlags {
  data: string;
  out: string;
  seeds: number;
  firstSeed: number;
  jobs: number;
  modalities?: string[];
  vectors?: string;
  bert?: string;
  model?: string;
  schedule?: string;
  init?: string;
  set: Record<string, unknown>;
  threads: number;
  resume: boolean;
  json: boolean;
}

export interface SentimentAblateFlags extends SentimentTrainFlags {
  rows: string[];
  conditions: string[];
}

export interface SentimentEvalFlags {
  data: string;
  split: 'train' | 'valid' | 'test';
  condition?: string;
  predictions?: string;
  csv?: string;
  json: boolean;
}

export interface SentimentCompareFlags {
  unpaired: boolean;
  json: boolean;
}

export interface SentimentPredictFlags {
  text?: string[];
  file?: string;
  transcript?: string;
  srt?: string;
  asr?: string;
  asrLanguage?: string;
  seed?: number;
  explain: boolean;
  json: boolean;
}

/** What `finetune` is told. */
export interface SentimentFinetuneFlags extends SentimentPretrainFlags {
  bert: string;
}

/** What `pretrain` is told. */
export interface SentimentPretrainFlags {
  data: string;
  out: string;
  bert?: string;
  vectors?: string;
  set: Record<string, unknown>;
  threads: number;
  resume: boolean;
  json: boolean;
}

export interface SentimentPackFlags {
  out: string;
  seed?: number;
  json: boolean;
}

export interface SentimentFeaturesFlags {
  output: string;
  transcript?: string;
  srt?: string;
  asr?: string;
  asrLanguage?: string;
  audio: string;
  vision?: string;
  fps: number;
  json: boolean;
}

/** Adds the command `sentiment` with its verbs. */
export function addSentiment(program: Command): void {
  const sentiment = program
    .command('sentiment')
    .description('multimodal sentiment: train, test, read')
    .addHelpText('after', '\nExample:\n  headrace sentiment predict --text "I loved every minute of it"');
  const verb = (name: string, description: string, example: string): Command =>
    sentiment
      .command(name)
      .description(description)
      .addHelpText('after', `\nExample:\n  ${example}`)
      .allowExcessArguments(false);
  addTrain(verb);
  addEval(verb);
  addCompare(verb);
  addPredict(verb);
  addPack(verb);
  addFeatures(verb);
  addAblate(verb);
  addPretrain(verb);
  addFinetune(verb);
}

type Verb = (name: string, description: string, example: string) => Command;

function trainOptions(command: Command, seeds: number): Command {
  return command
    .option('--data <spec>', `${sentimentSpecs} (required)`)
    .option('--out <dir>', 'folder of the run (required)')
    .addOption(new Option('--seeds <n>', 'how many seeds to train').argParser(whole(1)).default(seeds))
    .addOption(new Option('--first-seed <n>', 'the first of them').argParser(whole(0)).default(1111))
    .addOption(new Option('--jobs <n>', 'seeds at once').argParser(whole(1)).default(1))
    .addOption(
      new Option('--modalities <list>', 'of text, audio, vision (default: those of the recipe)').argParser(list),
    )
    .option('--vectors <dir>', 'word vectors for the small text encoder: words.txt and vectors.f32')
    .option('--bert <dir>', 'BERT as text encoder: config.json, model.safetensors, tokenizer.json')
    .option(
      '--model <file>',
      "a model of one's own in place of the recipe's: ./mine.js, or ./mine.js:Name for one of its exports",
    )
    .addOption(
      new Option(
        '--schedule <name>',
        'gradients through the whole network (bp), or a loss for each modality: in turns, or each on its thread (ppll)',
      ).choices(['bp', 'sequential', 'ppll']),
    )
    .option('--init <dir>', 'a run to begin with: all of its weights that fit are taken, the rest is drawn')
    .addOption(
      new Option('--set <path=value>', 'any setting, such as alignment.weights.audio-vision=0.1; may be repeated')
        .argParser(keyValue)
        .default({}, 'none'),
    )
    .addOption(new Option('--threads <n>', 'threads of each seed').argParser(whole(1)).default(1))
    .option('--resume', 'go on with a run that was broken off', false)
    .addOption(jsonOption());
}

function addTrain(verb: Verb): void {
  const train = verb(
    'train',
    'train a recipe (ours, self-mm, text-only, tfn, ...) or a JSON configuration, with several seeds',
    'headrace sentiment train ours --data mosi:data/mosi --vectors data/wordvec --out runs/mosi --seeds 5',
  ).argument('<config>', "a recipe, a JSON file that changes one, or ./mine.js, a model of one's own");
  trainOptions(train, 5).action(async (config: string, flags: SentimentTrainFlags, command: Command) => {
    requireOptions(command, 'data', 'out');
    const { trainSentiment } = await import('./sentiment-train.js');
    await trainSentiment(config, flags);
  });
}

function addEval(verb: Verb): void {
  verb('eval', 'test a trained model on a data set', 'headrace sentiment eval runs/mosi --data mosi:data/mosi')
    .argument('<dir>', 'folder of a run')
    .option('--data <spec>', `${sentimentSpecs} (required)`)
    .addOption(new Option('--split <name>', 'which part').choices(['train', 'valid', 'test']).default('test'))
    .option(
      '--condition <name>',
      'worse data: no-text, no-audio, no-vision, noisy-text, noisy-audio, noisy-vision, half-words',
    )
    .option('--predictions <file>', 'write what each seed, or a reader, says of each utterance, as CSV')
    .option('--csv <file>', 'write the scores of each seed, or of each set of a reader, as CSV')
    .addOption(jsonOption())
    .action(async (folder: string, flags: SentimentEvalFlags, command: Command) => {
      requireOptions(command, 'data');
      const { evaluateSentiment } = await import('./sentiment-eval.js');
      await evaluateSentiment(folder, flags);
    });
}

function addCompare(verb: Verb): void {
  verb(
    'compare',
    'test whether two runs differ, seed by seed, on the test part',
    'headrace sentiment compare runs/ours runs/self-mm',
  )
    .argument('<a>', 'folder of a run')
    .argument('<b>', 'folder of another, on the same data')
    .option('--unpaired', "take all seeds of each, by Welch's test", false)
    .addOption(jsonOption())
    .action(async (a: string, b: string, flags: SentimentCompareFlags) => {
      const { compareSentiment } = await import('./sentiment-compare.js');
      compareSentiment(a, b, flags);
    });
}

/** How a clip's words are given. */
const wordOptions = (command: Command): Command =>
  command
    .option('--transcript <text>', 'what is said in the clip, as one utterance')
    .option('--srt <path>', 'subtitles (SRT or WebVTT), each entry an utterance; or a folder: NAME.srt for NAME.mp4')
    .option('--asr <dir>', 'hear the words: a model for speech recognition that @huggingface/transformers reads')
    .option('--asr-language <name>', 'language of the speech, for models that know several (default: English)');

function addPredict(verb: Verb): void {
  const predict = verb(
    'predict',
    'read the sentiment of recordings, videos or texts',
    'headrace sentiment predict runs/mosi clip.mp4 --transcript "I loved every minute of it"',
  )
    .argument('[dir]', 'folder of a trained model (default: the one that comes with Headrace)')
    .argument('[clips...]', 'recordings or videos of any format')
    .addOption(
      new Option('--text <text>', 'an utterance instead of a clip; may be repeated').argParser(
        (text: string, before: string[] = []) => [...before, text],
      ),
    )
    .option('--file <path>', 'texts, one a line, read as they come; - is standard input')
    .option('--explain', 'which sentences and words decided', false);
  wordOptions(predict)
    .addOption(new Option('--seed <n>', 'which of its seeds (default: the best on validation)').argParser(whole(0)))
    .addOption(jsonOption())
    .action(async (folder: string | undefined, clips: string[], flags: SentimentPredictFlags) => {
      const { predictSentiment } = await import('./sentiment-predict.js');
      await predictSentiment(folder, clips, flags);
    });
}

function addPack(verb: Verb): void {
  verb(
    'pack',
    'keep one seed of a run in a small folder, its weights in float16, to give away',
    'headrace sentiment pack runs/mosi --out models/mosi',
  )
    .argument('<dir>', 'folder of a run')
    .option('--out <dir>', 'the folder to write (required)')
    .addOption(new Option('--seed <n>', 'which of its seeds (default: the best on validation)').argParser(whole(0)))
    .addOption(jsonOption())
    .action(async (folder: string, flags: SentimentPackFlags, command: Command) => {
      requireOptions(command, 'out');
      const { packSentiment } = await import('./sentiment-pack.js');
      packSentiment(folder, flags);
    });
}

function addFeatures(verb: Verb): void {
  const features = verb(
    'features',
    'extract the features of recordings or videos, or of a data set (a folder with label.csv) to train on',
    'headrace sentiment features clip.mp4 -o features.npz',
  )
    .argument(
      '<clips...>',
      'recordings or videos of any format; or one folder with label.csv and its clips in Raw, or a .csv or .jsonl that names clips',
    )
    .option('-o, --output <file>', 'the npz file to write (required)');
  wordOptions(features)
    .option(
      '--audio <name>',
      "which audio features: zcr-mfcc-chroma, log-mel, or ./mine.js:name, one's own",
      'zcr-mfcc-chroma',
    )
    .option('--vision <file>', "vision features of one's own: ./mine.js:name (default: the face's)")
    .addOption(new Option('--fps <n>', 'pictures a second that are looked at').argParser(positive).default(5))
    .addOption(jsonOption())
    .action(async (clips: string[], flags: SentimentFeaturesFlags, command: Command) => {
      requireOptions(command, 'output');
      const { extractFeatures } = await import('./sentiment-features.js');
      await extractFeatures(clips, flags);
    });
}

function addAblate(verb: Verb): void {
  const ablate = verb(
    'ablate',
    'train the grid of losses, pairs, weights and tasks, and say what the numbers allow',
    'headrace sentiment ablate ours --data mosi:data/mosi --vectors data/wordvec --out runs/grid --seeds 10 --jobs 2',
  ).argument('<config>', 'a recipe or a JSON file that changes one');
  trainOptions(ablate, 10)
    .addOption(
      new Option('--rows <list>', 'of losses, pairs, lambda, kinds, tasks, branches')
        .argParser(list)
        .default(['losses', 'pairs', 'lambda'], 'losses,pairs,lambda'),
    )
    .addOption(
      new Option(
        '--conditions <list>',
        'test each row on worse data, too: no-audio, noisy-audio, half-words, ..; see eval --condition',
      )
        .argParser(list)
        .default([], 'none'),
    )
    .action(async (config: string, flags: SentimentAblateFlags, command: Command) => {
      requireOptions(command, 'data', 'out');
      const { ablateSentiment } = await import('./sentiment-ablate.js');
      await ablateSentiment(config, flags);
    });
}

function addPretrain(verb: Verb): void {
  const pretrain = verb(
    'pretrain',
    'train a text encoder with a vocabulary of its own on plain texts: it guesses hidden word pieces',
    'headrace sentiment pretrain small --data data --vectors data/wordvec --out runs/encoder',
  )
    .argument('<config>', 'small, deep, medium or a JSON configuration that changes one')
    .option('--bert <dir>', 'an encoder to go on from; where there are to be more layers, its own repeat');
  engineOptions(pretrain, 'folder of the texts that the configuration names', 'word vectors to begin with').action(
    async (config: string, flags: SentimentPretrainFlags, command: Command) => {
      requireOptions(command, 'data', 'out');
      const { pretrain } = await import('./sentiment-pretrain.js');
      await pretrain(config, flags);
    },
  );
}

function addFinetune(verb: Verb): void {
  const finetune = verb(
    'finetune',
    'train a reader of sentiment, emotions and irony on labelled texts of many sets',
    'headrace sentiment finetune reader --bert runs/encoder/encoder --data data --out runs/reader',
  )
    .argument('<config>', 'reader, bert, bilstm, sentence, or a JSON configuration that changes one')
    .option('--bert <dir>', 'the encoder to begin with: config.json, tokenizer.json, model.safetensors (required)');
  engineOptions(finetune, 'folder of the sets', "word vectors to begin with, in place of the encoder's weights").action(
    async (config: string, flags: SentimentFinetuneFlags, command: Command) => {
      requireOptions(command, 'bert', 'data', 'out');
      const { finetune } = await import('./sentiment-finetune.js');
      await finetune(config, flags);
    },
  );
}

/** What the trainings of a reader share. */
function engineOptions(command: Command, data: string, vectors: string): Command {
  return command
    .option('--data <dir>', `${data} (required)`)
    .option('--out <dir>', 'folder of the run (required)')
    .option('--vectors <dir>', `${vectors}: words.txt and vectors.f32`)
    .addOption(
      new Option('--set <path=value>', 'any setting, such as epochs=2; may be repeated')
        .argParser(keyValue)
        .default({}, 'none'),
    )
    .addOption(new Option('--threads <n>', 'threads of each stage').argParser(whole(1)).default(1))
    .option('--resume', 'go on with a run that was broken off', false)
    .addOption(jsonOption());
}
