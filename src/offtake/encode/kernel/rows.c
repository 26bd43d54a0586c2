/* Row templates over Arrow buffers: the one hot loop behind every text format.
 *
 * Byte for byte the same as `encode/oracle.py`, which is the place to read what is meant; the structs mirror the ctypes
 * structures of `kernel/__init__.py`. There is no state but the arguments, so threads may call it side by side.
 *
 * Memory safety rests on one rule: before a row is written, `row_bound` has shown that the longest text its cells can
 * become fits into what is left of the buffer, and its scratch space beyond. Strings are valid UTF-8 (Python checks).
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

typedef struct { const uint8_t *text; int64_t size; } Bytes;
typedef struct { Bytes before, after; int64_t numbered; } Fixed;

/* One part of a date pattern. `names` texts stand in `text` one after the other, name i ending at `ends[i]`; `width` is
 * then the size of the longest. */
typedef struct { int64_t part, width, names; Bytes text; const int64_t *ends; } Step;

/* A zone: from `starts[i]` on, local time is UTC plus `offsets[i]`, in microseconds. */
typedef struct { const int64_t *starts, *offsets; int64_t size; } Zone;

typedef struct {
  /* The column: Arrow buffers as they are, the first value at `offset`. */
  int64_t kind, offset, scale;
  const uint8_t *valid, *data;
  const int32_t *offsets;
  /* The cell: what stands around its text, and how that is escaped. */
  Fixed prefix, suffix, null, other_prefix, other_suffix;
  int64_t has_other, mode, always, guard, limit, delimiter;
  Bytes csv_null;
  /* Numbers. `plain` = no style at all; `max_fraction` -1 = all digits. */
  int64_t plain, primary, secondary, min_fraction, max_fraction, exact_digits, digit_size;
  Bytes digits, decimal, group, negative_prefix, negative_suffix, nan, infinity;
  /* Booleans. */
  Bytes true_text, false_text;
  /* Dates and times: a pattern, or a serial number with the pattern for what has none. */
  int64_t serial, step_count;
  const Step *steps;
  Zone zone, serial_zone;
} Cell;

typedef struct {
  const Cell *cells;
  int64_t count, first_number;
  Fixed prefix, suffix;
  Bytes first, between;
} Template;

typedef struct { int64_t rows, written, needed, guarded, cut; } Result;

enum { TEXT, INTEGER, DECIMAL, DOUBLE, DIGITS, BOOLEAN, DATE, INSTANT, TIME };
enum { NONE, CSV, JSON, XML, XLSX };
enum {
  LITERAL, YEAR, YEAR_OF_ERA, YEAR_2, ERA, QUARTER, MONTH, DAY, DAY_OF_YEAR, WEEKDAY, HOUR_0_23, HOUR_1_12, HOUR_0_11,
  HOUR_1_24, DAY_PERIOD, MINUTE, SECOND, FRACTION, FRACTION_FIXED, OFFSET, OFFSET_NUMERIC, OFFSET_PLAIN,
  ZONE
};

enum { FIRST_SERIAL = 61, SERIAL_OF_1970 = 25569, LAST_SERIAL = 2958465 };

#define DAY_US 86400000000LL
#define LAST_SERIAL_US (DAY_US - 501) /* spreadsheets round what is later to a day that a time, or year 9999, lacks */
#define LARGEST_EXPONENT 400
#define LONGEST_INTEGER 64 /* digits of any 128-bit integer or scaled decimal, and room for a carry */
#define LONGEST_FIELD 24   /* a year, an offset or any other number in a date */
#define LONGEST_SERIAL 48

static const char PAIRS[] =
  "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657"
  "585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
static const char HEX_LOWER[] = "0123456789abcdef", HEX_UPPER[] = "0123456789ABCDEF";

/* ---------------------------------------------------------------- bytes */

static inline uint8_t *put(uint8_t *p, const void *text, int64_t size) {
  if (size == 1) *p = *(const uint8_t *)text; /* separators and marks: a call would cost more than the byte */
  else if (size > 0) memcpy(p, text, (size_t)size);
  return p + size;
}

static inline uint8_t *put_bytes(uint8_t *p, Bytes bytes) { return put(p, bytes.text, bytes.size); }
static inline uint8_t *put_fixed(uint8_t *p, const Fixed *fixed, Bytes number) {
  p = put_bytes(p, fixed->before);
  return fixed->numbered ? put_bytes(put_bytes(p, number), fixed->after) : p;
}

