"""The exact sign-flip test of many differences at once; of differences of one clip each it is McNemar's exact test."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

__all__ = ["sign_flip", "sign_flips"]

ValueArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_LEAST = 1e-12
_CHUNK = 2_000_000  # values held at a time: 16 MB an array


def sign_flip(differences: npt.ArrayLike) -> float:
    """Exact two-sided p of a sum of integers, shape (n,), when the sign of each is left to chance; see `sign_flips`."""
    return float(sign_flips(np.atleast_2d(np.asarray(differences)))[0])


def sign_flips(differences: npt.ArrayLike) -> ValueArray:
    """Exact two-sided p of sums of integers, when the sign of each is left to chance.

    The null distribution of a sum is a convolution of binomials, one for each distinct size; it is computed as the
    inverse Fourier transform of a product of cosines. Sums whose transforms are of one length share its tables. A p
    below 1e-12 is given as 1e-12.

    Parameters
    ----------
    differences : array_like of int, shape (n_sums, n)

    Returns
    -------
    ndarray, shape (n_sums,)
    """
    from scipy import fft

    given = np.asarray(differences).astype(np.int64)
    sizes = np.abs(given)
    unit = np.maximum(np.gcd.reduce(sizes, axis=1, initial=0), 1)
    sizes //= unit[:, None]
    observed, total = np.abs(given.sum(axis=1)) // unit, sizes.sum(axis=1)
    by_length: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(total).tolist():
        by_length[int(fft.next_fast_len(int(total[row]) + 1, real=True))].append(row)
    p = np.ones(len(given))
    for length, rows in by_length.items():
        most = max(1, _CHUNK // length)
        for chunk in (rows[start : start + most] for start in range(0, len(rows), most)):
            p[chunk] = _of_length(length, sizes[chunk], observed[chunk], total[chunk])
    return p


def _of_length(n: int, sizes: IntArray, observed: IntArray, total: IntArray) -> list[float]:
    """p of sums whose distribution is found by transforms of length n."""
    from scipy import fft

    k = np.arange(n // 2 + 1)
    angle = np.pi / n * np.arange(2 * n)  # looked up by whole numbers modulo 2 n: exact however large the sum
    cosine = np.cos(angle)
    with np.errstate(divide="ignore"):
        logarithm = np.log(np.abs(cosine))
    turn = np.exp(-1j * angle)
    counts = _counts(sizes)
    exponent, negative = np.zeros((len(sizes), len(k))), np.zeros((len(sizes), len(k)), dtype=np.bool_)
    for size in 1 + np.flatnonzero(counts[:, 1:].any(axis=0)):
        at, there = (k * size) % (2 * n), np.flatnonzero(counts[:, size])
        count = counts[there, size]
        exponent[there] += count[:, None] * logarithm[at]
        negative[there] ^= (cosine[at] < 0) & (count % 2 == 1)[:, None]
    product = np.where(negative, -1.0, 1.0) * np.exp(exponent)
    found = fft.irfft(product * turn[(k * total[:, None]) % (2 * n)], n)
    ends = (total - observed) // 2 + 1
    return [float(np.clip(2 * row[:end].sum(), _LEAST, 1.0)) for row, end in zip(found, ends, strict=True)]


def _counts(sizes: IntArray) -> IntArray:
    """How often a size occurs in each row, shape (n_rows, largest + 1)."""
    n_rows, width = len(sizes), int(sizes.max()) + 1
    places = sizes + np.arange(n_rows)[:, None] * width
    return np.bincount(places.ravel(), minlength=n_rows * width).reshape(n_rows, width)
