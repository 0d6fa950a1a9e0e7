/* jobs/cmd_tokenizer.c - `recua tokenizer train|encode|decode` */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/commands.h"
#include "jobs/subcommand.h"
#include "jobs/options.h"
#include "runtime/data/inputs.h"
#include "runtime/data/tokenizer.h"
#include "runtime/trace.h"

enum { VOCABULARY_MOST = 1 << 24 };

struct options {
    struct inputs inputs;
    const char *list, *output, *field, *model;
    int vocabulary;
    uint64_t max_bytes;
    bool skip_bad;
    rt_status st;
};

enum { KEY_LIST = 256, KEY_MAX, KEY_SKIP, KEY_FIELD };

static const struct argp_option train_table[] = {
    {"input", 'i', "FILE...", 0,
     "text, .jsonl, plain, gzip or zstd; further names may follow (required, or --input-list)", 0},
    {"input-list", KEY_LIST, "FILE", 0, "a file with one path a line", 0},
    {"vocab-size", 'v', "N", 0, "pieces of the vocabulary, 260 or more (required)", 0},
    {"output", 'o', "M.model", 0, "the tokenizer to write (required)", 0},
    {"field", KEY_FIELD, "NAME", 0, "the field of .jsonl that holds the text (default text)", 0},
    {"max-bytes", KEY_MAX, "N", 0, "look at no more text than this, such as 32M", 0},
    {"skip-bad", KEY_SKIP, NULL, 0, "leave out documents that are no UTF-8 text", 0},
    {0},
};

