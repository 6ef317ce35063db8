"""
What a source sees, and what it makes of it
===========================================

A front end turns audio into a picture, and a body turns that into an embedding. Both can be looked at.
"""

import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import mirbench

# %%
# ``mirbench show TASK --pictures FOLDER --source NAME`` writes what a source sees of the first clip of each class.

folder = Path("runs/pictures")
command = ["show", "gtzan-demo", "--pictures", str(folder), "--source", "nano"]
subprocess.run([sys.executable, "-m", "mirbench", *command], check=True)

figure, axes = plt.subplots(2, 5, figsize=(9, 4), layout="constrained")
for place, path in zip(axes.flat, sorted(folder.glob("*.png")), strict=True):
    place.imshow(plt.imread(path), cmap="magma", aspect="auto")
    place.set(title=path.stem.partition("_")[0], xticks=[], yticks=[])
figure.supxlabel("time")
figure.supylabel("frequency")
plt.show()

# %%
# ``embed`` gives the embedding of any audio file, the one that a probe learns from.

task = mirbench.task("gtzan-demo")
clips = task.split("test").clips
embedding = mirbench.source("nano").embed([clip.path for clip in clips])
embedding.shape

# %%
# Its first two principal components: classes that lie apart here are easily learnt, those that do not may lie apart in
# other directions.

centred = embedding - embedding.mean(axis=0)
places = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
label = task.split("test").class_index()

figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
for k, name in enumerate(task.classes):
    axes.scatter(*places[label == k].T, color=f"C{k}", s=18, label=name)
axes.set(xlabel="first component", ylabel="second component")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
plt.show()