static int64_t fixed_bound(const Fixed *fixed) { return fixed->before.size + fixed->after.size + 20; } /* the number */
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* The decimal digits of a value, written backwards so that they end before `end`. Gives where they begin. */
static inline uint8_t *digits_before(uint8_t *end, uint64_t value) {
  for (; value >= 100; value /= 100) memcpy(end -= 2, PAIRS + 2 * (value % 100), 2);
  if (value < 10) *--end = (uint8_t)('0' + value);
  else memcpy(end -= 2, PAIRS + 2 * value, 2);
  return end;
}

static inline uint8_t *put_unsigned(uint8_t *p, uint64_t value) {
  uint8_t buffer[20], *from = digits_before(buffer + 20, value);
  return put(p, from, buffer + 20 - from);
}

/* ---------------------------------------------------------------- escapes */

/* What one byte may become: itself, "", \u001f, &amp;, _x001F_. And 4 more: quotes around, the guard. */
static int64_t escape_bound(int64_t mode, int64_t size) {
  static const int64_t growth[] = {1, 2, 6, 5, 7};
  return growth[mode] * size + 4;
}

/* =, +, -, @, TAB, CR and the full-width forms of the first four. */
static int begins_a_formula(const uint8_t *s, int64_t n) {
  if (n > 0 && memchr("=+-@\t\r", s[0], 6)) return 1;
  return n >= 3 && s[0] == 0xEF && s[1] == 0xBC && memchr("\x9D\x8B\x8D\xA0", s[2], 4);
}

/* [+-]?[0-9 ().-]+ */
static int is_number_or_phone(const uint8_t *s, int64_t n) {
  int64_t i = n > 1 && s[0] == '+';
  while (i < n && memchr("0123456789 ().-", s[i], 15)) i++;
  return i == n && n > 0;
}

static int equals_null(const Cell *cell, const uint8_t *s, int64_t n, int guarded) {
  Bytes null = cell->csv_null;
  if (null.size != n + guarded || (guarded && null.text[0] != '\'')) return 0;
  return n == 0 || memcmp(null.text + guarded, s, (size_t)n) == 0;
}

static uint8_t *escape_csv(uint8_t *p, const Cell *cell, const uint8_t *s, int64_t n, Result *result) {
  uint8_t special = (uint8_t)(cell->always != 0), delimiter = (uint8_t)cell->delimiter;
  int guarded = cell->kind == TEXT && cell->guard && begins_a_formula(s, n) && !is_number_or_phone(s, n);
  for (int64_t i = 0; i < n; i++)
    special |= (uint8_t)((s[i] == '"') | (s[i] == delimiter) | (s[i] == '\n') | (s[i] == '\r'));
  result->guarded += guarded;
  if (!special && !(guarded && delimiter == '\'') && n > 0 && !equals_null(cell, s, n, guarded)) {
    if (guarded) *p++ = '\'';
    return put(p, s, n);
  }
  *p++ = '"';
  if (guarded) *p++ = '\'';
  for (int64_t i = 0; i < n; i++) {
    if (s[i] == '"') *p++ = '"';
    *p++ = s[i];
  }
  *p++ = '"';
  return p;
}

static uint8_t *escape_json(uint8_t *p, const uint8_t *s, int64_t n) {
  uint8_t special = 0;
  for (int64_t i = 0; i < n; i++) special |= (uint8_t)((s[i] < 32) | (s[i] == '"') | (s[i] == '\\'));
  if (!special) return put(p, s, n);
  for (int64_t i = 0; i < n; i++) {
    uint8_t c = s[i], letter = c >= '\b' && c <= '\r' ? (uint8_t)"btn?fr"[c - '\b'] : '?';
    if (c < 32 || c == '"' || c == '\\') *p++ = '\\';
    if (c >= 32 || letter != '?') {
      *p++ = c >= 32 ? c : letter;
    } else {
      p = put(p, "u00", 3);
      *p++ = (uint8_t)HEX_LOWER[c >> 4];
      *p++ = (uint8_t)HEX_LOWER[c & 15];
    }
  }
  return p;
}

