"""What makes a method one of which several are trained together; it loads no torch until they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mirbench.method import Fitted
from mirbench.types import Split

if TYPE_CHECKING:
    from mirbench import Context

__all__ = ["Stackable"]


class Stackable:
    """A `NetworkMethod` of which several can be trained as one program; see `mirbench.methods.training.stacked`."""

    @classmethod
    def fit_many(
        cls, jobs: Sequence[tuple[Any, int]], train: Split, valid: Split, context: Context
    ) -> Iterator[Fitted]:
        """Fit each (method, seed), those that fit one another together; what comes is in the order of the jobs."""
        from mirbench.methods.training.stacked import fit_many

        return fit_many(jobs, train, valid, context)
