"""Synthesised voices of up to some sixty kinds, the audio of the stand-ins of many tasks.

A kind, a number from 0, stands for a class: an instrument, a dance, a tag, a composer. It has a typical
timbre, register, tempo, density and metre. `scene` mixes voices of any kinds over a quiet accompaniment; `note` is one
isolated note. Kinds overlap by construction: every voice strays from what is typical, and some take a trait or
more from the next kind or the one before, so that no classifier can be expected to be right always.

Conventions: times are in seconds, pitches are MIDI note numbers, and the numbers of kinds wrap around.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from mirbench.tasks.stand_in_music.song_styles import GENRES, Voice
from mirbench.tasks.stand_in_music.songs import Signal, _low_pass, _note, _place, song

__all__ = ["note", "scene"]

# The least and the most of each trait that a voice may have; what is typical of a kind lies between them.
_TRAITS = {
    "slope": (0.7, 2.4),
    "even": (0.05, 1.0),
    "attack": (0.003, 0.15),
    "decay": (0.08, 2.5),
    "vibrato": (0.02, 0.35),
    "breath": (0.003, 0.3),
    "body": (300.0, 4000.0),  # resonance in Hz
    "register": (43.0, 82.0),
    "tempo": (66.0, 190.0),  # beats per minute
    "density": (0.25, 0.95),
    "metre": (2.5, 5.0),  # beats in a bar: three below 3.5, four above
}
_LEAST, _MOST = np.array(list(_TRAITS.values())).T
# Multiples of irrational numbers spread any number of kinds evenly over each trait, with no relation between traits.
_STRIDES = np.sqrt([2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31])
_SPREAD = 0.05  # standard deviation of a trait within a kind, as a share of the way from least to most
_BACKGROUND = 0.3  # root mean square of the accompaniment, against 1 for a voice
_SCALE = (0, 2, 4, 7, 9)


@dataclass(frozen=True)
class Player:
    """One voice as drawn from its kind."""

    voice: Voice
    breath: float  # noise against tone
    body: float  # frequency of its resonance
    register: float  # pitch in the middle of what it plays
    beat_seconds: float
    density: float  # probability of an onset at a beat
    metre: int  # beats in a bar


def scene(kinds: Sequence[int], n_kinds: int, rng: np.random.Generator, *, seconds: float, sample_rate: int) -> Signal:
    """Synthesise a mixture with one voice of each of the given kinds.

    Parameters
    ----------
    kinds
        What sounds, numbers from 0 to n_kinds - 1; none for the accompaniment alone, a number twice for two voices.
    n_kinds
        How many kinds the task knows.
    rng
        The source of all that varies: the same state gives the same clip. Scenes of one state that differ in their
        last kinds share the accompaniment and the voices before.
    seconds, sample_rate
        Length of the clip, and samples per second.

    Returns
    -------
    ndarray of float32, shape (round(seconds * sample_rate),)
        Mono audio, with a peak between 0.1 and 0.9.

    Raises
    ------
    ValueError
        If a kind is out of range or the clip would have no sample.
    """
    _check_kinds(kinds, n_kinds)
    n_samples = _count(seconds, sample_rate)
    peak, cutoff = rng.uniform(0.15, 0.85), rng.uniform(4000, 7500)  # recordings differ in level and bandwidth
    genres = list(GENRES)
    background = song(genres[rng.integers(len(genres))], rng, seconds=seconds, sample_rate=sample_rate)
    key = int(rng.integers(12))
    total = _levelled(background, _BACKGROUND * rng.lognormal(0, 0.3))
    for kind in kinds:
        line = _line(_player(kind, n_kinds, rng), key, n_samples, sample_rate, rng)
        total += _levelled(line, rng.lognormal(0, 0.3))
    total = _low_pass(total, cutoff, sample_rate)
    return total * np.float32(peak / np.abs(total).max())


def note(
    kind: int, n_kinds: int, pitch: int, velocity: int, rng: np.random.Generator, *, seconds: float, sample_rate: int
) -> Signal:
    """Synthesise one isolated note, held for three quarters of its time and then released.

    Parameters
    ----------
    kind, n_kinds
        Whose timbre it has, a number from 0 to n_kinds - 1, and how many there are.
    pitch
        MIDI note number; its frequency lies below half of the sample rate.
    velocity
        From 1 to 127: level and brightness grow with it.
    rng
        The source of all that varies: the same state gives the same note.
    seconds, sample_rate
        Length of the note with its release, and samples per second.

    Returns
    -------
    ndarray of float32, shape (round(seconds * sample_rate),)
        Mono audio, with a peak of at most 0.9.

    Raises
    ------
    ValueError
        If the kind, the pitch or the velocity is out of range, or the note would have no sample.
    """
    _check_kinds([kind], n_kinds)
    n_samples = _count(seconds, sample_rate)
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    if not (0 <= pitch <= 127 and frequency < sample_rate / 2):
        raise ValueError(
            f"pitch {pitch} cannot sound at {sample_rate} Hz: a pitch is from 0 to 127, its frequency "
            f"({frequency:.0f} Hz) below half of the sample rate"
        )
    if not 1 <= velocity <= 127:
        raise ValueError(f"velocity {velocity} is out of range; it is from 1 to 127")
    strength = velocity / 127
    sound = _sound(_player(kind, n_kinds, rng), pitch, strength, n_samples, sample_rate, rng)
    after = np.arange(n_samples, dtype=np.float32) / np.float32(sample_rate) - np.float32(0.75 * seconds)
    sound *= np.exp(-np.maximum(after, 0) / np.float32(0.05 * seconds))
    level = 0.8 * strength * rng.uniform(0.9, 1.1)
    return sound * np.float32(level / max(float(np.abs(sound).max()), 1e-9))


def _check_kinds(kinds: Sequence[int], n_kinds: int) -> None:
    if n_kinds < 1:
        raise ValueError(f"n_kinds is {n_kinds}; there has to be one kind at least")
    wrong = [kind for kind in kinds if not 0 <= kind < n_kinds]
    if wrong:
        raise ValueError(f"kind {wrong[0]} is out of range; the {n_kinds} kinds are 0 to {n_kinds - 1}")


def _count(seconds: float, sample_rate: int) -> int:
    n_samples = round(seconds * sample_rate)
    if n_samples < 1:
        raise ValueError(f"{seconds} s at {sample_rate} Hz hold no sample; ask for a longer clip")
    return n_samples


def _levelled(signal: Signal, level: float) -> Signal:
    """Scale a signal to a root mean square."""
    return signal * np.float32(level / (np.sqrt(np.mean(signal**2)) + 1e-6))


def _typical(kind: int) -> NDArray[np.float64]:
    """Place of a kind between the least, 0, and the most, 1, of each trait."""
    return (0.5 + kind * _STRIDES) % 1


def _player(kind: int, n_kinds: int, rng: np.random.Generator) -> Player:
    """Draw a voice: the traits of its kind, some of a neighbour's, and chance."""
    share = rng.beta(0.15, 2)  # mean 0.07: nothing for most voices, more than half for one in thirty
    neighbour = (kind + rng.choice([-1, 1])) % n_kinds
    borrowed = rng.random(len(_TRAITS)) < share
    place = np.where(borrowed, _typical(neighbour), _typical(kind)) + rng.normal(0, _SPREAD, len(_TRAITS))
    place = np.abs((place + 1) % 2 - 1)  # reflected at 0 and 1
    slope, even, attack, decay, vibrato, breath, body, register, tempo, density, metre = (
        _LEAST * (_MOST / _LEAST) ** place
    ).tolist()
    voice = Voice(slope, even, attack=attack, decay=decay, darken=0.5 * decay, vibrato=vibrato)
    return Player(voice, breath, body, register, 60 / tempo, density, 3 if metre < 3.5 else 4)


