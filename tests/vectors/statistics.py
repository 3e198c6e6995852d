"""Writes statistics.json: what SciPy and statsmodels say, for tests/statistics-vectors.test.ts.

    pip install scipy statsmodels && python tests/vectors/statistics.py > tests/vectors/statistics.json

Tango's statistic and interval are in neither: they are computed here a second way, from the definition of the restricted
likelihood (maximised numerically, in 60 digits), and not from the closed form that the package uses.
"""

import json
import random

import mpmath as mp
import numpy as np
from scipy import optimize, special, stats
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

binomial_rows = [
    {"k": k, "n": n, "p": p, "mass": float(stats.binom.pmf(k, n, p)), "tail": float(stats.binom.sf(k - 1, n, p))}
    for k, n, p in [
        (0, 10, 0.3), (1, 1, 0.5), (3, 29, 0.1), (29, 29, 0.9), (55, 60, 0.9), (2, 200, 0.1), (40, 200, 0.1), (20, 200, 0.1),
        (500, 1000, 0.5), (600, 1000, 0.5), (5, 1000, 0.001), (9, 20, 1e-6),
    ]
]


def chance(n, margin, z, better):
    """That the score statistic is z or more when pairs get better, and worse by `margin` more often: every outcome, one by one."""
    worse = better + margin
    same = max(0.0, 1 - better - worse)
    better = 1 - worse - same  # sums to 1 also where rounding would not let it
    b, w = np.array(REACHED[n, margin, z]).T
    logs = special.xlogy(b, max(0.0, better)) + special.xlogy(w, worse) + special.xlogy(n - b - w, same)
    ways = special.gammaln(n + 1) - special.gammaln(b + 1) - special.gammaln(w + 1) - special.gammaln(n - b - w + 1)
    return float(np.exp(ways + logs).sum())


def exact(n, better, worse, margin):
    """The largest of these chances, by the best of a fine grid, searched on from there."""
    z = float(score(n, better, worse, -margin))
    REACHED[n, margin, z] = [
        (b, w) for w in range(n + 1) for b in range(n + 1 - w) if float(score(n, b, w, -margin)) >= z - 1e-9
    ]
    f = lambda q: chance(n, margin, z, q)
    grid = np.linspace(0, (1 - margin) / 2, 401)
    at = [f(q) for q in grid]
    i = int(np.argmax(at))
    found = optimize.minimize_scalar(
        lambda q: -f(q), bounds=(grid[max(0, i - 1)], grid[min(400, i + 1)]), method="bounded", options={"xatol": 1e-10}
    )
    return max(at[i], -found.fun, float(stats.norm.sf(z)))


REACHED = {}
exact_rows = [
    {"n": n, "better": b, "worse": w, "margin": margin, "p": float(exact(n, b, w, margin))}
    for n, b, w, margin in [(8, 0, 1, 0.2), (15, 1, 1, 0.2), (20, 3, 2, 0.1), (29, 0, 0, 0.1), (30, 0, 1, 0.1), (30, 12, 9, 0.1)]
]

BETS = [(1, 0.75)] + [(boldness, 0.05) for boldness in (0.6, 0.35, 0.2, 0.1, 0.05)]


def stake(values, mean):
    x = np.asarray(values)
    return sum(share * np.prod(1 - b + b * (1 + x) / (1 + mean)) for b, share in BETS)


betting_rows = []
for values in ([0.0] * 31, [0.0] * 30, [0.2, -0.1, 0, 0.4, 0.05] * 6, [0.5, -0.5] * 20, [-1.0] + [0.0] * 60):
    lower = optimize.brentq(lambda m: stake(values, m) - 20, -1 + 1e-9, 1, xtol=1e-14)
    upper = -optimize.brentq(lambda m: stake([-x for x in values], m) - 20, -1 + 1e-9, 1, xtol=1e-14)
    betting_rows.append({
        "values": values, "mean": -0.1, "p": float(min(1, 1 / stake(values, -0.1))), "lower": lower, "upper": upper,
    })

print(json.dumps({
    "made": "scipy " + __import__("scipy").__version__ + ", statsmodels " + __import__("statsmodels").__version__,
    "normal": normal_rows, "quantiles": quantile_rows, "score": score_rows, "mcnemar": mcnemar_rows,
    "sign_flip": sign_rows, "sign_flip_drawn": {"differences": many, "p": float(drawn.pvalue)}, "holm": holm_rows,
    "binomial": binomial_rows, "exact": exact_rows, "betting": betting_rows,
}, indent=1))
