// Writes FEATURES.md: which public names of PyTorch exist here, which differ, which are missing.
//   node scripts/features.mjs           writes it (the package must be built)
// PyTorch's names and arguments come from test/golden/torch-names.json, ours from the built package and the generated
// typings. What is "same" has PyTorch's arguments with its defaults, by the comparison of signatures.mjs.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { differencesOf } from './signatures.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const DTYPES = 'float32 float64 bfloat16 float16 int64 int32 int16 int8 uint8 bool complex64 complex128';

/** What exists in another form, beyond its arguments: PyTorch's names, and how it is done here. */
const DIFFERS = {
  torch: [
    [DTYPES, "strings: `'float32'`"],
    ['double float half long int short cfloat cdouble', "dtypes by their other names: `x.to({ dtype: 'float64' })`"],
    ['device', "strings: `'cpu'`, `'cuda:0'`"],
    ['Size', '`x.shape` is an array of numbers'],
    ['numel', 'a property: `x.numel`'],
    ['tensor as_tensor asarray', '`tensor(data)`: numbers become float32, bigints int64, booleans bool'],
    ['from_numpy frombuffer', '`tensor(typedArray)`, `tensorFromBytes(bytes, dtype, shape)`: copies'],
    [
      'arange linspace eye full zeros ones empty rand randn randint randperm',
      'size as an array, options last: `zeros([2, 3], { dtype })`',
    ],
    ['no_grad enable_grad', 'take a function: `noGrad(() => ...)`'],
    ['autocast', 'takes options and a function: `autocast({}, () => ...)`'],
    ['inference_mode', '`noGrad`'],
    ['manual_seed', 'seeds `defaultGenerator`, which belongs to this package'],
    [
      'initial_seed get_rng_state set_rng_state seed',
      '`generator.initialSeed`, `getState()`, `setState()`, `manualSeed()`',
    ],
    ['where', '`where(condition, a, b)`; with the condition alone: `x.nonzero()`'],
    ['is_tensor', '`x instanceof Tensor`'],
    ['is_nonzero', '`x.item() !== 0`'],
    ['save load', '`saveTorch`, `loadTorch` of `headrace/io`: state dicts, plain values; safetensors'],
    ['set_num_threads', 'intra-op threads of the calling thread'],
    ['einsum', "operator: `ops.einsum('ij,jk->ik', [a, b])`, operands in an array"],
  ],
  'torch.nn': [
    ['Module', '`initialise(g)` and `setGenerator(g)` for seeded values; called by `forward`; `clone()` copies'],
    ['ModuleDict', 'no names of Module members as keys'],
    ['LSTM GRU RNN', 'packed sequences are the option `lengths`; batched input only'],
    ['MultiheadAttention TransformerEncoderLayer TransformerDecoderLayer', 'no nested-tensor fast path'],
    ['Dropout Dropout1d Dropout2d', 'the mask comes from `generator`'],
    ['RReLU', 'the slopes come from `generator`'],
    ['UpsamplingBilinear2d UpsamplingNearest2d', '`Upsample`'],
    ['Dropout3d', '`Dropout2d` takes any number of dimensions'],
  ],
  'torch.nn.functional': [
    ['dropout dropout1d dropout2d dropout3d', 'a generator before `inplace`'],
    ['relu_ leaky_relu_ elu_', 'option `inplace`'],
    ['upsample upsample_bilinear upsample_nearest', '`interpolate`'],
    ['multi_head_attention_forward', '`MultiheadAttention`'],
    ['instance_norm', '`instanceNorm(x, weight, bias, eps)`: without running statistics; the module has them'],
    ['mse_loss l1_loss smooth_l1_loss huber_loss', 'a target of another shape is refused, not stretched'],
  ],
  'torch.nn.init': [],
  'torch.optim': [
    [
      'Optimizer SGD Adam AdamW RMSprop Adagrad Adadelta Adamax NAdam RAdam Rprop ASGD LBFGS',
      "state by parameter names, PyTorch's loads too",
    ],
  ],
  'torch.optim.lr_scheduler': [
    [
      'StepLR MultiStepLR ConstantLR LinearLR ExponentialLR PolynomialLR CosineAnnealingLR CosineAnnealingWarmRestarts OneCycleLR SequentialLR LambdaLR',
      'a jump to a step gives its rate',
    ],
  ],
};

const camel = (name) => name.replace(/(?<=[a-z0-9A-Z])_+([a-z0-9])/g, (_, letter) => letter.toUpperCase());

