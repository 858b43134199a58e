"""From one cost for each class to one p-value.

Backdoors leave one class much cheaper to reach than the rest. Each class is compared with all others on the logarithm
of the cost, by a t statistic whose variance is shrunk to that of clean models (moderated t, Smyth 2004), and the
smallest p-value is corrected for the number of classes (Šidák 1967). The usual rule, an anomaly index of the median
absolute deviation above 2, flags between a quarter and two thirds of clean models.

Several searches of one model are one test together: what a class stands out by in each of them is averaged. That one
search reaches some class cheaply is usual in clean models; that all of them reach the same one is not.

Of tables it is known how far a search gets, not only what it costs; there the class is judged by both (`lead`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

_NORMAL = NormalDist()


SHARES = tuple(share / 10 for share in range(9))
"""Where the body of a null is described: quantiles from the smallest to the 80th hundredth."""


@dataclass(frozen=True, slots=True)
class Null:
    """How scores of clean models are spread: quantiles, and above the last of them an exponential tail.

    The mean excess is an estimate from a few models, so the tail is the predictive one (Lomax): with few models behind
    it, it is longer.
    """

    body: tuple[float, ...]
    """Quantiles at `SHARES`."""
    excess: float
    """Mean of what exceeds the last of them."""
    count: int
    """Zoos that the tail rests on: models of one task are no independent witnesses."""
    wider: float = 1.0
    """By how much it is stretched around its median."""

    def p(self, score: float) -> float:
        """Share of clean models that score as much or more."""
        middle = self.body[len(self.body) // 2]
        score = middle + (score - middle) / self.wider
        last = self.body[-1]
        if score > last:
            return (1 - SHARES[-1]) * (1 + (score - last) / (self.count * self.excess)) ** -self.count
        for place in range(len(self.body) - 1, 0, -1):
            low, high = self.body[place - 1], self.body[place]
            if score > low:
                return 1 - SHARES[place - 1] - (SHARES[place] - SHARES[place - 1]) * (score - low) / (high - low)
        return 1.0


@dataclass(frozen=True, slots=True)
class Prior:
    """What clean models look like."""

    variance: float
    """Typical variance of log costs within a model."""
    weight: float
    """Degrees of freedom that it counts for."""
    null: Null | None = None
    """How z-scores of clean models are really spread; None stands for a standard normal law."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class that stands out most."""

    place: int
    t: float
    p: float
    """After correction for the number of classes, calibrated."""
    z: float
    """The same before calibration: a normal score, or what `lead` makes of a table."""
    band: tuple[float, float]
    """In costs: where 95 of 100 classes of a clean model with this one's other classes would lie."""


Judge = Callable[[Sequence[float], Prior], Verdict]
"""How one search is judged: by the costs of all classes, held against clean models."""


def outlier(log_costs: Sequence[float], prior: Prior) -> Verdict:
    """The cheapest class against the others. Needs at least three classes."""
    place = min(range(len(log_costs)), key=lambda at: log_costs[at])
    t, freedom, middle, error = _below(log_costs, place, prior)
    z = _corrected(student_tail(t, freedom), len(log_costs))
    reach = 1.96 * error
    return Verdict(place, t, _calibrated(z, prior), z, (math.exp(middle - reach), math.exp(middle + reach)))


def lead(shortfalls: Sequence[float], prior: Prior) -> Verdict:
    """The class that rows of a table fall least short of: how far inside it they are, and how far it lies ahead of the
    next two. A shortfall has a meaning of its own, unlike a cost: honest models turn all rows to no class without
    cause, so what other classes vary by says less than the border does. z is this score, in margins of clean rows.
    Needs at least three classes."""
    place = min(range(len(shortfalls)), key=lambda at: shortfalls[at])
    least, *next_ones = sorted(shortfalls)[:3]
    ahead = sum(next_ones) / len(next_ones) - least
    score = ahead - least
    _, _, middle, error = _below(shortfalls, place, prior)
    reach = 1.96 * error
    return Verdict(place, ahead, _calibrated(score, prior), score, (math.exp(middle - reach), math.exp(middle + reach)))


