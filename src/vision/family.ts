/** Which recipe a model is trained by. */
import { ConfigError, nearest } from '../torch/index.js';
import { modelNames } from './names.js';

/** Whether the model of a name is a ResNet or a ViT. @throws ConfigError for an unknown name */
export function modelFamily(name: string): 'resnet' | 'vit' {
  if ((modelNames as readonly string[]).includes(name)) return name.startsWith('vit') ? 'vit' : 'resnet';
  const near = nearest(String(name), modelNames);
  const hint = near === null ? '' : ` Did you mean ${near}?`;
  throw new ConfigError(`Expected a model among ${modelNames.join(', ')}, got ${name}.${hint}`);
}
