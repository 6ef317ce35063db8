"""The tasks: labelled clips and how they are scored. Names only; modules load when they are used."""

from collections.abc import Mapping

from mirbench.registry import Entry

__all__ = ["FAMILIES", "MODIFIERS", "TASKS"]

TASKS: Mapping[str, Entry] = {
    "gtzan": Entry("mirbench.tasks.gtzan:GTZAN", "10 genres, fault-filtered split 443/197/290"),
    "gtzan-kaggle": Entry("mirbench.tasks.gtzan:GTZAN_KAGGLE", "the Kaggle copy, without its broken clip: 442/197/290"),
    "gtzan-mini": Entry("mirbench.tasks.gtzan:GTZAN_MINI", "the public excerpt of 100 clips, 5 folds"),
    "gtzan-demo": Entry("mirbench.tasks.gtzan:GTZAN_DEMO", "10 synthesised styles, a stand-in that needs no download"),
}

FAMILIES: Mapping[str, Entry] = {
    "folder:PATH": Entry("mirbench.tasks.own:folder_task", "your own: one sub-folder a class"),
    "csv:FILE": Entry("mirbench.tasks.own:csv_task", "your own: path,label[,split|fold,group,start,duration,unknown]"),
}

_MODIFIERS = "mirbench.tasks.modifiers"

MODIFIERS: Mapping[str, Entry] = {
    "+normalized": Entry(f"{_MODIFIERS}:normalized", "each clip brought to a peak of 0 dBFS"),
    "+levels8": Entry(f"{_MODIFIERS}:levels8", "each clip eight times, at peaks of -35, -30, … 0 dBFS"),
    "+loudness": Entry(f"{_MODIFIERS}:loudness", "the classes are five equal-count quantiles of RMS, loud1 to loud5"),
    "+loud1v5": Entry(f"{_MODIFIERS}:loud1v5", "the quietest fifth against the loudest"),
    "+shotsK": Entry(
        f"{_MODIFIERS}:shots", "K clips a class of train and of valid: shots10, another draw shots10-draw1"
    ),
    "+fractionF": Entry(f"{_MODIFIERS}:fraction", "a share of train and of valid: fraction0.1, fraction0.1-draw1"),
    "+balanced": Entry(f"{_MODIFIERS}:balanced", "the same number of clips of each class in each split"),
    "+binarised": Entry(f"{_MODIFIERS}:binarised", "soft labels made hard at 0.5"),
    "+resplit": Entry(f"{_MODIFIERS}:resplit", "splits drawn anew, 70/15/15, groups kept together; also resplit-draw1"),
    "+foldsK": Entry(f"{_MODIFIERS}:folds", "K folds drawn anew, groups kept together: folds5, folds5-draw1"),
}
