"""From one cost for each class to one p-value.

Backdoors leave one class much cheaper to reach than the rest. Each class is compared with all others on the logarithm
of the cost, by a t statistic whose variance is shrunk to that of clean models (moderated t, Smyth 2004), and the
smallest p-value is corrected for the number of classes (Šidák 1967). The usual rule, an anomaly index of the median
absolute deviation above 2, flags between a quarter and two thirds of clean models.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Prior:
    """What clean models look like."""

    variance: float
    """Typical variance of log costs within a model."""
    weight: float
    """Degrees of freedom that it counts for."""
    shift: float = 0.0
    scale: float = 1.0
    """Mean and spread that clean models' z-scores really have; 0 and 1 if all assumptions held."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class that stands out most."""

    place: int
    t: float
    p: float
    """After correction for the number of classes, calibrated."""
    z: float
    """The same as a normal score, before calibration by `shift` and `scale`."""
    band: tuple[float, float]
    """In costs: where 95 of 100 classes of a clean model with this one's other classes would lie."""


def outlier(log_costs: Sequence[float], prior: Prior) -> Verdict:
    """The cheapest class against the others. Needs at least three classes."""
    count = len(log_costs)
    place = min(range(count), key=lambda at: log_costs[at])
    others = [cost for at, cost in enumerate(log_costs) if at != place]
    middle = sum(others) / len(others)
    own = sum((cost - middle) ** 2 for cost in others)
    freedom = prior.weight + len(others) - 1
    variance = (prior.weight * prior.variance + own) / freedom
    error = math.sqrt(variance * (1 + 1 / len(others)))
    t = (middle - log_costs[place]) / error
    single = student_tail(t, freedom)
    p = -math.expm1(count * math.log1p(-single)) if single < 1 else 1.0
    z = _score(p)
    reach = 1.96 * error
    return Verdict(
        place, t, normal_tail((z - prior.shift) / prior.scale), z, (math.exp(middle - reach), math.exp(middle + reach))
    )


def _score(p: float) -> float:
    return _NORMAL.inv_cdf(1 - min(max(p, 1e-15), 1 - 1e-15)) if p > 1e-12 else -_NORMAL.inv_cdf(max(p, 1e-300))


def normal_tail(z: float) -> float:
    """P(Z > z)."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def fit(models: Sequence[Sequence[float]]) -> Prior:
    """A prior from the log costs of clean models: the variance within models with its weight, by the method of moments
    on log variances (Smyth 2004, section 6.2), then mean and spread of the z-scores that result. The spread is never
    taken for less than 1: a narrow one is a matter of these models, and the next one may be of another kind."""
    logs, freedoms = [], []
    for costs in models:
        middle = sum(costs) / len(costs)
        variance = sum((cost - middle) ** 2 for cost in costs) / (len(costs) - 1)
        logs.append(math.log(max(variance, 1e-8)))
        freedoms.append(len(costs) - 1)
    shifted = [log - digamma(d / 2) + math.log(d / 2) for log, d in zip(logs, freedoms, strict=True)]
    middle = sum(shifted) / len(shifted)
    excess = sum((value - middle) ** 2 for value in shifted) / max(1, len(shifted) - 1)
    excess -= sum(trigamma(d / 2) for d in freedoms) / len(freedoms)
    weight = 2 * inverse_trigamma(excess) if excess > 0.02 else 100.0
    weight = min(weight, 100.0)
    variance = math.exp(middle + digamma(weight / 2) - math.log(weight / 2))
    prior = Prior(variance, weight)
    shift, scale = spread([outlier(costs, prior).z for costs in models])
    return Prior(variance, weight, shift, max(1.0, scale))


def spread(scores: Sequence[float]) -> tuple[float, float]:
    """Mean and spread of scores of clean models; the spread from all of them, or from the upper tail where that is
    longer than a normal one, since it is the tail that p-values are read from."""
    mean = sum(scores) / len(scores)
    deviation = math.sqrt(sum((score - mean) ** 2 for score in scores) / max(1, len(scores) - 1))
    upper = sorted(scores)[int(0.95 * (len(scores) - 1))]
    return mean, max(deviation, (upper - mean) / 1.645, 1e-3)


def student_tail(t: float, freedom: float) -> float:
    """P(T > t) of Student's distribution."""
    if t < 0:
        return 1 - student_tail(-t, freedom)
    return 0.5 * _beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Abramowitz and Stegun 26.5.8)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / max(1 - (a + b) * x / (a + 1), tiny)
    result = d
    for m in range(1, 300):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + numerator / c
            c = c if abs(c) > tiny else tiny
            result *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return front * result


def digamma(x: float) -> float:
    """The derivative of log-gamma, for x > 0 (Abramowitz and Stegun 6.3.5 and 6.3.18)."""
    result = 0.0
    while x < 6:
        result -= 1 / x
        x += 1
    inverse = 1 / (x * x)
    return result + math.log(x) - 0.5 / x - inverse * (1 / 12 - inverse * (1 / 120 - inverse / 252))


def trigamma(x: float) -> float:
    """The derivative of digamma, for x > 0 (Abramowitz and Stegun 6.4.6 and 6.4.12)."""
    result = 0.0
    while x < 6:
        result += 1 / (x * x)
        x += 1
    inverse = 1 / (x * x)
    return result + 1 / x + inverse / 2 + inverse / x * (1 / 6 - inverse * (1 / 30 - inverse / 42))


def inverse_trigamma(y: float) -> float:
    """x with trigamma(x) = y, by bisection; y in 0.005 to 1000."""
    low, high = 1e-2, 1e3
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if trigamma(middle) > y else (low, middle)
    return math.sqrt(low * high)
