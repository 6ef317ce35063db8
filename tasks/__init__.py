"""The tasks: labelled clips and how they are scored. Names only; modules load when they are used."""

from collections.abc import Mapping

from mirbench.registry import Entry

__all__ = ["FAMILIES", "MODIFIERS", "TASKS"]

_NSYNTH, _BALLROOM = "mirbench.tasks.nsynth", "mirbench.tasks.ballroom"
_SHTERN, _MAESTRO, _PICTURES = "mirbench.tasks.shtern", "mirbench.tasks.composer", "mirbench.tasks.gtzan_pictures"
_JAMENDO, _MAGNA = "mirbench.tasks.jamendo", "mirbench.tasks.magnatagatune"
_OWN = "mirbench.tasks.own"

_REAL: dict[str, Entry] = {
    "gtzan": Entry("mirbench.tasks.gtzan:GTZAN", "10 genres, fault-filtered split 443/197/290"),
    "gtzan-kaggle": Entry("mirbench.tasks.gtzan:GTZAN_KAGGLE", "the Kaggle copy, without its broken clip: 442/197/290"),
    "gtzan-mini": Entry("mirbench.tasks.gtzan:GTZAN_MINI", "the public excerpt of 100 clips, 5 folds"),
    "openmic": Entry("mirbench.tasks.openmic:OPENMIC", "OpenMIC-2018: 20 instruments, partly labelled"),
    "nsynth-families": Entry(f"{_NSYNTH}:NSYNTH_FAMILIES", "11 instrument families on NSynth's own splits: no leak"),
    "nsynth-family": Entry(f"{_NSYNTH}:NSYNTH_FAMILY", "acoustic, electronic or synthetic keyboard (shtern2017)"),
    "nsynth-instrument": Entry(f"{_NSYNTH}:NSYNTH_INSTRUMENT", "8 acoustic families (shtern2017)"),
    "nsynth-organ": Entry(f"{_NSYNTH}:NSYNTH_ORGAN", "which of two electronic organs (shtern2017)"),
    "ballroom": Entry(f"{_BALLROOM}:BALLROOM", "Extended Ballroom, 13 dances, listed duplicates kept together"),
    "ballroom9": Entry(f"{_BALLROOM}:BALLROOM9", "its 9 dances of more than 100 tracks"),
    "ballroom8": Entry(f"{_BALLROOM}:BALLROOM8", "its 8 dances of more than 300 tracks"),
    "ballroom7": Entry(f"{_BALLROOM}:BALLROOM7", "its 7 dances of more than 400 tracks"),
    "ballroom2": Entry(f"{_BALLROOM}:BALLROOM2", "Foxtrot or Waltz"),
    "ballroom-tempo": Entry("mirbench.tasks.ballroom_tempo:BALLROOM_TEMPO", "its tempo in beats a minute: regression"),
    "genre-3": Entry(f"{_SHTERN}:GENRE_3", "your own: classical, metal, rock; whole songs (shtern2017)"),
    "genre-3-short": Entry(f"{_SHTERN}:GENRE_3_SHORT", "the same files, seconds 30-60"),
    "metal-classical": Entry(f"{_SHTERN}:METAL_CLASSICAL", "two classes of genre-3"),
    "guitar-type": Entry(f"{_SHTERN}:GUITAR_TYPE", "your own: acoustic or classical guitar, 30 s"),
    "vocalist": Entry(f"{_SHTERN}:VOCALIST", "your own: female or male vocalist, 30 s"),
    "composer": Entry(f"{_SHTERN}:COMPOSER", "your own: Beethoven or Mozart, 30 s"),
    "composer-maestro": Entry(f"{_MAESTRO}:COMPOSER_MAESTRO", "Beethoven or Mozart, 2 x 600 excerpts of MAESTRO"),
    "gtzan-pictures": Entry(f"{_PICTURES}:GTZAN_PICTURES", "Kaggle's 999 spectrograms, random 800/100/99"),
    "gtzan-pictures-redrawn": Entry(f"{_PICTURES}:GTZAN_PICTURES_REDRAWN", "the same, another draw"),
    "gtzan-pictures-filtered": Entry(f"{_PICTURES}:GTZAN_PICTURES_FILTERED", "the same, fault-filtered 442/197/290"),
    "mtg-jamendo-top50": Entry(f"{_JAMENDO}:JAMENDO_TOP50", "MTG-Jamendo, 50 tags, official split-0, whole tracks"),
    "guitar-type-jamendo": Entry(f"{_JAMENDO}:GUITAR_TYPE_JAMENDO", "acoustic or classical guitar, public audio"),
    "genre-3-jamendo": Entry(f"{_JAMENDO}:GENRE_3_JAMENDO", "classical, metal, rock, public audio"),
    "magnatagatune": Entry(f"{_MAGNA}:MAGNATAGATUNE", "50 tags, split by folder 15,247/1,529/4,332"),
    "vocalist-magnatagatune": Entry(f"{_MAGNA}:VOCALIST_MAGNATAGATUNE", "female or male vocalist, public audio"),
    "msd": Entry("mirbench.tasks.msd:MSD", "Million Song Dataset, Last.fm's 50 tags, audio of your own"),
}

