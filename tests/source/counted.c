/* copy.c with its allocations counted; the one after `offtake_allow` more of them fails. */
#include <stdlib.h>

static long alive, allowed = -1;

static int is_refused(void) { return allowed >= 0 && allowed-- == 0; }

static void *counted(void *made) {
    alive += made != NULL;
    return made;
}

static void uncounted(void *gone) {
    alive -= gone != NULL;
    free(gone);
}

#define malloc(size) (is_refused() ? NULL : counted((malloc)(size)))
#define calloc(count, size) (is_refused() ? NULL : counted((calloc)(count, size)))
#define realloc(old, size) (is_refused() ? NULL : (realloc)(old, size))
#define free uncounted
#include COPY_C

EXPORTED long offtake_alive(void) { return alive; }
EXPORTED void offtake_allow(long count) { allowed = count; }
