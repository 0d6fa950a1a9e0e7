#!/usr/bin/env python3
"""Record what transformers' LlamaForCausalLM computes in float64, for tests/model.

    record_torch.py OUTPUT_DIRECTORY        (needs torch and transformers; run by hand)

Writes one file a shape: weights, tokens, targets, logits, loss, every gradient, and the losses,
gradient norms and learning rates of 20 AdamW steps. First weights are bf16 values, so that a bf16
run starts from the same; they are spread as our own, only wider. Tensors and rows are in Meta's
order (adjacent pairs for RoPE).
File format: text lines "key value", then one line "tensor NAME TYPE COUNT" each, "end", then the
tensors' little-endian bytes in that order, the f64 before the others.
"""
import math
import os
import sys

import torch
import torch.nn.functional as F
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama

SHAPES = {
    "mha": dict(layers=2, dim=64, heads=4, kv_heads=4, ffn_dim=176, vocabulary=96, B=2, T=32),
    "gqa": dict(layers=2, dim=64, heads=8, kv_heads=2, ffn_dim=160, vocabulary=128, B=2, T=32),
    "odd": dict(layers=2, dim=42, heads=3, kv_heads=1, ffn_dim=109, vocabulary=131, B=3, T=37),
    "deep": dict(layers=12, dim=32, heads=4, kv_heads=2, ffn_dim=88, vocabulary=64, B=2, T=24),
}
THETA, EPS = 10000.0, 1e-5
STEPS, WARMUP, PEAK, FINAL = 20, 5, 1e-3, 0.1
IGNORE = -100


# Hugging Face computes norms and angles in float32 whatever the model's type: here in float64.
def norm_forward(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def rope_forward(self, x, position_ids):
    half = torch.arange(0, self.config.head_dim, 2, dtype=torch.float64)
    angles = position_ids[..., None].double() * THETA ** (-half / self.config.head_dim)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


modeling_llama.LlamaRMSNorm.forward = norm_forward
modeling_llama.LlamaRotaryEmbedding.forward = rope_forward


def to_halves(w, heads):
    """Rows of wq or wk from Meta's adjacent pairs to Hugging Face's halves."""
    rows, columns = w.shape
    return w.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def to_pairs(w, heads):
    rows, columns = w.shape
    return w.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def names(s):
    """(Meta's name, Hugging Face's name, heads of rows to permute or 0), in Meta's order."""
    yield "tok_embeddings.weight", "model.embed_tokens.weight", 0
    for i in range(s["layers"]):
        m, h = f"layers.{i}.", f"model.layers.{i}."
        yield m + "attention_norm.weight", h + "input_layernorm.weight", 0
        yield m + "attention.wq.weight", h + "self_attn.q_proj.weight", s["heads"]
        yield m + "attention.wk.weight", h + "self_attn.k_proj.weight", s["kv_heads"]
        yield m + "attention.wv.weight", h + "self_attn.v_proj.weight", 0
        yield m + "attention.wo.weight", h + "self_attn.o_proj.weight", 0
        yield m + "ffn_norm.weight", h + "post_attention_layernorm.weight", 0
        yield m + "feed_forward.w1.weight", h + "mlp.gate_proj.weight", 0
        yield m + "feed_forward.w3.weight", h + "mlp.up_proj.weight", 0
        yield m + "feed_forward.w2.weight", h + "mlp.down_proj.weight", 0
    yield "norm.weight", "model.norm.weight", 0
    yield "output.weight", "lm_head.weight", 0


def make_model(s):
    config = LlamaConfig(
        vocab_size=s["vocabulary"], hidden_size=s["dim"], intermediate_size=s["ffn_dim"],
        num_hidden_layers=s["layers"], num_attention_heads=s["heads"],
        num_key_value_heads=s["kv_heads"], head_dim=s["dim"] // s["heads"],
        max_position_embeddings=s["T"], rms_norm_eps=EPS, rope_theta=THETA,
        tie_word_embeddings=False, attention_bias=False, mlp_bias=False,
        attn_implementation="sdpa")
    model = LlamaForCausalLM(config).double()
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for _, name, _ in names(s):
            p = parameters[name]
            into_stream = name.endswith(("o_proj.weight", "down_proj.weight"))
            fresh = torch.randn(p.shape) * 0.1 / (math.sqrt(2 * s["layers"]) if into_stream else 1)
            p.copy_((fresh + 1 if p.dim() == 1 else fresh).bfloat16().double())
    return model, parameters


def make_batches(s):
    """(STEPS,B,T+1) tokens that half follow a rule, so that there is something to learn; and
    their targets, of which some do not count."""
    V = s["vocabulary"]
    tokens = torch.randint(V, (STEPS, s["B"], s["T"] + 1))
    follow = torch.rand(tokens.shape) < 0.5
    for t in range(1, s["T"] + 1):
        tokens[..., t] = torch.where(follow[..., t], (3 * tokens[..., t - 1] + 1) % V, tokens[..., t])
    targets = tokens[..., 1:].clone()
    targets[torch.rand(targets.shape) < 0.1] = IGNORE
    return tokens[..., :-1].contiguous(), targets


def loss_of(model, tokens, targets):
    logits = model(tokens).logits
    return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE)


