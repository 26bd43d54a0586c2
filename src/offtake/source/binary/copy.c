/* What COPY … (FORMAT binary) sends, taken from libpq row by row and written straight into Arrow buffers.
 *
 * The format is in PostgreSQL's manual under COPY, "Binary Format"; each value is what the type's send function gives
 * (src/backend/utils/adt/…). Everything is big-endian. Python calls this without the GIL.
 *
 * Bounds: a fixed-width column has room for MAX_ROWS values; a text column's buffer grows before a value is copied.
 * Every length that the server sends is checked against the message it came in.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define MAX_ROWS 16384
#define TEXT_ROOM 65536
#define SIGNATURE_SIZE 11
#define HEADER_SIZE 19 /* signature, flags, length of the extension */
#define DAYS_1970_TO_2000 10957
#define US_1970_TO_2000 INT64_C(946684800000000)
#define DAY_US INT64_C(86400000000)

typedef int (*get_row)(void *connection, char **row, int async); /* PQgetCopyData */
typedef void (*free_row)(void *row);                             /* PQfreemem */

enum { TEXT, BOOLEAN, INT2, INT4, INT8, OID, DOUBLE, NUMERIC, DATE, TIME, INSTANT, UUID };
enum { WAIT = 0, FULL = 1, END = 2, BROKEN = 3, UNFIT = 4, MALFORMED = 5, NO_MEMORY = 6 };

typedef struct {
    int64_t kind, scale;
    int64_t nulls, used, room; /* used and room: bytes of text */
    uint8_t *valid, *data;
    int32_t *offsets;
} Column;

typedef struct {
    int64_t begun, unfit, rows, bytes; /* begun: the header was read; unfit: the column whose value does not fit */
} State;

static uint16_t big16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

static uint32_t big32(const uint8_t *p) { return (uint32_t)big16(p) << 16 | big16(p + 2); }

static uint64_t big64(const uint8_t *p) { return (uint64_t)big32(p) << 32 | big32(p + 4); }

/* Bytes of one value in the fixed part of the column; text has offsets, booleans bits. */
static size_t width_of(int64_t kind) {
    switch (kind) {
        case NUMERIC: return 16;
        case DATE: return 4;
        case TEXT: case UUID: case BOOLEAN: return 0;
        default: return 8;
    }
}

EXPORTED int64_t offtake_copy_layout(void) { return (int64_t)(sizeof(Column) * 1000 + sizeof(State)); }

EXPORTED void offtake_copy_free(void *buffer) { free(buffer); }

/* New buffers for every column; 0 if there is no memory (then all of them are free again). */
EXPORTED int64_t offtake_copy_begin(Column *columns, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        Column *c = columns + i;
        int is_text = c->kind == TEXT || c->kind == UUID;
        c->nulls = c->used = 0;
        c->room = is_text ? TEXT_ROOM : 0;
        size_t size = is_text ? TEXT_ROOM : c->kind == BOOLEAN ? MAX_ROWS / 8 : MAX_ROWS * width_of(c->kind);
        c->valid = calloc(1, MAX_ROWS / 8);
        c->data = c->kind == BOOLEAN ? calloc(1, size) : malloc(size);
        c->offsets = is_text ? malloc((MAX_ROWS + 1) * sizeof(int32_t)) : NULL;
        if (!c->valid || !c->data || (is_text && !c->offsets)) {
            for (int64_t k = 0; k <= i; k++) {
                free(columns[k].valid);
                free(columns[k].data);
                free(columns[k].offsets);
            }
            return 0;
        }
        if (is_text) c->offsets[0] = 0;
    }
    return 1;
}

static int put_text(Column *c, const uint8_t *value, int64_t size) {
    if (c->used + size > INT32_MAX) return NO_MEMORY;
    if (c->used + size > c->room) {
        int64_t room = (c->used + size) * 2;
        uint8_t *grown = realloc(c->data, (size_t)room);
        if (!grown) return NO_MEMORY;
        c->data = grown;
        c->room = room;
    }
    memcpy(c->data + c->used, value, (size_t)size);
    c->used += size;
    return FULL;
}

static int put_uuid(Column *c, const uint8_t *value, int64_t size) {
    static const char HEX[] = "0123456789abcdef";
    uint8_t text[36];
    if (size != 16) return MALFORMED;
    for (int i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
        text[at++] = (uint8_t)HEX[value[i] >> 4];
        text[at++] = (uint8_t)HEX[value[i] & 15];
    }
    return put_text(c, text, sizeof text);
}

/* numeric.c: numeric_send. Digits of base 10,000; `weight` is the first one's power. At most 38 decimal digits fit. */
static int put_numeric(Column *c, int64_t row, const uint8_t *value, int64_t size) {
    if (size < 8) return MALFORMED;
    int digits = big16(value), weight = (int16_t)big16(value + 2), sign = big16(value + 4);
    if (size != 8 + 2 * digits) return MALFORMED;
    if (sign != 0 && sign != 0x4000) return UNFIT; /* NaN and the infinities */
    int tens = 4 * (weight - digits + 1) + (int)c->scale; /* powers of ten still missing after the last digit */
    const unsigned __int128 most = ~(unsigned __int128)0;
    unsigned __int128 number = 0;
    for (int i = 0; i < digits; i++) {
        unsigned digit = big16(value + 8 + 2 * i), shift = 10000;
        if (i == digits - 1)
            for (; tens < 0; tens++) {
                if (digit % 10 || shift == 1) return UNFIT; /* more places than the column's type has */
                digit /= 10;
                shift /= 10;
            }
        if (number >> 64 && number > (most - digit) / shift) return UNFIT;
        number = number * shift + digit;
    }
    for (; digits && tens > 0; tens--) {
        if (number > most / 10) return UNFIT;
        number *= 10;
    }
    if (number >> 127) return UNFIT;
    __int128 result = sign ? -(__int128)number : (__int128)number;
    memcpy(c->data + 16 * row, &result, 16);
    return FULL;
}

