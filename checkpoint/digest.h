/* checkpoint/digest.h - a tensor's digest, the same however the tensor is cut and summed
 *
 *     digest = sum over elements of mix(i, bits)  mod 2^128
 *
 * i is the element's index in the whole tensor, bits its 32 bits. Integer sums do not depend on
 * their order, so ranks add up their parts and the digest is the same at any number of ranks.
 *
 *     x   = i * 0x9E3779B97F4A7C15 + bits             mod 2^64; one-to-one below 2^31 elements
 *     x  ^= x >> 30;   x *= 0xBF58476D1CE4E5B9
 *     x  ^= x >> 27;   x *= 0x94D049BB133111EB
 *     x  ^= x >> 31                                   upper 64 bits of mix
 *     y   = x * 0xD6E8FEB86659FD93;   y ^= y >> 32    lower 64 bits of mix
 *
 * Limits   finds accidents (a flipped bit, swapped or shifted parts); it is not for adversaries
 * Source   Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators" (the mixer);
 *          Bellare, Micciancio 1997, "A new paradigm for collision-free hashing" (sums of hashes)
 */
#ifndef CHECKPOINT_DIGEST_H
#define CHECKPOINT_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
    uint64_t low, high;
};

/* Add elements first .. first+n-1, which are values (n). False if one is NaN or infinite (it is
 * added all the same). */
bool digest_add(struct digest *d, uint64_t first, const float *values, size_t n);
void digest_merge(struct digest *d, const struct digest *other);

/* The plain form of digest_add, for tests. */
bool digest_add_ref(struct digest *d, uint64_t first, const float *values, size_t n);

#endif
