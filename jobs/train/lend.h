/* jobs/train/lend.h - the model's weight table, filled by the shard manager
 *
 * The only place where model and shard meet. The table borrows the shard; the caller frames each
 * pass with shard_begin and shard_end.
 */
#ifndef JOBS_TRAIN_LEND_H
#define JOBS_TRAIN_LEND_H

#include "model/model.h"
#include "shard/shard.h"

struct model_weights lend_weights(struct shard *s);

#endif
