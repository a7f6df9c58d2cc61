/* SPDX-License-Identifier: ISC
 *
 * The log's records.  Inside spool only.
 *
 *  head, 32 bytes, little-endian, 8-byte aligned:
 *     0 u32 magic   4 u32 size of payload   8 u32 crc32c of the head with
 *     this field 0, and the payload   12 u32 type   16 u64 generation of the
 *     segment, a count above 32 bits of chance   24 u64 message
 *
 *  BATCH  payload: u64 sequence, u32 size of the batch in bytes (a multiple
 *         of 4096, this record included), u32 crc32c of the heads of all
 *         other records in it, u32 their number, u32 segments of the log (0:
 *         not said, as in 0.1.0);
 *         its message is the highest number ever given out
 *  CHUNK  payload: body bytes
 *  ENV    payload: u32 number of extents, extents, envelope
 *  NOTE   payload: u16 kind, bytes
 *  GONE   no payload: this log has nothing more to say about the message; it
 *         has ended, or the other log has it
 *  PAD    fills the batch up; payload is zero
 *
 * I0  Bodies are what strangers write.  Nobody can write one that reads as
 *     records of ours where a batch was torn or a lap ended: he would have to
 *     know the chance in the generation.
 * I1  A batch is written in one piece at a multiple of 4096 and synced before
 *     the next is written.  It counts whole or not at all: its generation is
 *     its segment's, its sequence the one before plus one, all CRCs hold.
 * I2  Nobody learns the outcome of an append before its batch is synced.
 * I3  A failed write or sync is never retried: the role ends.
 * I4  Segments are reused strictly in the order of their generations, and
 *     only when nothing live is in them: the GONE of a message is always
 *     younger than its ENV, so an ENV is overwritten before its GONE.  A
 *     segment's lap begins with an empty batch of one page, which is synced
 *     before anything is written behind it: else a torn batch could leave an
 *     ENV of the former lap without the GONE behind it.  (0.1.0 wrote zeroes
 *     there instead, or nothing on the first lap, and began at 0.)
 * I5  After recovery nothing is appended to a segment that was recovered.
 * I6  A record has its own checksum and is of one message, or of none: what
 *     one bad sector takes away is what was on it (recover.c).
 * I7  A message goes from the hot log to the cold one, never back: an ENV in
 *     the cold log is later than any in the hot one.
 */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include "spool/read.h"

enum {
    RECORD_MAGIC = 0x76726473, /* "sdrv" */
    RECORD_ALIGN = 8,
    BATCH_ALIGN = 4096,
    BATCH_PAYLOAD = 24,
};

enum record_type { RECORD_BATCH = 1, RECORD_CHUNK, RECORD_ENV, RECORD_NOTE,
                   RECORD_GONE, RECORD_PAD };

struct record {
    enum record_type type;
    uint64_t generation;
    uint64_t message;
    str payload;
};

/* Bytes a record with this payload takes. */
static inline size_t record_size(size_t payload)
{
    return (SPOOL_RECORD_HEAD + payload + RECORD_ALIGN - 1)
           & ~(size_t)(RECORD_ALIGN - 1);
}

/* Writes head and payload (from two parts) at to, which has room. */
void record_put(char *to, const struct record *r, str first, str second);

/* Reads the record at the start of bytes.  The payload's CRC is checked if
 * whole; ERR_CORRUPT otherwise than a valid record of this generation. */
err record_get(str bytes, uint64_t generation, bool whole, struct record *out);

struct batch_head {
    uint64_t sequence, id_max;
    uint32_t size, heads_crc, n_records;
    uint32_t n_segments;    /* 0: not said */
};
void batch_head_put(char *to, uint64_t generation,
                    const struct batch_head *head);
err batch_head_get(const struct record *r, struct batch_head *out);

#endif
