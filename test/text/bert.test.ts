import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BertModel, parseBertConfig } from 'headrace/text';
import { linspace, manualSeed, ops } from 'headrace/torch';
import { distance, golden, goldenBert, goldenConfig, goldenInput, int64 } from './bert-support.js';

test("BERT has Hugging Face's keys and shapes", () => {
  const state = [...new BertModel(goldenConfig()).stateDict()].map(([key, { shape }]) => [key, shape]);
  assert.deepEqual(Object.fromEntries(state), golden.shapes);
  const bare = new BertModel(goldenConfig(), { pooler: false });
  assert.deepEqual(
    Object.keys(golden.shapes).filter((key) => !bare.stateDict().has(key)),
    ['pooler.dense.weight', 'pooler.dense.bias'],
  );
});

test("its hidden states and its pooler's output are those of PyTorch's layers", () => {
  const { sequence, pooled } = goldenBert().forward(goldenInput());
  assert.ok(distance(sequence, golden.sequence as number[][][]) < 2e-5);
  assert.ok(distance(pooled!, golden.pooled as number[][]) < 2e-6);
  for (const act of ['gelu_new', 'relu'] as const) {
    const other = goldenBert({ hidden_act: act }).forward(goldenInput()).sequence.select(1, 0);
    assert.ok(distance(other, golden.first[act] as number[][]) < 2e-5, act);
  }
});

test("its gradients are those of PyTorch's layers", () => {
  const model = goldenBert();
  const { sequence, pooled } = model.forward(goldenInput());
  const ramp = (numel: number) => linspace(0.5, 1.5, numel);
  sequence.flatten().mul(ramp(sequence.numel)).sum().add(pooled!.square().sum()).backward();
  for (const [name, parameter] of model.namedParameters()) {
    const got = parameter.grad!.flatten().mul(ramp(parameter.numel)).sum().item();
    const expected = golden.gradients[name]!;
    assert.ok(Math.abs(got - expected) < 2e-4 * Math.max(1, Math.abs(expected)), `${name}: ${got}, not ${expected}`);
  }
});

test('layers compute in the type of their input, and parameters stay float32', () => {
  const { embeddings, encoder } = goldenBert();
  const { ids, mask } = goldenInput();
  const embedded = embeddings.forward(ids, ops.zerosLike(ids));
  const keys = mask!.unsqueeze(1).unsqueeze(1);
  const half = encoder.forward(embedded.to({ dtype: 'bfloat16' }), keys);
  assert.equal(half.dtype, 'bfloat16');
  const whole = encoder.forward(embedded, keys);
  const off = distance(half.to({ dtype: 'float32' }), whole.tolist() as number[][][]);
  assert.ok(off > 0 && off < 0.1, `${off}`);
  half.to({ dtype: 'float32' }).square().sum().backward();
  const parameters = [...encoder.parameters()];
  assert.ok(parameters.every(({ dtype, grad }) => dtype === 'float32' && grad?.dtype === 'float32'));
});

test('what the mask hides changes nothing', () => {
  const model = goldenBert();
  const mask = int64([[1, 1, 1, 0]]).ne(0);
  const [a, b] = [7, 31].map((hidden) =>
    model.forward({ ids: int64([[2, 9, 3, hidden]]), mask }).sequence.narrow(1, 0, 3),
  );
  assert.equal(distance(a!, b!), 0);
  const short = model.forward({ ids: int64([[2, 9, 3]]) }).sequence;
  assert.ok(distance(a!, short) < 1e-5);
  const seen = model.forward({ ids: int64([[2, 9, 3, 7]]) }).sequence.narrow(1, 0, 3);
  assert.ok(distance(seen, short) > 0.01);
});

test("fresh weights are drawn as BERT's: 0.02 wide, biases 0, norms 1, padding 0", () => {
  manualSeed(5);
  const state = new BertModel(goldenConfig({ hidden_size: 64, vocab_size: 500 })).stateDict();
  const { weight, bias, words, norm } = {
    weight: state.get('encoder.layer.1.intermediate.dense.weight')!,
    bias: state.get('encoder.layer.1.intermediate.dense.bias')!,
    words: state.get('embeddings.word_embeddings.weight')!,
    norm: state.get('encoder.layer.0.output.LayerNorm.weight')!,
  };
  assert.ok(Math.abs(weight.std().item() - 0.02) < 0.001);
  assert.ok(Math.abs(words.std().item() - 0.02) < 0.001);
  assert.deepEqual([bias.abs().max().item(), words.select(0, 0).abs().max().item()], [0, 0]);
  assert.deepEqual([norm.min().item(), norm.max().item()], [1, 1]);
});

test('texts that are too long and pieces that are unknown are named', () => {
  const model = goldenBert();
  assert.throws(() => model.forward({ ids: int64([new Array(13).fill(1)]) }), /at most 12 word pieces.*got 13/);
  assert.throws(() => model.forward({ ids: int64([[2, 40, 3]]) }), /indices in 0\.\.39, got 2\.\.40/);
  assert.throws(() => model.forward({ ids: int64([[2, 4, 3]]).squeeze(0) }), /\[B, L\], got \[3\]/);
});

test("a configuration has Hugging Face's defaults, and is refused where it is not a BERT's", () => {
  const { hidden_dropout_prob, layer_norm_eps, max_position_embeddings, ...few } = golden.config;
  const { hiddenDropoutProb, layerNormEps, maxPositionEmbeddings, hiddenAct } = parseBertConfig(few, 'it');
  assert.deepEqual([hiddenDropoutProb, layerNormEps, maxPositionEmbeddings, hiddenAct], [0.1, 1e-12, 512, 'gelu']);
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ model_type: 'roberta' }, /config\.json: expected model_type to be "bert", got "roberta"/],
    [{ model_type: undefined }, /expected model_type to be "bert", got undefined/],
    [{ hidden_act: 'swish' }, /hidden_act to be "gelu" or "gelu_new" or "relu", got "swish"/],
    [{ num_attention_heads: 5 }, /num_attention_heads that divides hidden_size, got 5 and 32/],
    [{ hidden_size: undefined }, /hidden_size to be a whole number from 1, got undefined/],
    [{ hidden_dropout_prob: 1 }, /hidden_dropout_prob to be a number from 0 to below 1, got 1/],
    [{ position_embedding_type: 'relative_key' }, /position_embedding_type to be "absolute"/],
    [{ pad_token_id: 40 }, /pad_token_id below vocab_size 40, got 40/],
  ];
  for (const [changes, message] of cases) assert.throws(() => goldenConfig(changes), message);
  assert.throws(() => parseBertConfig([], 'it'), /it: expected the configuration of a BERT, an object, got \[\]/);
});