def standings(log_costs: Sequence[float], prior: Prior) -> list[float]:
    """How far below the others each class lies, as a normal score without any correction."""
    scores = []
    for place in range(len(log_costs)):
        t, freedom, _, _ = _below(log_costs, place, prior)
        scores.append(_score(min(student_tail(t, freedom), 1 - 1e-12)))
    return scores


def together(searches: Sequence[tuple[Sequence[float], Prior]]) -> list[float]:
    """Each class's mean standing in several searches, each with its prior. Where it is dearer than the others it counts
    as 0: no trigger is cheap in every search."""
    each = [standings(costs, prior) for costs, prior in searches]
    return [sum(max(0.0, score) for score in one) / len(one) for one in zip(*each, strict=True)]


def foremost(means: Sequence[float], prior: Prior) -> Verdict:
    """The class with the largest mean standing. The prior's variance is the mean square of such means in clean models;
    the band is in standings."""
    place = max(range(len(means)), key=lambda at: means[at])
    spread = math.sqrt(prior.variance)
    z = _corrected(normal_tail(means[place] / spread), len(means))
    return Verdict(place, means[place] / spread, _calibrated(z, prior), z, (0.0, 1.96 * spread))


def _below(log_costs: Sequence[float], place: int, prior: Prior) -> tuple[float, float, float, float]:
    """t of one class against the others with its degrees of freedom, their mean, and the error of a difference."""
    others = [cost for at, cost in enumerate(log_costs) if at != place]
    middle = sum(others) / len(others)
    own = sum((cost - middle) ** 2 for cost in others)
    freedom = prior.weight + len(others) - 1
    variance = (prior.weight * prior.variance + own) / freedom
    error = math.sqrt(variance * (1 + 1 / len(others)))
    return (middle - log_costs[place]) / error, freedom, middle, error


def _corrected(single: float, count: int) -> float:
    """The normal score of the foremost of `count` classes (Šidák)."""
    return _score(-math.expm1(count * math.log1p(-single)) if single < 1 else 1.0)


def _calibrated(z: float, prior: Prior) -> float:
    return normal_tail(z) if prior.null is None else prior.null.p(z)


def _score(p: float) -> float:
    return _NORMAL.inv_cdf(1 - min(max(p, 1e-15), 1 - 1e-15)) if p > 1e-12 else -_NORMAL.inv_cdf(max(p, 1e-300))


def normal_tail(z: float) -> float:
    """P(Z > z)."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def fit(models: Sequence[Sequence[float]], zoos: Sequence[str], by: Judge = outlier) -> Prior:
    """A prior from the log costs of clean models, and the zoo of each: the variance within models with its weight, by
    the method of moments on log variances (Smyth 2004, section 6.2), then the null of the scores that result, by what
    will judge."""
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
    return Prior(variance, weight, null([by(costs, Prior(variance, weight)).z for costs in models], zoos))


def fit_together(models: Sequence[Sequence[float]], zoos: Sequence[str]) -> Prior:
    """The same for mean standings of clean models."""
    every = [mean for means in models for mean in means]
    spread = Prior(sum(mean * mean for mean in every) / len(every), 0.0)
    return Prior(spread.variance, 0.0, null([foremost(means, spread).z for means in models], zoos))


def null(scores: Sequence[float], zoos: Sequence[str]) -> Null:
    """The null of scores of clean models; `zoos` names each one's task."""
    ordered = sorted(scores)
    body = tuple(_quantile(ordered, share) for share in SHARES)
    above = [(score - body[-1], zoo) for score, zoo in zip(scores, zoos, strict=True) if score > body[-1]]
    excess = sum(more for more, _ in above) / max(1, len(above))
    return Null(body, max(excess, 1e-3), max(2, len({zoo for _, zoo in above})))


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


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
