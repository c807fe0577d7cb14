#include "runtime/exec/output/output_index.hpp"

#include <zlib.h>

namespace greenroom {

namespace {

std::uint32_t own_checksum(const index_entry& entry) noexcept {
  return output_checksum(
    {reinterpret_cast<const char*>(&entry), offsetof(index_entry, record_crc)});
}

} // namespace

std::uint32_t output_checksum(std::span<const char> data) noexcept {
  return static_cast<std::uint32_t>(::crc32_z(
    0, reinterpret_cast<const unsigned char*>(data.data()), data.size()));
}

index_entry to_entry(const output_record& record) noexcept {
  index_entry result{record.time,
                     record.offset,
                     record.lost,
                     record.length,
                     record.data_crc,
                     static_cast<std::uint32_t>(record.stream),
                     0};
  result.record_crc = own_checksum(result);
  return result;
}

std::optional<output_record> from_entry(const index_entry& raw) noexcept {
  if (raw.stream >= output_streams || raw.record_crc != own_checksum(raw))
    return std::nullopt;
  return output_record{raw.time,   static_cast<output_stream>(raw.stream),
                       raw.offset, raw.length,
                       raw.lost,   raw.data_crc};
}

} // namespace greenroom
