/* comm/fabric/ethtool.h - the statistics of one of this machine's interfaces */
#ifndef COMM_FABRIC_ETHTOOL_H
#define COMM_FABRIC_ETHTOOL_H

#include "comm/fabric/reader.h"

/* 0, or -errno with nothing taken. */
int comm_ethtool_statistics(const char *interface, comm_reader_take *take, void *taker);

#endif
