"""What the ten styles of the stand-in task ``gtzan-demo`` are made of: tempo, drums, harmony, instruments, mix.

A pattern such as ``"9000 0000 9030 0000"`` gives one digit for each of the 16 steps of a bar, the probability of an
onset in tenths; pitches are MIDI note numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CHORDS", "GENRES", "VOICES", "Mix", "Part", "Style", "Voice"]

CHORDS: dict[str, tuple[int, ...]] = {
    "M": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
}

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
MAJOR_PENTATONIC = (0, 2, 4, 7, 9)
MINOR_PENTATONIC = (0, 3, 5, 7, 10)
BLUES = (0, 3, 5, 6, 7, 10)
DORIAN = (0, 2, 3, 5, 7, 9, 10)


@dataclass(frozen=True)
class Voice:
    """A timbre: one waveform cycle that darkens over the note, under an envelope.

    Partial ``k`` has amplitude ``k ** -slope``, times `even` where ``k`` is even. `decay` and
    `darken` are time constants in seconds, `vibrato` is a depth in cycles at 440 Hz, `fm` a modulation index
    and `drive` the gain before a tanh, 0 for none.
    """

    slope: float
    even: float = 1.0
    attack: float = 0.004
    decay: float = 0.4
    darken: float = 0.2
    vibrato: float = 0.0
    fm: float = 0.0
    drive: float = 0.0


VOICES: dict[str, Voice] = {
    "pluck": Voice(1.0, decay=0.35, darken=0.10),
    "steel": Voice(0.7, decay=0.6, darken=0.15),
    "piano": Voice(1.4, decay=0.7, darken=0.25),
    "epiano": Voice(3.0, decay=0.8, darken=0.3, fm=1.2),
    "organ": Voice(1.2, even=0.5, attack=0.01, decay=20.0, darken=20.0),
    "saw": Voice(1.0, decay=1.5, darken=0.25),
    "power": Voice(0.9, decay=2.5, darken=2.0, drive=5.0),
    "strings": Voice(1.1, attack=0.12, decay=10.0, darken=10.0, vibrato=0.15),
    "soft": Voice(2.5, attack=0.05, decay=3.0, darken=3.0, vibrato=0.10),
    "brass": Voice(0.8, attack=0.04, decay=2.0, darken=0.6, vibrato=0.05),
    "voice": Voice(1.3, even=0.7, attack=0.06, decay=6.0, darken=6.0, vibrato=0.3),
    "upright": Voice(1.8, decay=0.35, darken=0.08),
    "finger": Voice(1.3, decay=0.7, darken=0.15),
    "synth-bass": Voice(0.9, decay=0.5, darken=0.12),
    "sub": Voice(3.5, attack=0.01, decay=1.2, darken=1.0),
}


@dataclass(frozen=True)
class Part:
    """What one instrument plays.

    `register` is the MIDI pitch around which the part lies, `gate` the share of the time to the next onset that
    sounds, and `broken` the probability that chords are played one note at a time. A voice listed twice is twice as
    likely.
    """

    voices: tuple[str, ...]
    pattern: str
    register: int
    gate: float = 0.9
    level: float = 1.0
    broken: float = 0.1


@dataclass(frozen=True)
class Mix:
    """How loud the drums are against the other instruments, and the sound of both.

    The instruments have a low-pass at `cutoff` Hz, distortion (`drive`) and `echo`; kick and hat decay with time
    constants `thump` and `ring`, in seconds.
    """

    drums: float
    cutoff: float = 5000.0
    drive: float = 0.5
    echo: float = 0.2
    thump: float = 0.1
    ring: float = 0.04


@dataclass(frozen=True)
class Style:
    """Distributions from which a song of one genre is drawn.

    `tempo` is mean and spread in beats per minute, `swing` the share of a beat by which its second half comes late,
    and `drums` the patterns of kick, snare and hat. A song repeats one of `progressions`, a chord a bar, each written
    ``semitones above the key:quality``. `bass_line` holds intervals above the chord's root, spread evenly over the bar.
    """

    related: tuple[str, ...]
    tempo: tuple[float, float]
    swing: float
    drums: tuple[str, str, str]
    progressions: tuple[str, ...]
    scale: tuple[int, ...]
    bass: Part
    bass_line: tuple[int, ...]
    comp: Part
    lead: Part
    mix: Mix


GENRES: dict[str, Style] = {
    "blues": Style(
        related=("jazz", "rock", "country"),
        tempo=(92, 16),
        swing=0.14,
        drums=("9000 0010 9020 0000", "0000 9000 0000 9000", "9070 9070 9070 9070"),
        progressions=("0:7 0:7 5:7 0:7", "0:7 5:7 0:7 7:7", "7:7 5:7 0:7 0:7"),
        scale=BLUES,
        bass=Part(("finger", "finger", "upright"), "9000 9020 9000 9020", 40),
        bass_line=(0, 4, 7, 9),
        comp=Part(("pluck", "pluck", "piano"), "5060 5060 5060 5060", 55, gate=0.5, level=0.7),
        lead=Part(("steel", "steel", "pluck"), "4050 5050 4050 5020", 66, level=1.6),
        mix=Mix(drums=0.5, cutoff=3400, drive=1.8, thump=0.10, ring=0.05),
    ),
    "classical": Style(
        related=("jazz", "pop"),
        tempo=(88, 22),
        swing=0.0,
        drums=("0000 0000 0000 0000", "0000 0000 0000 0000", "0000 0000 0000 0000"),
        progressions=("0:M 5:M 7:M 0:M", "0:m 5:m 7:M 0:m", "0:M 9:m 2:m 7:M"),
        scale=MAJOR,
        bass=Part(("strings", "soft"), "9000 0000 5000 0000", 43, level=0.6),
        bass_line=(0, 7),
        comp=Part(("strings", "piano", "soft"), "9040 5040 7040 5040", 60, gate=1.0, level=0.8, broken=0.6),
        lead=Part(("strings", "soft", "piano"), "7050 6050 7050 6052", 74),
        mix=Mix(drums=0.1, cutoff=3200, drive=0.2, echo=0.6),
    ),
    "country": Style(
        related=("rock", "blues", "pop"),
        tempo=(110, 13),
        swing=0.04,
        drums=("9000 0000 9000 0000", "0000 9000 0000 9010", "6040 8040 6040 8040"),
        progressions=("0:M 5:M 0:M 7:M", "0:M 0:M 5:M 7:M", "0:M 7:M 5:M 0:M"),
        scale=MAJOR_PENTATONIC,
        bass=Part(("upright", "finger"), "9000 0000 9000 0010", 38),
        bass_line=(0, 7),
        comp=Part(("steel",), "2030 9040 2030 9040", 64, gate=0.8, level=1.1, broken=0.4),
        lead=Part(("strings", "strings", "steel", "voice"), "5040 6040 5040 6030", 73, level=0.9),
        mix=Mix(drums=0.35, cutoff=6500, thump=0.07, ring=0.02),
    ),
    "disco": Style(
        related=("pop", "hiphop"),
        tempo=(119, 6),
        swing=0.0,
        drums=("9000 9000 9000 9000", "0000 9000 0000 9000", "2292 2292 2292 2292"),
        progressions=("0:m7 5:m7 0:m7 7:m7", "0:m 10:M 8:M 7:m", "2:m7 7:7 0:maj7 9:m7"),
        scale=DORIAN,
        bass=Part(("finger", "synth-bass"), "9090 9090 9090 9292", 38),
        bass_line=(0, 12, 0, 12, 0, 12, 0, 12),
        comp=Part(("pluck", "epiano"), "2052 3052 2052 3052", 66, gate=0.5),
        lead=Part(("strings", "strings", "brass"), "5020 3020 5020 3020", 78, level=0.8),
        mix=Mix(drums=1.1, cutoff=5500, thump=0.10, ring=0.10),
    ),
    "hiphop": Style(
        related=("reggae", "disco", "pop"),
        tempo=(91, 8),
        swing=0.05,
        drums=("9002 0020 2090 0030", "0000 9000 0000 9001", "9292 9292 9292 9295"),
        progressions=("0:m 0:m 8:M 7:m", "0:m7 5:m7", "0:m 0:m"),
        scale=MINOR_PENTATONIC,
        bass=Part(("sub", "synth-bass"), "9002 0010 4060 0020", 33, level=1.6),
        bass_line=(0, 0, 0, 3),
        comp=Part(("epiano", "soft", "epiano"), "6000 0020 3000 0020", 60, gate=0.7, level=0.5),
        lead=Part(("voice", "voice", "soft"), "5052 5053 5052 5053", 57, gate=0.6, level=0.8),
        mix=Mix(drums=1.4, cutoff=3200, thump=0.22, ring=0.025),
    ),
    "jazz": Style(
        related=("blues", "classical", "blues"),
        tempo=(128, 30),
        swing=0.16,
        drums=("4000 2000 4000 2010", "0020 1020 0020 1020", "9000 9060 9000 9060"),
        progressions=("2:m7 7:7 0:maj7 0:maj7", "0:maj7 9:m7 2:m7 7:7", "0:m7 5:7 10:maj7 3:maj7"),
        scale=DORIAN,
        bass=Part(("upright",), "9000 9000 9000 9010", 40),
        bass_line=(0, 4, 7, 10),
        comp=Part(("piano", "epiano"), "3030 1030 2030 1030", 60, gate=0.5, level=0.7),
        lead=Part(("brass", "brass", "piano"), "4051 5051 4051 5051", 70, level=1.3),
        mix=Mix(drums=0.35, cutoff=2600, drive=0.3, echo=0.3, thump=0.06, ring=0.16),
    ),
    "metal": Style(
        related=("rock",),
        tempo=(142, 24),
        swing=0.0,
        drums=("9393 8383 9393 8383", "0000 9000 0000 9001", "9000 9000 9000 9000"),
        progressions=("0:m 1:M 0:m 10:M", "0:m 8:M 10:M 0:m", "0:m 3:M 1:M 0:m"),
        scale=MINOR,
        bass=Part(("synth-bass", "finger"), "9393 9393 9393 9393", 33),
        bass_line=(0,),
        comp=Part(("power",), "9383 8383 9383 8383", 47, gate=0.8, level=1.3),
        lead=Part(("power", "voice", "saw"), "4242 4242 4242 4242", 67, level=0.6),
        mix=Mix(drums=0.8, cutoff=8000, drive=2.5, thump=0.05, ring=0.14),
    ),
    "pop": Style(
        related=("disco", "rock", "country", "hiphop"),
        tempo=(113, 13),
        swing=0.0,
        drums=("9000 0020 8030 0020", "0000 9000 0000 9000", "9080 9080 9080 9080"),
        progressions=("0:M 7:M 9:m 5:M", "9:m 5:M 0:M 7:M", "0:M 9:m 5:M 7:M"),
        scale=MAJOR,
        bass=Part(("synth-bass", "finger"), "9030 3060 9030 3030", 38),
        bass_line=(0,),
        comp=Part(("saw", "saw", "epiano"), "9000 2040 7000 2040", 64, level=1.0),
        lead=Part(("voice", "voice", "saw"), "5050 5050 5050 5050", 72, level=1.1),
        mix=Mix(drums=0.8, cutoff=8000, echo=0.3, thump=0.12, ring=0.04),
    ),
    "reggae": Style(
        related=("hiphop", "pop"),
        tempo=(77, 7),
        swing=0.06,
        drums=("1000 0000 9000 0000", "0000 1000 9000 1000", "9080 9080 9080 9080"),
        progressions=("0:m 5:m", "0:M 5:M 7:M 5:M", "0:m 10:M 0:m 10:M"),
        scale=MINOR_PENTATONIC,
        bass=Part(("sub", "sub", "finger"), "6030 5050 3050 5030", 33, level=1.7),
        bass_line=(0, 0, 7, 3),
        comp=Part(("organ", "organ", "pluck"), "0090 0090 0090 0090", 67, gate=0.25, level=1.2),
        lead=Part(("voice", "brass"), "3030 3030 3030 3030", 69, level=0.6),
        mix=Mix(drums=0.7, cutoff=2800, echo=0.6, thump=0.16, ring=0.03),
    ),
    "rock": Style(
        related=("metal", "country", "blues", "pop"),
        tempo=(124, 16),
        swing=0.0,
        drums=("9000 0030 8060 0000", "0000 9000 0000 9000", "9080 9080 9080 9080"),
        progressions=("0:M 5:M 7:M 5:M", "0:M 10:M 5:M 0:M", "0:m 10:M 8:M 10:M"),
        scale=MINOR_PENTATONIC,
        bass=Part(("finger",), "9060 8060 9060 8060", 35),
        bass_line=(0,),
        comp=Part(("power", "power", "steel"), "9040 4060 7040 4060", 52, gate=1.0, level=1.0),
        lead=Part(("voice", "voice", "steel"), "5030 5030 5030 5030", 67, level=1.3),
        mix=Mix(drums=0.9, cutoff=5000, drive=1.5, thump=0.09, ring=0.07),
    ),
}
