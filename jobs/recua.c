/* jobs/recua.c - the program `recua`: finds the command and hands over to it */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "jobs/commands.h"
#include "runtime/status.h"

const char *argp_program_version = "recua " RECUA_VERSION;

/* run NULL: not built yet. */
static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"tokenizer", cmd_tokenizer, "train a tokenizer; text to tokens and back"},
    {"data", cmd_data, "text files to a token file"},
    {"plan", cmd_plan, "memory and time of a job, without running it"},
    {"pretrain", cmd_pretrain, "train a model from scratch, or go on"},
    {"generate", cmd_generate, "text from a checkpoint"},
    {"checkpoint", cmd_checkpoint, "list, inspect, verify"},
    {"fabric", cmd_fabric, "what the network is and how it is set"},
    {"sft", NULL, "fine-tuning"},
    {"reward", NULL, "a reward model"},
    {"reject", NULL, "rejection sampling"},
    {"ppo", NULL, "reinforcement learning"},
    {"evaluate", NULL, "score a checkpoint on tasks"},
    {"import", NULL, "weights from other formats"},
    {"export", NULL, "weights to other formats"},
    {"energy", NULL, "meter a command"},
    {"report", NULL, "energy, run, audit"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

struct chosen {
    const char *name;
    int at; /* its place in argv */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct chosen *c = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        c->name = arg;
        c->at = state->next - 1;
        state->next = state->argc; /* the rest is the command's */
        return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "a command is wanted"); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* The list of commands, for --help. */
static char *add_commands(int key, const char *text, void *input)
{
    char help[2048];
    size_t used = 0;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) return (char *)(size_t)text;
    used += (size_t)snprintf(help, sizeof help, "Commands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        used +=
            (size_t)snprintf(help + used, sizeof help - used, "  %-11s %s%s\n", commands[i].name,
                             commands[i].what, commands[i].run == NULL ? " (not built yet)" : "");
    snprintf(help + used, sizeof help - used, "\n`recua COMMAND --help` has a command's options.");
    return strdup(help); /* argp frees it */
}

static const struct argp parser = {
    .parser = parse,
    .args_doc = "COMMAND [OPTION...]",
    .doc = "Train Llama 2 models over MPI.\v",
    .help_filter = add_commands,
};

int main(int argc, char **argv)
{
    struct chosen chosen = {0};
    char name[64];

    argp_err_exit_status = rt_status_exit(RT_EINVAL);
    argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &chosen);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, chosen.name) != 0) continue;
        if (commands[i].run == NULL)
            return rt_status_exit(
                RT_FAIL(RT_EMISSING, "recua %s is not built yet in this version", chosen.name));
        snprintf(name, sizeof name, "recua %s", chosen.name);
        argv[chosen.at] = name;
        return commands[i].run(argc - chosen.at, argv + chosen.at);
    }
    return rt_status_exit(
        RT_FAIL(RT_EINVAL, "'%s' is no command; `recua --help` lists them", chosen.name));
}