_NO_STAND_IN_OF_THEIR_OWN = ("gtzan-kaggle", "gtzan-mini", "gtzan-pictures-redrawn", "gtzan-pictures-filtered")

TASKS: Mapping[str, Entry] = _REAL | {
    f"{name}-demo": Entry(f"{entry.target}_DEMO", f"stands in for {name}")
    for name, entry in _REAL.items()
    if name not in _NO_STAND_IN_OF_THEIR_OWN
}
"""Each task, and the synthesised stand-in of each data set, whose name ends in "-demo"."""

FAMILIES: Mapping[str, Entry] = {
    "folder:PATH": Entry(
        f"{_OWN}.folder:folder_task", "your own: one sub-folder a class", called=f"{_OWN}.own_task:called_folder"
    ),
    "hf:OWNER/NAME": Entry(
        f"{_OWN}.hugging_face:hf_task",
        "a data set of the Hugging Face Hub (extra hf, to fetch it)",
        fetch=f"{_OWN}.hugging_face:fetch_hf",
        called=f"{_OWN}.libraries:called_in_order",
    ),
    "mirdata:NAME": Entry(
        f"{_OWN}.mirdata:mirdata_task",
        "a data set that the library mirdata fetches (extra mirdata)",
        fetch=f"{_OWN}.mirdata:fetch_mirdata",
        called=f"{_OWN}.libraries:called_in_order",
    ),
    "csv:FILE": Entry(
        f"{_OWN}.csv_list:csv_task",
        "your own: path,label[,split|fold,group,start,duration,unknown]",
        called=f"{_OWN}.own_task:called_list",
    ),
}

_MODIFIERS = "mirbench.tasks.modifiers"

_CHOOSING = ("shots", "fraction", "resplit", "folds")
"""Those that choose or deal clips by ids, groups and the classes that are more likely than not, and look at nothing
else: they may come before or behind what changes how a clip is heard, or how sure its labels are."""

MODIFIERS: Mapping[str, Entry] = {
    "+normalized": Entry(
        f"{_MODIFIERS}:normalized",
        "each clip brought to a peak of 0 dBFS",
        goes_behind=(*_CHOOSING, "balanced", "binarised", "first-channel"),
    ),
    "+normalized-files": Entry(
        f"{_MODIFIERS}:normalized_files",
        "each file brought to a peak of 0 dBFS, over all of it and its channels",
        goes_behind=(*_CHOOSING, "balanced", "binarised", "first-channel"),
    ),
    "+first-channel": Entry(
        f"{_MODIFIERS}:first_channel",
        "the first channel of each file alone, not the mean of all",
        goes_behind=(*_CHOOSING, "balanced", "binarised"),
    ),
    "+levels8": Entry(
        f"{_MODIFIERS}:levels8",
        "each clip eight times, at peaks of -35, -30, … 0 dBFS",
        goes_behind=(*_CHOOSING, "balanced", "binarised", "first-channel"),
    ),
    "+loudness": Entry(f"{_MODIFIERS}:loudness", "the classes are five equal-count quantiles of RMS, loud1 to loud5"),
    "+loud1v5": Entry(f"{_MODIFIERS}:loud1v5", "the quietest fifth against the loudest"),
    "+shotsK": Entry(
        f"{_MODIFIERS}:shots",
        "K clips a class of train and of valid, of numbers K in all: shots10, shots10-draw1",
    ),
    "+fractionF": Entry(f"{_MODIFIERS}:fraction", "a share of train and of valid: fraction0.1, fraction0.1-draw1"),
    "+balanced": Entry(f"{_MODIFIERS}:balanced", "the same number of clips of each class in each split"),
    "+binarised": Entry(f"{_MODIFIERS}:binarised", "soft labels made hard at 0.5", goes_behind=_CHOOSING),
    "+resplit": Entry(f"{_MODIFIERS}:resplit", "splits drawn anew, 70/15/15, groups kept together; also resplit-draw1"),
    "+on:TASK": Entry(
        "mirbench.tasks.tested_on:tested_on",
        "learnt from one task, tested on another: its test clips, the classes of both",
        called="mirbench.tasks.tested_on:called_on",
        names_another=True,
    ),
    "+foldsK": Entry(f"{_MODIFIERS}:folds", "K folds drawn anew, groups kept together: folds5, folds5-draw1"),
}
