/* comm/fabric/driver.c - whose device it is: by its driver, else its vendor, else its name */
#include "comm/fabric/impl.h"

#include <stdio.h>
#include <string.h>

static const struct known {
    const char *driver, *vendor, *prefix; /* "": not a sign of it */
    comm_nic_driver kind;
} known[] = {
    {"mlx5_core", "0x15b3", "mlx5_", COMM_DRIVER_MLX5},
    {"mlx4_core", "", "mlx4_", COMM_DRIVER_MLX4},
    {"bnxt_en", "0x14e4", "bnxt_re", COMM_DRIVER_BROADCOM},
    {"ice", "", "irdma", COMM_DRIVER_INTEL},
    {"i40e", "", "i40iw", COMM_DRIVER_INTEL},
    {"idpf", "", "irdma", COMM_DRIVER_INTEL},
    {"irdma", "", "irdma", COMM_DRIVER_INTEL},
    {"", "", "rxe", COMM_DRIVER_SOFT},
    {"", "", "siw", COMM_DRIVER_SOFT},
};
enum { KNOWN = sizeof known / sizeof known[0] };

/* The value of DRIVER= in a uevent file. */
static bool driver_of(const struct comm_reader *r, const char *device, char *out, size_t size)
{
    char path[COMM_READER_PATH], text[512];

    snprintf(path, sizeof path, "/sys/class/infiniband/%s/device/uevent", device);
    if (r->read(r->context, path, text, sizeof text) <= 0) return false;
    const char *at = strncmp(text, "DRIVER=", 7) == 0 ? text : strstr(text, "\nDRIVER=");
    if (at == NULL) return false;
    at += at == text ? 7 : 8;
    size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (n == 0 || n >= size) return false;
    memcpy(out, at, n);
    out[n] = '\0';
    return true;
}

comm_nic_driver comm_fabric_driver(const struct comm_reader *r, const char *device, char *name,
                                   size_t size)
{
    char path[COMM_READER_PATH], vendor[16] = "";

    name[0] = '\0';
    if (driver_of(r, device, name, size)) {
        for (size_t i = 0; i < KNOWN; i++)
            if (strcmp(known[i].driver, name) == 0) return known[i].kind;
        return COMM_DRIVER_OTHER;
    }
    snprintf(path, sizeof path, "/sys/class/infiniband/%s/device/vendor", device);
    (void)comm_reader_line(r, path, vendor, sizeof vendor); /* "" if there is none */
    for (size_t i = 0; i < KNOWN; i++)
        if (strncmp(known[i].prefix, device, strlen(known[i].prefix)) == 0) return known[i].kind;
    for (size_t i = 0; i < KNOWN; i++)
        if (vendor[0] != '\0' && strcmp(known[i].vendor, vendor) == 0) return known[i].kind;
    return COMM_DRIVER_OTHER;
}

const char *comm_nic_vendor_name(const struct comm_nic *n)
{
    switch (n->driver) {
    case COMM_DRIVER_MLX5:
    case COMM_DRIVER_MLX4: return "NVIDIA";
    case COMM_DRIVER_BROADCOM: return "Broadcom";
    case COMM_DRIVER_INTEL: return "Intel";
    case COMM_DRIVER_SOFT: return "software";
    default: return "";
    }
}

bool comm_nic_is_mlx(const struct comm_nic *n)
{
    return n->driver == COMM_DRIVER_MLX5 || n->driver == COMM_DRIVER_MLX4;
}

bool comm_nic_is_picked(const struct comm_nic *n) { return strncmp(n->device, "mlx", 3) == 0; }
