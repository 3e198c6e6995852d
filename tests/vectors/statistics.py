"""Writes statistics.json: what SciPy and statsmodels say, for tests/statistics-vectors.test.ts.

    pip install scipy statsmodels && python tests/vectors/statistics.py > tests/vectors/statistics.json

Tango's statistic and interval are in neither: they are computed here a second way, from the definition of the restricted
likelihood (maximised numerically, in 60 digits), and not from the closed form that the package uses.
"""

import json
import random

import mpmath as mp
import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

mp.mp.dps = 60
random.seed(20261123)


def restricted(n, better, worse, difference):
    """p(worse) that is most likely when p(better) - p(worse) = difference."""
    d = mp.mpf(difference)
    low, high = max(mp.mpf(0), -d), (1 - d) / 2

    def slope(q):
        total = mp.mpf(0)
        if better:
            total += better / (q + d)
        if worse:
            total += worse / q
        rest = n - better - worse
        if rest:
            total -= 2 * rest / (1 - 2 * q - d)
        return total

    a, b = low, high
    step = mp.mpf(10) ** -50
    if slope(a + step) <= 0:
        return a
    if slope(b - step) >= 0:
        return b
    for _ in range(300):
        middle = (a + b) / 2
        if slope(middle) > 0:
            a = middle
        else:
            b = middle
    return (a + b) / 2


def score(n, better, worse, difference):
    d = mp.mpf(difference)
    q = restricted(n, better, worse, d)
    variance = n * (2 * q + d - d * d)
    above = better - worse - n * d
    return above / mp.sqrt(variance) if variance > 0 else mp.sign(above) * mp.inf if above else mp.mpf(0)


def bound(n, better, worse, z):
    a, b = mp.mpf(-1) + mp.mpf(10) ** -40, mp.mpf(1) - mp.mpf(10) ** -40
    for _ in range(220):
        middle = (a + b) / 2
        if score(n, better, worse, middle) > z:
            a = middle
        else:
            b = middle
    return (a + b) / 2


z95 = mp.mpf(float(stats.norm.isf(0.05)))
score_rows = []
for n, better, worse in [
    (15, 0, 0), (29, 0, 0), (30, 1, 2), (44, 1, 9), (50, 0, 3), (60, 5, 5), (60, 12, 2), (84, 6, 15), (200, 20, 31), (1000, 14, 40),
    (10, 10, 0), (10, 0, 10), (75, 3, 0),
]:
    for difference in (-0.2, -0.1, -0.05):
        z = score(n, better, worse, difference)
        score_rows.append({
            "n": n, "better": better, "worse": worse, "difference": difference,
            "z": float(z), "p": float(stats.norm.sf(float(z))),
            "lower": float(bound(n, better, worse, z95)), "upper": float(bound(n, better, worse, -z95)),
        })

normal_rows = [{"z": z, "tail": float(stats.norm.sf(z))} for z in (-8, -3.3, -1, -1e-3, 0, 0.5, 1, 1.6448536, 1.96, 3, 5, 8, 12, 20)]
quantile_rows = [{"p": p, "z": float(stats.norm.isf(p))} for p in (1e-12, 1e-6, 0.001, 0.025, 0.05, 0.2, 0.5, 0.8, 0.95, 0.999)]
mcnemar_rows = [
    {"better": b, "worse": c, "p": float(mcnemar([[10, b], [c, 10]], exact=True).pvalue)}
    for b, c in [(0, 0), (1, 0), (0, 5), (3, 9), (12, 2), (10, 10), (40, 61), (150, 210)]
]
sign_rows = []
for size in (2, 3, 5, 9, 14):
    values = [round(random.uniform(-1, 1), 3) for _ in range(size)]
    exact = stats.permutation_test((np.array(values),), np.mean, permutation_type="samples", n_resamples=np.inf)
    sign_rows.append({"differences": values, "p": float(exact.pvalue)})
many = [round(random.gauss(0.06, 0.3), 3) for _ in range(60)]
drawn = stats.permutation_test((np.array(many),), np.mean, permutation_type="samples", n_resamples=400_000, rng=np.random.default_rng(1))
holm_rows = []
for size in (1, 2, 3, 6):
    values = [round(random.random() ** 3, 4) for _ in range(size)]
    holm_rows.append({"p": values, "adjusted": [float(x) for x in multipletests(values, method="holm")[1]]})

print(json.dumps({
    "made": "scipy " + __import__("scipy").__version__ + ", statsmodels " + __import__("statsmodels").__version__,
    "normal": normal_rows, "quantiles": quantile_rows, "score": score_rows, "mcnemar": mcnemar_rows,
    "sign_flip": sign_rows, "sign_flip_drawn": {"differences": many, "p": float(drawn.pvalue)}, "holm": holm_rows,
}, indent=1))
