/* jobs/cmd_data.c - `recua data prepare|info`: token files, made alone or under mpirun */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "comm/comm.h"
#include "jobs/commands.h"
#include "jobs/subcommand.h"
#include "jobs/options.h"
#include "runtime/data/inputs.h"
#include "runtime/data/prepare.h"
#include "runtime/data/tokens.h"

struct options {
    struct inputs inputs;
    const char *list;
    struct prepare_options prepare;
    rt_status st;
};

enum { KEY_LIST = 256, KEY_MAX, KEY_SKIP, KEY_FIELD, KEY_SITES, KEY_HELDOUT };

static const struct argp_option prepare_table[] = {
    {"tokenizer", 't', "M.model", 0, "made with `recua tokenizer train` (required)", 0},
    {"input", 'i', "FILE...", 0,
     "text (a document a file) or .jsonl (a document a line), plain, gzip or zstd; further names "
     "may follow (required, or --input-list)",
     0},
    {"input-list", KEY_LIST, "FILE", 0, "a file with one path a line", 0},
    {"output", 'o', "D.h5", 0, "the token file to write (required)", 0},
    {"field", KEY_FIELD, "NAME", 0, "the field of .jsonl that holds the text (default text)", 0},
    {"exclude-sites", KEY_SITES, "FILE", 0,
     "a domain a line: documents whose field `url` lies there are left out", 0},
    {"heldout", KEY_HELDOUT, "SHARE", 0, "of the text, not trained on (default 0.01)", 0},
    {"max-bytes", KEY_MAX, "N", 0, "stop after this much text, such as 32M", 0},
    {"skip-bad", KEY_SKIP, NULL, 0, "leave out and count bad documents instead of stopping", 0},
    {0},
};

static void check_prepare(const struct options *o, const struct argp_state *state)
{
    if (o->prepare.tokenizer_path == NULL) argp_error(state, "--tokenizer M.model is required");
    if (o->inputs.count == 0 && o->list == NULL)
        argp_error(state, "--input FILE... or --input-list FILE is required");
    if (o->prepare.output == NULL) argp_error(state, "--output D.h5 is required");
}

