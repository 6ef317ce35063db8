"""
Which is better, and how sure is that?
======================================

Two scores differ nearly always. Whether the systems differ is asked on the same clips, pair by pair.
"""

import matplotlib.pyplot as plt

import mirbench

systems = {
    "probe-linear": mirbench.run("gtzan-demo", "probe-linear", "nano"),
    "knn": mirbench.run("gtzan-demo", "knn", "nano"),
    "probe-svm": mirbench.run("gtzan-demo", "probe-svm", "nano"),
    "prior": mirbench.run("gtzan-demo", "prior"),
}

# %%
# ``compare`` takes two systems and says in plain words what these clips tell.

print(mirbench.compare(systems["probe-linear"], systems["knn"]))

# %%
# The table has an interval for each system, and the rank that follows from comparing all of them.

table = mirbench.load_runs("runs").leaderboard()
table[["rank", "system", "accuracy", "interval_low", "interval_high"]].round(3)

# %%
# Intervals that overlap are no test, for both systems heard the same clips. The intervals of differences are:

probe = systems.pop("probe-linear")
found = [mirbench.compare(probe, other).difference for other in systems.values()]

figure, axes = plt.subplots(figsize=(6.5, 2.4), layout="constrained")
for place, difference in enumerate(found):
    axes.plot([difference.low, difference.high], [place, place], color="C0", linewidth=3)
    axes.plot(difference.value, place, "o", color="C0")
axes.axvline(0, color="grey", linestyle="--", linewidth=1)
axes.set_yticks(range(len(systems)), list(systems))
axes.set_ylim(len(systems) - 0.5, -0.5)
axes.set_xlabel("accuracy of probe-linear less that of the other, 95 % interval")
plt.show()
