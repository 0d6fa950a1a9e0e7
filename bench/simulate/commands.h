/* bench/simulate/commands.h - one function a command of recua-simulate; the result is the exit
 * code */
#ifndef BENCH_SIMULATE_COMMANDS_H
#define BENCH_SIMULATE_COMMANDS_H

int simulate_cmd_units(int argc, char **argv);
int simulate_cmd_flows(int argc, char **argv);
int simulate_cmd_table(int argc, char **argv);
int simulate_cmd_compose(int argc, char **argv);

/* NAME=REST of an option, cut at '='; an argp_error where there is none or it is too long. */
struct argp_state;
const char *simulate_split(struct argp_state *state, const char *option, const char *text,
                           char *name, unsigned long bytes);

#endif
