/// <reference lib="esnext.disposable" preserve="true" />
/** Image classifiers: ResNets and ViTs that can be cut anywhere, their local heads, and how to train them. */

export { BasicBlock, Bottleneck, PoolClassifier, Stem } from '../nn/resnet-blocks.js';
export * from './datasets/index.js';
export { modelFamily } from './family.js';
export {
  cifar10,
  type ImageDataOptions,
  type ImageModel,
  type ImageModelFunction,
  imageData,
  imageFolder,
  mnist,
  stl10,
  svhn,
} from './front.js';
export { auglocalDepth, DglHead, type VisionHeadOptions } from './heads.js';
export { type ModelOptions, modelSpec, visionModelRef } from './models.js';
export { type ModelName, modelNames } from './names.js';
export { type Recipe, type RecipeOptions, recipe, recipeFor, resnetRecipe, vitRecipe } from './recipes.js';
export {
  type ImageNetResNetOptions,
  type ResNetOptions,
  resnet18,
  resnet20,
  resnet32,
  resnet34,
  resnet50,
  resnet56,
  resnet110,
} from './resnet.js';
export type { ImageModelOptions, VisionLayer, VisionModel } from './spec.js';
export { type ViTOptions, type ViTPresetOptions, vit, vitBP16, vitSmallP4, vitTinyP4 } from './vit.js';
export { Attention, AttentionBranch, Block, Embed, Mlp, MlpBranch, PatchEmbed, TokenClassifier } from './vit-blocks.js';
