/* The passes over every token, compiled. tokbench/kernel.py calls them and checks what it hands
   them; beside every call stands the numpy code that computes the same without them.

   Texts lie one after the other in `data`; sample s is data[first[s] .. last[s]). Its tokens are
   ids[offsets[s] .. offsets[s + 1]). */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Raised with every change of a signature below: a library left over from an older source is
   not called. */
int64_t kernel_revision(void) { return 2; }

static uint64_t load8(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, 8);
    return word;
}

/* Are these n bytes equal? Both may be read 8 bytes far; few tokens are longer. */
static int equal(const uint8_t *a, const uint8_t *b, int64_t n)
{
    static const uint8_t keep[16] = {255, 255, 255, 255, 255, 255, 255, 255};
    if (n > 8) return memcmp(a, b, n) == 0;
    return ((load8(a) ^ load8(b)) & load8(keep + 8 - n)) == 0; /* the first n bytes */
}

/* Where tokens stand: a sample is `tiled` when the pieces of its ids, one after the other, are
   its bytes. The encoder put `prefix` before every sample that has tokens; it is part of the
   comparison and has no place in the source. Spans of other samples are left unfinished.

   Piece i is pieces[bounds[i] .. bounds[i + 1]), and 8 more bytes follow the last piece.
   Returns 0, or -1 for an id outside the vocabulary. */
int64_t place(const uint8_t *data, int64_t size,
              const int64_t *first, const int64_t *last, int64_t samples,
              const int32_t *ids, const int64_t *offsets,
              const uint8_t *pieces, const int32_t *bounds, int64_t vocabulary,
              const uint8_t *prefix, int64_t prefixed,
              int32_t *starts, int32_t *stops, uint8_t *tiled)
{
    for (int64_t s = 0; s < samples; s++) {
        int64_t t = offsets[s], end = offsets[s + 1];
        int64_t at = t < end ? first[s] - prefixed : first[s];
        for (; t < end; t++) {
            int32_t id = ids[t];
            if (id < 0 || id >= vocabulary) return -1;
            const uint8_t *piece = pieces + bounds[id];
            int64_t length = bounds[id + 1] - bounds[id];
            int64_t start = at, hidden = 0; /* bytes of the piece inside the prefix */
            at += length;
            if (at > last[s]) break;
            if (start < first[s]) {
                hidden = at < first[s] ? length : first[s] - start;
                if (memcmp(piece, prefix + prefixed - (first[s] - start), hidden)) break;
                start = first[s];
            }
            int64_t shown = length - hidden;
            if (start + 8 <= size ? !equal(data + start, piece + hidden, shown)
                                  : memcmp(data + start, piece + hidden, shown) != 0) break;
            starts[t] = (int32_t)start;
            stops[t] = (int32_t)(start + shown);
        }
        tiled[s] = t == end && at == last[s];
    }
    return 0;
}

/* ASCII white space. */
static int blank(uint8_t byte) { return byte == 32 || (byte >= 9 && byte <= 13); }

/* How tokens that tile their samples cover the words, both in the order of the text: words that
   are one token, white space around it aside, and words with a boundary inside, by sample. */
void cover(const uint8_t *data,
           const int32_t *starts, const int32_t *stops, int64_t tokens,
           const int32_t *word_starts, const int32_t *word_stops, const int32_t *word_sample,
           int64_t words, int64_t *single, int64_t *continued)
{
    int64_t t = 0;
    for (int64_t w = 0; w < words; w++) {
        int32_t start = word_starts[w], stop = word_stops[w];
        while (t < tokens && stops[t] <= start) t++;
        if (t == tokens) return;
        if (stops[t] < stop) {
            continued[word_sample[w]]++;
            continue;
        }
        int32_t from = starts[t], to = stops[t];
        while (from < to && blank(data[from])) from++;
        while (from < to && blank(data[to - 1])) to--;
        single[word_sample[w]] += from == start && to == stop;
    }
}

