/** SPEAK: identity, emotion and pose of a face taken apart. */

export {
  Adversary,
  discriminatorLoss,
  type GanKind,
  type GanSettings,
  ganKinds,
  generatorLoss,
  r1,
} from './adversary.js';
export * from './clips/index.js';
export { PatchDiscriminator, type PatchShape } from './discriminator.js';
export { AdaIn, EditingModule, type EditingShape } from './editing.js';
export { type EncoderDepth, type EncoderShape, encoderDepths, FaceEncoder } from './encoder.js';
export {
  type ExchangeFigures,
  evaluateIrfd,
  type IrfdEvaluateOptions,
  type IrfdEvaluation,
  type Leakage,
  matrixRows,
} from './exchange-matrix.js';
export { drawExchanges, type ExactExchange, type ExactExchanges, planExchanges } from './exchanges.js';
export * from './experiment/index.js';
export { type FaceHooks, type Faces, faceWeights, loadFaces } from './faces.js';
export {
  type CoderShape,
  type Codes,
  exchanged,
  FaceCoder,
  type Factor,
  factors,
  Irfd,
  type IrfdShape,
} from './irfd.js';
export { type IrfdConfig, irfdRecipes, readIrfdConfig, shapeOf } from './irfd-config.js';
export { type IrfdResult, type IrfdRunOptions, loadIrfd, saveIrfd, trainIrfd } from './irfd-run.js';
export { IrfdTrainer } from './irfd-trainer.js';
export {
  type Coder,
  type Exchange,
  exchange,
  irfdLosses,
  type LossMode,
  type LossWeights,
  lossModes,
  mixed,
  type PairBatch,
  printedIdentity,
  repairedIdentity,
  spreads,
  weighedSum,
} from './losses.js';
export { type DrawnPairs, type PairShares, PairSource, type StepPart } from './pairs.js';
export { PortraitFlow, PortraitMaps } from './portrait-flow.js';
export { fitProbe, type LinearProbe } from './probes.js';
export { exchangeGrid, exchangeRows, writeExchangeSheet } from './sheet.js';
export {
  MappingNetwork,
  type MappingShape,
  StyleDiscriminator,
  StyleLayer,
  type StyleShape,
  SynthesisNetwork,
} from './stylegan.js';
export { swapFaces } from './swap.js';
export * from './sync/index.js';
export * from './talking/index.js';
export {
  type MadeFrames,
  moved,
  type TalkingCodes,
  type TalkingForm,
  TalkingGenerator,
  type TalkingShape,
} from './talking-generator.js';
export * from './trunk/index.js';
export * from './use/index.js';
export { readWav2VecConfig, Wav2Vec, type Wav2VecConfig } from './wav2vec.js';
export { Whitening, type WhiteningOptions } from './whitening.js';
