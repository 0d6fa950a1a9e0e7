/* model/rows_vec.h - the names of the instruction set that *_vec.c are compiled for
 *
 * CMakeLists.txt compiles *_vec.c with ROWS_ISA one of plain, avx2, avx512 and the matching flags.
 */
#ifndef MODEL_ROWS_VEC_H
#define MODEL_ROWS_VEC_H

#include "model/rows_cpu.h"

#define ROWS_PASTE_(a, b) a##_##b
#define ROWS_PASTE(a, b) ROWS_PASTE_(a, b)
#define ROWS_TEXT_(a) #a
#define ROWS_TEXT(a) ROWS_TEXT_(a)

#define ROWS_NAME ROWS_TEXT(ROWS_ISA)
#define ROWS_TABLE ROWS_PASTE(rows, ROWS_ISA)
#define ROWS_ATTENTION_FWD ROWS_PASTE(rows_attention_fwd, ROWS_ISA)
#define ROWS_ATTENTION_BWD ROWS_PASTE(rows_attention_bwd, ROWS_ISA)
#define ROWS_ATTENTION_QUERY ROWS_PASTE(rows_attention_query, ROWS_ISA)

extern const struct rows_cpu ROWS_TABLE;

void ROWS_ATTENTION_FWD(const struct rows_attention *a);
void ROWS_ATTENTION_BWD(const struct rows_attention_bwd *a);
void ROWS_ATTENTION_QUERY(const struct rows_query *a);

#endif
