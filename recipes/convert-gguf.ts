/** A GGUF file as a Hugging Face directory: weights dequantised to fp32, tokenizer and template from its metadata. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic, writeFolderAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { ConfigError } from '../src/base/errors.ts';
import { parseModelConfig } from '../src/model/config.ts';
import { writeModelFolder } from '../src/model/directory.ts';
import { openGguf } from '../src/model/gguf.ts';
import { ggufToHuggingFace, readHuggingFaceTensor } from '../src/model/gguf-model.ts';
import type { TensorSource } from '../src/torch/safetensors.ts';

/** Replaces a model folder; a folder of anything else is refused, since all in it would go. */
export async function convertGguf(input: string, output: string): Promise<{ parameters: number }> {
  if (existsSync(output) && readdirSync(output).length > 0 && !existsSync(join(output, 'config.json'))) {
    throw new ConfigError(`${output} is there already and is not a model folder`, { hint: 'choose another --out' });
  }
  const gguf = openGguf(input);
  try {
    const { config, generationConfig, tensorMap, tokenizerJson, tokenizerConfig, chatTemplate } =
      ggufToHuggingFace(gguf);
    const weights = new Map<string, TensorSource>();
    let parameters = 0;
    for (const [name, huggingFaceName] of tensorMap) {
      const shape = gguf.tensor(name)?.shape ?? [];
      parameters += shape.reduce((product, length) => product * length, 1);
      const bytes = () => new Uint8Array(readHuggingFaceTensor(gguf, config, name).buffer);
      weights.set(huggingFaceName, { dtype: 'float32', shape, bytes });
    }
    await writeFolderAtomic(output, (folder) => {
      writeModelFolder(folder, { config: parseModelConfig(config, input), weights, from: undefined });
      writeJsonAtomic(join(folder, 'generation_config.json'), generationConfig);
      writeJsonAtomic(join(folder, 'tokenizer.json'), tokenizerJson);
      writeJsonAtomic(join(folder, 'tokenizer_config.json'), tokenizerConfig);
      if (chatTemplate !== undefined) writeFileAtomic(join(folder, 'chat_template.jinja'), chatTemplate);
    });
    return { parameters };
  } finally {
    gguf.close();
  }
}
