"""Synthesised songs in ten styles, the audio of the stand-in task ``gtzan-demo``.

A `Style` holds what is typical of a genre: tempo, swing, drum patterns, chords, scale and
instruments. `song` draws one clip from it. Genres overlap by construction: they share instruments and
patterns, about a third of the songs take an attribute or more from a related genre, and a few take most
of them, so that no classifier can be expected to reach an accuracy of 1.

Conventions: times are in seconds, pitches are MIDI note numbers, and a bar has 16 steps; the styles
are in `mirbench.tasks.stand_in_music.song_styles`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from mirbench.tasks.stand_in_music.song_styles import CHORDS, GENRES, VOICES, Mix, Part, Style, Voice

__all__ = ["song"]

Signal = NDArray[np.float32]
Pitches = tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """The steps of a song: their numbers, their starts in samples and the length of one."""

    steps: NDArray[np.int64]  # (n_steps,), counted from the first bar
    starts: NDArray[np.int64]  # (n_steps,), negative before the clip begins
    step_seconds: float
    sample_rate: int


def song(genre: str, rng: np.random.Generator, *, seconds: float = 10.0, sample_rate: int = 22050) -> Signal:
    """Synthesise one clip of a genre.

    Parameters
    ----------
    genre
        A key of `GENRES`.
    rng
        The source of all that varies: the same state gives the same clip.
    seconds, sample_rate
        Length of the clip, and samples per second.

    Returns
    -------
    ndarray of float32, shape (round(seconds * sample_rate),)
        Mono audio, with a peak between 0.3 and 0.9.

    Raises
    ------
    ValueError
        If the genre is unknown or the clip would have no sample.
    """
    if genre not in GENRES:
        raise ValueError(f"no genre is called {genre!r}; known: {', '.join(GENRES)}")
    n_samples = round(seconds * sample_rate)
    if n_samples < 1:
        raise ValueError(f"{seconds} s at {sample_rate} Hz hold no sample; ask for a longer clip")
    style = _blend(GENRES[genre], rng)
    grid = _grid(style, n_samples, sample_rate, rng)
    instruments = _instruments(style, grid, n_samples, rng)
    drums = _drums(style, grid, n_samples, rng)
    return _mixed(style.mix, instruments, drums, sample_rate, rng)


def _blend(style: Style, rng: np.random.Generator) -> Style:
    """Take some attributes from a related genre; how many differs from song to song."""
    share = rng.beta(0.2, 1.8)  # mean 0.1: nothing for most songs, more than half for one in twenty
    neighbour = GENRES[style.related[rng.integers(len(style.related))]]
    names = [field.name for field in fields(Style) if rng.random() < share]
    return replace(style, **{name: getattr(neighbour, name) for name in names})


def _grid(style: Style, n_samples: int, sample_rate: int, rng: np.random.Generator) -> Grid:
    """Lay out steps from at least one bar before the clip, which begins anywhere in a bar."""
    mean, spread = style.tempo
    step_seconds = 15 / float(np.clip(rng.normal(mean, spread), 55, 200))
    offset = rng.uniform(16, 32)  # in steps; notes held from before the clip sound at its start
    steps = np.arange(int(n_samples / sample_rate / step_seconds + offset) + 1)
    swing = max(0.0, style.swing + rng.normal(0, 0.02))
    in_beat = np.interp(steps % 4, [0, 2, 4], [0, 2 + 4 * swing, 4])
    early_or_late = rng.normal(0, 0.004, len(steps))
    times = (steps - steps % 4 + in_beat - offset) * step_seconds + early_or_late
    return Grid(steps, np.round(times * sample_rate).astype(np.int64), step_seconds, sample_rate)


def _draw_pattern(pattern: str, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the steps of the bar, 0 to 15, that carry an onset."""
    chances = np.array([int(digit) for digit in pattern.replace(" ", "")]) / 10
    return np.flatnonzero(rng.random(16) < chances)


def _hits(pattern: NDArray[np.int64], grid: Grid, rng: np.random.Generator) -> list[int]:
    """List the grid indices of a pattern's onsets, less a few that the player leaves out."""
    played = np.isin(grid.steps % 16, pattern) & (rng.random(len(grid.steps)) > 0.05)
    return [int(index) for index in np.flatnonzero(played)]