/** Names of the operators in the checked-in typings: the same whatever libtorch is at hand. */
function operatorNames() {
  const text = readFileSync(path.join(root, 'src/torch/generated/operators.ts'), 'utf8');
  const table = text.slice(text.indexOf('export interface Operators'));
  return new Set([...table.matchAll(/^ {2}(\w+)\(/gm)].map((match) => match[1]));
}

async function exportsOf(folder) {
  return import(pathToFileURL(path.join(root, 'dist', folder, 'index.js')).href);
}

/**
 * Sorts an area's names into same, differs and missing.
 * @param theirs - PyTorch's arguments by name, for the areas where they are compared
 */
function compare(names, area, ours, { operators, theirs, declared }) {
  const how = new Map(DIFFERS[area].flatMap(([list, text]) => list.split(' ').map((name) => [name, text])));
  const rows = new Map();
  const found = { same: [], operator: [], differs: [], missing: [] };
  for (const name of names) {
    const own = camel(name) in ours ? camel(name) : name in ours ? name : null;
    const phrases = own && theirs ? differencesOf(theirs[name], ours[own], declared.get(own)) : [];
    const text = [...(how.has(name) ? [how.get(name)] : []), ...phrases].join('; ');
    how.delete(name);
    if (text !== '') rows.set(text, [...(rows.get(text) ?? []), name]);
    else if (own) found.same.push(name);
    else if (operators.has(camel(name))) found.operator.push(name);
    else found.missing.push(name);
  }
  found.differs = [...rows].map(([text, each]) => [each.join(' '), text]);
  const unknown = [...how.keys()];
  if (unknown.length > 0) throw new Error(`features: ${area} has no ${unknown.join(', ')} to differ from`);
  return found;
}

const list = (names) => names.map((name) => `\`${name}\``).join(' ');

function section(area, names, { same, operator, differs, missing }) {
  const changed = differs.flatMap(([each]) => each.split(' ')).length;
  const lines = [
    `## ${area}`,
    '',
    `${names.length} names: ${same.length + operator.length} same, ${changed} differ, ${missing.length} missing.`,
    '',
  ];
  if (same.length > 0) lines.push(`**Same**: ${list(same)}`, '');
  if (operator.length > 0)
    lines.push(`**Same, as an operator** (\`ops\`, or a method of the tensor): ${list(operator)}`, '');
  if (differs.length > 0) {
    lines.push('| differs | here |', '| --- | --- |');
    for (const [each, text] of differs) lines.push(`| ${list(each.split(' '))} | ${text} |`);
    lines.push('');
  }
  if (missing.length > 0) lines.push(`**Missing**: ${list(missing)}`, '');
  return lines;
}

/** The text of FEATURES.md. */
export async function renderFeatures() {
  const golden = JSON.parse(readFileSync(path.join(root, 'test/golden/torch-names.json'), 'utf8'));
  const [torch, nn, optim] = await Promise.all(['torch', 'nn', 'optim'].map(exportsOf));
  const operators = operatorNames();
  const { signatures: declared } = await import(pathToFileURL(path.join(root, 'dist/nn/signature.js')).href);
  const ours = {
    torch,
    'torch.nn': nn,
    'torch.nn.functional': nn.functional,
    'torch.nn.init': nn.init,
    'torch.optim': optim,
    'torch.optim.lr_scheduler': optim,
  };
  const lines = [
    '# Features',
    '',
    `Which public names of PyTorch (${golden.torch.split('+')[0].replace('a0', '')}) exist in Headrace. Generated by \`scripts/features.mjs\`; a test compares.`,
    '',
    'The rule: functions are camelCase, classes keep their names, required arguments stand in order and optional ones',
    "in an options object at the end, `None` is `null`. State-dict keys are PyTorch's, unchanged. What follows the rule is",
    '"same": of layers, their functions, initialisers, optimizers and schedulers, the arguments and defaults are compared',
    "with PyTorch's own, but for `device`, `dtype`, `verbose` and those that PyTorch has deprecated. What needs another",
    'word stands under "differs". Every aten operator of the libtorch in use is in `ops`, far more than the names listed here.',
    '',
  ];
  for (const [area, names] of Object.entries(golden.names)) {
    const known = area === 'torch' || area === 'torch.nn.functional' ? operators : new Set();
    const found = compare(names, area, ours[area], { operators: known, theirs: golden.signatures[area], declared });
    lines.push(...section(area, names, found));
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(path.join(root, 'FEATURES.md'), await renderFeatures());
}
