"""Writes test/golden/losses.json: losses and their gradients by autograd, of TRL's and OpenRLHF's own code.

    pip download --no-deps -d WHEELS trl==0.11.4 openrlhf==0.8.5
    python -P scripts/golden/losses.py test/golden/losses.json WHEELS    (pip install trl==1.16.0 torch==2.13.0)

(-P: or statistics.py in this folder is taken for the standard library's.)

Whose code gave which part:
- ranking: TRL 1.16's RewardTrainer.compute_loss, the model being the rewards themselves.
- preference: TRL 1.16's DPOTrainer._compute_loss (sigmoid; sigmoid_norm and ipo, which take means; aot, which for a single
  pair is DPO with smoothing) and CPOTrainer.cpo_loss (simpo); OpenRLHF's DPOLoss (smoothing; ipo on sums).
- groups: the statements of TRL 1.16's GRPOTrainer and RLOOTrainer between rewards and advantages. RLOO divided by the group's
  deviation is in neither: that alone is a formula written here.
- episodes (GAE, whitening): TRL 0.11's PPOTrainer.compute_advantages and masked_whiten, the last version with a PPO that can be
  called in parts; OpenRLHF's get_advantages_and_returns, which does not whiten.
- policies (clip, k3, averages over tokens or answers): TRL 1.16's GRPOTrainer._compute_loss (losses bnpo and grpo).
- ppo (clip of policy and values): TRL 0.11's PPOTrainer.loss; OpenRLHF's PolicyLoss and ValueLoss, checked here to agree.
- divergences (k1, k2, k3): OpenRLHF's compute_approx_kl, which computes in fp32.
- betas: TRL 0.11's AdaptiveKLController.

What is installed is called with a stand-in for the trainer; what is in a wheel is cut out by name and run, as those packages do
not import beside the installed ones. All in float64 but compute_approx_kl. Seeded: the same every time. All numbers are ours.
"""
import ast
import glob
import inspect
import json
import sys
import textwrap
import typing
import zipfile
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
import trl
from torch import nn
from trl.experimental.cpo import CPOTrainer
from trl.trainer import grpo_trainer, rloo_trainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.reward_trainer import RewardTrainer

assert trl.__version__ == "1.16.0", trl.__version__
target, wheels = sys.argv[1:]
torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(20260405)


def cut(package, path, names, inside=None, given=None):
    """Definitions by name out of a file of a wheel (`inside`: out of this class of it), run in a namespace of their own."""
    with zipfile.ZipFile(glob.glob(f"{wheels}/{package}-*.whl")[0]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(path))
        body = ast.parse(wheel.read(name).decode()).body
    if inside:
        body = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == inside).body
    chosen = [node for node in body if getattr(node, "name", None) in names]
    assert len(chosen) == len(names), (path, names)
    for node in chosen:
        node.decorator_list = []
    space = {"torch": torch, "nn": nn, "F": F, "np": np, **vars(typing), **(given or {})}
    exec(compile(ast.Module(chosen, []), name, "exec"), space)
    return SimpleNamespace(**{name: space[name] for name in names})


def statements(method, starts, space):
    """Runs those statements of a method, at its outermost level, that start so."""
    body = ast.parse(textwrap.dedent(inspect.getsource(method))).body[0].body
    chosen = [next(node for node in body if ast.unparse(node).startswith(start)) for start in starts]
    exec(compile(ast.Module(chosen, []), method.__name__, "exec"), space)
    return space


core = cut("trl", "trl/core.py", ["masked_mean", "masked_var", "masked_whiten", "clip_by_value", "entropy_from_logits"])
given = {**vars(core), "flatten_dict": lambda stats: stats}
ppo = cut("trl", "trl/trainer/ppo_trainer.py", ["loss", "compute_advantages"], "PPOTrainer", given)
AdaptiveKLController = cut("trl", "trl/trainer/utils.py", ["AdaptiveKLController"]).AdaptiveKLController
utils = cut("openrlhf", "openrlhf/models/utils.py", ["masked_mean", "compute_approx_kl"])
rlhf = cut("openrlhf", "openrlhf/models/loss.py", ["PolicyLoss", "ValueLoss", "DPOLoss"], None, vars(utils))
maker = cut("openrlhf", "ppo_utils/experience_maker.py", ["get_advantages_and_returns"], "RemoteExperienceMaker")


