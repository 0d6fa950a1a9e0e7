/* runtime/status.c - statuses as words and as exit codes */
#include "runtime/status.h"

const char *rt_status_str(rt_status st)
{
    switch (st) {
    case RT_OK: return "ok";
    case RT_ESTOPPED: return "stopped on request";
    case RT_EEXPECT: return "below the stated expectation";
    case RT_EBUSY: return "in use by another job";
    case RT_EMISSING: return "something required is missing";
    case RT_EINVAL: return "invalid argument";
    case RT_EDATA: return "damaged or wrong data";
    case RT_ENONFINITE: return "numbers are not finite";
    case RT_ENOMEM: return "out of memory";
    case RT_EIO: return "input or output failed";
    case RT_ECOMM: return "communication failed";
    case RT_EDEVICE: return "device failed";
    case RT_EHUNG: return "hung";
    }
    return "unknown status";
}

int rt_status_exit(rt_status st)
{
    switch (st) {
    case RT_OK: return 0;
    case RT_ESTOPPED: return 75;
    case RT_EEXPECT: return 70;
    case RT_EBUSY: return 73;
    case RT_EMISSING: return 3;
    case RT_EINVAL: return 2;
    case RT_EDATA: return 4;
    case RT_ENONFINITE: return 71;
    case RT_EHUNG: return 72;
    case RT_ENOMEM:
    case RT_EIO:
    case RT_ECOMM:
    case RT_EDEVICE: return 1;
    }
    return 1;
}
