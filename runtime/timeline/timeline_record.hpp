// The binary form of a timeline entry, for runtime/timeline only.
//
// Integers are little-endian. A record is a header of 48 bytes, the exec's id,
// and then the data, or for exec.output its place and progress:
//
//   0 u32 size of the whole record    32 u64 newest version up to here
//   4 u32 CRC-32 of all that follows 40 u8  format, 1
//   8 u64 seq                         41 u8  kind
//  16 u64 epoch                       42 u8  1: this entry has that version
//  24 i64 time                        43 u8  stream
//                                     44 u32 length of the exec's id
//
// Each record repeats the newest version, so that the last one alone tells how
// far a timeline has followed the store.
#pragma once

#include "runtime/timeline/timeline_entry.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom {

inline constexpr std::size_t record_header_size = 48;

/// No record is larger; what claims to be is damaged.
inline constexpr std::size_t max_record_size = 4 << 20;

struct timeline_record {
  timeline_entry entry;
  std::uint64_t newest_version = 0;
  std::uint32_t size = 0;
};

/// Throws std::length_error when the entry is too large to be kept.
void append_record(std::string& out, const timeline_entry& entry,
                   std::uint64_t newest_version);

/// The size that a record's first bytes claim; 0 when they cannot be a record.
std::size_t claimed_record_size(std::string_view bytes) noexcept;

/// Reads the record at the start of `bytes`; nullopt when it is cut short or
/// damaged. Throws std::runtime_error on an intact record of an unknown format.
std::optional<timeline_record> read_record(std::string_view bytes);

} // namespace greenroom
