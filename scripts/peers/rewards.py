"""Rewards of a reward model's folder by transformers, or of a folder of reward adapters by PEFT, in fp32, as JSON.

  python scripts/peers/rewards.py FOLDER '[[1, 2, 3], [4, 5]]'
    -> {"alone": [r …], "padded": [r …]}: of each sequence by itself, and of all in one batch, padded on the right
"""
import json, os, sys

import torch
from transformers import AutoModelForSequenceClassification

folder, sequences = sys.argv[1], json.loads(sys.argv[2])
load = AutoModelForSequenceClassification.from_pretrained
if os.path.exists(os.path.join(folder, "adapter_config.json")):
    from peft import PeftConfig, PeftModel

    base = PeftConfig.from_pretrained(folder).base_model_name_or_path
    model = PeftModel.from_pretrained(load(base, num_labels=1, dtype=torch.float32), folder).eval()
else:
    model = load(folder, dtype=torch.float32).eval()
assert model.config.num_labels == 1, model.config.num_labels
# Adapters' folders do not say what is padding; where their model does not either, whoever loads it has to.
if model.config.pad_token_id is None:
    model.config.pad_token_id = 0
pad = model.config.pad_token_id
longest = max(map(len, sequences))
padded = [ids + [pad] * (longest - len(ids)) for ids in sequences]
mask = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in sequences]
with torch.no_grad():
    alone = [model(torch.tensor([ids])).logits[0, 0].item() for ids in sequences]
    together = model(torch.tensor(padded), attention_mask=torch.tensor(mask)).logits[:, 0].tolist()
json.dump({"alone": alone, "padded": together}, sys.stdout)