def _sound(
    player: Player, pitch: int, strength: float, n_samples: int, sample_rate: int, rng: np.random.Generator
) -> Signal:
    """Render one note with its breath; a weaker one is darker."""
    voice = player.voice
    softer = replace(voice, slope=voice.slope + 1 - strength)
    tone = _note(softer, (pitch,), (n_samples + 1) / sample_rate, sample_rate)[:n_samples]
    angle = 2 * np.pi * min(player.body / sample_rate, 0.4)
    radius = np.exp(-angle / 8)  # a bandwidth of a quarter of the frequency
    poles = np.array([1, -2 * radius * np.cos(angle), radius**2], dtype=np.float32)
    resonance = lfilter(np.ones(1, dtype=np.float32), poles, tone)
    time = np.arange(n_samples, dtype=np.float32) / np.float32(sample_rate)
    breath = rng.standard_normal(n_samples, dtype=np.float32) * np.exp(-time / np.float32(voice.decay))
    breath *= np.minimum(time / np.float32(voice.attack), 1)
    return _levelled(tone, 0.5) + _levelled(resonance, 0.5) + _levelled(breath, player.breath * strength)


def _onsets(player: Player, n_samples: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a bar and repeat it: rows of start in samples, accent and step of the bar; a beat has two steps."""
    n_steps = 2 * player.metre
    chances = np.where(np.arange(n_steps) % 2, player.density**2, player.density)  # fewer between the beats
    chances[0] = 1
    bar = np.flatnonzero(rng.random(n_steps) < chances)
    step_samples = player.beat_seconds / 2 * sample_rate
    n_bars = int(n_samples / step_samples / n_steps) + 2
    steps = (bar + n_steps * np.arange(n_bars)[:, None]).ravel()
    starts = (steps - rng.uniform(0, n_steps)) * step_samples + rng.normal(0, 0.008, len(steps)) * sample_rate
    if not np.any((starts >= 0) & (starts < n_samples)):
        starts[0] = rng.uniform(0, 0.5) * n_samples  # or a short clip might miss its voice
    accents = np.where(steps % n_steps == 0, 1.0, np.where(steps % 2, 0.5, 0.7)) * rng.uniform(0.85, 1, len(steps))
    return np.stack([starts, accents, steps % n_steps], axis=1)


def _line(player: Player, key: int, n_samples: int, sample_rate: int, rng: np.random.Generator) -> Signal:
    """Play a voice throughout a clip: four pitches near its register, in a key."""
    lowest = round(player.register) - 5
    inside = [pitch for pitch in range(lowest, lowest + 12) if (pitch - key) % 12 in _SCALE]
    length = max(1, round(min(1.0, rng.uniform(0.8, 1.1) * player.beat_seconds) * sample_rate))
    pitches = rng.permutation(inside)[:4].tolist()
    rendered = [_sound(player, pitch, rng.uniform(0.6, 1), length, sample_rate, rng) for pitch in pitches]
    fade = np.minimum(np.arange(length, 0, -1, dtype=np.float32) / np.float32(0.02 * sample_rate), 1)
    melody = rng.integers(4, size=2 * player.metre)
    track = np.zeros(n_samples, dtype=np.float32)
    for start, accent, step in _onsets(player, n_samples, sample_rate, rng).tolist():
        _place(track, rendered[melody[int(step)]] * fade, round(start), accent)
    return track
