/* runtime/data/join.h - part files to one token file: what worker 0 does last */
#ifndef DATA_JOIN_H
#define DATA_JOIN_H

#include "runtime/data/prepare.h"
#include "runtime/data/tokenizer.h"

/* RT_EDATA: no text at all. RT_EIO: the output stays as it was. */
RT_NODISCARD rt_status join_parts(const struct prepare_options *o, const struct tokenizer *t,
                                  struct prepare_report *report);

#endif
