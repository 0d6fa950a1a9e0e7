#!/usr/bin/env python3
"""check_h5py.py STEP_DIR STEP: h5py shows every tensor in its full shape, with the values of
tests/checkpoint/state.h (large), and the attributes. Fails where there is no h5py."""
import sys

import h5py
import numpy as np

SHAPES = [
    ("tok_embeddings.weight", (701, 523), "embedding", 0),
    ("layers.0.attention_norm.weight", (523,), "norm", 1),
    ("layers.0.attention.wq.weight", (17, 31), "matrix", 1),
    ("layers.0.attention.wk.weight", (1, 1), "matrix", 1),
    ("norm.weight", (7,), "norm", 2),
    ("output.weight", (13, 5), "matrix", 2),
]
GROUPS = ["model", "optim/exp_avg", "optim/exp_avg_sq"]


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def main(step_dir, step):
    bad = 0
    with h5py.File(step_dir + "/state.h5", "r") as f:
        for key, value in [("format", "recua-checkpoint"), ("run_id", "made-up"),
                           ("model", '{"layers": 1, "dim": 523}')]:
            bad += text(f.attrs[key]) != value
        for key, value in [("version", 1), ("step", step), ("next_sample", 8 * step),
                           ("tokens_total", 4096 * step), ("seed", 42), ("ranks", 2),
                           ("data_digest", 0x0123456789ABCDEF),
                           ("tokenizer_digest", 0xFEDCBA9876543210)]:
            bad += int(f.attrs[key]) != value
        for kind, group in enumerate(GROUPS):
            bad += sorted(f[group]) != sorted(name for name, *_ in SHAPES)
            for t, (name, shape, role, unit) in enumerate(SHAPES):
                d = f[group][name]
                index = np.arange(np.prod(shape), dtype=np.uint64)
                want = (index * 31 + t * 7919 + kind * 104729 + step * 13) % 65521
                want = (want.astype(np.float32) / 64 - 500).reshape(shape)
                ok = (d.shape == shape and d.dtype == np.dtype("<f4") and d.chunks is None
                      and np.array_equal(d[...], want)
                      and text(d.attrs["role"]) == role and int(d.attrs["unit"]) == unit)
                if not ok:
                    print(f"{group}/{name}: not what was saved")
                bad += not ok
    return bad


sys.exit(main(sys.argv[1], int(sys.argv[2])) != 0)
