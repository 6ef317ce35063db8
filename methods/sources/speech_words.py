"""The classes of SpeechATT, in the order of its outputs; loads no torch.

The order is that of its authors: douglas125/SpeechCmdRecognition, SpeechDownloader.py, task "35word". The words are
the 35 of Speech Commands v2; class 0 is all else, silence included.

References
----------
Warden (2018), Speech Commands: a dataset for limited-vocabulary speech recognition, arXiv:1804.03209.
"""

__all__ = ["WORDS"]

WORDS = (
    "unknown", "nine", "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "zero", "one", "two",
    "three", "four", "five", "six", "seven", "eight", "backward", "bed", "bird", "cat", "dog", "follow", "forward",
    "happy", "house", "learn", "marvin", "sheila", "tree", "visual", "wow",
)  # fmt: skip