static int is_hex(uint8_t c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
/* Whether s, an underscore, begins what a spreadsheet would read as an escape: _xHHHH_ */
static int looks_escaped(const uint8_t *s, int64_t n) {
  return n >= 7 && s[1] == 'x' && is_hex(s[2]) && is_hex(s[3]) && is_hex(s[4]) && is_hex(s[5]) && s[6] == '_';
}

/* U+FFFE and U+FFFF, which no XML document may hold (XML 1.0 §2.2). */
static int is_no_character(const uint8_t *s, int64_t n) {
  return n >= 3 && s[0] == 0xEF && s[1] == 0xBF && s[2] >= 0xBE;
}

static uint8_t *put_control(uint8_t *p, uint8_t c, int64_t mode) {
  if (mode == XML) return c == '\r' ? put(p, "&#13;", 5) : put(p, "\xEF\xBF\xBD", 3);
  p = put(p, "_x00", 4);
  *p++ = (uint8_t)HEX_UPPER[c >> 4];
  *p++ = (uint8_t)HEX_UPPER[c & 15];
  *p++ = '_';
  return p;
}

static uint8_t *escape_xml(uint8_t *p, int64_t mode, const uint8_t *s, int64_t n) {
  uint8_t special = 0, mark = mode == XLSX ? '_' : '&';
  for (int64_t i = 0; i < n; i++)
    special |= (uint8_t)((s[i] < 32) | (s[i] == '&') | (s[i] == '<') | (s[i] == '>') | (s[i] == 0xEF) | (s[i] == mark));
  if (!special) return put(p, s, n);
  for (int64_t i = 0; i < n; i++) {
    uint8_t c = s[i];
    switch (c) {
      case '&': p = put(p, "&amp;", 5); continue;
      case '<': p = put(p, "&lt;", 4); continue;
      case '>': p = put(p, "&gt;", 4); continue;
    }
    if (is_no_character(s + i, n - i)) {
      p = mode == XML ? put(p, "\xEF\xBF\xBD", 3) : put(p, s[i + 2] == 0xBE ? "_xFFFE_" : "_xFFFF_", 7);
      i += 2;
    } else if (c == '_' && mode == XLSX && looks_escaped(s + i, n - i)) {
      p = put(p, "_x005F_", 7);
    } else if (c < 32 && c != '\t' && c != '\n') {
      p = put_control(p, c, mode);
    } else {
      *p++ = c;
    }
  }
  return p;
}

static uint8_t *escape(uint8_t *p, const Cell *cell, const uint8_t *s, int64_t n, Result *result) {
  switch (cell->mode) {
    case CSV: return escape_csv(p, cell, s, n, result);
    case JSON: return escape_json(p, s, n);
    case XML: case XLSX: return escape_xml(p, cell->mode, s, n);
    default: return put(p, s, n);
  }
}

/* How many of the n bytes are within `limit` UTF-16 code units, whole characters only. */
static int64_t cut(const uint8_t *s, int64_t n, int64_t limit) {
  int64_t units = 0;
  for (int64_t i = 0; i < n; i++) {
    if ((s[i] & 0xC0) == 0x80) continue;
    units += s[i] >= 0xF0 ? 2 : 1;
    if (units > limit) return i;
  }
  return n;
}

/* ---------------------------------------------------------------- numbers */

static int64_t styled_bound(const Cell *cell, int64_t digits) {
  return (digits + cell->min_fraction + 1) * cell->digit_size + (digits + 1) * cell->group.size + cell->decimal.size +
         cell->negative_prefix.size + cell->negative_suffix.size;
}

/* Half to even. `d` holds whole + fraction digits; gives 1 if a digit was carried to the place before them. */
static int64_t round_half_even(uint8_t *d, int64_t whole, int64_t fraction, int64_t places) {
  int64_t kept = whole + places, end = whole + fraction, rest = kept + 1;
  uint8_t next = d[kept];
  while (rest < end && d[rest] == '0') rest++;
  int odd = kept > 0 && (d[kept - 1] & 1);
  if (next < '5' || (next == '5' && rest == end && !odd)) return 0;
  int64_t i = kept - 1;
  for (; i >= 0 && d[i] == '9'; i--) d[i] = '0';
  d[i] = i < 0 ? '1' : (uint8_t)(d[i] + 1);
  return i < 0;
}

static inline uint8_t *put_digit(uint8_t *p, const Cell *cell, uint8_t digit) {
  if (cell->digit_size == 1) {
    *p++ = cell->digits.text[digit - '0'];
    return p;
  }
  return put(p, cell->digits.text + cell->digit_size * (digit - '0'), cell->digit_size);
}

static uint8_t *put_whole(uint8_t *p, const Cell *cell, const uint8_t *d, int64_t whole) {
  if (whole == 0) return put_digit(p, cell, '0');
  int64_t beyond = whole - cell->primary; /* digits before the last group */
  int64_t until = cell->group.size && beyond > 0 ? beyond % cell->secondary : whole; /* the next separator */
  if (until == 0) until = cell->secondary;
  for (int64_t i = 0; i < whole; i++) {
    if (i == until) p = put_bytes(p, cell->group), until += i < beyond ? cell->secondary : whole;
    p = put_digit(p, cell, d[i]);
  }
  return p;
}

/* A number in the cell's style. `d` holds `whole` digits without leading zeros, then `fraction` digits. */
static uint8_t *put_styled(uint8_t *p, const Cell *cell, int negative, uint8_t *d, int64_t whole, int64_t fraction) {
  if (cell->max_fraction >= 0) {
    if (fraction > cell->max_fraction) {
      int64_t carried = round_half_even(d, whole, fraction, cell->max_fraction);
      d -= carried;
      whole += carried;
      fraction = cell->max_fraction;
    }
    while (fraction > 0 && d[whole + fraction - 1] == '0') fraction--;
  }
  if (negative) p = put_bytes(p, cell->negative_prefix);
  p = put_whole(p, cell, d, whole);
  if (fraction > 0 || cell->min_fraction > 0) {
    p = put_bytes(p, cell->decimal);
    for (int64_t i = 0; i < fraction; i++) p = put_digit(p, cell, d[whole + i]);
    for (int64_t i = fraction; i < cell->min_fraction; i++) p = put_digit(p, cell, '0');
  }
  if (negative) p = put_bytes(p, cell->negative_suffix);
  return p;
}

static int exceeds(const Cell *cell, const uint8_t *d, int64_t whole, int64_t fraction) {
  if (cell->exact_digits <= 0) return 0;
  while (fraction > 0 && d[whole + fraction - 1] == '0') fraction--;
  int64_t count = whole + fraction, leading = 0;
  while (leading < count && d[leading] == '0') leading++;
  return count - leading > cell->exact_digits;
}

/* All digits of a 128-bit magnitude, at least `least` of them, ending before `end`. */
static uint8_t *wide_digits_before(uint8_t *end, unsigned __int128 magnitude, int64_t least) {
  const uint64_t chunk = 10000000000000000000ULL;
  uint8_t *d = end;
  while (magnitude >> 64) {
    uint8_t *from = digits_before(d, (uint64_t)(magnitude % chunk));
    magnitude /= chunk;
    while (d - from < 19) *--from = '0';
    d = from;
  }
  if (magnitude || d == end) d = digits_before(d, (uint64_t)magnitude);
  while (end - d < least) *--d = '0';
  return d;
}

/* An integer, or a decimal of `scale` places. */
static uint8_t *put_exact(uint8_t *p, const Cell *cell, int64_t row, int *other) {
  __int128 value;
  int64_t narrow;
  if (cell->kind == DECIMAL) memcpy(&value, cell->data + 16 * row, 16);
  else value = *(int64_t *)memcpy(&narrow, cell->data + 8 * row, 8);
  int negative = value < 0;
  unsigned __int128 magnitude = negative ? 0 - (unsigned __int128)value : (unsigned __int128)value;
  uint8_t buffer[LONGEST_INTEGER], *end = buffer + LONGEST_INTEGER;
  uint8_t *d = wide_digits_before(end, magnitude, cell->scale + 1);
  int64_t whole = end - d - cell->scale;
  *other = exceeds(cell, d, whole, cell->scale);
  if (!cell->plain) {
    int64_t zero = whole == 1 && d[0] == '0';
    return put_styled(p, cell, negative, d + zero, whole - zero, cell->scale);
  }
  if (negative) *p++ = '-';
  p = put(p, d, whole);
  if (cell->scale > 0) *p++ = '.';
  return put(p, d + whole, cell->scale);
}

/* A number as text: [+-]? digits . digits [eE][+-]? up to four digits. `strict` if JSON has it like that. */
typedef struct { int negative, valid, strict; int64_t whole, whole_end, fraction, fraction_end, exponent; } Parsed;

static int64_t skip_digits(const uint8_t *s, int64_t i, int64_t n) {
  while (i < n && s[i] >= '0' && s[i] <= '9') i++;
  return i;
}

static Parsed parse_number(const uint8_t *s, int64_t n) {
  Parsed a = {0};
  int64_t i = n > 0 && (s[0] == '-' || s[0] == '+');
  a.negative = i && s[0] == '-';
  a.whole = i;
  i = a.whole_end = a.fraction = a.fraction_end = skip_digits(s, i, n);
  int point = i < n && s[i] == '.';
  if (point) {
    a.fraction = i + 1;
    i = a.fraction_end = skip_digits(s, i + 1, n);
  }
  int64_t whole = a.whole_end - a.whole, fraction = a.fraction_end - a.fraction;
  if (whole + fraction == 0) return a;
  if (i < n && (s[i] == 'e' || s[i] == 'E')) {
    int64_t sign = i + 1 < n && (s[i + 1] == '-' || s[i + 1] == '+');
    int64_t from = i + 1 + sign, end = skip_digits(s, from, n);
    if (end == from || end - from > 4) return a;
    for (int64_t k = from; k < end; k++) a.exponent = 10 * a.exponent + (s[k] - '0');
    if (sign && s[i + 1] == '-') a.exponent = -a.exponent;
    i = end;
  }
  a.valid = i == n;
  a.strict = a.valid && s[0] != '+' && whole > 0 && (whole == 1 || s[a.whole] != '0') && (!point || fraction > 0);
  return a;
}

static int is_word(const uint8_t *s, int64_t n, const char *word) {
  return n == (int64_t)strlen(word) && strncasecmp((const char *)s, word, (size_t)n) == 0;
}

/* NaN and the infinities by name; what is no number at all stays as it is. */
static uint8_t *put_not_finite(uint8_t *p, const Cell *cell, const uint8_t *s, int64_t n) {
  int64_t sign = 0;
  while (sign < n && (s[sign] == '-' || s[sign] == '+')) sign++;
  if (is_word(s + sign, n - sign, "nan")) return put_bytes(p, cell->nan);
  if (!is_word(s + sign, n - sign, "inf") && !is_word(s + sign, n - sign, "infinity")) return put(p, s, n);
  int negative = s[0] == '-';
  if (negative) p = put_bytes(p, cell->negative_prefix);
  p = put_bytes(p, cell->infinity);
  return negative ? put_bytes(p, cell->negative_suffix) : p;
}

/* Digits that arrive as text. `room` holds n + LARGEST_EXPONENT + 1 bytes. */
static uint8_t *put_digits(uint8_t *p, const Cell *cell, const uint8_t *s, int64_t n, uint8_t *room, int *other) {
  Parsed a = parse_number(s, n);
  if (a.valid && a.strict && cell->plain && !cell->exact_digits) return put(p, s, n);
  if (!a.valid || a.exponent > LARGEST_EXPONENT || a.exponent < -LARGEST_EXPONENT) {
    *other = cell->exact_digits > 0;
    return a.strict && cell->plain ? put(p, s, n) : put_not_finite(p, cell, s, n);
  }
  uint8_t *d = room + 1, *end = d; /* one place is kept free for a carry */
  int64_t whole = a.whole_end - a.whole, fraction = a.fraction_end - a.fraction, exponent = a.exponent;
  for (int64_t missing = -exponent - whole; missing > 0; missing--, whole++) *end++ = '0';
  end = put(end, s + a.whole, a.whole_end - a.whole);
  end = put(end, s + a.fraction, fraction);
  for (; fraction < exponent; fraction++) *end++ = '0';
  whole += exponent;
  fraction -= exponent;
  while (whole > 0 && *d == '0') d++, whole--;
  *other = cell->kind == DIGITS && exceeds(cell, d, whole, fraction);
  return a.strict && cell->plain ? put(p, s, n) : put_styled(p, cell, a.negative, d, whole, fraction);
}

/* ---------------------------------------------------------------- dates and times */

typedef struct { int64_t days, us, offset_us, interval, year; int infinite, month, day, day_of_year; } Moment;

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Days since 1970 to a date, in eras of 400 years that begin on 1 March (Howard Hinnant, chrono-compatible dates). */
static void set_date(Moment *m) {
  int64_t z = m->days + 719468, era = floor_divide(z, 146097);
  int64_t day = z - era * 146097;
  int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  int64_t from_march = day - (365 * year + year / 4 - year / 100), month = (5 * from_march + 2) / 153;
  m->day = (int)(from_march - (153 * month + 2) / 5 + 1);
  m->month = (int)(month < 10 ? month + 3 : month - 9);
  m->year = year + era * 400 + (m->month <= 2);
  int leap = (m->year % 4 == 0 && m->year % 100 != 0) || m->year % 400 == 0;
  m->day_of_year = (int)(m->month > 2 ? from_march + 60 + leap : from_march - 305);
}

static void set_local(Moment *m, int64_t instant, const Zone *zone) {
  int64_t low = 0;
  for (int64_t size = zone->size; size > 1;) { /* without a branch to mispredict: instants come in no order */
    low += zone->starts[low + size / 2] <= instant ? size / 2 : 0;
    size -= size / 2;
  }
  m->interval = low;
  m->offset_us = zone->offsets[low];
  m->days = floor_divide(instant, DAY_US);
  int64_t us = instant - m->days * DAY_US + m->offset_us, carry = floor_divide(us, DAY_US);
  m->days += carry;
  m->us = us - carry * DAY_US;
}

static int64_t temporal_value(const Cell *cell, int64_t row) {
  int32_t days;
  int64_t instant;
  if (cell->kind == DATE) return *(int32_t *)memcpy(&days, cell->data + 4 * row, 4);
  return *(int64_t *)memcpy(&instant, cell->data + 8 * row, 8);
}

static Moment moment_of(const Cell *cell, int64_t value, const Zone *zone) {
  Moment m = {0};
  int64_t largest = cell->kind == DATE ? INT32_MAX : INT64_MAX;
  if (cell->kind == TIME) m.us = value - floor_divide(value, DAY_US) * DAY_US;
  else if (value >= largest || value <= -largest) m.infinite = 1;
  else if (cell->kind == DATE) m.days = value;
  else set_local(&m, value, zone);
  return m;
}

/* A number in the cell's digits, zero-padded to `width`. */
static uint8_t *put_padded(uint8_t *p, const Cell *cell, uint64_t value, int64_t width) {
  if (cell->digit_size == 1 && width == 2 && value < 100 && cell->digits.text[0] == '0') {
    memcpy(p, PAIRS + 2 * value, 2);
    return p + 2;
  }
  uint8_t buffer[20], *end = buffer + 20, *d = digits_before(end, value);
  for (int64_t missing = width - (end - d); missing > 0; missing--) p = put_digit(p, cell, '0');
  for (; d < end; d++) p = put_digit(p, cell, *d);
  return p;
}

static uint8_t *put_year(uint8_t *p, const Cell *cell, int64_t year, int64_t width) {
  if (year >= 0 && year <= 9999) return put_padded(p, cell, (uint64_t)year, width);
  *p++ = year < 0 ? '-' : '+';
  return put_padded(p, cell, (uint64_t)(year < 0 ? -year : year), 4);
}

static uint8_t *put_pair(uint8_t *p, int64_t value) { return put(p, PAIRS + 2 * (value % 100), 2); }
static uint8_t *put_offset(uint8_t *p, int64_t part, int64_t offset_us) {
  if (part == OFFSET && offset_us == 0) return put(p, "Z", 1);
  int64_t seconds = (offset_us < 0 ? -offset_us : offset_us) / 1000000, colon = part != OFFSET_PLAIN;
  p = put_pair(put(p, offset_us < 0 ? "-" : "+", 1), seconds / 3600);
  p = put_pair(put(p, ":", colon), seconds / 60 % 60);
  return seconds % 60 ? put_pair(put(p, ":", colon), seconds % 60) : p;
}

static uint8_t *put_fraction(uint8_t *p, const Cell *cell, const Step *step, int64_t us) {
  static const int64_t powers[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
  if (step->part == FRACTION_FIXED) {
    int64_t width = step->width > 6 ? 6 : larger(step->width, 1);
    return put_padded(p, cell, (uint64_t)(us / powers[width]), width);
  }
  if (us == 0) return p;
  p = put_bytes(p, step->text);
  return us % 1000 ? put_padded(p, cell, (uint64_t)us, 6) : put_padded(p, cell, (uint64_t)(us / 1000), 3);
}

static int64_t part_number(int64_t part, const Moment *m) {
  int64_t hour = m->us / 3600000000LL, of_era = m->year > 0 ? m->year : 1 - m->year;
  switch (part) {
    case YEAR_OF_ERA: return of_era;
    case YEAR_2: return of_era % 100;
    case QUARTER: return (m->month + 2) / 3;
    case MONTH: return m->month;
    case DAY: return m->day;
    case DAY_OF_YEAR: return m->day_of_year;
    case WEEKDAY: return m->days + 3 - floor_divide(m->days + 3, 7) * 7 + 1;
    case HOUR_0_23: return hour;
    case HOUR_1_12: return (hour + 11) % 12 + 1;
    case HOUR_0_11: return hour % 12;
    case HOUR_1_24: return (hour + 23) % 24 + 1;
    case MINUTE: return m->us / 60000000 % 60;
    default: return m->us / 1000000 % 60; /* SECOND */
  }
}

static uint8_t *put_name(uint8_t *p, const Step *step, int64_t index) {
  if (index < 0 || index >= step->names) return p;
  int64_t from = index ? step->ends[index - 1] : 0;
  return put(p, step->text.text + from, step->ends[index] - from);
}

/* Of 26 names the last two are for midnight and noon to the second. */
static int64_t day_period(int64_t second, int64_t names) {
  if (names == 2) return second / 43200;
  return second == 0 ? 24 : second == 43200 ? 25 : second / 3600;
}

static uint8_t *put_step(uint8_t *p, const Cell *cell, const Step *step, const Moment *m) {
  switch (step->part) {
    case LITERAL: return put_bytes(p, step->text);
    case YEAR: return put_year(p, cell, m->year, step->width);
    case ERA: return put_name(p, step, m->year > 0);
    case DAY_PERIOD: return put_name(p, step, day_period(m->us / 1000000, step->names));
    case ZONE: return put_name(p, step, m->interval);
    case FRACTION: case FRACTION_FIXED: return put_fraction(p, cell, step, m->us % 1000000);
    case OFFSET: case OFFSET_NUMERIC: case OFFSET_PLAIN: return put_offset(p, step->part, m->offset_us);
  }
  int64_t number = part_number(step->part, m);
  return step->names ? put_name(p, step, number - 1) : put_padded(p, cell, (uint64_t)number, step->width);
}

static uint8_t *put_pattern(uint8_t *p, const Cell *cell, int64_t value) {
  Moment m = moment_of(cell, value, &cell->zone);
  if (m.infinite) return put_bytes(put(p, "-", value < 0), cell->infinity);
  set_date(&m);
  for (int64_t i = 0; i < cell->step_count; i++) p = put_step(p, cell, cell->steps + i, &m);
  return p;
}

static uint8_t *put_serial(uint8_t *p, const Cell *cell, int64_t value, int *other) {
  Moment m = moment_of(cell, value, &cell->serial_zone);
  int64_t days = cell->kind == TIME ? 0 : m.days + SERIAL_OF_1970;
  int outside = cell->kind != TIME && (days < FIRST_SERIAL || days > LAST_SERIAL);
  *other = m.infinite || outside || ((cell->kind == TIME || days == LAST_SERIAL) && m.us > LAST_SERIAL_US);
  if (*other) return put_pattern(p, cell, value);
  p = put_unsigned(p, (uint64_t)days);
  uint64_t fraction = ((uint64_t)m.us * 10000000 + 432) / 864; /* us * 10^15 / DAY_US, rounded */
  if (fraction == 0) return p;
  uint8_t buffer[20], *end = buffer + 20, *d = digits_before(end, fraction);
  while (end - d < 15) *--d = '0';
  while (end[-1] == '0') end--;
  *p++ = '.';
  return put(p, d, end - d);
}

/* ---------------------------------------------------------------- cells and rows */

/* The longest text a value of the column can become before it is escaped; `size` is that of a value that is text. */
static int64_t value_bound(const Cell *cell, int64_t size) {
  int64_t bound = cell->infinity.size + 1 + LONGEST_SERIAL;
  switch (cell->kind) {
    case TEXT: return size;
    case INTEGER: case DECIMAL: return styled_bound(cell, LONGEST_INTEGER);
    case DOUBLE: case DIGITS:
      return size + cell->nan.size + cell->infinity.size + styled_bound(cell, size + LARGEST_EXPONENT);
    case BOOLEAN: return larger(cell->true_text.size, cell->false_text.size);
  }
  for (int64_t i = 0; i < cell->step_count; i++) {
    const Step *step = cell->steps + i;
    bound += step->names ? step->width : step->text.size + (larger(step->width, 0) + LONGEST_FIELD) * cell->digit_size;
  }
  return bound;
}

static inline int64_t text_size(const Cell *cell, int64_t row) {
  return (int64_t)cell->offsets[row + 1] - cell->offsets[row];
}

static inline int is_text(const Cell *c) { return c->kind == TEXT || c->kind == DOUBLE || c->kind == DIGITS; }

/* What every row may need whatever its values, scratch space for one value included. */
static int64_t steady_bound(const Template *t) {
  int64_t bound = fixed_bound(&t->prefix) + fixed_bound(&t->suffix) + t->first.size + t->between.size, scratch = 0;
  for (int64_t i = 0; i < t->count; i++) {
    const Cell *cell = t->cells + i;
    bound += fixed_bound(&cell->prefix) + fixed_bound(&cell->suffix) + fixed_bound(&cell->null) +
             fixed_bound(&cell->other_prefix) + fixed_bound(&cell->other_suffix);
    if (is_text(cell)) continue;
    bound += escape_bound(cell->mode, value_bound(cell, 0));
    scratch = larger(scratch, value_bound(cell, 0));
  }
  return bound + scratch;
}

/* What this row may need. Numbers that come as text need scratch space besides, for the value and for its digits. */
static int64_t row_bound(const Template *t, int64_t steady, int64_t row) {
  int64_t bound = steady;
  for (int64_t i = 0; i < t->count; i++) {
    const Cell *cell = t->cells + i;
    if (!is_text(cell)) continue;
    int64_t size = text_size(cell, cell->offset + row), value = value_bound(cell, size);
    bound += escape_bound(cell->mode, value);
    if (cell->kind != TEXT) bound += value + size + LARGEST_EXPONENT + 2;
  }
  return bound;
}

/* The value's text at `p`. `room` is where digits are put together. `other`: it needs the cell's other form. */
static uint8_t *put_value(uint8_t *p, const Cell *cell, int64_t row, uint8_t *room, int *other) {
  switch (cell->kind) {
    case INTEGER: case DECIMAL: return put_exact(p, cell, row, other);
    case DOUBLE: case DIGITS:
      return put_digits(p, cell, cell->data + cell->offsets[row], text_size(cell, row), room, other);
    case BOOLEAN: return put_bytes(p, cell->data[row >> 3] >> (row & 7) & 1 ? cell->true_text : cell->false_text);
  }
  int64_t value = temporal_value(cell, row);
  return cell->serial ? put_serial(p, cell, value, other) : put_pattern(p, cell, value);
}

static uint8_t *put_around(uint8_t *p, const Cell *cell, const uint8_t *s, int64_t n, int other,
                           Bytes number, Result *result) {
  other = other && cell->has_other;
  p = put_fixed(p, other ? &cell->other_prefix : &cell->prefix, number);
  p = escape(p, cell, s, n, result);
  return put_fixed(p, other ? &cell->other_suffix : &cell->suffix, number);
}

static uint8_t *put_text_cell(uint8_t *p, const Cell *cell, int64_t row, Bytes number, Result *result) {
  const uint8_t *s = cell->data + cell->offsets[row];
  int64_t n = text_size(cell, row);
  if (cell->limit && n > cell->limit) {
    int64_t kept = cut(s, n, cell->limit);
    result->cut += kept < n;
    n = kept;
  }
  return put_around(p, cell, s, n, n > 0 && (s[0] <= ' ' || s[n - 1] <= ' '), number, result);
}

/* The scratch space, for a value and the digits it is made of, lies below `top`, the end of the buffer. */
static uint8_t *put_cell(uint8_t *p, const Cell *cell, int64_t row, uint8_t *top, Bytes number, Result *result) {
  if (cell->valid && !(cell->valid[row >> 3] >> (row & 7) & 1)) return put_fixed(p, &cell->null, number);
  if (cell->kind == TEXT) return put_text_cell(p, cell, row, number, result);
  int64_t size = is_text(cell) ? text_size(cell, row) : 0;
  uint8_t *room = top - (is_text(cell) ? size + LARGEST_EXPONENT + 2 : 0);
  int other = 0;
  if (cell->mode == NONE && !cell->has_other) {
    p = put_fixed(p, &cell->prefix, number);
    p = put_value(p, cell, row, room, &other);
    return put_fixed(p, &cell->suffix, number);
  }
  uint8_t *scratch = room - value_bound(cell, size), *end = put_value(scratch, cell, row, room, &other);
  return put_around(p, cell, scratch, end - scratch, other, number, result);
}

/* Rows `from` to `to` of the columns, as many as fit. `row` rows of the file came before row 0. `ends[i]` becomes the
 * place where the i-th of them ends. If not even one fits, `result->needed` says how large the buffer must be. */
__attribute__((visibility("default")))
void offtake_render(const Template *t, int64_t from, int64_t to, int64_t row, uint8_t *out, int64_t capacity,
                    int64_t *ends, Result *result) {
  int64_t steady = steady_bound(t);
  uint8_t *p = out, *limit = out + capacity, digits[20];
  memset(result, 0, sizeof *result);
  for (int64_t i = from; i < to; i++) {
    int64_t bound = row_bound(t, steady, i);
    if (bound > limit - p) {
      result->needed = bound;
      break;
    }
    uint8_t *number_end = put_unsigned(digits, (uint64_t)(t->first_number + row + i));
    Bytes number = {digits, number_end - digits};
    p = put_bytes(p, row + i ? t->between : t->first);
    p = put_fixed(p, &t->prefix, number);
    for (int64_t k = 0; k < t->count; k++) p = put_cell(p, t->cells + k, t->cells[k].offset + i, limit, number, result);
    p = put_fixed(p, &t->suffix, number);
    ends[result->rows++] = p - out;
  }
  result->written = p - out;
}

/* The layout of the structs, so that a library of another version is never called. */
__attribute__((visibility("default")))
int64_t offtake_layout(void) {
  return (int64_t)(sizeof(Cell) << 32 | sizeof(Template) << 16 | sizeof(Step) << 8 | sizeof(Result));
}
