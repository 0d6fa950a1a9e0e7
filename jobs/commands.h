/* jobs/commands.h - one function a command of `recua`: argv[0] is "recua NAME", the result is the
 * exit code (DESIGN section 7) */
#ifndef JOBS_COMMANDS_H
#define JOBS_COMMANDS_H

int cmd_tokenizer(int argc, char **argv);
int cmd_data(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_pretrain(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_checkpoint(int argc, char **argv);
int cmd_fabric(int argc, char **argv);

#endif
