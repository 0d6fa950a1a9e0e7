/* runtime/data/sites.h - sites whose pages are left out, by domain
 *
 * Llama 2 "excluded data from certain sites known to contain a high volume of personal
 * information" (arXiv:2307.09288, section 2.1). The list is a text file, one domain a line; empty
 * lines and lines that begin with # do not count. A page is left out if its host is one of the
 * domains or ends with "." and one of them; case, user, port and path do not matter.
 */
#ifndef DATA_SITES_H
#define DATA_SITES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/status.h"

struct sites;

/* RT_EMISSING: no such file. RT_EDATA: a line is no domain; nothing in it. */
RT_NODISCARD rt_status sites_load(const char *path, struct sites **out);
void sites_destroy(struct sites **s);
bool sites_hold(const struct sites *s, const char *url);

#endif