static int put_date(Column *c, int64_t row, uint32_t value) {
    int32_t day = (int32_t)value; /* ±infinity are the extremes, here as there */
    if (day != INT32_MAX && day != INT32_MIN) {
        if (day > INT32_MAX - 1 - DAYS_1970_TO_2000) return UNFIT;
        day += DAYS_1970_TO_2000;
    }
    memcpy(c->data + 4 * row, &day, 4);
    return FULL;
}

static int put_instant(Column *c, int64_t row, uint64_t value) {
    int64_t us = (int64_t)value;
    if (us != INT64_MAX && us != INT64_MIN) {
        if (us > INT64_MAX - 1 - US_1970_TO_2000) return UNFIT; /* the last years before 294277 */
        us += US_1970_TO_2000;
    }
    memcpy(c->data + 8 * row, &us, 8);
    return FULL;
}

static void put_int(Column *c, int64_t row, int64_t value) { memcpy(c->data + 8 * row, &value, 8); }

/* One value that is not null. FULL means it was written. */
static int put_value(Column *c, int64_t row, const uint8_t *value, int64_t size) {
    switch (c->kind) {
        case TEXT: return put_text(c, value, size);
        case UUID: return put_uuid(c, value, size);
        case NUMERIC: return put_numeric(c, row, value, size);
        case BOOLEAN:
            if (size != 1) return MALFORMED;
            c->data[row >> 3] |= (uint8_t)((value[0] != 0) << (row & 7));
            return FULL;
        case INT2:
            if (size != 2) return MALFORMED;
            put_int(c, row, (int16_t)big16(value));
            return FULL;
        case INT4:
            if (size != 4) return MALFORMED;
            put_int(c, row, (int32_t)big32(value));
            return FULL;
        case OID:
            if (size != 4) return MALFORMED;
            put_int(c, row, (int64_t)big32(value));
            return FULL;
        case DATE: return size == 4 ? put_date(c, row, big32(value)) : MALFORMED;
        case INT8: case DOUBLE: /* the same eight bytes */
            if (size != 8) return MALFORMED;
            put_int(c, row, (int64_t)big64(value));
            return FULL;
        case TIME:
            if (size != 8) return MALFORMED;
            if (big64(value) >= (uint64_t)DAY_US) return UNFIT; /* 24:00 */
            put_int(c, row, (int64_t)big64(value));
            return FULL;
        case INSTANT: return size == 8 ? put_instant(c, row, big64(value)) : MALFORMED;
        default: return MALFORMED;
    }
}

static void put_null(Column *c, int64_t row) {
    size_t width = width_of(c->kind);
    c->nulls++;
    if (width) memset(c->data + width * (size_t)row, 0, width);
}

/* One row: a count of values, then each with its length in front (-1 = null). */
static int put_row(State *state, Column *columns, int64_t count, const uint8_t *p, const uint8_t *end) {
    if (end - p < 2 || big16(p) != count) return MALFORMED;
    p += 2;
    for (int64_t i = 0; i < count; i++) {
        Column *c = columns + i;
        if (end - p < 4) return MALFORMED;
        int32_t size = (int32_t)big32(p);
        p += 4;
        if (size == -1) {
            put_null(c, state->rows);
        } else {
            if (size < 0 || end - p < size) return MALFORMED;
            int told = put_value(c, state->rows, p, size);
            if (told != FULL) {
                state->unfit = i;
                return told;
            }
            c->valid[state->rows >> 3] |= (uint8_t)(1 << (state->rows & 7));
            p += size;
        }
        if (c->offsets) c->offsets[state->rows + 1] = (int32_t)c->used;
    }
    if (p != end) return MALFORMED;
    state->rows++;
    return FULL;
}

/* One message: the header in front of the first row, the row, or the trailer (a count of -1). */
static int put_message(State *state, Column *columns, int64_t count, const uint8_t *p, int64_t size) {
    const uint8_t *end = p + size;
    if (!state->begun) {
        if (size < HEADER_SIZE || memcmp(p, "PGCOPY\n\377\r\n\0", SIGNATURE_SIZE)) return MALFORMED;
        if (big16(p + SIGNATURE_SIZE)) return MALFORMED; /* flags that say the format is another one */
        uint32_t extension = big32(p + HEADER_SIZE - 4);
        if (extension > (uint64_t)size - HEADER_SIZE) return MALFORMED;
        p += HEADER_SIZE + extension;
        state->begun = 1;
    }
    if (end - p == 0 || (end - p == 2 && big16(p) == 0xFFFF)) return FULL;
    return put_row(state, columns, count, p, end);
}

/* Rows until the buffers are full (FULL), the COPY ends (END) or no more has arrived (WAIT); else what went wrong. */
EXPORTED int64_t offtake_copy_take(
    void *connection, get_row get, free_row release, State *state, Column *columns, int64_t count, int64_t max_bytes) {
    while (state->rows < MAX_ROWS && state->bytes < max_bytes) {
        char *row = NULL;
        int size = get(connection, &row, 1);
        if (size == 0) return WAIT;
        if (size == -1) return END;
        if (size < 0) return BROKEN;
        int told = put_message(state, columns, count, (const uint8_t *)row, size);
        state->bytes += size;
        release(row);
        if (told != FULL) return told;
    }
    return FULL;
}
