#include "runtime/timeline/timeline_record.hpp"

#include <zlib.h>

#include <bit>
#include <cstring>
#include <stdexcept>

namespace greenroom {

static_assert(std::endian::native == std::endian::little,
              "records are copied to disk as they lie in memory");

namespace {

constexpr std::uint8_t format_1 = 1;

// offset, length, lost, records, announced, recorded
constexpr std::size_t output_size = 8 + 4 + 8 + 8 + 2 * 8 * output_streams;

std::uint32_t checksum(std::string_view bytes) noexcept {
  return static_cast<std::uint32_t>(::crc32_z(
    0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

template <class T>
T take(std::string_view& bytes) noexcept {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

} // namespace

void append_record(std::string& out, const timeline_entry& entry,
                   std::uint64_t newest_version) {
  const bool output = entry.kind == event_kind::exec_output;
  const auto size = record_header_size + entry.exec_id.size()
                    + (output ? output_size : entry.data.size());
  if (size > max_record_size)
    throw std::length_error("an event of " + std::to_string(size)
                            + " bytes is too large for a timeline");
  const auto begin = out.size();
  out.reserve(begin + size);
  put(out, static_cast<std::uint32_t>(size));
  put(out, std::uint32_t{0}); // the checksum, below
  put(out, entry.id.seq);
  put(out, entry.id.epoch);
  put(out, entry.time);
  put(out, newest_version);
  put(out, format_1);
  put(out, static_cast<std::uint8_t>(entry.kind));
  put(out, static_cast<std::uint8_t>(entry.version != 0));
  put(out, static_cast<std::uint8_t>(entry.stream));
  put(out, static_cast<std::uint32_t>(entry.exec_id.size()));
  out += entry.exec_id;
  if (output) {
    put(out, entry.offset);
    put(out, entry.length);
    put(out, entry.lost);
    put(out, entry.progress.records);
    for (auto end : entry.progress.announced)
      put(out, end);
    for (auto end : entry.progress.recorded)
      put(out, end);
  } else {
    out += entry.data;
  }
  auto sum = checksum(std::string_view{out}.substr(begin + 8));
  std::memcpy(out.data() + begin + 4, &sum, sizeof sum);
}

std::size_t claimed_record_size(std::string_view bytes) noexcept {
  if (bytes.size() < record_header_size)
    return 0;
  const auto size = take<std::uint32_t>(bytes);
  return size < record_header_size || size > max_record_size ? 0 : size;
}

std::optional<timeline_record> read_record(std::string_view bytes) {
  timeline_record result;
  const auto size = claimed_record_size(bytes);
  if (size == 0 || size > bytes.size())
    return std::nullopt;
  result.size = static_cast<std::uint32_t>(size);
  bytes = bytes.substr(4, size - 4);
  if (take<std::uint32_t>(bytes) != checksum(bytes))
    return std::nullopt;
  auto& entry = result.entry;
  entry.id.seq = take<std::uint64_t>(bytes);
  entry.id.epoch = take<std::uint64_t>(bytes);
  entry.time = take<unix_ms>(bytes);
  result.newest_version = take<std::uint64_t>(bytes);
  const auto format = take<std::uint8_t>(bytes);
  const auto kind = take<std::uint8_t>(bytes);
  const auto has_version = take<std::uint8_t>(bytes);
  const auto stream = take<std::uint8_t>(bytes);
  const auto name_size = take<std::uint32_t>(bytes);
  if (format != format_1 || kind >= event_kind_count || stream >= output_streams
      || name_size > bytes.size())
    throw std::runtime_error("event " + to_string(entry.id)
                             + " was written in a form that this version of "
                               "greenroom does not know");
  entry.kind = static_cast<event_kind>(kind);
  entry.version = has_version != 0 ? result.newest_version : 0;
  entry.stream = static_cast<output_stream>(stream);
  entry.exec_id = bytes.substr(0, name_size);
  bytes.remove_prefix(name_size);
  if (entry.kind != event_kind::exec_output) {
    entry.data = bytes;
    return result;
  }
  if (bytes.size() != output_size)
    return std::nullopt;
  entry.offset = take<std::uint64_t>(bytes);
  entry.length = take<std::uint32_t>(bytes);
  entry.lost = take<std::uint64_t>(bytes);
  entry.progress.records = take<std::uint64_t>(bytes);
  for (auto& end : entry.progress.announced)
    end = take<std::uint64_t>(bytes);
  for (auto& end : entry.progress.recorded)
    end = take<std::uint64_t>(bytes);
  return result;
}

} // namespace greenroom
