/* checkpoint/skeleton.h - state.h5 without its values: an HDF5 file made by one process
 *
 * The only part of this folder that calls HDF5, and HDF5 never sees the disk: 1.10 cannot close a
 * file whose last writes fail, and then crashes when the process ends. So the file is made in
 * memory (the arrays are holes and take none) and copied by us, who can report an error. Every dataset is contiguous, allocated at once and
 * never filled, so its values are one range of the file that any rank can write with pwrite.
 * Limits  libhdf5 is not thread safe: one thread at a time in a process
 */
#ifndef CHECKPOINT_SKELETON_H
#define CHECKPOINT_SKELETON_H

#include <stdint.h>

#include "checkpoint/checkpoint.h"
#include "runtime/status.h"
#include "runtime/tensor.h"

/* Make the file in memory with kinds (1 or 3) datasets a tensor. offsets (count*kinds): the first
 * byte of tensor t's kind k is offsets[t*kinds + k]. *fd is the complete file, sparse, the caller's
 * to close; its bytes outside the arrays are what the file on disk needs. Equal arguments give
 * equal bytes. RT_EIO, with HDF5's innermost reason. */
RT_NODISCARD rt_status skeleton_create(const struct checkpoint_meta *meta,
                                       const struct rt_tensors *tensors, int kinds,
                                       uint64_t *offsets, int *fd);

#endif
