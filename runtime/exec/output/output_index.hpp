// The bytes of an index record of an output log; see output_log.hpp.
//
// 40 bytes in the machine's byte order, which is little-endian wherever
// Greenroom runs: a log never leaves the machine in this form.
#pragma once

#include "runtime/exec/output/output_log.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace greenroom {

static_assert(std::endian::native == std::endian::little);

struct index_entry {
  std::int64_t time;
  std::uint64_t offset;
  std::uint64_t lost;
  std::uint32_t length;
  std::uint32_t data_crc;
  std::uint32_t stream;
  std::uint32_t record_crc; // of all before it
};

static_assert(sizeof(index_entry) == 40);

std::uint32_t output_checksum(std::span<const char> data) noexcept;

index_entry to_entry(const output_record& record) noexcept;

/// Nothing where the record is torn or is no record at all.
std::optional<output_record> from_entry(const index_entry& raw) noexcept;

} // namespace greenroom
