/* jobs/generate.h - a model out of a checkpoint, ready to generate
 *
 * Weights are loaded sharded over the ranks, gathered once a node and kept (mode GRADS), so
 * generation pays for one gather and no more. Collective over world; rank 0 draws the tokens, and
 * only there are they returned.
 */
#ifndef JOBS_GENERATE_H
#define JOBS_GENERATE_H

#include <stddef.h>
#include <stdint.h>

#include "comm/comm.h"
#include "jobs/sampling.h"
#include "model/model.h"
#include "runtime/data/tokenizer.h"

struct generator;

/* checkpoint: a run directory, its checkpoints directory or a step directory. sequences: how many
 * are generated side by side. kernels: "cpu", "ref", or NULL for the run file's. */
RT_NODISCARD rt_status generator_open(const char *checkpoint, struct comm *world, int sequences,
                                      const char *kernels, struct generator **out);
void generator_close(struct generator **g);

const struct tokenizer *generator_tokenizer(const struct generator *g);
const struct model_config *generator_config(const struct generator *g);
const char *generator_path(const struct generator *g); /* the step directory used */

/* Continue `prompt` (count >= 1 tokens) in every sequence by at most `most` tokens, until </s> or
 * the end of the context. tokens, logprobs (sequences, most); lengths (sequences): how many each
 * has, </s> included. RT_EINVAL: the prompt fills the context (both lengths in the message), on
 * all ranks alike; any other failure may be this rank's alone (comm_abort). */
RT_NODISCARD rt_status generator_run(struct generator *g, struct sampler *s, const int32_t *prompt,
                                     size_t count, int most, int32_t *tokens, double *logprobs,
                                     int *lengths);

#endif
