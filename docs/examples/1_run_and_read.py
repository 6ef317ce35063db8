"""
A probe, a baseline, and their table
====================================

Runs leave records; records make a table. A row of rank 1 cannot be told from the best.
"""

import mirbench

# %%
# A run is a task, a method, and a source where the method needs one. ``probe-linear`` is logistic regression on the
# embeddings of a frozen network; ``prior`` guesses by how often each class occurs, and is the floor.

probe = mirbench.run("gtzan-demo", "probe-linear", "nano")
floor = mirbench.run("gtzan-demo", "prior")
probe

# %%
# The same call again reads the run back: a frozen computation, and a run, is done once.

mirbench.run("gtzan-demo", "probe-linear", "nano")[0].read_back

# %%
# All records of a folder make the table of the command ``mirbench leaderboard``.

table = mirbench.load_runs("runs").leaderboard()
columns = ["rank", "system", "accuracy", "interval_low", "interval_high", "n_trainable"]
table[columns].round(3)

# %%
# Every test clip's scores are kept. Where does the probe go wrong?

import matplotlib.pyplot as plt
import pandas as pd

scores = probe[0].scores()
confused = pd.crosstab(scores["labels"], scores["predicted"])

figure, axes = plt.subplots(figsize=(5.5, 4.8), layout="constrained")
image = axes.imshow(confused, cmap="Blues")
axes.set(xlabel="predicted", ylabel="label")
axes.set_yticks(range(len(confused)), confused.index)
axes.set_xticks(range(len(confused.columns)), confused.columns, rotation=60, ha="right")
figure.colorbar(image, label="test clips")
plt.show()
