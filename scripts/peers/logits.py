"""Logits of a model folder by transformers, in fp32, as JSON on standard output.

  python scripts/peers/logits.py FOLDER '[1, 2, 3]'        -> {"logits": [[…] …]}
  python scripts/peers/logits.py FOLDER --chat MESSAGES    -> {"ids": […], "logits": …}; ids by apply_chat_template
"""
import json, sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = sys.argv[1]
if sys.argv[2] == "--chat":
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.apply_chat_template(json.loads(sys.argv[3]), add_generation_prompt=True, return_dict=False)
else:
    ids = json.loads(sys.argv[2])
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
with torch.no_grad():
    logits = model(torch.tensor([ids])).logits[0]
json.dump({"ids": ids, "logits": logits.tolist()}, sys.stdout)
