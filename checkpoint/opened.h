/* checkpoint/opened.h - an open checkpoint, as the files of this folder see it */
#ifndef CHECKPOINT_OPENED_H
#define CHECKPOINT_OPENED_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"

/* Open this step directory and no other: parses the manifest and compares file sizes. RT_EMISSING:
 * there is no manifest (nothing is said). RT_EDATA. Not collective. */
RT_NODISCARD rt_status opened_step(const char *step_dir, struct checkpoint **out);
const struct manifest *opened_manifest(const struct checkpoint *c);

#endif
