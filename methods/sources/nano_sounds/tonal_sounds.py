"""Sound events with a pitch: struck, plucked, bowed and blown tones, and the signals of machines.

Each function is a recipe: it takes a generator, a number of samples and a sample rate in Hz, and returns a signal.
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
    formants,
    gate,
    held_notes,
    irregular,
    noise,
    place,
    regular,
    ringing,
    sine,
    slope,
    soften,
    times,
    tone,
    unit,
    vibrato,
    wander,
)


def bell(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Church bell: hum, prime, minor third, fifth, octave and above, struck now and then."""
    ratios = np.array([0.5, 1, 1.2, 1.5, 2, 2.5, 2.67, 3, 4, 5.3]) * rng.normal(1, 0.01, 10)
    decays = between(rng, 0.3, 3) / ratios ** rng.uniform(0.4, 1)
    strengths = rng.uniform(0.2, 1, 10) / ratios ** rng.uniform(0, 1)
    ring = ringing(between(rng, 150, 1300) * ratios, decays, strengths, n, sample_rate)
    onsets = regular(rng, between(rng, 0.2, 2), 0.3, n, sample_rate)
    return place((rng.uniform(0.4, 1) * ring for _ in onsets), onsets, n)


def gong(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Gong: many close modes, of which the high ones bloom after the blow."""
    ratios = np.r_[1, np.sort(rng.uniform(1.3, 14, 35))]
    strengths = rng.uniform(0.3, 1, 36) / ratios ** rng.uniform(0.3, 1)
    low = ratios < 4
    pitch, decay = between(rng, 45, 250), between(rng, 1, 5)
    body = ringing(pitch * ratios[low], decay, strengths[low], n, sample_rate)
    bloom = ringing(pitch * ratios[~low], decay / 2, strengths[~low], n, sample_rate)
    blow = body + bloom * (1 - np.exp(-times(n, sample_rate) / between(rng, 0.03, 0.4)))
    onsets = regular(rng, between(rng, 0.15, 0.8), 0.5, n, sample_rate)
    return place((rng.uniform(0.4, 1) * blow for _ in onsets), onsets, n)


def glass(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Glasses that clink: a few high, quickly damped modes, each clink another glass."""
    onsets = irregular(rng, between(rng, 0.5, 8), n, sample_rate)
    pitch, decay = between(rng, 1200, 3500), between(rng, 0.02, 0.3)
    ratios = np.array([1, 2.32, 4.25, 6.63])
    length = int(6 * decay * sample_rate)

    def clink() -> Signal:
        frequencies = pitch * 2 ** rng.uniform(-0.5, 0.5) * ratios * rng.normal(1, 0.04, 4)
        return ringing(frequencies, decay / ratios**0.5, rng.uniform(0.1, 1, 4), length, sample_rate)

    return place((clink() for _ in onsets), onsets, n)


def struck_bar(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Bars of wood or metal under a mallet; the modes are those of a free bar."""
    onsets = regular(rng, between(rng, 0.7, 8), rng.uniform(0, 0.8), n, sample_rate)
    ratios = np.array([1, 2.756, 5.404, 8.933])
    pitch, decay, brightness = between(rng, 110, 1200), between(rng, 0.05, 0.7), between(rng, 0.1, 0.8)

    def stroke() -> Signal:
        strengths = rng.uniform(0.4, 1) * brightness ** np.arange(4.0)
        frequencies = pitch * 2 ** rng.uniform(-0.7, 0.7) * ratios
        return ringing(frequencies, decay / ratios, strengths, int(6 * decay * sample_rate), sample_rate)

    return place((stroke() for _ in onsets), onsets, n)


def plucked_string(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Plucked strings: harmonics, slightly stretched, that die the sooner the higher they are."""
    onsets = regular(rng, between(rng, 0.7, 7), rng.uniform(0, 0.8), n, sample_rate)
    number = np.arange(1.0, 31)
    pitch, decay, damping = between(rng, 60, 700), between(rng, 0.15, 1.5), rng.uniform(0.3, 1)
    shape = np.abs(np.sin(np.pi * number * rng.uniform(0.08, 0.45))) / number ** rng.uniform(0.5, 1.3)
    stretched = number * np.sqrt(1 + between(rng, 1e-5, 5e-4) * number**2)

    def pluck() -> Signal:
        frequencies = pitch * 2 ** rng.uniform(-0.7, 0.7) * stretched
        length = min(n, int(5 * decay * sample_rate))
        return ringing(frequencies, decay / number**damping, rng.uniform(0.4, 1) * shape, length, sample_rate)

    return place((pluck() for _ in onsets), onsets, n)


def bowed_string(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Bowed string: a saw with vibrato and the hiss of the bow, through the resonances of a body."""
    frequency, level = held_notes(rng, 65, 900, rng.uniform(0.1, 0.4), n)
    frequency = frequency * vibrato(rng, 0.02, n, sample_rate)
    string = tone(frequency, slope(rng.uniform(0.7, 1.2)), n, sample_rate) + between(rng, 0.02, 0.2) * noise(rng, n)
    body = between(rng, 0.7, 1.4) * np.array([280, 460, 1100, 2600])
    return level * (formants(string, body, np.array([100, 150, 500, 1500]), sample_rate) + 0.1 * string)


def blown_pipe(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Flute or stopped pipe: few partials, the even ones weak, and breath around the pitch."""
    frequency, level = held_notes(rng, 130, 1500, rng.uniform(0.03, 0.25), n)
    strengths = slope(rng.uniform(1.5, 3), 12)
    strengths[1::2] *= rng.uniform(0, 1)
    pipe = tone(frequency * vibrato(rng, 0.01, n, sample_rate), strengths, n, sample_rate)
    breath = formants(noise(rng, n), [float(frequency.mean()), 3000], np.array([400, 3000]), sample_rate)
    return level * (unit(pipe) + between(rng, 0.05, 0.6) * breath)


def fm_metal(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Frequency-modulated clang: sidebands off the harmonic series, whose number falls with the level."""
    onsets = regular(rng, between(rng, 0.4, 4), rng.uniform(0, 0.6), n, sample_rate)
    pitch, ratio, index = between(rng, 80, 900), rng.uniform(1.1, 3.9), between(rng, 2, 9)
    length = min(n, int(between(rng, 0.4, 2) * sample_rate))
    level = envelope(between(rng, 0.001, 0.02), length / sample_rate / 4, length, sample_rate)
    swing = index * ratio * level * sine(pitch * ratio, length, sample_rate)
    clang = level * sine(np.abs(pitch * (1 + swing)), length, sample_rate)
    return place((rng.uniform(0.4, 1) * clang for _ in onsets), onsets, n)


def saw_drone(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Drone of three saws that beat against one another."""
    pitch, detune = between(rng, 40, 350), between(rng, 0.001, 0.015)
    drone = sum((tone(pitch * (1 + k * detune), slope(1), n, sample_rate) for k in (-1, 0.1, 1)), np.zeros(n))
    return soften(drone, between(rng, 400, 6000), sample_rate) * curve(rng.uniform(0.5, 1, 5), n)


def tremolo_tone(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Steady tone whose level swings."""
    depth = rng.uniform(0.4, 1)
    swing = 1 - depth / 2 + depth / 2 * sine(between(rng, 2.5, 14), n, sample_rate)
    return swing * tone(between(rng, 90, 1500), slope(between(rng, 0.7, 3)), n, sample_rate)


def trill(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Quick change between two pitches, a semitone to a fifth apart."""
    frequency, level = held_notes(rng, 130, 1500, 0.03, n)
    upper = sine(between(rng, 4, 14), n, sample_rate) > 0
    frequency = np.where(upper, frequency * 2 ** (rng.uniform(1, 7) / 12), frequency)
    return level * tone(frequency, slope(between(rng, 0.8, 3)), n, sample_rate)


def theremin(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Nearly pure tone that glides over an octave or two, with vibrato."""
    octaves = rng.uniform(0.4, 1.1) * wander(rng, between(rng, 0.6, 3), n, sample_rate)
    frequency = between(rng, 200, 1200) * 2**octaves * vibrato(rng, 0.04, n, sample_rate)
    return tone(frequency, slope(rng.uniform(2, 4)), n, sample_rate) * curve(rng.uniform(0.3, 1, 6), n)


def bass_pulse(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Low, buzzing tone in even pulses."""
    rate = between(rng, 1, 8)
    length = int(sample_rate / rate * rng.uniform(0.4, 0.95))
    pulse = tone(between(rng, 30, 110), slope(rng.uniform(0.8, 2)), length, sample_rate)
    pulse *= fade(length, 0.05, rng.uniform(0.1, 0.9))
    onsets = regular(rng, rate, 0, n, sample_rate)
    return place((rng.uniform(0.6, 1) * pulse for _ in onsets), onsets, n)


def siren(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Tone that climbs and falls, smoothly or between two steps."""
    swing = sine(between(rng, 0.25, 4), n, sample_rate)
    if rng.random() < 0.3:
        swing = np.sign(swing)
    frequency = between(rng, 350, 1600) * 2 ** (rng.uniform(0.15, 0.7) * swing)
    return tone(frequency, slope(between(rng, 0.7, 2.5)), n, sample_rate)


def alarm_beep(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Steady beeps of one pitch, sometimes in groups."""
    on = between(rng, 0.04, 0.4)
    beeps = gate(rng, on, on * rng.uniform(0.5, 1.5), n, sample_rate)
    if rng.random() < 0.4:
        beeps *= gate(rng, 6 * on, 4 * on, n, sample_rate)
    # The product of the two gates may begin in a pause longer than a short clip.
    return (beeps + 1e-3) * tone(between(rng, 500, 3500), slope(between(rng, 0.6, 3)), n, sample_rate)


def telephone_ring(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Two small bells under one clapper, with pauses."""
    pitch = between(rng, 700, 2400)
    frequencies = pitch * np.array([1, rng.uniform(1.1, 1.5), 2.7, 3.3])
    ring = ringing(frequencies, between(rng, 0.05, 0.3), rng.uniform(0.3, 1, 4), int(0.4 * sample_rate), sample_rate)
    onsets = regular(rng, between(rng, 14, 32), 0.1, n, sample_rate)
    on = gate(rng, between(rng, 0.3, 2), between(rng, 0.2, 2), n, sample_rate)
    return place((ring * level for level in on[onsets] + 1e-3), onsets, n)


def dial_tones(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Keys of a telephone: pairs of sines from the rows and columns of the keypad."""
    rate, tuning = between(rng, 1.5, 9), between(rng, 0.8, 1.3)
    onsets = regular(rng, rate, rng.uniform(0, 0.5), n, sample_rate)
    length = int(sample_rate / rate * rng.uniform(0.3, 0.75))
    rows, columns = tuning * np.array([697, 770, 852, 941]), tuning * np.array([1209, 1336, 1477, 1633])

    def key() -> Signal:
        pair = sine(rng.choice(rows), length, sample_rate) + sine(rng.choice(columns), length, sample_rate)
        return pair * fade(length, 0.05, 0.05)

    return place((key() for _ in onsets), onsets, n)


def buzzer(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Harsh low tone of a door or a scoreboard: bare harmonics as strong as the first, pressed irregularly."""
    buzz = tone(between(rng, 55, 350), slope(rng.uniform(0, 0.4)), n, sample_rate)
    buzz = formants(buzz, [between(rng, 900, 3000)], rng.uniform(300, 1500), sample_rate) + 0.2 * unit(buzz)
    return buzz * gate(rng, between(rng, 0.15, 3), between(rng, 0.1, 1), n, sample_rate)


def mains_hum(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Transformer: steady low harmonics, the even ones strongest, and a little hiss."""
    strengths = rng.uniform(0, 1, 20) * slope(rng.uniform(0.3, 1.5), 20)
    strengths[0::2] *= rng.uniform(0.05, 0.5)
    return unit(tone(between(rng, 40, 75), strengths, n, sample_rate)) + between(rng, 0.003, 0.05) * noise(rng, n)


def sonar(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Ping of a pure tone with its echoes."""
    length = min(n, int(2 * sample_rate))
    ping = sine(between(rng, 400, 3000), length, sample_rate)
    ping *= envelope(0.003, between(rng, 0.03, 0.25), length, sample_rate)
    gap, loss = int(rng.uniform(0.08, 0.4) * sample_rate), rng.uniform(0.3, 0.7)
    echoed = place((ping * loss**k for k in range(4)), gap * np.arange(4), 3 * sample_rate)
    onsets = regular(rng, between(rng, 0.3, 1.2), 0, n, sample_rate)
    return place((echoed for _ in onsets), onsets, n)


def laser_zap(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Toy laser: a bright tone that drops by octaves in a fraction of a second."""
    rate = between(rng, 0.7, 9)
    length = int(min(rng.uniform(0.06, 0.5), 0.9 / rate) * sample_rate)
    frequency = between(rng, 1500, 7000) * 2 ** -(rng.uniform(2, 5) * curve([0, 1], length) ** rng.uniform(0.4, 1))
    zap = tone(frequency, slope(between(rng, 0.8, 3)), length, sample_rate) * fade(length, 0.01, rng.uniform(0.3, 0.9))
    onsets = regular(rng, rate, rng.uniform(0, 0.6), n, sample_rate)
    return place((rng.uniform(0.5, 1) * zap for _ in onsets), onsets, n)


def foghorn(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Long, low, brassy blasts that sag at the end."""
    length = int(between(rng, 0.6, 3) * sample_rate)
    sag = curve([rng.uniform(0.9, 1), 1, 1, 1, rng.uniform(0.75, 1)], length)
    blast = tone(between(rng, 55, 260) * sag, slope(rng.uniform(0.3, 0.9)), length, sample_rate)
    blast = soften(blast, between(rng, 300, 1500), sample_rate) * fade(length, rng.uniform(0.05, 0.25), 0.15)
    onsets = regular(rng, sample_rate / length / rng.uniform(1.15, 2), 0.1, n, sample_rate)
    return place((blast for _ in onsets), onsets, n)


def sweep(rng: np.random.Generator, n: int, sample_rate: int, *, octaves: int) -> Signal:
    """Tone that glides over up to `octaves` octaves, downwards where negative, once or again and again."""
    length = int(min(n / sample_rate, between(rng, 0.5, 5)) * sample_rate)
    span = octaves * rng.uniform(0.3, 1)
    frequency = between(rng, 250, 1200) * 2 ** (span * curve([-0.5, 0.5], length))
    glide = tone(frequency, slope(between(rng, 0.7, 3)), length, sample_rate)
    glide *= fade(length, 0.05, rng.uniform(0.05, 0.3))
    onsets = np.arange(0, n, int(length * rng.uniform(1, 1.3)))
    return place((glide for _ in onsets), onsets, n)


def whistle(rng: np.random.Generator, n: int, sample_rate: int) -> Signal:
    """Referee's whistle: a high tone that the pea makes flutter."""
    flutter = sine(between(rng, 18, 50), n, sample_rate)
    frequency = between(rng, 1500, 4200) * (1 + rng.uniform(0.005, 0.03) * flutter)
    air = between(rng, 0.05, 0.5) * formants(noise(rng, n), [float(frequency[0])], 600, sample_rate)
    blow = sine(frequency, n, sample_rate) * (1 + rng.uniform(0.3, 0.9) * flutter) + air
    return blow * gate(rng, between(rng, 0.15, 2), between(rng, 0.1, 1), n, sample_rate)


TONAL: dict[str, Recipe] = {
    "bell": bell,
    "gong": gong,
    "glass": glass,
    "struck-bar": struck_bar,
    "plucked-string": plucked_string,
    "bowed-string": bowed_string,
    "blown-pipe": blown_pipe,
    "fm-metal": fm_metal,
    "saw-drone": saw_drone,
    "tremolo-tone": tremolo_tone,
    "trill": trill,
    "theremin": theremin,
    "bass-pulse": bass_pulse,
    "siren": siren,
    "alarm-beep": alarm_beep,
    "telephone-ring": telephone_ring,
    "dial-tones": dial_tones,
    "buzzer": buzzer,
    "mains-hum": mains_hum,
    "sonar": sonar,
    "laser-zap": laser_zap,
    "foghorn": foghorn,
    "rising-sweep": partial(sweep, octaves=4),
    "falling-sweep": partial(sweep, octaves=-4),
    "whistle": whistle,
}
