"""The split by name of TensorFlow's image_retraining/retrain.py, with which shtern2017 trained.

A hash of a picture's path says where it belongs, so that it stays there when others come or go. About 10 % are valid
and 10 % test; neither is exact, nor stratified, and a class with few files may be absent from one.

The paper's paths are not known, and a path on one machine is none on another. What we hash is our choice:
``<class>/<clip id>.jpg``, as if the pictures lay in the folder from which the script was started.

References
----------
tensorflow/tensorflow, tensorflow/examples/image_retraining/retrain.py, `create_image_lists`: as it was from September
2016 (pull request 4318) on. Before, it took the hash modulo 2 ** 16 and so drew another split; which of the two
shtern2017 ran is not known.
"""

from __future__ import annotations

import hashlib

__all__ = ["retrain_split"]

_MOST = 2**27 - 1  # pictures a class
_VALID, _TEST = 10, 10  # percent, the script's defaults


def retrain_split(name: str) -> str:
    """The split of a picture: "train", "valid" or "test".

    Parameters
    ----------
    name : str
        Its path, as in "waltz/100701.jpg". What follows "_nohash_" does not count, so that variants of one picture
        stay together.

    Examples
    --------
    >>> retrain_split("waltz/22.jpg"), retrain_split("waltz/23.jpg")
    ('train', 'test')
    """
    hashed = hashlib.sha1(name.partition("_nohash_")[0].encode(), usedforsecurity=False).hexdigest()
    percentage = (int(hashed, 16) % (_MOST + 1)) * (100.0 / _MOST)
    if percentage < _VALID:
        return "valid"
    return "test" if percentage < _VALID + _TEST else "train"
