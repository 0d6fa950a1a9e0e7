#!/usr/bin/env python3
"""The plan's bytes are the measured bytes, within 2 %, and a rank's state falls as 1/P.

Three models whose plan exceeds 512 MB, at 1, 2 and 4 ranks, and one of them as replicas on pretended
nodes, each with a whole state. Measured: private anonymous peak of
all ranks and each shared window once, less the same at the start of the job (bench/memory_peak.c).

    test_memory.py SOURCE BUILD
"""
import json
import pathlib
import subprocess
import sys
import tempfile

SOURCE, BUILD = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
LIMIT = 0.02
LEAST_BYTES = 512e6

REST = """
data: {file: none.h5, tokenizer: none.model}
steps: 2
output: nowhere
"""
MODELS = {
    # Weights and moments rule.
    "deep fp32": """
model: {layers: 10, dim: 512, heads: 8, kv_heads: 8, ffn_dim: 1376, vocabulary: 4096, context: 64}
batch: {global_sequences: 4, micro_sequences: 1}
compute: fp32
""",
    # A wide vocabulary, grouped queries, odd sizes; all weights stay on the node.
    "wide bf16 grads": """
model: {layers: 3, dim: 576, heads: 9, kv_heads: 3, ffn_dim: 1531, vocabulary: 20011, context: 61}
batch: {global_sequences: 4, micro_sequences: 1}
compute: bf16
shard: {mode: grads}
""",
    # Activations rule.
    "long bf16": """
model: {layers: 12, dim: 256, heads: 4, kv_heads: 2, ffn_dim: 688, vocabulary: 2048, context: 768}
batch: {global_sequences: 16, micro_sequences: 4}
compute: bf16
shard: {prefetch: 2}
""",
}
# (model, ranks, pretended nodes, settings)
CASES = [(name, ranks, 1, []) for name in MODELS for ranks in (1, 2, 4)]
CASES += [("deep fp32", 4, 2, ["--set", "shard.mode=hybrid", "--set", "shard.ranks_per_node=2"])]


def run(ranks, *command):
    launcher = [str(SOURCE / "tests/mpirun"), str(ranks)] if ranks else []
    done = subprocess.run([*launcher, *map(str, command)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} left with {done.returncode}\n{done.stderr}")
    return done.stdout


def measured(path, ranks, keys):
    out = path.with_suffix(".json")
    run(ranks, BUILD / "bin/recua-bench", "step", path, "--steps", 1, "--warmup", 1, "--json", out,
        *keys)
    return json.loads(out.read_text())


def state_bytes(path, ranks, nodes, keys):
    """Master weights, gradients and moments that one rank owns."""
    plan = json.loads(run(0, BUILD / "bin/recua", "plan", path, "--ranks", ranks, "--per-node",
                          ranks // nodes, "--json", *keys))
    owned = ("shard/master", "shard/gradients", "optim/exp_avg", "optim/exp_avg_sq")
    return sum(b["bytes"] for b in plan["buffers"] if b["name"] in owned)


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, ranks, nodes, keys in CASES:
            path = pathlib.Path(folder) / f"{name.replace(' ', '-')}.yaml"
            path.write_text(MODELS[name] + REST)
            f = measured(path, ranks, keys)
            planned, peak = f["planned_bytes"], f["measured_peak_bytes"]
            share = state_bytes(path, ranks, nodes, keys) * ranks / state_bytes(path, 1, 1, [])
            good = (planned > LEAST_BYTES and abs(peak / planned - 1) <= LIMIT
                    and nodes <= share < nodes + 0.001)
            failed += not good
            print(f"{'ok  ' if good else 'FAIL'} {name}, {ranks} ranks"
                  f"{f', {nodes} replicas' if keys else ''}: planned {planned / 1e6:.1f} MB, "
                  f"measured {peak / 1e6:.1f} MB ({100 * (peak / planned - 1):+.2f} %), state a rank x "
                  f"ranks {share:.4f} of one rank's", flush=True)
    sys.exit(failed > 0)


main()
