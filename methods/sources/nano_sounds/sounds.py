"""Fifty kinds of sound events, made by chance and rule, on which the `nano` source is trained.

A kind is a family: pitch, rate, decay, brightness and level are drawn anew for every event, over wide ranges, so that
mostly timbre and the course in time tell one kind from another. No recording is used.

These are not the generators of the demo task, and import nothing from them: nothing here has a bar, a scale, a chord
progression or a drum kit. They overlap in this much. The kinds bell, gong, struck-bar, plucked-string, bowed-string,
blown-pipe, saw-drone, tremolo-tone and trill are tones of instruments, often several in a row, at pitches drawn from
no scale. The kinds bass-pulse, alarm-beep, clock-tick, heartbeat, helicopter and others repeat at an even rate, in the
range of musical tempi too. And both sum harmonics, shape noise and let modes ring, as any synthesis does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import signal

from mirbench.methods.sources.nano_sounds.everyday_sounds import EVERYDAY
from mirbench.methods.sources.nano_sounds.sound_primitives import Recipe, between, noise, unit
from mirbench.methods.sources.nano_sounds.tonal_sounds import TONAL

Audio = npt.NDArray[np.float32]


def _render(recipe: Recipe, rng: np.random.Generator, seconds: float, sample_rate: int) -> Audio:
    """Run a recipe and give the event a random level: a peak between 0.1 and 1."""
    n = round(seconds * sample_rate)
    if n < sample_rate // 10:
        raise ValueError(f"a sound of {seconds} s at {sample_rate} Hz has {n} samples; ask for at least 0.1 s")
    event: Audio = (unit(recipe(rng, n, sample_rate)) * between(rng, 0.1, 1)).astype(np.float32)
    return event


SOUNDS: dict[str, Callable[[np.random.Generator, float, int], Audio]] = {
    name: partial(_render, recipe) for name, recipe in (TONAL | EVERYDAY).items()
}


def scene(rng: np.random.Generator, seconds: float, sample_rate: int, n_events: int = 1) -> tuple[Audio, list[int]]:
    """Mix different sound events over a weak background noise.

    Parameters
    ----------
    rng : np.random.Generator
        Source of all chance: the same state gives the same scene.
    seconds : float
        Length; at least 0.1.
    sample_rate : int
        In Hz.
    n_events : int
        How many different sounds, 1 to ``len(SOUNDS)``. Their peaks lie within 12 dB of one another.

    Returns
    -------
    audio : np.ndarray, shape (round(seconds * sample_rate),), float32
        Peak between 0.05 and 0.95. The noise has a random spectral tilt and lies 15 to 40 dB under the events (RMS).
    sounds : list of int
        Which sounds are heard, ascending, as positions in `SOUNDS`.

    Raises
    ------
    ValueError
        If `n_events` is not between 1 and ``len(SOUNDS)``, or the scene is shorter than 0.1 s.
    """
    if not 1 <= n_events <= len(SOUNDS):
        raise ValueError(f"a scene of {n_events} different sounds was asked for; it can have 1 to {len(SOUNDS)}")
    sounds: list[int] = sorted(rng.choice(len(SOUNDS), n_events, replace=False).tolist())
    makers = list(SOUNDS.values())
    events = (unit(makers[k](rng, seconds, sample_rate).astype(np.float64)) for k in sounds)
    mixture = np.sum([event * 10 ** (rng.uniform(-12, 0) / 20) for event in events], axis=0)
    # One pole tilts the spectrum: near 1 towards a rumble, below 0 towards a hiss.
    background = signal.lfilter([1.0], [1.0, -rng.uniform(-0.8, 0.98)], noise(rng, len(mixture)))
    level = 10 ** (-rng.uniform(15, 40) / 20) * np.sqrt(np.mean(mixture**2) / np.mean(background**2))
    audio = unit(mixture + level * background) * between(rng, 0.05, 0.95)
    return audio.astype(np.float32), sounds