/* How often each id below `span` occurs; those that do, in order, and the place of each among
   them, its `rank`. Returns their number. */
int64_t count(const int32_t *ids, int64_t tokens, int64_t span,
              int64_t *counts, int64_t *found, int32_t *rank)
{
    int64_t kinds = 0;
    for (int64_t t = 0; t < tokens; t++) counts[ids[t]]++;
    for (int64_t id = 0; id < span; id++) {
        if (!counts[id]) continue;
        rank[id] = (int32_t)kinds;
        found[kinds++] = id;
    }
    return kinds;
}

/* The same by block of samples: a row of `table` for each block, a column for each rank. */
void count_by_block(const int32_t *ids, const int64_t *offsets, const int64_t *block,
                    int64_t samples, const int32_t *rank, int64_t kinds, int64_t *table)
{
    for (int64_t s = 0; s < samples; s++) {
        int64_t *row = table + block[s] * kinds;
        for (int64_t t = offsets[s]; t < offsets[s + 1]; t++) row[rank[ids[t]]]++;
    }
}

/* Adds a tally to a table: key high * 2^32 + low counts in row `high`, column `low`. */
void add(const int64_t *keys, const int64_t *counts, int64_t size, int64_t columns, int64_t *table)
{
    for (int64_t i = 0; i < size; i++)
        table[(keys[i] >> 32) * columns + (keys[i] & 0xFFFFFFFF)] += counts[i];
}

/* A table as a tally, sorted; `low` of each column. Returns the number of keys. Every cell is
   written, and the next one over it where it is zero: a branch here would often be guessed
   wrong. So there is room for one key more. */
int64_t collect(const int64_t *table, int64_t rows, int64_t columns, const int64_t *low,
                int64_t *keys, int64_t *counts)
{
    int64_t made = 0;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++) {
            int64_t times = table[row * columns + column];
            keys[made] = (row << 32) + low[column];
            counts[made] = times;
            made += times != 0;
        }
    return made;
}

enum { DIGIT = 11, FEW = 32 };

/* Sorts keys by `bits` bits from `shift` on; equals keep their order. `spare` is as long. */
static void sort_keys(uint64_t *keys, uint64_t *spare, int64_t many, int shift, int bits)
{
    if (many <= FEW) {
        for (int64_t i = 1; i < many; i++) {
            uint64_t key = keys[i];
            int64_t j = i;
            for (; j > 0 && keys[j - 1] >> shift > key >> shift; j--) keys[j] = keys[j - 1];
            keys[j] = key;
        }
        return;
    }
    int passes = (bits + DIGIT - 1) / DIGIT, width = passes ? (bits + passes - 1) / passes : 0;
    uint64_t *from = keys, *to = spare, mask = ((uint64_t)1 << width) - 1;
    for (int pass = 0; pass < passes; pass++, shift += width) {
        int64_t heads[(1 << DIGIT) + 1] = {0};
        for (int64_t i = 0; i < many; i++) heads[(from[i] >> shift & mask) + 1]++;
        for (uint64_t digit = 0; digit < mask; digit++) heads[digit + 1] += heads[digit];
        for (int64_t i = 0; i < many; i++) to[heads[from[i] >> shift & mask]++] = from[i];
        uint64_t *other = from;
        from = to;
        to = other;
    }
    if (from != keys) memcpy(keys, from, many * sizeof *keys);
}

/* The i-th token of a stream of 2 or 4 bytes each. */
static int64_t token(const void *tokens, int64_t wide, int64_t i)
{
    return wide == 2 ? ((const uint16_t *)tokens)[i] : ((const int32_t *)tokens)[i];
}

/* Places whose context before[i] is in [from, to), in the order of their pairs (before, after),
   equals in the order of the text. first[i]: does a new pair begin at places[i]?

   Contexts are dealt by their highest bits into parts that fit the processor's cache, each sorted
   by keys of `low` bits of the context, `high` bits of the token and `bits` of the place.
   `heads` has 2 and one more than the largest number of a part in zeros; `keys`, `places` and
   `first` have `room`. Returns how many places there are, -1 for a token that is not below
   `kinds`, -2 without memory, -3 without room. */
