/* jobs/train/runfile_cyaml.h - a checked and completed run file into its struct, by libcyaml */
#ifndef JOBS_TRAIN_RUNFILE_CYAML_H
#define JOBS_TRAIN_RUNFILE_CYAML_H

#include "jobs/train/runfile.h"

/* text: every key of the table stands in it (schema_check). `name` for messages. */
RT_NODISCARD rt_status runfile_cyaml_load(const char *text, const char *name, struct runfile **out);

#endif