def learning_rate(step):
    if step <= WARMUP:
        return PEAK * step / WARMUP
    done = (step - WARMUP) / (STEPS - WARMUP)
    return PEAK * (FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * done)))


def train(model, parameters, tokens, targets):
    groups = [
        {"params": [p for p in parameters.values() if p.dim() == 2], "weight_decay": 0.1},
        {"params": [p for p in parameters.values() if p.dim() == 1], "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.95), eps=1e-5)
    losses, norms, rates = [], [], []
    for step in range(1, STEPS + 1):
        for group in adam.param_groups:
            group["lr"] = learning_rate(step)
        adam.zero_grad()
        _, loss = loss_of(model, tokens[step - 1], targets[step - 1])
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0).item())
        adam.step()
        losses.append(loss.item())
        rates.append(learning_rate(step))
    return [torch.tensor(x, dtype=torch.float64) for x in (losses, norms, rates)]


def record(name, s, directory):
    torch.manual_seed(sum(map(ord, name)))
    model, parameters = make_model(s)
    tokens, targets = make_batches(s)
    tensors = [("tokens", tokens.int()), ("targets", targets.int())]
    for meta, hf, heads in names(s):
        w = parameters[hf].detach()
        tensors.append((meta, (to_pairs(w, heads) if heads else w).float()))

    logits, loss = loss_of(model, tokens[0], targets[0])
    loss.backward()
    tensors += [("logits", logits.detach().float()), ("loss", loss.detach().double().view(1))]
    for meta, hf, heads in names(s):
        g = parameters[hf].grad
        assert not heads or torch.equal(to_halves(to_pairs(g, heads), heads), g)
        tensors.append(("gradient:" + meta, (to_pairs(g, heads) if heads else g).float()))
    losses, norms, rates = train(model, parameters, tokens, targets)
    tensors += [("losses", losses), ("norms", norms), ("rates", rates)]

    tensors.sort(key=lambda t: -t[1].element_size())  # so that all are aligned
    kinds = {torch.int32: "i32", torch.float32: "f32", torch.float64: "f64"}
    path = os.path.join(directory, name + ".bin")
    with open(path, "wb") as f:
        for key, value in s.items():
            f.write(f"{key} {value}\n".encode())
        for key, t in tensors:
            f.write(f"tensor {key} {kinds[t.dtype]} {t.numel()}\n".encode())
        f.write(b"end\n")
        for _, t in tensors:
            f.write(t.contiguous().numpy().tobytes())
    print(f"{path}: {os.path.getsize(path)} bytes, loss {loss.item():.9f}, "
          f"after {STEPS} steps {float(losses[-1]):.9f}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    for name, s in SHAPES.items():
        record(name, s, sys.argv[1])


main()