int64_t sort_pairs(const int32_t *before, const void *after, int64_t wide, int64_t many,
                   int64_t from, int64_t to, int64_t kinds,
                   int64_t low, int64_t high, int64_t bits, int64_t room,
                   int64_t *heads, uint64_t *keys, int32_t *places, uint8_t *first)
{
    int64_t parts = to > from ? ((to - from - 1) >> low) + 1 : 0, most = 0, left = 0;
    for (int64_t i = 0; i < many; i++) {
        int64_t context = before[i];
        if (context < from || context >= to) continue;
        int64_t next = token(after, wide, i);
        if (next < 0 || next >= kinds) return -1;
        heads[((context - from) >> low) + 1]++;
    }
    for (int64_t part = 0; part < parts; part++) {
        if (heads[part + 1] > most) most = heads[part + 1];
        heads[part + 1] += heads[part];
    }
    if (heads[parts] > room) return -3;
    uint64_t *spare = malloc((most + 1) * sizeof *spare), mask = ((uint64_t)1 << bits) - 1;
    if (!spare) return -2;
    for (int64_t i = 0; i < many; i++) {
        int64_t context = before[i];
        if (context < from || context >= to) continue;
        uint64_t own = (uint64_t)(context - from) & (((uint64_t)1 << low) - 1);
        uint64_t pair = own << high | (uint64_t)token(after, wide, i);
        keys[heads[(context - from) >> low]++] = pair << bits | (uint64_t)i;
    }
    for (int64_t part = 0; part < parts; part++) { /* heads[part] is now the end of the part */
        int64_t begin = left;
        left = heads[part];
        sort_keys(keys + begin, spare, left - begin, (int)bits, (int)(low + high));
        for (int64_t i = begin; i < left; i++) {
            places[i] = (int32_t)(keys[i] & mask);
            first[i] = i == begin || keys[i] >> bits != keys[i - 1] >> bits;
        }
    }
    free(spare);
    return left;
}

/* What leaving one block out does to how many pairs occur how often: adds `change` to row `block`
   of a table of SMALL columns, or for `times` beyond it to the list `large` of triples. */
enum { SMALL = 4096, BLOCKS = 16 };

static void note(int64_t *table, int64_t *large, int64_t *made,
                 int64_t block, int64_t times, int64_t change)
{
    if (times < SMALL) {
        table[block * SMALL + times] += change;
        return;
    }
    int64_t *triple = large + 3 * (*made)++;
    triple[0] = block;
    triple[1] = times;
    triple[2] = change;
}

/* How many pairs occur how often (row BLOCKS), and how that changes without each block. Runs of
   equal pairs as `sort_pairs` leaves them; block: of every place, below BLOCKS. `large` has room
   for 2 BLOCKS + 1 triples of each SMALL places begun. Returns how many are there, or -1 for a
   block out of bounds. */
int64_t frequencies(const int32_t *places, const uint8_t *first, int64_t many,
                    const uint8_t *block, int64_t *table, int64_t *large)
{
    int64_t own[BLOCKS] = {0}, made = 0;
    for (int64_t i = 0; i < many;) {
        int64_t begin = i, used = 0, low = BLOCKS, high = -1;
        do {
            int64_t b = block[places[i]];
            if (b >= BLOCKS) return -1;
            own[b]++;
            if (b < low) low = b;
            if (b > high) high = b;
            i++;
        } while (i < many && !first[i]);
        int64_t times = i - begin;
        note(table, large, &made, BLOCKS, times, 1);
        for (int64_t b = low; b <= high && used < times; b++) {
            if (!own[b]) continue;
            used += own[b];
            note(table, large, &made, b, times, -1);
            if (times > own[b]) note(table, large, &made, b, times - own[b], 1);
            own[b] = 0;
        }
    }
    return made;
}
