# SPDX-License-Identifier: MIT
"""Whether a sound says what it should: loudness in steps of 20 ms against that of a speech made here, and a code that
is read out, understood by saying each digit after those that were understood. espeak-ng says the same the same way."""
import io
import math
import os
import subprocess
import wave
from array import array

STEP_S = 0.02


def samples(source):
    """(rate, samples) of a WAV: a path or bytes. A head that was written into a pipe lies about the length."""
    with wave.open(io.BytesIO(source) if isinstance(source, bytes) else os.fspath(source)) as w:
        if (w.getnchannels(), w.getsampwidth()) != (1, 2):
            raise ValueError(f"not 16 bits in one channel: {w.getparams()}")
        data = w.readframes(w.getnframes())
        return w.getframerate(), array("h", data[:len(data) // 2 * 2])


def loudness(source):
    rate, pcm = samples(source)
    step = int(rate * STEP_S)
    return [math.sqrt(sum(v * v for v in pcm[at:at + step]) / step) for at in range(0, len(pcm) - step + 1, step)]


def without_silence(steps):
    """Cut at both ends."""
    floor = max(steps, default=0) * 0.02
    loud = [i for i, v in enumerate(steps) if v > floor]
    return steps[loud[0]:loud[-1] + 1] if loud else []


def likeness(one, other):
    """Pearson's correlation of two lists, as far as the shorter goes: 1 for the same but for the volume."""
    n = min(len(one), len(other))
    if n < 5:
        return 0.0
    one, other = one[:n], other[:n]
    a, b = sum(one) / n, sum(other) / n
    up = sum((x - a) * (y - b) for x, y in zip(one, other))
    down = math.sqrt(sum((x - a) ** 2 for x in one) * sum((y - b) ** 2 for y in other))
    return up / down if down else 0.0


def find(part, whole):
    """Where `part` lies in `whole` (both loudness): (likeness, step)."""
    last = max(0, len(whole) - len(part))
    return max((likeness(part, whole[at:at + len(part)]), at) for at in range(last + 1))


def say(text, voice="en-gb"):
    """A speech made here, as WAV."""
    done = subprocess.run(["espeak-ng", "--stdin", "--stdout", "-s", "150", "-v", voice], input=text.encode(), capture_output=True, check=True)
    return done.stdout


def spoken_name(address):
    return address.replace("@", " at ").replace(".", " dot ")


def hear_code(source, community):
    """The six digits that a call to verify a telephone reads out; also the least likeness among them."""
    heard = without_silence(loudness(source)) + [0.0] * 20
    begin = f"Hello. This is {spoken_name(community)}. Your code is"
    pause, code, least, at = [0.0] * 8, "", 1.0, len(without_silence(loudness(say(begin)))) - 5
    while len(code) < 6:
        tries = []
        for digit in "0123456789":
            # What is new in it, and the pause behind: a shorter word is not the beginning of a longer one.
            mine = without_silence(loudness(say(f"{begin} {', '.join(code + digit)},")))
            tries.append((max(likeness(mine[at:] + pause, heard[at + lag:]) for lag in (-2, -1, 0, 1, 2)), digit, len(mine)))
        like, digit, at = max(tries)
        code, least = code + digit, min(least, like)
    return code, least
