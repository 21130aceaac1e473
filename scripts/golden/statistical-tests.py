"""Writes test/golden/statistics.json: paired tests, corrections, powers and logistic fits of scipy, statsmodels and scikit-learn.

    python scripts/golden/statistical-tests.py test/golden/statistics.json    (pip install scipy==1.17.1 statsmodels==0.15.0 scikit-learn==1.9.1)

Seeded: the same every time. All numbers are ours.
"""
import json
import sys
import warnings

import numpy as np
import statsmodels.api as sm
from scipy import stats
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

warnings.simplefilter("ignore")
rng = np.random.default_rng(20240404)


def plain(values):
    return [round(float(value), 12) for value in values]


def distributions():
    points = [-6.5, -3.001, -1.0, 0.0, 1e-9, 0.5, 1.96, 2.999, 3.0, 3.001, 5.0, 9.0, 30.0]
    shares = [1e-6, 0.025, 0.5, 0.8, 0.975, 0.9999]
    coins = [(0, 1), (3, 10), (5, 11), (400, 1000), (900, 2000)]
    return {
        "tails": [[z, float(stats.norm.sf(z))] for z in points],
        "quantiles": [[p, float(stats.norm.ppf(p))] for p in shares],
        "coins": [[k, n, float(stats.binom.cdf(k, n, 0.5))] for k, n in coins],
    }


def binary_cases():
    cases = []
    for n, p, q in [(12, 0.3, 0.8), (80, 0.5, 0.6), (400, 0.62, 0.55), (30, 0.9, 0.9)]:
        before = (rng.random(n) < p).astype(int)
        after = (rng.random(n) < q).astype(int)
        gained = int(((after == 1) & (before == 0)).sum())
        lost = int(((after == 0) & (before == 1)).sum())
        result = mcnemar([[0, gained], [lost, 0]], exact=True)
        cases.append({"before": before.tolist(), "after": after.tolist(), "p": float(result.pvalue)})
    return cases


def wilcoxon_cases():
    cases = []
    for n, step, shift in [(9, 0, 0.4), (50, 0, 0.2), (12, 0.25, 0.3), (11, 1, 0.5), (60, 0, 0.1), (200, 0.5, 0.1)]:
        before = rng.normal(5, 1, n)
        after = before + rng.normal(shift, 0.8, n)
        if step:
            before, after = np.round(before / step) * step, np.round(after / step) * step
        before, after = plain(before), plain(after)
        difference = np.round(np.array(after) - np.array(before), 9)
        difference = difference[difference != 0]
        exact = len(difference) <= 50
        if not exact:
            method = "asymptotic"
        elif step:
            method = stats.PermutationMethod(n_resamples=np.inf)
        else:
            method = "exact"
        result = stats.wilcoxon(difference, zero_method="wilcox", correction=True, method=method)
        cases.append({"before": before, "after": after, "method": "exact" if exact else "normal", "p": float(result.pvalue)})
    return cases


def permutation_cases():
    cases = []
    for n, shift in [(5, 1.0), (10, 0.5), (14, 0.2)]:
        before, after = plain(rng.normal(0, 1, n)), plain(rng.normal(shift, 1, n))
        result = stats.permutation_test(
            (np.array(after), np.array(before)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
        )
        cases.append({"before": before, "after": after, "p": float(result.pvalue)})
    return cases


def corrections():
    cases = []
    for ps in [[0.01], [0.01, 0.04, 0.03, 0.005], [0.9, 0.02, 0.02, 0.5, 1.0, 0.0], plain(rng.random(20) ** 3)]:
        holm = multipletests(ps, method="holm")[1]
        rate = multipletests(ps, method="fdr_bh")[1]
        cases.append({"ps": ps, "holm": holm.tolist(), "benjaminiHochberg": rate.tolist()})
    return cases


def powers():
    cases = []
    for effect in [0.05, 0.1, 0.25, 0.5, 1.0]:
        for alpha, power in [(0.05, 0.8), (0.01, 0.9), (0.05, 0.95)]:
            n = TTestPower().solve_power(effect_size=effect, alpha=alpha, power=power, alternative="two-sided")
            cases.append({"effect": effect, "alpha": alpha, "power": power, "n": float(n)})
    return cases


def logistic_cases():
    cases = []
    for n, soft, ridge in [(40, False, 1.0), (40, True, 0.1), (200, True, 1.0), (120, False, 0.0), (120, True, 0.0)]:
        length = np.round(rng.normal(80, 400, n))
        x = np.tanh(length / np.std(length, ddof=1))
        chance = 1 / (1 + np.exp(-(0.3 + 0.9 * x)))
        if soft:
            y = np.clip(np.round(chance + rng.normal(0, 0.25, n), 3), 0, 1)
        else:
            y = (rng.random(n) < chance).astype(float)
        design = sm.add_constant(x)
        if ridge:
            # A soft preference is a win of weight y and a loss of weight 1 - y; the intercept is not penalised.
            model = LogisticRegression(C=1 / ridge, tol=1e-12, max_iter=100000)
            model.fit(np.concatenate([x, x])[:, None], np.repeat([1, 0], n), sample_weight=np.concatenate([y, 1 - y]))
            theta, phi = float(model.intercept_[0]), float(model.coef_[0, 0])
            errors = None
            z = theta + phi * x
            likelihood = float(np.sum(y * z - np.logaddexp(0, z)))
        else:
            model = sm.Logit(y, design).fit(disp=0, tol=1e-14) if not soft else sm.GLM(y, design, family=sm.families.Binomial()).fit(tol=1e-14)
            theta, phi = map(float, model.params)
            errors = [float(error) for error in model.bse]
            z = theta + phi * x
            likelihood = float(np.sum(y * z - np.logaddexp(0, z)))
        cases.append({
            "lengths": length.tolist(), "preferences": y.tolist(), "ridge": ridge, "theta": theta, "phi": phi,
            "standardErrors": errors, "logLikelihood": likelihood,
        })
    return cases


golden = {
    "distributions": distributions(), "mcnemar": binary_cases(), "wilcoxon": wilcoxon_cases(),
    "permutation": permutation_cases(), "corrections": corrections(), "power": powers(), "logistic": logistic_cases(),
}
with open(sys.argv[1], "w") as file:
    json.dump(golden, file)
    file.write("\n")
