/* jobs/train/changes.h - what differs between two run files of one run */
#ifndef JOBS_TRAIN_CHANGES_H
#define JOBS_TRAIN_CHANGES_H

#include "jobs/train/runfile.h"

struct changes;

/* RT_EINVAL: a key that may not change (model, seed, the weights of sources) does: both values. */
RT_NODISCARD rt_status changes_find(const struct runfile *before, const struct runfile *now,
                                    const char *run, struct changes **out);
void changes_destroy(struct changes **c);

/* "steps 40 (was 20), compute fp32 (was bf16)", "" without any; lent. */
const char *changes_text(const struct changes *c);
/* The same of the names of data files and tokenizer alone: whether the data differ is another
 * question. */
const char *changes_data(const struct changes *c);

#endif
