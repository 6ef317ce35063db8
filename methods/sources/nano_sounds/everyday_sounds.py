"""Sound events of animals, voices, weather and machines: noises, clicks and their rhythms.

Each function is a recipe: it takes a generator, a number of samples and a sample rate in Hz, and returns a signal.

References
----------
G. E. Peterson and H. L. Barney, "Control methods used in a study of the vowels", J. Acoust. Soc. Am. 24, 1952: the
first three formants of the vowels.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from mirbench.methods.sources.nano_sounds.sound_primitives import (
    Recipe,
    Signal,
    between,
    curve,
    envelope,
    fade,
    fading,
    formants,
    gate,
    held_notes,
    impulses,
    irregular,
    noise,
    place,
    regular,
    ringing,
    sine,
    slope,
    soften,
    tone,
    unit,
    vibrato,
    wander,
)

_VOWELS = {
    "a": np.array([730.0, 1090, 2440, 3400]),
    "e": np.array([530.0, 1840, 2480, 3500]),
    "i": np.array([270.0, 2290, 3010, 3700]),
    "o": np.array([570.0, 840, 2410, 3300]),
    "u": np.array([300.0, 870, 2240, 3300]),
}
_VOWEL_WIDTHS = np.array([70.0, 100, 140, 250])


def bird_chirp(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Phrases of a bird: one curved high syllable several times, then another."""
    onsets = regular(rng, between(rng, 2.5, 14), 0.2, n, sample_rate)
    pitch = between(rng, 1800, 5500)
    gap = np.diff(np.r_[onsets, n]).min()

    def syllable() -> Signal:
        length = max(32, int(gap * rng.uniform(0.4, 0.9)))
        return sine(pitch * 2 ** curve(rng.uniform(-0.5, 0.5, 4), length), length, sample_rate) * fade(length, 0.3, 0.4)

    pair = [syllable(), syllable()]
    per_phrase = int(rng.integers(2, 8))
    return place((pair[k // per_phrase % 2] * rng.uniform(0.5, 1) for k in range(len(onsets))), onsets, n)


def dog_bark(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Barks: a rough voice that jumps up and falls within a fifth of a second."""
    length = int(rng.uniform(0.1, 0.3) * sample_rate)
    pitch = between(rng, 150, 800) * curve([0.7, 1.2, 1.0, 0.6], length)
    voice = tone(pitch, slope(0.5), length, sample_rate) + rng.uniform(0.5, 2) * noise(rng, length)
    throat = between(rng, 0.7, 1.5) * np.array([600, 1200, 2600])
    bark = formants(voice, throat, np.array([200, 300, 600]), sample_rate)
    bark *= envelope(0.01, rng.uniform(0.04, 0.1), length, sample_rate)
    onsets = regular(rng, between(rng, 0.6, 3), rng.uniform(0.1, 0.8), n, sample_rate)
    return place((rng.uniform(0.4, 1) * bark for _ in onsets), onsets, n)


def cat_meow(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Meows: the pitch rises and falls while the mouth opens from i to a and closes to u."""
    length = int(between(rng, 0.4, 1.4) * sample_rate)
    pitch = between(rng, 280, 900) * curve([0.8, 1.1, rng.uniform(1, 1.4), 1, 0.75], length)
    voice = tone(pitch, slope(rng.uniform(0.5, 1)), length, sample_rate)
    tract = between(rng, 1.1, 1.6)
    mouth = {"i": [1, 0.4, 0, 0, 0], "a": [0, 0.6, 1, 0.5, 0], "u": [0, 0, 0, 0.5, 1]}
    shapes = (curve(way, length) * formants(voice, tract * _VOWELS[v], 120, sample_rate) for v, way in mouth.items())
    meow = sum(shapes, np.zeros(length)) * fade(length, 0.2, 0.3)
    onsets = regular(rng, sample_rate / length / rng.uniform(1.1, 3), 0.15, n, sample_rate)
    return place((rng.uniform(0.5, 1) * meow for _ in onsets), onsets, n)


def cricket(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Chirps of a cricket: a few quick pulses of a high tone, over and over."""
    pulse = between(rng, 18, 60)
    chirp = rng.integers(2, 7) / pulse
    pulses = np.maximum(sine(pulse, n, sample_rate), 0)
    chirps = gate(rng, chirp, chirp * between(rng, 0.3, 3), n, sample_rate)
    return chirps * pulses * sine(between(rng, 2500, 6500), n, sample_rate)


def frog(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Croaks: a rattle of pulses through a resonant throat, growing louder."""
    length = int(between(rng, 0.12, 0.6) * sample_rate)
    rate = between(rng, 25, 110)
    rattle = impulses(regular(rng, rate, 0.1, length, sample_rate), 1.0, length)
    centre = between(rng, 350, 1600)
    croak = formants(rattle, [centre, centre * rng.uniform(1.8, 2.6)], np.array([120, 200]), sample_rate)
    croak *= fade(length, rng.uniform(0.3, 0.8), 0.15)
    onsets = regular(rng, sample_rate / length / rng.uniform(1.3, 4), 0.3, n, sample_rate)
    return place((rng.uniform(0.5, 1) * croak for _ in onsets), onsets, n)


def held_vowel(rng: np.random.Generator, n: int, sample_rate: int, *, vowel: str) -> Signal:
    """Voice that holds one vowel, from a low man's to a child's."""
    frequency, level = held_notes(rng, 75, 420, rng.uniform(0.03, 0.3), n)
    frequency = frequency * vibrato(rng, 0.03, n, sample_rate) * (1 + 0.01 * wander(rng, 20, n, sample_rate))
    voice = tone(frequency, slope(rng.uniform(0.6, 1.4)), n, sample_rate) + between(rng, 0.005, 0.1) * noise(rng, n)
    return level * formants(voice, between(rng, 0.88, 1.2) * _VOWELS[vowel], _VOWEL_WIDTHS, sample_rate)


def babble(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Speech without words: syllables of changing vowels, with hisses between them and a wandering pitch."""
    rate = between(rng, 2.5, 7)
    onsets = regular(rng, rate, 0.6, n, sample_rate)
    spoken = rng.choice(sorted(_VOWELS), 3, replace=False)
    choice = np.repeat(rng.integers(0, 3, len(onsets) + 1), np.diff(np.r_[0, onsets, n]))
    pitch = between(rng, 85, 320) * 2 ** (0.4 * wander(rng, rate / 2, n, sample_rate))
    voice = tone(pitch, slope(1), n, sample_rate)
    tract = between(rng, 0.88, 1.2)
    shapes = (formants(voice, tract * _VOWELS[vowel], _VOWEL_WIDTHS, sample_rate) for vowel in spoken)
    vowels = sum(((choice == k) * shape for k, shape in enumerate(shapes)), np.zeros(n))
    level = fading(impulses(onsets, rng.uniform(0.4, 1, len(onsets)), n), 0.6 / rate, sample_rate)
    hisses = fading(impulses(onsets, rng.uniform(0, 0.15, len(onsets)), n), 0.03, sample_rate) * noise(rng, n)
    return soften(vowels * level, 4000, sample_rate) + hisses


def laughter(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Laughs: breathy, quick, even bursts of a vowel, falling in pitch and level, then again."""
    length = int(rng.uniform(0.8, 2.2) * sample_rate)
    rate = between(rng, 3.5, 7.5)
    ha = np.maximum(sine(rate, length, sample_rate), 0)
    pitch = between(rng, 120, 500) * curve([1.1, 0.7], length) * (0.8 + 0.3 * ha)
    voice = tone(pitch, slope(0.9), length, sample_rate) + (1.2 - ha) * rng.uniform(0.2, 0.8) * noise(rng, length)
    vowel = _VOWELS[rng.choice(["a", "e", "o"])]
    laugh = formants(voice, between(rng, 0.9, 1.25) * vowel, _VOWEL_WIDTHS, sample_rate) * (ha + 0.05)
    laugh *= fade(length, 0.05, 0.6)
    onsets = regular(rng, sample_rate / length / rng.uniform(1.05, 1.6), 0.1, n, sample_rate)
    return place((rng.uniform(0.5, 1) * laugh for _ in onsets), onsets, n)


def rain(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Many small drops, from a drizzle to a downpour, over their own hiss."""
    onsets = irregular(rng, between(rng, 60, 1200), n, sample_rate)
    drops = impulses(onsets, rng.standard_normal(len(onsets)) * rng.random(len(onsets)) ** 2, n)
    drops = formants(drops, [between(rng, 1200, 5000)], rng.uniform(800, 3000), sample_rate)
    hiss = noise(rng, n)
    return drops + between(rng, 0.02, 0.15) * (hiss - soften(hiss, between(rng, 300, 2500), sample_rate))


def wind(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Gusts: noise whose resonance moves up as it swells."""
    air, centre = noise(rng, n), between(rng, 150, 700)
    gust = (1 + wander(rng, between(rng, 0.5, 2), n, sample_rate)) / 2
    width = rng.uniform(0.15, 0.8)
    low = formants(air, [centre], width * centre, sample_rate)
    high = formants(air, [centre * rng.uniform(1.5, 2.5)], width * centre, sample_rate)
    return (0.2 + gust) * ((1 - gust) * low + gust * high)


def thunder(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """A crack, near or far, and the rumble that rolls after it."""
    air = noise(rng, n)
    onsets = np.r_[rng.integers(0, max(1, n // 5)), irregular(rng, between(rng, 0.5, 3), n, sample_rate)]
    strikes = impulses(onsets, np.r_[1, rng.uniform(0.1, 0.6, len(onsets) - 1)], n)
    rumble = unit(soften(soften(air, between(rng, 60, 250), sample_rate), 250, sample_rate))
    crack = soften(air, between(rng, 500, 4000), sample_rate)
    far = fading(strikes, between(rng, 0.3, 1.5), sample_rate) * (1 + 0.7 * wander(rng, 12, n, sample_rate))
    return far * rumble + between(rng, 0.02, 0.4) * fading(strikes, between(rng, 0.02, 0.2), sample_rate) * crack


def water_drops(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Drops into water: short tones that rise as the bubble closes."""
    onsets = irregular(rng, between(rng, 1, 18), n, sample_rate)
    pitch, rise = between(rng, 400, 1800), rng.uniform(0.3, 1.5)

    def drop() -> Signal:
        decay = between(rng, 0.01, 0.06)
        length = int(5 * decay * sample_rate)
        frequency = pitch * 2 ** (rng.uniform(-0.8, 0.8) + rise * curve([0, 1], length))
        return between(rng, 0.2, 1) * sine(frequency, length, sample_rate) * envelope(0.002, decay, length, sample_rate)

    return place((drop() for _ in onsets), onsets, n)


def vinyl_crackle(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Worn record: clicks of very uneven level, surface hiss, and a rumble once a turn."""
    onsets = irregular(rng, between(rng, 5, 70), n, sample_rate)
    levels = rng.choice([-1.0, 1.0], len(onsets)) * rng.lognormal(0, 1, len(onsets))
    clicks = unit(soften(impulses(onsets, levels, n), between(rng, 1500, 6000), sample_rate))
    turn = 1 + 0.6 * sine(rng.choice([33.3, 45, 78]) / 60, n, sample_rate)
    surface = noise(rng, n)
    rumble = soften(surface, 80, sample_rate) * turn
    return clicks + between(rng, 0.005, 0.05) * surface + between(rng, 0.1, 1) * rumble


def steam(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Valve: sharp high hiss that opens and shuts."""
    air = noise(rng, n)
    air -= soften(air, 3000, sample_rate)
    hiss = formants(air, [between(rng, 2500, 6500)], rng.uniform(800, 4000), sample_rate)
    valve = gate(rng, between(rng, 0.2, 4), between(rng, 0.1, 1), n, sample_rate)
    return hiss * valve * curve(rng.uniform(0.4, 1, 4), n)


def applause(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Hands that clap, from a few to a hall full, each at its own time."""
    onsets = irregular(rng, between(rng, 15, 300), n, sample_rate)
    claps = fading(impulses(onsets, rng.uniform(0.1, 1, len(onsets)), n), between(rng, 0.003, 0.012), sample_rate)
    hands = formants(noise(rng, n) * claps, [between(rng, 800, 2200)], rng.uniform(500, 1500), sample_rate)
    return hands * curve(rng.uniform(0.5, 1, 4), n)


def bouncing_ball(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Ball that falls on a hard floor: knocks that come ever closer and softer."""
    bounce, first = rng.uniform(0.72, 0.92), between(rng, 0.25, 0.8)
    gaps = first * bounce ** np.arange(30)
    fall = np.r_[0, np.cumsum(gaps[gaps > 0.015])]
    again = (fall[-1] + rng.uniform(0.1, 0.5)) * np.arange(int(n / sample_rate / fall[-1]) + 1)
    onsets = ((again[:, None] + fall).ravel() * sample_rate).astype(np.int64) + int(rng.uniform(0, 0.1) * n)
    levels = np.tile(bounce ** np.arange(len(fall)), len(again))[onsets < n]
    modes = between(rng, 120, 900) * np.r_[1, rng.uniform(1.4, 6, 4)]
    knock = ringing(modes, between(rng, 0.008, 0.05), rng.uniform(0.3, 1, 5), int(0.25 * sample_rate), sample_rate)
    return place((level * knock for level in levels), onsets[onsets < n], n)


def engine(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Motor: uneven explosions of its cylinders, at a speed that drifts or is revved."""
    cylinders = int(rng.choice([1, 2, 4]))
    speed = between(rng, 18, 90) * 2 ** (rng.uniform(0.02, 0.6) * wander(rng, between(rng, 0.3, 2), n, sample_rate))
    strengths = slope(0.2, 40 * cylinders) * rng.uniform(0.1, 1, 40 * cylinders)
    strengths[cylinders - 1 :: cylinders] *= 2
    blasts = unit(tone(speed / cylinders, strengths, n, sample_rate))
    exhaust = blasts + between(rng, 0.1, 0.6) * np.abs(blasts) * noise(rng, n)
    return formants(exhaust, [between(rng, 80, 250), between(rng, 350, 1200)], np.array([150, 500]), sample_rate)


def helicopter(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Rotor: noise chopped at the rate of the blades, with a low thump and the whine of the turbine."""
    onsets = regular(rng, between(rng, 7, 22), 0.02, n, sample_rate)
    chop = fading(impulses(onsets, 1.0, n), between(rng, 0.012, 0.04), sample_rate)
    air = noise(rng, n)
    blades = unit(chop * soften(air, between(rng, 200, 1800), sample_rate))
    thump = chop * sine(between(rng, 40, 110), n, sample_rate)
    whine = between(rng, 0.005, 0.1) * sine(between(rng, 700, 3000), n, sample_rate)
    return (blades + rng.uniform(0.1, 0.7) * thump + whine) * curve(rng.uniform(0.4, 1, 3), n)


def clock_tick(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Tick and tock in turn, exactly even."""
    onsets = regular(rng, between(rng, 0.9, 6), 0, n, sample_rate)
    pitch, decay = between(rng, 900, 4000), between(rng, 0.003, 0.03)

    def click(tuning: float) -> Signal:
        modes = pitch * tuning * np.r_[1, rng.uniform(1.3, 4, 4)]
        return ringing(modes, decay, rng.uniform(0.3, 1, 5), int(0.2 * sample_rate), sample_rate)

    pair = [click(1), rng.uniform(0.5, 1) * click(rng.uniform(0.7, 1.2))]
    return place((pair[k % 2] for k in range(len(onsets))), onsets, n)


def heartbeat(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Two dull thumps close together, a pause, and again."""
    rate = between(rng, 0.7, 2.6)
    length = int(0.3 * sample_rate)
    pitch, decay = between(rng, 35, 110), rng.uniform(0.02, 0.05)
    thump = sine(pitch * curve([1.3, 0.8], length), length, sample_rate) * envelope(0.008, decay, length, sample_rate)
    first = regular(rng, rate, 0.05, n, sample_rate)
    both = np.r_[first, first + int(rng.uniform(0.25, 0.4) / rate * sample_rate)]
    levels = np.r_[np.ones(len(first)), np.full(len(first), rng.uniform(0.4, 0.9))]
    body = between(rng, 0.01, 0.06) * soften(noise(rng, n), 200, sample_rate)
    return place((level * thump for level in levels[both < n]), both[both < n], n) + body


def footsteps(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Heel and toe on gravel, wood or stone."""
    rate = between(rng, 1.1, 3.5)
    heels = regular(rng, rate, 0.12, n, sample_rate)
    toes = np.minimum(heels + int(rng.uniform(0.06, 0.2) / rate * sample_rate), n - 1)
    blows = impulses(np.r_[heels, toes], rng.uniform(0.4, 1, 2 * len(heels)), n)
    grit = fading(blows, between(rng, 0.008, 0.06), sample_rate) * noise(rng, n)
    thud = formants(grit, [between(rng, 70, 250), between(rng, 300, 1500)], np.array([100, 600]), sample_rate)
    return thud + between(rng, 0.01, 0.25) * unit(grit)


def typewriter(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Keys hit in uneven haste, each a snap and its softer return, and now and then the bell."""
    hits = regular(rng, between(rng, 4, 13), 0.9, n, sample_rate)
    returns = np.minimum(hits + int(rng.uniform(0.02, 0.05) * sample_rate), n - 1)
    levels = np.r_[rng.uniform(0.5, 1, len(hits)), rng.uniform(0.1, 0.4, len(hits))]
    snaps = fading(impulses(np.r_[hits, returns], levels, n), between(rng, 0.002, 0.009), sample_rate)
    keys = formants(snaps * noise(rng, n), [between(rng, 1200, 3500)], rng.uniform(400, 1500), sample_rate)
    if rng.random() < 0.5:
        modes = between(rng, 1800, 3500) * np.array([1, 2.7])
        bell = ringing(modes, 0.3, np.array([0.3, 0.1]), sample_rate, sample_rate)
        keys += place([bell], rng.integers(0, n, 1), n)
    return keys


def geiger(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Clicks of one pitch and level at independent times."""
    onsets = irregular(rng, between(rng, 2, 90), n, sample_rate)
    decay, pitch = between(rng, 0.0005, 0.003), between(rng, 800, 5000)
    click = ringing(np.array([pitch]), decay, np.ones(1), int(0.02 * sample_rate), sample_rate)
    return place((click for _ in onsets), onsets, n)


EVERYDAY: dict[str, Recipe] = {
    "bird-chirp": bird_chirp,
    "dog-bark": dog_bark,
    "cat-meow": cat_meow,
    "cricket": cricket,
    "frog": frog,
    "vowel-a": partial(held_vowel, vowel="a"),
    "vowel-i": partial(held_vowel, vowel="i"),
    "vowel-u": partial(held_vowel, vowel="u"),
    "babble": babble,
    "laughter": laughter,
    "rain": rain,
    "wind": wind,
    "thunder": thunder,
    "water-drops": water_drops,
    "vinyl-crackle": vinyl_crackle,
    "steam": steam,
    "applause": applause,
    "bouncing-ball": bouncing_ball,
    "engine": engine,
    "helicopter": helicopter,
    "clock-tick": clock_tick,
    "heartbeat": heartbeat,
    "footsteps": footsteps,
    "typewriter": typewriter,
    "geiger": geiger,
}
