/** A small BERT, known by its outputs (golden/bert.json, which golden/bert.py made), as a model and as a folder. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { TensorBatch } from 'headrace/data';
import { saveSafetensors } from 'headrace/io';
import { type BertConfig, BertEncoder, BertModel, parseBertConfig } from 'headrace/text';
import { type NestedNumbers, type Tensor, tensor } from 'headrace/torch';

type Numbers = readonly number[];
type Table = readonly Numbers[];

interface Golden {
  /** As a config.json has it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly shapes: Readonly<Record<string, Numbers>>;
  readonly ids: Table;
  readonly mask: Table;
  readonly segments: Table;
  readonly sequence: readonly Table[];
  readonly pooled: Table;
  readonly first: Readonly<Record<'gelu_new' | 'relu', Table>>;
  readonly gradients: Readonly<Record<string, number>>;
}

export const golden = JSON.parse(
  readFileSync(new URL('../../../test/text/golden/bert.json', import.meta.url), 'utf8'),
) as Golden;

/** The script's numbers: FNV-1a of the key starts a linear congruential generator. */
export function values(key: string, shape: Numbers): Tensor {
  const base = key.endsWith('LayerNorm.weight') ? 1 : 0;
  let state = 2166136261;
  for (const byte of Buffer.from(key)) state = Math.imul(state ^ byte, 16777619) >>> 0;
  const numbers = new Float32Array(shape.reduce((product, size) => product * size, 1)).map(() => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return Math.fround(state / 2 ** 32 - 0.5) + base;
  });
  return tensor(numbers, { shape: [...shape] });
}

/** Under Hugging Face's keys. */
export function goldenWeights(): Map<string, Tensor> {
  return new Map(Object.entries(golden.shapes).map(([key, shape]) => [key, values(key, shape)]));
}

export function goldenConfig(changes: Readonly<Record<string, unknown>> = {}): BertConfig {
  return parseBertConfig({ ...golden.config, ...changes }, 'config.json');
}

/** In evaluation. */
export function goldenBert(changes: Readonly<Record<string, unknown>> = {}): BertModel {
  const model = new BertModel(goldenConfig(changes));
  model.loadStateDict(goldenWeights());
  model.eval();
  return model;
}

/** As a text encoder, in training. */
export function goldenEncoder(options = {}): BertEncoder {
  const encoder = new BertEncoder(goldenConfig(), options);
  const weights = [...goldenWeights()].filter(([key]) => !key.startsWith('pooler.'));
  encoder.loadStateDict(new Map(weights.map(([key, value]) => [`bert.${key}`, value])));
  return encoder;
}

export const int64 = (rows: Table): Tensor =>
  tensor(BigInt64Array.from(rows.flat(), BigInt), { shape: [rows.length, rows[0]!.length] });

export function goldenInput(): { ids: Tensor; mask: Tensor; segments: Tensor } {
  return { ids: int64(golden.ids), mask: int64(golden.mask).ne(0), segments: int64(golden.segments) };
}

/** The golden texts as a batch. @param padding - columns of padding after them */
export function goldenBatch(padding = 0): TensorBatch {
  const wide = (rows: Table): Table => rows.map((row) => [...row, ...new Array<number>(padding).fill(0)]);
  const rows = golden.ids.flatMap((_, i) =>
    [wide(golden.ids), wide(golden.mask), wide(golden.segments)].map((t) => t[i]!),
  );
  return batchOf({ tokens: int64(rows).view([golden.ids.length, 3, rows[0]!.length]) });
}

/** A batch with these tensors, and labels that no text encoder reads. */
export function batchOf(tensors: Readonly<Record<string, Tensor>>): TensorBatch {
  const size = Object.values(tensors)[0]!.shape[0]!;
  const zeros = int64([new Array<number>(size).fill(0)]).squeeze(0);
  return { index: zeros, class: zeros, label: zeros.to({ dtype: 'float32' }), ...tensors };
}

/** Greatest difference. */
export function distance(a: Tensor, b: Tensor | NestedNumbers): number {
  const other = 'tolist' in (b as object) ? (b as Tensor) : tensor(b as NestedNumbers);
  return a.sub(other).abs().max().item();
}

const words = [
  'un',
  '##aff',
  '##able',
  'the',
  'movie',
  'was',
  '##s',
  'cafe',
  '!',
  ',',
  "'",
  'a',
  '##b',
  '好',
  '片',
  'i',
  't',
  'σ',
  '##α',
  '##σ',
];

/** A tokenizer.json such as bert-base-uncased has, of few words: ids 0 to 4 special, then {@link words}. */
export function tokenizerJson(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
  const token = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const segment = (id: string, type_id: number): object => ({ Sequence: { id, type_id } });
  const mark = (id: string, type_id: number): object => ({ SpecialToken: { id, type_id } });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({ id, content, ...token })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [mark('[CLS]', 0), segment('A', 0), mark('[SEP]', 0)],
      pair: [mark('[CLS]', 0), segment('A', 0), mark('[SEP]', 0), segment('B', 1), mark('[SEP]', 1)],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries([...special, ...words].map((word, id) => [word, id])),
    },
    ...changes,
  };
}

/** A folder that is gone after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bert-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The golden BERT as a folder of Hugging Face's. */
export function goldenFolder(t: TestContext, weights: ReadonlyMap<string, Tensor> = goldenWeights()): string {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(golden.config));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson()));
  saveSafetensors(join(folder, 'model.safetensors'), weights, { format: 'pt' });
  return folder;
}
