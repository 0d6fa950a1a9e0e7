/* checkpoint/crc32c.h - CRC-32C (Castagnoli) of bytes
 *
 * Polynomial 0x1EDC6F41, reflected, start and final xor ~0: the CRC of iSCSI (RFC 3720) and ext4.
 * Finds every burst of up to 32 bits and every 1 to 3 flipped bits in a 1 MiB block.
 */
#ifndef CHECKPOINT_CRC32C_H
#define CHECKPOINT_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The CRC of n bytes. `before` is the CRC of the bytes in front of them, 0 where there are none:
 * crc32c(crc32c(0, a, n), b, m) is the CRC of a followed by b. The fastest way this CPU has. */
uint32_t crc32c(uint32_t before, const void *bytes, size_t n);

/* The two ways, for tests. hardware: only where crc32c_has_hardware. */
bool crc32c_has_hardware(void);
uint32_t crc32c_table(uint32_t before, const void *bytes, size_t n);
uint32_t crc32c_hardware(uint32_t before, const void *bytes, size_t n);

#endif
