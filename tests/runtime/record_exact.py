#!/usr/bin/env python3
"""Record exact_cases.h: sums of doubles whose nearest double Python's fractions know.

    python3 tests/runtime/record_exact.py > tests/runtime/exact_cases.h
"""
import random
from fractions import Fraction

BIG, TINY = float.fromhex("0x1.fffffffffffffp+1023"), float.fromhex("0x1p-1074")


def nearest(terms):
    """The nearest double, ties to even: CPython's int / int rounds so. Beyond the largest: inf."""
    total = sum((Fraction(t) for t in terms), Fraction(0))
    try:
        return float(total)
    except OverflowError:
        return float("inf") if total > 0 else float("-inf")


def cases():
    yield "nothing", []
    yield "minus zero", [-0.0, -0.0]
    yield "one", [1.0]
    yield "cancellation to nothing", [1e300, 1.0, -1e300, -1.0]
    yield "a grain under a mountain", [1e300, 1e-300, -1e300]
    yield "tenths", [0.1] * 10
    yield "tie to even, down", [1.0, 2.0**-53]
    yield "tie to even, up", [1.0 + 2.0**-52, 2.0**-53]
    yield "just above a tie", [1.0, 2.0**-53, TINY]
    yield "just below a tie", [1.0 + 2.0**-52, 2.0**-53, -TINY]
    yield "the same, negative", [-1.0 - 2.0**-52, -(2.0**-53), TINY]
    yield "carry through all ones", [float.fromhex("0x1.fffffffffffffp+0"), 2.0**-53]
    yield "subnormals", [TINY, TINY, TINY]
    yield "subnormal from normals", [float.fromhex("0x1.0000000000001p-1022"), -(2.0**-1022)]
    yield "largest subnormal and one more", [float.fromhex("0x0.fffffffffffffp-1022"), TINY]
    yield "minus the smallest", [-TINY]
    yield "largest", [BIG]
    yield "largest and half its last place: beyond", [BIG, 2.0**970]
    yield "largest and just less than half its last place", [BIG, 2.0**970, -TINY]
    yield "past the largest and back", [BIG, BIG, BIG, -BIG, -BIG]
    yield "minus the largest twice", [-BIG, -BIG]
    rng = random.Random(20)
    for spread in (1, 30, 300, 1000):
        terms = [rng.choice((-1, 1)) * rng.random() * 2.0 ** rng.randint(-spread, spread)
                 for _ in range(24)]
        yield f"random over {2 * spread} powers of two", terms
        yield f"the same, nearly cancelled ({2 * spread})", terms + [-t for t in terms[:-1]]
        yield f"minus its own rounding ({2 * spread})", terms + [-nearest(terms)]


def literal(x):
    return "INFINITY" if x == float("inf") else "-INFINITY" if x == float("-inf") else x.hex()


print("/* tests/runtime/exact_cases.h - made by record_exact.py from Python's fractions */")
print("/* clang-format off */")
print("static const struct {\n    const char *name;\n    int count;\n    double terms[48], sum;\n"
      "} exact_cases[] = {")
for name, terms in cases():
    words = [literal(t) for t in terms] or ["0"]
    listed = ",\n      ".join(", ".join(words[i:i + 3]) for i in range(0, len(words), 3))
    print(f'    {{"{name}", {len(terms)},\n     {{{listed}}},\n     {literal(nearest(terms))}}},')
print("};")
