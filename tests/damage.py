"""Damaged files: what disks, transfers, editors and bad luck make of a good one. All from a seeded generator."""

import copy
import json

import numpy as np

NUMBERS = ["-1", "2.5", "1e400", "NaN", "Infinity", "1099511627776", "9" * 400, "9" * 5000, "true", "null", '"5"', "[]"]
VALUES = [
    None,
    True,
    -1,
    0,
    2.5,
    2**40,
    10**300,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "5",
    "\x1b[31m\n",
    [],
    {},
    [[]],
]
VALUES += [-(2**63), "x" * 5000, [1] * 50, {"a": {"b": []}}]
HUGE = [2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]


def truncated(rng, data):
    return data[: rng.integers(len(data) + 1)]


def bits_flipped(rng, data):
    data = bytearray(data)
    for at in rng.integers(len(data), size=rng.integers(1, 9)):
        data[at] ^= 1 << rng.integers(8)
    return bytes(data)


def head_flipped(rng, data):
    """As above, in the first bytes, where most formats keep what they say about themselves."""
    return bits_flipped(rng, data[:64]) + data[64:]


def cut(rng, data):
    a, b = np.sort(rng.integers(len(data) + 1, size=2))
    return data[:a] + data[b:]


def doubled(rng, data):
    a, b = np.sort(rng.integers(len(data) + 1, size=2))
    return data[:b] + data[a:b] * int(rng.integers(1, 4)) + data[b:]


def swapped(rng, data):
    a, b, c = np.sort(rng.integers(len(data) + 1, size=3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def noise(rng, data):
    at, new = rng.integers(len(data) + 1), rng.bytes(rng.integers(1, 200))
    return data[:at] + new + data[at + rng.integers(2) * len(new) :]


def huge_integer(rng, data):
    """An integer of a header becomes huge: 4 or 8 bytes, either end first, in the first 128 bytes."""
    size = int(rng.choice([4, 8]))
    at, order = rng.integers(max(min(len(data), 128) - size, 1)), rng.choice(["little", "big"])
    return (
        data[:at]
        + (int(rng.choice(HUGE[: 4 if size == 4 else 7])) % 2 ** (8 * size)).to_bytes(size, order)
        + data[at + size :]
    )


def other_number(rng, data):
    """A number in a text becomes another one, or something else."""
    digits = [i for i, byte in enumerate(data[:5000]) if chr(byte).isdigit()]
    if not digits:
        return noise(rng, data)
    start = end = int(rng.choice(digits))
    while end < len(data) and chr(data[end]) in "0123456789.e-":
        end += 1
    return data[:start] + str(rng.choice(NUMBERS)).encode() + data[end:]


def other_encoding(rng, data):
    return [
        b"\xff\xfe" + data,
        data.decode("latin1").encode("utf-16"),
        b"\xef\xbb\xbf" + data,
        noise(rng, b"\xc3\x28" + data),
    ][rng.integers(4)]


def nested(rng, data):
    at, opener = rng.integers(len(data) + 1), [b"[", b'{"a":', b"[["][rng.integers(3)]
    return data[:at] + opener * int(10 ** rng.uniform(1, 4.5)) + data[at:]


def long_line(rng, data):
    at = rng.integers(len(data) + 1)
    return data[:at] + bytes([rng.integers(256)]) * int(10 ** rng.uniform(2, 5.3)) + data[at:]


def foreign(rng, data):
    return [
        b"",
        b"\n",
        b"\0" * 1000,
        b"<!DOCTYPE html>\n<html>",
        b"\x1f\x8b\x08\0",
        b"PK\x03\x04" + bytes(90),
        b"null",
        b"[]",
        b"{}",
        b'"x"',
        b"3",
    ][rng.integers(11)]


BLIND = [truncated, bits_flipped, head_flipped, cut, doubled, swapped, noise, huge_integer, other_number]
BLIND += [other_encoding, nested, long_line, foreign]


def blindly(rng, data):
    """Return `data` (bytes) after one to three accidents."""
    for _ in range(rng.integers(1, 4)):
        data = BLIND[rng.integers(len(BLIND))](rng, data) or b""
        if not data:
            break
    return data


def tree(rng, content):
    """Return JSON-able `content` with one to three entries of it replaced, removed or added."""
    content = copy.deepcopy(content)
    for _ in range(rng.integers(1, 4)):
        owner, keys = content, list(_keys(content))
        while keys:
            key = keys[rng.integers(len(keys))]
            inner = list(_keys(owner[key]))
            if not inner or rng.random() < 0.3:
                _change(rng, owner, key)
                break
            owner, keys = owner[key], inner
    return content


def _keys(x):
    return x.keys() if isinstance(x, dict) else range(len(x)) if isinstance(x, list) else ()


def _change(rng, owner, key):
    what, value = rng.integers(8), copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    if what == 0:
        del owner[key]
    elif what == 1 and isinstance(owner, dict):
        owner[f"{key}\x1b[1m\n"] = value
    elif what == 2 and isinstance(owner[key], int | float):
        owner[key] = owner[key] * (-3 if rng.random() < 0.5 else 1.5)
    else:
        owner[key] = value


def as_json(content):
    return json.dumps(content).encode()


def safetensors_header(rng, data):
    """Change the table of contents of a safetensors file, and let its length be right."""
    length = int.from_bytes(data[:8], "little")
    header = as_json(tree(rng, json.loads(data[8 : 8 + length])))
    return len(header).to_bytes(8, "little") + header + data[8 + length :]