static error_t parse_prepare(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'i':
    case ARGP_KEY_ARG: o->st = o->st == RT_OK ? inputs_add(&o->inputs, arg) : o->st; return 0;
    case 't': o->prepare.tokenizer_path = arg; return 0;
    case 'o': o->prepare.output = arg; return 0;
    case KEY_LIST: o->list = arg; return 0;
    case KEY_FIELD: o->prepare.field = arg; return 0;
    case KEY_SITES: o->prepare.exclude_sites = arg; return 0;
    case KEY_HELDOUT: o->prepare.heldout = option_number(state, "--heldout", arg, 0, 0.5); return 0;
    case KEY_MAX: o->prepare.max_bytes = option_bytes(state, "--max-bytes", arg); return 0;
    case KEY_SKIP: o->prepare.skip_bad = true; return 0;
    case ARGP_KEY_END: check_prepare(o, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

enum { PREPARE_S = 7 * 86400 };

static rt_status agree(void *ctx, rt_status mine) { return comm_agree(ctx, mine); }

static void print_report(const char *output, const struct prepare_report *r)
{
    const uint64_t tokens = r->train_tokens + r->heldout_tokens;

    printf("%s: %" PRIu64 " documents (%.1f MB of text) of %" PRIu64 " files", output, r->documents,
           1e-6 * (double)r->bytes, r->files);
    printf("; left out: %" PRIu64 " of excluded sites, %" PRIu64 " bad, %" PRIu64 " empty\n",
           r->excluded, r->bad, r->empty);
    printf("  train    %12" PRIu64 " tokens of %" PRIu64 " documents\n", r->train_tokens,
           r->train_documents);
    printf("  heldout  %12" PRIu64 " tokens of %" PRIu64 " documents\n", r->heldout_tokens,
           r->heldout_documents);
    printf("  %.2f bytes a token, %.1f s, %.0f tokens/s\n", (double)r->bytes / (double)tokens,
           r->seconds, (double)tokens / r->seconds);
}

static rt_status prepare(int argc, char **argv)
{
    static const char doc[] = "Turn text into a token file. Under mpirun the ranks share the work; "
                              "the file is the same for any number of them.";
    const struct argp argp = {prepare_table, parse_prepare, "[FILE...]", doc, NULL, NULL, NULL};
    struct options o = {.prepare = {.heldout = 0.01}};
    struct prepare_report report;
    struct comm *world = NULL;
    rt_status st;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    RT_TRY_OUT(comm_init(&argc, &argv, &world));
    st = o.st;
    if (st == RT_OK && o.list != NULL) st = inputs_add_list(&o.inputs, o.list);
    RT_TRY_OUT(comm_agree(world, st));
    o.prepare.inputs = (const char *const *)o.inputs.paths;
    o.prepare.input_count = o.inputs.count;
    /* Ranks finish their shares at different times, and wait: no rank is stuck before a week. */
    comm_phase_begin(world, "data prepare", PREPARE_S);
    o.prepare.rank = comm_rank(world);
    o.prepare.size = comm_size(world);
    o.prepare.agree = agree;
    o.prepare.ctx = world;
    RT_TRY_OUT(prepare_tokens(&o.prepare, &report));
    if (comm_rank(world) == 0) print_report(o.prepare.output, &report);
out:
    comm_finish(&world);
    inputs_clear(&o.inputs);
    return st;
}

struct info_options {
    const char *file;
    bool verify;
};

static error_t parse_info(int key, char *arg, struct argp_state *state)
{
    struct info_options *o = state->input;

    switch (key) {
    case 'v': o->verify = true; return 0;
    case ARGP_KEY_ARG:
        if (o->file != NULL) argp_error(state, "'%s': one token file at a time", arg);
        o->file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "which token file?"); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static void print_info(const struct tokens *t)
{
    const struct tokens_info *i = tokens_info(t);
    const struct tokens_counted *c = tokens_counted(t);

    printf("%s\n", tokens_path(t));
    printf("  vocabulary        %d (%d bytes a token)\n", i->vocabulary, i->bytes_per_token);
    printf("  train             %" PRIu64 " tokens of %" PRIu64 " documents\n", i->train,
           i->train_documents);
    printf("  heldout           %" PRIu64 " tokens of %" PRIu64 " documents\n", i->heldout,
           i->heldout_documents);
    printf("  text              %" PRIu64 " bytes, %.2f a token\n", c->text_bytes,
           (double)c->text_bytes / (double)(i->train + i->heldout));
    printf("  left out          %" PRIu64 " of excluded sites, %" PRIu64 " bad, %" PRIu64
           " empty\n",
           c->excluded, c->bad, c->empty);
    printf("  tokenizer digest  %016" PRIx64 "\n", i->tokenizer_digest);
    printf("  data digest       %016" PRIx64 "\n", i->data_digest);
}

static rt_status info(int argc, char **argv)
{
    static const struct argp_option table[] = {
        {"verify", 'v', NULL, 0, "read every token and check the data digest", 0}, {0}};
    const struct argp argp = {table, parse_info, "D.h5", "Say what is in a token file.",
                              NULL,  NULL,       NULL};
    struct info_options o = {0};
    struct tokens *t = NULL;
    rt_status st = RT_OK;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    RT_TRY(tokens_open(o.file, &t));
    print_info(t);
    if (o.verify) st = tokens_verify(t);
    if (o.verify && st == RT_OK) printf("  verified: every token is as it was written\n");
    tokens_close(&t);
    return st;
}

int cmd_data(int argc, char **argv)
{
    static const struct subcommand table[] = {{"prepare", prepare}, {"info", info}, {NULL, NULL}};

    return subcommand_run(argc, argv, table, "prepare|info [OPTION...]",
                          "Make a token file, or look into one.\v"
                          "`recua data prepare --help` lists the options of each.");
}
