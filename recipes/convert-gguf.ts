/** A GGUF file as a Hugging Face directory: weights dequantised, configuration, tokenizer and template from metadata. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic, writeFolderAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { ConfigError } from '../src/base/errors.ts';
import { parseModelConfig } from '../src/model/config.ts';
import { writeModelFolder } from '../src/model/directory.ts';
import { toBfloat16 } from '../src/model/gguf/bfloat16.ts';
import { ggufToHuggingFace, readHuggingFaceTensor } from '../src/model/gguf/hugging-face.ts';
import { openGguf } from '../src/model/gguf/reader.ts';
import type { TensorSource } from '../src/torch/safetensors.ts';

/**
 * Replaces a model folder; a folder of anything else is refused, since all in it would go. float32 keeps every value as
 * the file has it, bfloat16 halves the folder.
 */
export async function convertGguf(
  input: string,
  output: string,
  dtype: 'float32' | 'bfloat16' = 'float32',
): Promise<{ parameters: number }> {
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
      const bytes = () => {
        const values = readHuggingFaceTensor(gguf, config, name);
        return new Uint8Array((dtype === 'float32' ? values : toBfloat16(values)).buffer);
      };
      weights.set(huggingFaceName, { dtype, shape, bytes });
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