def draw(size, spread=1.0, centre=0.0):
    return [round(float(x), 3) for x in rng.normal(centre, spread, size)]


def leaf(values):
    return torch.tensor(values, requires_grad=True)


def gradients(loss, *leaves):
    return [grad.tolist() for grad in torch.autograd.grad(loss, leaves)]


def trainer(**own):
    same = lambda x, **_: x
    accelerator = SimpleNamespace(device="cpu", num_processes=1, gather=same, gather_for_metrics=same, reduce=same)
    always = {"aux_loss_enabled": False, "_total_train_tokens": 0, "_tp_size": 1, "_metrics": defaultdict(lambda: defaultdict(list))}
    return SimpleNamespace(accelerator=accelerator, model=SimpleNamespace(training=True), **always, **own)


def padded(rows):
    width = max(map(len, rows))
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return torch.tensor([row + [0.0] * (width - len(row)) for row in rows]), mask


def unpadded(tensor, rows):
    return [line[: len(row)] for line, row in zip(tensor.tolist(), rows)]


def ranking():
    cases = []
    for answers, pairs, margins, centering, spread in [
        (2, 1, False, 0.0, 1), (4, 6, True, 0.01, 2), (5, 7, False, 0.5, 1), (3, 3, True, 0.0, 25), (2, 1, False, 0.0, 0),
    ]:
        rewards = draw(answers, spread)
        every = [(i, j) for i in range(answers) for j in range(answers) if i != j]
        chosen = [every[i] for i in rng.permutation(len(every))[:pairs]]
        margin = [round(float(x), 2) for x in rng.uniform(0, 3, pairs)] if margins else [0.0] * pairs
        values = leaf(rewards)
        better, worse = (torch.tensor(side) for side in zip(*chosen))
        logits = torch.cat([values[better], values[worse]]).unsqueeze(-1)
        inputs = {"attention_mask": torch.ones(1)} | ({"margin": torch.tensor(margin)} if margins else {})
        own = trainer(args=SimpleNamespace(center_rewards_coefficient=centering or None))
        loss = RewardTrainer.compute_loss(own, lambda **_: SimpleNamespace(logits=logits), inputs)
        pairs = [{"better": i, "worse": j, "margin": m} for (i, j), m in zip(chosen, margin)]
        [gradient] = gradients(loss, values)
        settings = {"marginScale": 1, "centering": centering}
        cases.append({"rewards": rewards, "pairs": pairs, "settings": settings, "loss": loss.item(), "gradient": gradient})
    return cases


def dpo_by_trl(kind, beta, smoothing, policy, reference):
    """Of one pair; a token of prompt before each answer, whose log p the model leaves 0."""
    logprobs, mask = padded(policy)
    logprobs.requires_grad_()
    blank = torch.zeros_like(logprobs)
    outputs = SimpleNamespace(log_probs=logprobs, entropy=blank, mean_logits=blank, is_top1=blank.bool())
    sums = [torch.tensor([sum(row)]) for row in reference]
    completion = torch.cat([torch.zeros(2, 1, dtype=torch.long), mask], 1)
    ids = torch.ones_like(completion)
    inputs = {"input_ids": ids, "attention_mask": ids, "completion_mask": completion, "ref_chosen_logps": sums[0], "ref_rejected_logps": sums[1]}
    plain = {"ld_alpha": None, "precompute_ref_logps": True, "f_divergence_type": "reverse_kl", "use_weighting": False, "loss_weights": [1.0]}
    own = trainer(loss_types=[kind], beta=beta, label_smoothing=smoothing, **plain)
    loss = DPOTrainer._compute_loss(own, lambda **_: outputs, inputs, False)
    [grad] = gradients(loss, logprobs)
    rewards = [own._metrics["train"][f"rewards/{side}"][0] for side in ("chosen", "rejected")]
    return loss, unpadded(torch.tensor(grad), policy), rewards


