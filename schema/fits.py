"""Normal and lognormal models of a size distribution that is cut off at the lower size limit.

Particles below the limit are not seen, so a plain fit is too large and too narrow. The models are
fitted by maximum likelihood to what lies above the limit (Cohen 1959, Technometrics 1, 217), which
needs no more than mean and variance: resamples are fitted together, without an optimiser.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from schema.distribution import Estimate, estimate, turned
from schema.resampling import FieldBootstrap

Floats = NDArray[np.float64]

LEAST_PARTICLES = 10
MOST_TESTED = 10_000
_ROUNDING = 1e-9
_DEEPEST = -37.0
_POINTS = 20_001

Model = Literal["lognormal", "normal"]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A model of the whole population, of which only what lies above the limit is seen.

    `centre_nm`: mean of the normal, geometric mean of the lognormal law. `spread`: standard
    deviation in nm, or geometric standard deviation. `unseen`: the share of the population below
    the limit by this model. `distance`: the largest difference between the cumulative shares of
    particles and model (Kolmogorov and Smirnov), in [0, 1]. `p_value`: of Lilliefors' test, as if
    all particles were independent; None for more than 10,000, which are never of any law exactly,
    or where it was not asked for.
    `log_likelihood` per particle, the higher the better.
    """

    model: Model
    centre_nm: Estimate
    spread: Estimate
    unseen: float
    distance: float
    p_value: float | None
    log_likelihood: float


def truncated_normal(mean: Floats, variance: Floats, limit: float) -> tuple[Floats, Floats]:
    """μ and σ of the normal law whose part above a limit has this mean and variance.

    NaN where no such law exists, or where it would have more than half of itself below the limit:
    then the part above says too little of the rest.

    Args:
        mean: of what lies above; any shape.
        variance: of it, with N and not N - 1 as divisor.
        limit: −∞ where nothing is cut off.
    """
    if not np.isfinite(limit):
        return mean, np.sqrt(variance)
    depths, ratios = _ratios()
    above = mean - limit
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = variance / above**2
        depth = np.interp(ratio, ratios, depths, left=np.nan, right=np.nan)
    beyond = (ratio < ratios[0]) & (above > 0)  # so far above the limit that nothing is cut off
    with np.errstate(invalid="ignore"):
        sigma = np.where(beyond, np.sqrt(variance), above / (_hazard(depth) - depth))
        mu = np.where(beyond, mean, limit - depth * sigma)
    bad = ~np.isfinite(mu) | (above <= 0)
    return np.where(bad, np.nan, mu), np.where(bad, np.nan, sigma)


def fitted(
    model: Model,
    field: NDArray[np.int64],
    diameter_nm: Floats,
    weight: Floats,
    limit_nm: float,
    bootstrap: FieldBootstrap | None,
    *,
    tested: bool = True,
) -> Fit | None:
    """The fit of one model; None where there are fewer than ten particles, or no law that fits.

    Args:
        model: which.
        field: (N,) the field of view of each particle.
        diameter_nm: (N,).
        weight: (N,) positive.
        limit_nm: particles below it are not seen, or left out here; 0 where there is no limit.
        bootstrap: of the fields; None gives no interval.
        tested: whether the p-value is wanted; what it is made by takes a second to import.
    """
    above = diameter_nm >= limit_nm
    field, diameter_nm, weight = field[above], diameter_nm[above], weight[above]
    x = scale(model, diameter_nm)
    if x.size < LEAST_PARTICLES or np.ptp(x) <= _ROUNDING * np.abs(x).max():
        return None
    limit = float(scale(model, np.array([limit_nm]))[0]) if limit_nm > 0 else -np.inf
    middle = float(x.mean())  # squares of what is left lose no digits
    terms = np.stack([weight, weight * (x - middle), weight * (x - middle) ** 2]).T
    sums = terms.sum(axis=0)[np.newaxis]
    if bootstrap is not None:
        sums = np.concatenate([sums, bootstrap.sums(field, terms)])
    mu, sigma = _laws(sums, middle, limit)
    if not np.isfinite(mu[0]):
        return None
    seen = _Seen.by(x, weight, (mu[0], sigma[0]), limit)
    back = np.exp if model == "lognormal" else np.asarray
    centre = back(mu)
    return Fit(
        model=model,
        centre_nm=estimate(float(centre[0]), bootstrap, centre[1:]),
        spread=estimate(float(back(sigma[0])), bootstrap, back(turned(sigma[0], sigma[1:]))),
        unseen=seen.below,
        distance=seen.distance(),
        p_value=seen.p_value() if tested else None,
        log_likelihood=seen.log_likelihood(lognormal=model == "lognormal"),
    )


def scale(model: Model, diameter_nm: Floats) -> Floats:
    """The sizes on the scale on which a model is normal."""
    return np.log(diameter_nm) if model == "lognormal" else diameter_nm


def _laws(sums: Floats, middle: float, limit: float) -> tuple[Floats, Floats]:
    """μ and σ for each row of sums of weight, weight times (x - middle), and times its square."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums[:, 1] / sums[:, 0]
        variance = np.maximum(sums[:, 2] / sums[:, 0] - mean**2, 0.0)
    return truncated_normal(mean + middle, variance, limit)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Particles beside a law, on the scale on which it is normal.

    `share` (N,) of the law, of what lies above the limit, below each particle in order of size.
    """

    x: Floats
    weight: Floats
    mu: float
    sigma: float
    below: float
    share: Floats

    @classmethod
    def by(cls, x: Floats, weight: Floats, law: tuple[float, float], limit: float) -> "_Seen":
        from scipy.special import ndtr

        mu, sigma = law
        order = np.argsort(x, kind="stable")
        below = float(ndtr((limit - mu) / sigma))
        share = (ndtr((x[order] - mu) / sigma) - below) / (1 - below)
        return cls(x=x[order], weight=weight[order], mu=mu, sigma=sigma, below=below, share=share)

    def distance(self) -> float:
        reached = np.cumsum(self.weight) / self.weight.sum()
        before = np.concatenate([[0.0], reached[:-1]])
        return float(max((reached - self.share).max(), (self.share - before).max()))

    def p_value(self) -> float | None:
        if self.x.size > MOST_TESTED:
            return None
        from scipy.special import ndtri
        from statsmodels.stats.diagnostic import lilliefors

        tiny = np.finfo(float).eps
        scores = ndtri(np.clip(self.share, tiny, 1 - tiny))
        return float(lilliefors(scores, dist="norm", pvalmethod="table")[1])

    def log_likelihood(self, *, lognormal: bool) -> float:
        """Mean over the particles, of densities per nm."""
        square = ((self.x - self.mu) / self.sigma) ** 2
        each = -(square + np.log(2 * np.pi)) / 2 - np.log(self.sigma) - np.log1p(-self.below)
        from_logarithm = -self.x if lognormal else 0.0
        return float(np.average(each + from_logarithm, weights=self.weight))


def _hazard(depth: Floats) -> Floats:
    """Density over upper tail of the standard normal law."""
    from scipy.special import log_ndtr

    return np.asarray(np.exp(-(depth**2) / 2 - log_ndtr(-depth)) / np.sqrt(2 * np.pi))


def _ratios() -> tuple[Floats, Floats]:
    """Depth of the limit, (limit − μ)/σ, and variance over squared mean excess there.

    Both ascending; at depth 0 half of the law is cut off.
    """
    depth = np.linspace(_DEEPEST, 0.0, _POINTS)
    hazard = _hazard(depth)
    ratio = (1 - hazard * (hazard - depth)) / (hazard - depth) ** 2
    return depth, ratio
