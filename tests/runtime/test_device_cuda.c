/* tests/runtime/test_device_cuda.c - a build with CUDA: a queue where there is a GPU; where there is
 * none, or no driver, an error with CUDA's words, before anything else
 */
#include "runtime/device_cuda.h"

#include <string.h>

#include "tests/check.h"
#include "tests/runtime/capture.h"

int main(void)
{
    struct rt_queue *q = NULL;
    char text[512];
    struct capture c = capture_begin();
    const rt_status st = rt_cuda_queue_create(&q);

    capture_end(&c, text, sizeof text);
    if (st == RT_OK) {
        printf("there is a GPU\n");
        CHECK(q != NULL && text[0] == '\0');
        CHECK_OK(rt_cuda_queue_wait(q));
    } else {
        printf("%s", text);
        CHECK(st == RT_EMISSING && rt_status_exit(st) == 3);
        CHECK(q == NULL && strstr(text, "CUDA") != NULL);
    }
    rt_cuda_queue_destroy(&q);
    CHECK(q == NULL);
    return check_failures != 0;
}
