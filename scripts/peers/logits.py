"""Logits of a model folder by transformers, or of a folder of adapters by PEFT, in fp32, as JSON on standard output.

  python scripts/peers/logits.py FOLDER '[1, 2, 3]'        -> {"logits": [[…] …]}
  python scripts/peers/logits.py FOLDER --chat MESSAGES    -> {"ids": […], "logits": …}; ids by apply_chat_template
"""
import json, os, sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = sys.argv[1]
if sys.argv[2] == "--chat":
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.apply_chat_template(json.loads(sys.argv[3]), add_generation_prompt=True, return_dict=False)
else:
    ids = json.loads(sys.argv[2])
if os.path.exists(os.path.join(folder, "adapter_config.json")):
    from peft import PeftConfig, PeftModel

    base = PeftConfig.from_pretrained(folder).base_model_name_or_path
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), folder).eval()
else:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
with torch.no_grad():
    logits = model(torch.tensor([ids])).logits[0]
json.dump({"ids": ids, "logits": logits.tolist()}, sys.stdout)
