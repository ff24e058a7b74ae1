# SPDX-License-Identifier: MIT
"""Whether a sound says what it should: loudness in steps of 20 ms against that of a speech made here, and a code that
is read out, understood by saying each digit after those that were understood. espeak-ng says the same the same way."""
import functools
import io
import math
import operator
import os
import subprocess
import wave
from array import array

STEP_S = 0.02
PAUSE, LAG = 800, 40        # samples at 8 kHz: silence behind a digit; how far one may have slipped
CLEAR, MARGIN = 0.8, 0.25   # a digit is at least so like, and so much more than any other


class Unclear(Exception):
    """What was heard may be this or that."""


def samples(source):
    """(rate, samples) of a WAV: a path or bytes. A head that was written into a pipe lies about the length."""
    with wave.open(io.BytesIO(source) if isinstance(source, bytes) else os.fspath(source)) as w:
        if (w.getnchannels(), w.getsampwidth()) != (1, 2):
            raise ValueError(f"not 16 bits in one channel: {w.getparams()}")
        data = w.readframes(w.getnframes())
        return w.getframerate(), array("h", data[:len(data) // 2 * 2])


def loudness(source):
    rate, pcm = samples(source)
    return loudness_of(pcm, rate)


def loudness_of(pcm, rate=8000):
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


@functools.cache
def sinc_tables(up, down, half=8):
    """For each phase between two samples: the weights of those around it. A windowed sinc, as telephony wants it."""
    cut = min(1.0, up / down)
    span = math.ceil(half / cut)

    def weight(x):
        sinc = math.sin(math.pi * x * cut) / (math.pi * x * cut) if x else 1.0
        return cut * sinc * (0.5 + 0.5 * math.cos(math.pi * x / (span + 1)))
    return [[weight(tap - phase / up) for tap in range(1 - span, span + 1)] for phase in range(up)], span


def resampled(pcm, rate, first=0):
    """At 8 kHz, from that sample of the result on."""
    common = math.gcd(rate, 8000)
    up, down = 8000 // common, rate // common
    tables, span = sinc_tables(up, down)
    padded = [0] * (span - 1) + list(pcm) + [0] * (span + 1)
    return [sum(map(operator.mul, tables[i * down % up], padded[(at := i * down // up):at + 2 * span]))
            for i in range(first, len(pcm) * up // down)]


def spoken(text, first=0):
    """What is said up to its last loud sample, at 8 kHz, from sample `first` on."""
    rate, pcm = samples(say(text))
    floor = max(max(pcm), -min(pcm)) * 0.02
    last = next(i for i in range(len(pcm) - 1, 0, -1) if not -floor <= pcm[i] <= floor)
    return resampled(pcm[:last + 1], rate, first)


def sameness(part, whole, at, lags):
    """(the best likeness, its lag) of samples with those of `whole` that lie there, or nearly there. No mean is taken off:
    sound has none."""
    power, best = sum(map(operator.mul, part, part)), (0.0, 0)
    for lag in lags:
        other = whole[at + lag:at + lag + len(part)] if at + lag >= 0 else []
        up = sum(map(operator.mul, part, other))
        if len(other) == len(part) and up > 0:
            best = max(best, (up / math.sqrt(power * sum(map(operator.mul, other, other))), lag))
    return best


def hear_code(source, community):
    """The six digits that a call to verify a telephone reads out, by its samples: each digit is said here behind those that were
    understood. Returns (code, the least likeness of a digit, the least distance to the next best one). What is not clear
    raises Unclear: no code is better than another's."""
    rate, heard = samples(source)
    if rate != 8000:
        raise Unclear(f"a recording of {rate} Hz")
    heard = list(heard) + [0] * 8000
    begin = f"Hello. This is {spoken_name(community)}. Your code is"
    speech = spoken(begin)
    # Where it lies in the recording: roughly by its loudness, then to the sample.
    steps = loudness_of(heard)
    _, step = find(loudness_of(speech), steps[:200 + len(speech) // 160])
    loud = max(range(0, len(speech) - 4000, 160), key=lambda i: sum(map(abs, speech[i:i + 4000])))
    like, shift = sameness(speech[loud:loud + 4000], heard, step * 160 + loud, range(-320, 321))
    if like < 0.8:
        raise Unclear(f"it does not begin with {begin!r}: likeness {like:.3f}")
    shift += step * 160
    code, least, margin, at = "", 1.0, 1.0, len(speech)
    for n in range(6):
        tries = []
        for digit in "0123456789":
            mine = spoken(f"{begin} {', '.join(code + digit)}{',' if n < 5 else '.'}", at)
            # With the pause behind: a shorter word is not the beginning of a longer one.
            tries.append((*sameness(mine + [0.0] * PAUSE, heard, at + shift, range(-LAG, LAG + 1)), digit, len(mine)))
        (like, lag, digit, length), (second, _, other, _) = sorted(tries, reverse=True)[:2]
        if like < CLEAR or like - second < MARGIN:
            raise Unclear(f"digit {n + 1} behind {code!r} may be {digit} ({like:.3f}) or {other} ({second:.3f})")
        code, at, shift, least, margin = code + digit, at + length, shift + lag, min(least, like), min(margin, like - second)
    return code, least, margin