def _place(track: Signal, sound: Signal, start: int, gain: float) -> None:
    """Add a sound to a track in place; what lies outside the track is cut."""
    begin, end = max(start, 0), min(start + len(sound), len(track))
    if begin < end:
        track[begin:end] += np.float32(gain) * sound[begin - start : end - start]


def _cycle(slope: float, even: float, n_partials: int) -> Signal:
    """One period of a waveform: 1024 samples with a peak of 1."""
    number = np.arange(1, n_partials + 1)
    spectrum = np.zeros(513, dtype=np.complex128)
    spectrum[1 : n_partials + 1] = -1j * number**-slope * np.where(number % 2, 1.0, even)
    wave = np.fft.irfft(spectrum)
    cycle: Signal = (wave / np.abs(wave).max()).astype(np.float32)
    return cycle


def _note(voice: Voice, pitches: Pitches, seconds: float, sample_rate: int) -> Signal:
    """Render pitches sounding together as one note, its last 20 ms a release."""
    time = np.arange(int((seconds + 0.02) * sample_rate), dtype=np.float32) / np.float32(sample_rate)
    brightness = np.exp(-time / voice.darken)
    note = np.zeros_like(time)
    for pitch in pitches:
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        phase = time * np.float32(frequency)  # in cycles
        if voice.vibrato:
            phase += voice.vibrato * frequency / 440 * np.sin(2 * np.pi * 5.5 * time)
        if voice.fm:
            phase += voice.fm / (2 * np.pi) * brightness * np.sin(2 * np.pi * phase)
        index = (phase * 1024).astype(np.int32) & 1023
        n_partials = int(np.clip(0.45 * sample_rate / frequency, 1, 60))
        bright = _cycle(voice.slope, voice.even, n_partials)[index]
        dark = _cycle(voice.slope + 1.2, voice.even, n_partials)[index]
        note += dark + brightness * (bright - dark)
    note = np.tanh(voice.drive * note) if voice.drive else note / np.float32(len(pitches) ** 0.5)
    envelope = np.minimum(time / voice.attack, 1) * np.exp(-time / voice.decay)
    envelope *= np.minimum((time[-1] - time) / np.float32(0.02), 1)
    shaped: Signal = note * envelope
    return shaped


def _near(pitch: int, register: int) -> int:
    """Shift a pitch by octaves to within a tritone of a register."""
    return register - 6 + (pitch - register + 6) % 12


def _play(track: Signal, part: Part, voice: str, pitches: list[Pitches], grid: Grid, rng: np.random.Generator) -> None:
    """Add a part to a track; `pitches` says what would sound at each step of the grid."""
    pattern = _draw_pattern(part.pattern, rng)
    lengths = dict(zip(pattern.tolist(), np.diff(pattern, append=pattern[:1] + 16).tolist(), strict=True))
    gain = 0.2 * part.level * rng.lognormal(0, 0.15)
    rendered: dict[tuple[Pitches, int], Signal] = {}
    for index in _hits(pattern, grid, rng):
        length = lengths[int(grid.steps[index] % 16)]
        key = pitches[index], length
        if key not in rendered:
            seconds = part.gate * length * grid.step_seconds
            rendered[key] = _note(VOICES[voice], pitches[index], seconds, grid.sample_rate)
        _place(track, rendered[key], int(grid.starts[index]), gain * rng.uniform(0.75, 1))


