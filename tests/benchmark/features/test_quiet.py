"""What a decoder prints of odd files stays off the terminal; what others print meanwhile does not."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from mirbench.features import decoding
from mirbench.features.quiet import without_decoder_lines
from mirbench.types import Excerpt

needs_mp3 = pytest.mark.skipif("MP3" not in soundfile.available_formats(), reason="this libsndfile writes no MP3")


def odd_mp3(path):
    """An MP3 of which single bytes were changed."""
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, 44100), 22050)
    content = bytearray(path.read_bytes())
    for at in range(3000, len(content) - 500, 700):
        content[at] ^= 0xFF
    path.write_bytes(content)
    return path


@needs_mp3
def test_odd_mp3_prints_nothing(tmp_path, capfd):
    path = odd_mp3(tmp_path / "a.mp3")
    with soundfile.SoundFile(path) as file:
        file.read(20000)
    assert "libmpg123" in capfd.readouterr().err  # else there is nothing to keep off
    decoding.decode(Excerpt(path))
    assert capfd.readouterr().err == ""


@needs_mp3
def test_odd_mp3s_in_threads_print_nothing_and_leave_standard_error_as_it_was(tmp_path, capfd):
    path, before = odd_mp3(tmp_path / "a.mp3"), os.fstat(2).st_ino
    threads = [threading.Thread(target=decoding.decode, args=(Excerpt(path),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for n in range(50):
        os.write(2, f"line {n}\n".encode())
    for thread in threads:
        thread.join()
    # none is lost; one that is written just as standard error is put back may overtake those before it
    assert sorted(capfd.readouterr().err.splitlines()) == sorted(f"line {n}" for n in range(50))
    assert os.fstat(2).st_ino == before


def test_lines_of_others_are_passed_on_in_order(capfd):
    with without_decoder_lines():
        os.write(2, b"first\nNote: Trying to resync...\n")
        with without_decoder_lines():
            os.write(2, b"[src/libmpg123/parse.c:1] error: odd\nsecond\n")
        os.write(2, b"third")
    assert capfd.readouterr().err == "first\nsecond\nthird"


def test_error_inside_puts_standard_error_back(capfd):
    with pytest.raises(ValueError, match="odd"), without_decoder_lines():
        raise ValueError("odd")
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_nothing_is_done_where_there_is_no_standard_error():
    program = (
        "import os; os.close(2)\n"
        "from mirbench.features.quiet import without_decoder_lines\n"
        "with without_decoder_lines(): print(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_child_that_is_forked_meanwhile_has_its_standard_error():
    program = (
        "import os\n"
        "from mirbench.features.quiet import without_decoder_lines\n"
        "with without_decoder_lines():\n"
        "    if os.fork() == 0:\n"
        "        os.write(2, b'Note: of the child'); os._exit(0)\n"
        "    os.wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "Note: of the child")