def dpo_by_openrlhf(ipo, beta, smoothing, policy, reference):
    leaves = [leaf(row) for row in policy]
    module = rlhf.DPOLoss(beta, smoothing, ipo)
    loss, *rewards = module(*[row.sum() for row in leaves], *[torch.tensor(row).sum() for row in reference])
    return loss, gradients(loss, *leaves), [reward.item() for reward in rewards]


def simpo_by_trl(beta, gamma, policy):
    leaves = [leaf(row) for row in policy]
    own = trainer(alpha=0.0, loss_type="simpo", simpo_gamma=gamma, beta=beta, label_smoothing=0.0)
    losses, *rewards = CPOTrainer.cpo_loss(own, *[row.mean().unsqueeze(0) for row in leaves])
    return losses.sum(), gradients(losses.sum(), *leaves), [reward.item() for reward in rewards]


def preference():
    cases = []
    kinds = [
        ("trl sigmoid", "dpo", "sum", 0.1, 0, 0), ("trl aot", "dpo", "sum", 0.3, 0.1, 0), ("trl aot", "dpo", "sum", 0.1, 0.5, 0),
        ("trl sigmoid_norm", "dpo", "mean", 2.0, 0, 0), ("trl ipo", "ipo", "mean", 0.1, 0, 0), ("trl simpo", "simpo", "mean", 2.0, 0, 1.0),
        ("trl simpo", "simpo", "mean", 10.0, 0, 5.0), ("openrlhf", "dpo", "sum", 0.1, 0.2, 0), ("openrlhf", "ipo", "sum", 0.25, 0, 0),
    ]
    for by, loss, logprobs, beta, smoothing, gamma in kinds:
        for lengths, spread in [((4, 3), 0.5), ((1, 5), 3), ((2, 1), 25)]:
            policy = [[-abs(x) for x in draw(length, spread)] for length in lengths]
            reference = [[-abs(x) for x in draw(length, spread)] for length in lengths]
            if by == "openrlhf":
                value, tokens, rewards = dpo_by_openrlhf(loss == "ipo", beta, smoothing, policy, reference)
            elif loss == "simpo":
                value, tokens, rewards = simpo_by_trl(beta, gamma, policy)
            else:
                value, tokens, rewards = dpo_by_trl(by.split()[1], beta, smoothing, policy, reference)
            # Every token of an answer has the same derivative: one is kept.
            assert all(np.allclose(row, row[0], rtol=1e-12, atol=0) for row in tokens)
            settings = {"loss": loss, "beta": beta, "logprobs": logprobs, "smoothing": smoothing, "gamma": gamma}
            # The rewards TRL logs are of sums, whatever the loss takes.
            logged = {"rewards": rewards} if logprobs == "sum" or loss == "simpo" else {}
            cases.append(
                {"by": by, "settings": settings, "policy": policy, "reference": reference, "loss": value.item(),
                 "gradients": [row[0] for row in tokens], **logged}
            )
    return cases


def groups():
    def grpo(rewards, scale):
        own = SimpleNamespace(multi_objective_aggregation="sum_then_normalize", scale_rewards=scale, reward_weights=torch.ones(1))
        given = {
            "self": own, "torch": torch, "nanstd": grpo_trainer.nanstd, "rewards_per_func": torch.tensor(rewards).unsqueeze(1),
            "num_generations": len(rewards), "device": "cpu", "unscorable_mask": torch.zeros(len(rewards), dtype=torch.bool),
        }
        start = ["if self.multi_objective_aggregation == 'sum_then_normalize':"]
        return statements(grpo_trainer.GRPOTrainer._generate_and_score_completions, start, given)["advantages"]

    def rloo(rewards):
        given = {"torch": torch, "grouped_rewards": torch.tensor([rewards]), "rewards": torch.tensor(rewards), "num_generations": len(rewards)}
        starts = ["scorable_counts =", "grouped_sum =", "if num_generations > 1:\n    baselines ="]
        return statements(rloo_trainer.RLOOTrainer._generate_and_score_completions, starts, given)["advantages"]

    cases = []
    for rewards in [draw(2), draw(4), draw(8, 3, 5), [1.0, 0.0, 0.0, 1.0, 0.0], [0.1] * 4, [0.5, 0.5001, 0.4998], draw(4, 50)]:
        deviation = torch.tensor(rewards).std()
        for baseline, divide, advantages in [
            ("grpo", True, grpo(rewards, "group")), ("grpo", False, grpo(rewards, "none")),
            ("rloo", False, rloo(rewards)), ("rloo", True, rloo(rewards) / (deviation + 1e-4)),
        ]:
            settings = {"baseline": baseline, "divideByDeviation": divide}
            cases.append({"rewards": rewards, "settings": settings, "advantages": advantages.tolist()})
    return cases


