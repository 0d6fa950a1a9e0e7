/* jobs/cmd_generate.c - `recua generate`: text from a checkpoint */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/comm.h"
#include "jobs/commands.h"
#include "jobs/generate.h"
#include "jobs/options.h"
#include "runtime/log.h"

struct options {
    const char *checkpoint, *prompt, *kernels;
    int samples, tokens;
    struct sampling_options sampling;
    bool logprobs, greedy;
};

enum { KEY_TEMPERATURE = 256, KEY_TOP_K, KEY_TOP_P, KEY_LOGPROBS, KEY_KERNELS };

static const struct argp_option table[] = {
    {"checkpoint", 'c', "DIR", 0, "a run directory or one of its checkpoints (required)", 0},
    {"prompt", 'p', "TEXT", 0, "text to continue (default: none)", 0},
    {"samples", 'n', "N", 0, "how many texts (default 1)", 0},
    {"tokens", 't', "N", 0, "at most so many new tokens each (default 128)", 0},
    {"temperature", KEY_TEMPERATURE, "T", 0, "0 is greedy (default 0.8)", 0},
    {"top-k", KEY_TOP_K, "K", 0, "draw from the K likeliest tokens (default 0: all)", 0},
    {"top-p", KEY_TOP_P, "P", 0, "draw from the likeliest tokens that add up to P (default 0.95)",
     0},
    {"seed", 's', "S", 0, "of the draws; each text has its own stream (default 1)", 0},
    {"logprobs", KEY_LOGPROBS, NULL, 0, "a line `token logprob piece` for each token", 0},
    {"kernels", KEY_KERNELS, "NAME", 0, "cpu or ref (default: the run's)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'c': o->checkpoint = arg; return 0;
    case 'p': o->prompt = arg; return 0;
    case 'n': o->samples = (int)option_integer(state, "--samples", arg, 1, 1024); return 0;
    case 't': o->tokens = (int)option_integer(state, "--tokens", arg, 1, 1 << 20); return 0;
    case 's':
        o->sampling.seed = (uint64_t)option_integer(state, "--seed", arg, 0, INT64_MAX);
        return 0;
    case KEY_TEMPERATURE:
        o->sampling.temperature = option_number(state, "--temperature", arg, 0, 100);
        return 0;
    case KEY_TOP_K:
        o->sampling.top_k = (int)option_integer(state, "--top-k", arg, 0, INT32_MAX);
        return 0;
    case KEY_TOP_P: o->sampling.top_p = option_number(state, "--top-p", arg, 1e-6, 1); return 0;
    case KEY_LOGPROBS: o->logprobs = true; return 0;
    case KEY_KERNELS: o->kernels = arg; return 0;
    case ARGP_KEY_ARG: argp_error(state, "'%s' is not an option", arg); return 0;
    case ARGP_KEY_END:
        if (o->checkpoint == NULL) argp_error(state, "--checkpoint DIR is required");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static rt_status print_logprobs(const struct tokenizer *t, const int32_t *tokens,
                                const double *logprobs, int n)
{
    for (int i = 0; i < n; i++) {
        char *piece = NULL;
        RT_TRY(tokenizer_decode(t, &tokens[i], 1, &piece));
        printf("%d %.6f %s\n", (int)tokens[i], logprobs[i], strcmp(piece, "\n") ? piece : "\\n");
        free(piece);
    }
    return RT_OK;
}

/* Prompt and continuation decoded together: a piece's space belongs to what stands before it. */
static rt_status print_text(const struct tokenizer *t, const int32_t *prompt, size_t count,
                            const int32_t *tokens, int n)
{
    const size_t fresh = n > 0 && tokens[n - 1] == TOKENIZER_EOS ? (size_t)n - 1 : (size_t)n;
    int32_t *all = malloc((count + fresh + 1) * sizeof *all);
    char *text = NULL;
    rt_status st;

    if (all == NULL) return RT_FAIL(RT_ENOMEM, "a text of %zu tokens", count + fresh);
    memcpy(all, prompt + 1, (count - 1) * sizeof *all); /* without <s> */
    if (fresh > 0) memcpy(all + count - 1, tokens, fresh * sizeof *all);
    st = tokenizer_decode(t, all, count - 1 + fresh, &text);
    if (st == RT_OK) printf("%s\n", text);
    free(text);
    free(all);
    return st;
}

/* <s> and the prompt's tokens. */
static rt_status encode_prompt(const struct tokenizer *t, const char *text, int32_t **out,
                               size_t *count)
{
    int32_t *tokens = NULL, *with = NULL;
    size_t n = 0;
    rt_status st = RT_OK;

    if (text[0] != '\0') RT_TRY(tokenizer_encode(t, text, strlen(text), &tokens, &n));
    with = malloc((n + 1) * sizeof *with);
    if (with == NULL) {
        st = RT_FAIL(RT_ENOMEM, "a prompt of %zu tokens", n);
    } else {
        with[0] = TOKENIZER_BOS;
        if (n > 0) memcpy(with + 1, tokens, n * sizeof *with);
        *out = with;
        *count = n + 1;
    }
    free(tokens);
    return st;
}

static rt_status print_all(const struct options *o, struct generator *g, const int32_t *prompt,
                           size_t count, const int32_t *tokens, const double *logprobs,
                           const int *lengths)
{
    const struct tokenizer *t = generator_tokenizer(g);

    for (int b = 0; b < o->samples; b++) {
        const size_t at = (size_t)b * (size_t)o->tokens;
        if (o->samples > 1) printf("--- sample %d of %d\n", b + 1, o->samples);
        if (o->logprobs)
            RT_TRY(print_logprobs(t, tokens + at, logprobs + at, lengths[b]));
        else
            RT_TRY(print_text(t, prompt, count, tokens + at, lengths[b]));
    }
    return RT_OK;
}

static rt_status generate(const struct options *o, struct comm *world)
{
    const size_t n = (size_t)o->samples * (size_t)o->tokens;
    struct generator *g = NULL;
    struct sampler *s = NULL;
    int32_t *prompt = NULL, *tokens = calloc(n, sizeof *tokens);
    double *logprobs = calloc(n, sizeof *logprobs);
    int *lengths = calloc((size_t)o->samples, sizeof *lengths);
    size_t count = 0;
    rt_status st = RT_OK;

    if (tokens == NULL || logprobs == NULL || lengths == NULL)
        st = RT_FAIL(RT_ENOMEM, "%d samples of %d tokens", o->samples, o->tokens);
    RT_TRY_OUT(comm_agree(world, st));
    RT_TRY_OUT(generator_open(o->checkpoint, world, o->samples, o->kernels, &g));
    st = sampler_create(&o->sampling, generator_config(g)->vocabulary, &s);
    if (st == RT_OK) st = encode_prompt(generator_tokenizer(g), o->prompt, &prompt, &count);
    RT_TRY_OUT(comm_agree(world, st));
    st = generator_run(g, s, prompt, count, o->tokens, tokens, logprobs, lengths);
    if (st != RT_OK && st != RT_EINVAL) comm_abort(world, rt_status_exit(st));
    if (st != RT_OK) goto out;
    if (comm_rank(world) == 0) st = print_all(o, g, prompt, count, tokens, logprobs, lengths);
    st = comm_agree(world, st);
out:
    sampler_destroy(&s);
    generator_close(&g);
    free(prompt);
    free(tokens);
    free(logprobs);
    free(lengths);
    return st;
}

int cmd_generate(int argc, char **argv)
{
    struct options o = {.prompt = "",
                        .samples = 1,
                        .tokens = 128,
                        .sampling = {.temperature = 0.8, .top_p = 0.95, .seed = 1}};
    const struct argp argp = {
        table, parse, NULL, "Generate text from a checkpoint, with a KV cache.", NULL, NULL, NULL};
    struct comm *world = NULL;
    rt_status st;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    st = comm_init(&argc, &argv, &world);
    if (st != RT_OK) return rt_status_exit(st);
    rt_log_common(true);
    st = generate(&o, world);
    comm_finish(&world);
    return rt_status_exit(st);
}