def _instruments(style: Style, grid: Grid, n_samples: int, rng: np.random.Generator) -> Signal:
    """Play bass, chords and lead in one key."""
    bass, comp, lead = (part.voices[rng.integers(len(part.voices))] for part in (style.bass, style.comp, style.lead))
    key = int(rng.integers(12))
    progression = [chord.split(":") for chord in style.progressions[rng.integers(len(style.progressions))].split()]
    broken = rng.random() < style.comp.broken
    melody = np.clip(np.cumsum(rng.integers(-2, 3, 16)), -6, 6).tolist()  # scale degrees, one for each half beat
    bass_pitches: list[Pitches] = []
    comp_pitches: list[Pitches] = []
    lead_pitches: list[Pitches] = []
    for step in grid.steps.tolist():
        degree, quality = progression[step // 16 % len(progression)]
        root = key + int(degree)
        interval = style.bass_line[step % 16 * len(style.bass_line) // 16]
        bass_pitches.append((_near(root, style.bass.register) + interval,))
        if comp == "power":  # thirds would beat once distorted
            chord = tuple(_near(root, style.comp.register - 5) + tone for tone in (0, 7, 12))
        else:
            chord = tuple(sorted(_near(root + tone, style.comp.register) for tone in CHORDS[quality]))
        comp_pitches.append(chord[step // 2 % len(chord) :][:1] if broken else chord)
        octave, place = divmod(melody[step // 2 % 16], len(style.scale))
        lead_pitches.append((_near(key, style.lead.register) + 12 * octave + style.scale[place],))
    track = np.zeros(n_samples, dtype=np.float32)
    _play(track, style.bass, bass, bass_pitches, grid, rng)
    _play(track, style.comp, comp, comp_pitches, grid, rng)
    _play(track, style.lead, lead, lead_pitches, grid, rng)
    return track


def _drum_kit(mix: Mix, sample_rate: int, rng: np.random.Generator) -> tuple[Signal, Signal, Signal]:
    """Render a kick, a snare and a hat, 0.35 s each."""
    time = np.arange(int(0.35 * sample_rate)) / sample_rate
    noise = rng.standard_normal(len(time))
    low, sweep = rng.uniform(42, 62), rng.uniform(2, 6)  # Hz, cycles
    kick = np.sin(2 * np.pi * (low * time - sweep * np.exp(-time / 0.02)))
    kick *= np.exp(-time / (mix.thump * rng.uniform(0.8, 1.2)))
    ring = np.sin(2 * np.pi * rng.uniform(160, 230) * time) * np.exp(-time / 0.05)
    snare = 0.6 * ring + 0.5 * noise * np.exp(-time / rng.uniform(0.04, 0.09))
    hat = 0.15 * np.diff(noise, 2, prepend=[0, 0]) * np.exp(-time / (mix.ring * rng.uniform(0.8, 1.2)))
    fade = 1 - time / 0.35  # or the end of a long kick would click
    return (fade * kick).astype(np.float32), (fade * snare).astype(np.float32), (fade * hat).astype(np.float32)


def _drums(style: Style, grid: Grid, n_samples: int, rng: np.random.Generator) -> Signal:
    """Play the drum patterns on a kit drawn for the song."""
    track = np.zeros(n_samples, dtype=np.float32)
    for sound, pattern in zip(_drum_kit(style.mix, grid.sample_rate, rng), style.drums, strict=True):
        level = rng.lognormal(0, 0.15)
        for index in _hits(_draw_pattern(pattern, rng), grid, rng):
            accent = 1.0 if grid.steps[index] % 4 == 0 else 0.75
            _place(track, sound, int(grid.starts[index]), level * accent * rng.uniform(0.8, 1))
    return track


def _low_pass(signal: Signal, cutoff: float, sample_rate: int) -> Signal:
    """Filter with one pole, a gentle 6 dB per octave."""
    pole = np.float32(np.exp(-2 * np.pi * cutoff / sample_rate))
    filtered: Signal = lfilter(np.array([1 - pole]), np.array([1, -pole], dtype=np.float32), signal)
    return filtered


def _mixed(mix: Mix, instruments: Signal, drums: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
    """Distort, filter and echo the instruments, then add the drums and a little noise."""
    instruments = instruments / (np.sqrt(np.mean(instruments**2)) + np.float32(1e-6))
    drive = np.float32(mix.drive * rng.uniform(0.7, 1.3) + 0.05)
    instruments = _low_pass(
        np.tanh(drive * instruments) / np.tanh(drive), mix.cutoff * rng.lognormal(0, 0.15), sample_rate
    )
    wet = instruments.copy()
    for delay in rng.uniform(0.02, 0.35, 6):
        _place(wet, instruments, int(delay * sample_rate), mix.echo * 0.003**delay)
    drums = drums / (np.sqrt(np.mean(drums**2)) + np.float32(1e-6))
    noise = rng.standard_normal(len(wet), dtype=np.float32)
    total = wet + np.float32(mix.drums * rng.lognormal(0, 0.15)) * drums + np.float32(10 ** rng.uniform(-3, -2)) * noise
    total = _low_pass(total, rng.uniform(6000, 10000), sample_rate)  # recordings differ in bandwidth
    return total * np.float32(rng.uniform(0.3, 0.9) / np.abs(total).max())