def episodes():
    cases = []
    for lengths, gamma, lam in [((1, 2), 1.0, 0.95), ((5, 3, 8), 1.0, 0.95), ((4, 6), 0.9, 0.8), ((7, 2), 1.0, 0.0), ((3, 3), 0.99, 1.0)]:
        rewards, values = ([draw(length) for length in lengths] for _ in range(2))
        (r, mask), (v, _) = padded(rewards), padded(values)
        own = SimpleNamespace(config=SimpleNamespace(whiten_rewards=False, gamma=gamma, lam=lam))
        _, whitened, returns = ppo.compute_advantages(own, v, r, mask)
        raw, again = maker.get_advantages_and_returns(None, v, r, mask, gamma, lam)
        assert torch.allclose(returns, again, rtol=1e-12, atol=1e-12)
        kept = core.masked_whiten(raw, mask, shift_mean=False)
        parts = {"advantages": raw, "returns": returns, "whitened": whitened, "keptMean": kept}
        cases.append(
            {"rewards": rewards, "values": values, "settings": {"gamma": gamma, "lambda": lam}}
            | {name: unpadded(part, rewards) for name, part in parts.items()}
        )
    return cases


def moved(rows, spread):
    return [[round(x + dx, 3) for x, dx in zip(row, draw(len(row), spread))] for row in rows]


def grpo_by_trl(kind, low, high, beta, logprobs, mask, given):
    """Loss of tokens whose log p the model is made to give."""
    plain = {
        "importance_sampling_level": "token", "use_vllm": False, "vllm_importance_sampling_correction": False, "top_entropy_quantile": 1.0,
        "off_policy_mask_threshold": None, "current_gradient_accumulation_steps": 1, "_entropy_bonus_enabled": False,
        "args": SimpleNamespace(delta=None, use_bias_correction_kl=False),
        "_get_per_token_logps_and_entropies": lambda *_, **__: (logprobs, torch.zeros_like(logprobs), None),
    }
    own = trainer(loss_type=kind, epsilon_low=low, epsilon_high=high, beta=beta, **plain)
    ids = torch.ones_like(mask)
    inputs = {"prompt_ids": ids, "prompt_mask": ids, "completion_ids": ids, "completion_mask": mask, **given}
    return grpo_trainer.GRPOTrainer._compute_loss(own, None, inputs)


def policies():
    cases = []
    runs = [((3, 1, 5), 0.2, 0.2, 0.0, 0.3), ((4, 2), 0.2, 0.28, 0.04, 0.3), ((1,), 0.1, 0.3, 0.1, 0.5), ((2, 6), 0.2, 0.2, 0.001, 8)]
    for kind, average, run in [(*kind, run) for kind in [("bnpo", "token"), ("grpo", "sequence")] for run in runs]:
        lengths, low, high, beta, spread = run
        rows = {"old": [draw(length, 1, -3) for length in lengths]}
        rows |= {"logprobs": moved(rows["old"], spread), "reference": moved(rows["old"], spread)}
        advantages = draw(len(lengths))
        logprobs, mask = padded(rows["logprobs"])
        logprobs.requires_grad_()
        given = {"old_per_token_logps": padded(rows["old"])[0], "ref_per_token_logps": padded(rows["reference"])[0]}
        loss = grpo_by_trl(kind, low, high, beta, logprobs, mask, given | {"advantages": torch.tensor(advantages)})
        [grad] = torch.autograd.grad(loss, [logprobs])
        settings = {"average": average, "clip": {"clipLow": low, "clipHigh": high}, "beta": beta}
        known = {"loss": loss.item(), "gradients": unpadded(grad, rows["logprobs"])}
        cases.append({**settings, **rows, "advantages": advantages, **known})
    return cases