static error_t parse_train(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'i':
    case ARGP_KEY_ARG: o->st = o->st == RT_OK ? inputs_add(&o->inputs, arg) : o->st; return 0;
    case 'v':
        o->vocabulary = (int)option_integer(state, "--vocab-size", arg, 260, VOCABULARY_MOST);
        return 0;
    case 'o': o->output = arg; return 0;
    case KEY_LIST: o->list = arg; return 0;
    case KEY_FIELD: o->field = arg; return 0;
    case KEY_MAX: o->max_bytes = option_bytes(state, "--max-bytes", arg); return 0;
    case KEY_SKIP: o->skip_bad = true; return 0;
    case ARGP_KEY_END:
        if (o->inputs.count == 0 && o->list == NULL)
            argp_error(state, "--input FILE... or --input-list FILE is required");
        if (o->vocabulary == 0) argp_error(state, "--vocab-size N is required");
        if (o->output == NULL) argp_error(state, "--output M.model is required");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static rt_status train(int argc, char **argv)
{
    static const char doc[] =
        "Train a SentencePiece BPE tokenizer with Llama 2's options on text.\vOf more than 10 MiB "
        "of text, evenly spread lines are used. The same text gives the same tokenizer.";
    const struct argp argp = {train_table, parse_train, "[FILE...]", doc, NULL, NULL, NULL};
    struct options o = {0};
    struct tokenizer_trained r;
    rt_status st;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    const double begun = rt_now_s();
    RT_TRY_OUT(o.st);
    if (o.list != NULL) RT_TRY_OUT(inputs_add_list(&o.inputs, o.list));
    const struct tokenizer_training t = {.inputs = (const char *const *)o.inputs.paths,
                                         .input_count = o.inputs.count,
                                         .field = o.field,
                                         .max_bytes = o.max_bytes,
                                         .vocabulary = o.vocabulary,
                                         .skip_bad = o.skip_bad,
                                         .model_path = o.output};
    RT_TRY_OUT(tokenizer_train_with(&t, &r));
    printf("tokenizer %s: %d pieces, trained on %" PRIu64 " lines (%.1f of %.1f MB) of %" PRIu64
           " files in %.1f s\n",
           o.output, o.vocabulary, r.fed_lines, 1e-6 * (double)r.fed_bytes,
           1e-6 * (double)r.text_bytes, r.files, rt_now_s() - begun);
out:
    inputs_clear(&o.inputs);
    return st;
}

static error_t parse_model(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'm': o->model = arg; return 0;
    case ARGP_KEY_ARG: argp_error(state, "'%s': text is read from standard input", arg); return 0;
    case ARGP_KEY_END:
        if (o->model == NULL) argp_error(state, "--model M.model is required");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static rt_status encode_line(const struct tokenizer *t, char *line, size_t bytes)
{
    int32_t *tokens = NULL;
    size_t count = 0;

    RT_TRY(tokenizer_encode(t, line, bytes, &tokens, &count));
    for (size_t i = 0; i < count; i++) printf(i == 0 ? "%d" : " %d", (int)tokens[i]);
    putchar('\n');
    free(tokens);
    return RT_OK;
}

/* Numbers of a line, at most one for each two bytes and one more. */
static rt_status parse_tokens(const char *line, int32_t *tokens, size_t *count)
{
    const char *p = line;

    for (*count = 0;; ++*count) {
        char *end;
        while (isspace((unsigned char)*p)) p++;
        if (*p == '\0') return RT_OK;
        errno = 0;
        const long v = strtol(p, &end, 10);
        if (end == p || errno != 0 || v < 0 || v > INT32_MAX ||
            (*end != '\0' && !isspace((unsigned char)*end)))
            return RT_FAIL(RT_EDATA,
                           "'%.40s' is no token; numbers with spaces between them are "
                           "expected",
                           p);
        tokens[*count] = (int32_t)v;
        p = end;
    }
}

static rt_status decode_line(const struct tokenizer *t, char *line, size_t bytes)
{
    int32_t *tokens = malloc((bytes / 2 + 1) * sizeof *tokens);
    char *text = NULL;
    size_t count = 0;
    rt_status st;

    if (tokens == NULL) return RT_FAIL(RT_ENOMEM, "a line of %zu bytes", bytes);
    RT_TRY_OUT(parse_tokens(line, tokens, &count));
    RT_TRY_OUT(tokenizer_decode(t, tokens, count, &text));
    puts(text);
out:
    free(text);
    free(tokens);
    return st;
}

/* One line of standard input after the other; what fails names its number. */
static rt_status each_line(const struct tokenizer *t,
                           rt_status (*work)(const struct tokenizer *, char *, size_t))
{
    char *line = NULL;
    size_t room = 0;
    uint64_t number = 0;
    ssize_t n;
    rt_status st = RT_OK;

    while (st == RT_OK && (n = getline(&line, &room, stdin)) >= 0) {
        number++;
        if (n > 0 && line[n - 1] == '\n') line[--n] = '\0';
        st = work(t, line, (size_t)n);
        if (st != RT_OK) (void)RT_FAIL(st, "line %" PRIu64 " of standard input is refused", number);
    }
    if (st == RT_OK && ferror(stdin))
        st = RT_FAIL(RT_EIO, "standard input cannot be read: %s", strerror(errno));
    if (fflush(stdout) != 0 && st == RT_OK)
        st = RT_FAIL(RT_EIO, "standard output cannot be written: %s", strerror(errno));
    free(line);
    return st;
}

static rt_status convert(int argc, char **argv, const char *doc,
                         rt_status (*work)(const struct tokenizer *, char *, size_t))
{
    static const struct argp_option table[] = {
        {"model", 'm', "M.model", 0, "the tokenizer (required)", 0}, {0}};
    const struct argp argp = {table, parse_model, NULL, doc, NULL, NULL, NULL};
    struct options o = {0};
    struct tokenizer *t = NULL;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    RT_TRY(tokenizer_load(o.model, &t));
    rt_status st = each_line(t, work);
    tokenizer_destroy(&t);
    return st;
}

static rt_status encode(int argc, char **argv)
{
    return convert(argc, argv, "Lines of text to lines of tokens, stdin to stdout.", encode_line);
}

static rt_status decode(int argc, char **argv)
{
    return convert(argc, argv, "Lines of tokens to lines of text, stdin to stdout.", decode_line);
}

int cmd_tokenizer(int argc, char **argv)
{
    static const struct subcommand table[] = {
        {"train", train}, {"encode", encode}, {"decode", decode}, {NULL, NULL}};

    return subcommand_run(argc, argv, table, "train|encode|decode [OPTION...]",
                          "Make a tokenizer, or use one.\v"
                          "`recua tokenizer train --help` lists the options of each.");
}