def ppo_losses():
    cases = []
    for lengths, clip, value_clip, spread in [((4, 2, 6), 0.2, 0.2, 0.3), ((1, 3), 0.1, 0.5, 1), ((5, 4), 0.2, 0.2, 7)]:
        rows = {name: [draw(length) for length in lengths] for name in ["old", "oldValues", "advantages", "returns"]}
        rows |= {"logprobs": moved(rows["old"], spread), "values": moved(rows["oldValues"], spread)}
        tensors = {name: padded(part)[0] for name, part in rows.items()}
        mask = padded(rows["old"])[1]
        old, old_values, advantages, returns, logprobs, values = tensors.values()
        logprobs.requires_grad_()
        values.requires_grad_()
        config = SimpleNamespace(cliprange=clip, cliprange_value=value_clip, vf_coef=1.0, ratio_threshold=float("inf"))
        logits = torch.zeros(*mask.shape, 2)
        own = SimpleNamespace(config=config)
        policy, value, stats = ppo.loss(own, old, old_values, logits, values, logprobs, mask, advantages, returns)
        again, share = rlhf.PolicyLoss(clip, clip)(logprobs, old, advantages, mask)
        value_again = rlhf.ValueLoss(value_clip)(values, old_values, returns, mask)
        shares = {"clipped": stats["policy"]["clipfrac"], "valuesClipped": stats["val"]["clipfrac"]}
        pairs = [(policy, again), (value, value_again), (shares["clipped"], share)]
        assert all(torch.isclose(one, other, rtol=1e-12, atol=0) for one, other in pairs)
        losses = {"policyLoss": policy, "valueLoss": value}
        [on_policy] = torch.autograd.grad(policy, [logprobs])
        [on_values] = torch.autograd.grad(value, [values])
        grads = {"policyGradients": unpadded(on_policy, rows["old"]), "valueGradients": unpadded(on_values, rows["old"])}
        numbers = {name: number.item() for name, number in (losses | shares).items()}
        cases.append({"clip": clip, "valueClip": value_clip, **rows, **numbers, **grads})
    return cases


def divergences():
    cases = []
    chosen = [(-1.5, -1.0), (-1.0, -1.5), (-0.25, -8.0), (-8.0, -0.25), (-2.0, -2.0), (-20.0, -1.0)]
    for logprob, reference in [*chosen, *zip(draw(6, 2), draw(6, 2))]:
        for kind in ["k1", "k2", "k3"]:
            at = leaf(logprob)
            loss = utils.compute_approx_kl(at, torch.tensor(reference), kind)
            cases.append([kind, logprob, reference, loss.item(), *gradients(loss, at)])
    return cases


def betas():
    cases = []
    runs = [(0.2, 9, 6, 10000, 256), (0.2, 6.3, 6, 10000, 256), (0.05, -1, 0.1, 1000, 64), (0.1, 2, 2, 10, 1)]
    for beta, kl, target_kl, horizon, steps in runs:
        controller = AdaptiveKLController(beta, target_kl, horizon)
        controller.update(kl, steps)
        settings = {"target": target_kl, "horizon": horizon, "steps": steps}
        cases.append({"beta": beta, "kl": kl, "settings": settings, "next": float(controller.value)})
    return cases


parts = {
    "ranking": ranking(), "preference": preference(), "groups": groups(), "episodes": episodes(), "policies": policies(),
    "ppo": ppo_losses(), "divergences": divergences(), "betas": betas(),
}
with open(target, "w") as file:
    file.write("{\n" + ",\n".join(f' "{name}": [\n  ' + ",\n  ".join(map(json.dumps, cases)) + "\n ]" for name, cases in parts.items()) + "\n}\n")
