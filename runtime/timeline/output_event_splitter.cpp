#include "runtime/timeline/output_event_splitter.hpp"

#include "runtime/base/utf8.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace greenroom {

namespace {

constexpr std::array all_streams{output_stream::out, output_stream::err,
                                 output_stream::tty};

// Bytes of an unfinished character in front of `end`, at most `most`.
std::uint64_t unfinished(output_stream stream, std::uint64_t end,
                         std::uint64_t most, const read_output& read) {
  std::array<char, 3> bytes;
  const auto size =
    static_cast<std::size_t>(std::min<std::uint64_t>(most, bytes.size()));
  if (read(stream, end - size, std::span{bytes}.first(size)) < size)
    return 0;
  return incomplete_tail({bytes.data(), size});
}

} // namespace

output_event_splitter::output_event_splitter(std::string exec_id)
  : exec_id_(std::move(exec_id)) {}

output_event_splitter
output_event_splitter::resume(const timeline_entry& last) {
  output_event_splitter result{last.exec_id};
  result.time_ = last.time;
  result.progress_ = last.progress;
  return result;
}

void output_event_splitter::take(std::span<const output_record> records,
                                 const read_output& read,
                                 std::vector<timeline_entry>& out) {
  // A crash may have come between two events of one earlier take.
  for (auto stream : all_streams)
    drain(stream, rest::wait, 0, read, out);
  auto current = output_stream::out;
  std::uint64_t lost = 0; // in front of what `current` has pending
  for (const auto& record : records) {
    const bool gap = record.lost > 0;
    if (record.stream != current || gap)
      drain(current, rest::wait, std::exchange(lost, 0), read, out);
    current = record.stream;
    if (gap)
      drain(current, rest::release, 0, read, out);
    // From here on events count this record as taken in, so nothing that came
    // before it on another stream may still be pending.
    ++progress_.records;
    auto& end = progress_.recorded[index_of(current)];
    end = std::max(end, record.offset + record.length);
    lost += record.lost;
    time_ = record.time;
  }
  drain(current, rest::wait, lost, read, out);
}

void output_event_splitter::take_unindexed(
  const std::array<std::uint64_t, output_streams>& ends, unix_ms now,
  const read_output& read, std::vector<timeline_entry>& out) {
  time_ = now;
  for (auto stream : all_streams) {
    auto& end = progress_.recorded[index_of(stream)];
    end = std::max(end, ends[index_of(stream)]);
    drain(stream, rest::wait, 0, read, out);
  }
}

void output_event_splitter::finish(const read_output& read,
                                   std::vector<timeline_entry>& out) {
  for (auto stream : all_streams)
    drain(stream, rest::release, 0, read, out);
}

// Makes events of what a stream has pending, and one without bytes if there is
// nothing but a loss to tell.
void output_event_splitter::drain(output_stream stream, rest held,
                                  std::uint64_t lost, const read_output& read,
                                  std::vector<timeline_entry>& out) {
  auto& begin = progress_.announced[index_of(stream)];
  const auto end = progress_.recorded[index_of(stream)];
  while (begin < end || lost > 0) {
    const bool whole = end - begin <= max_output_event;
    auto length = std::min<std::uint64_t>(end - begin, max_output_event);
    if (length > 0 && !(whole && held == rest::release))
      length -= unfinished(stream, begin + length, length, read);
    if (length == 0 && lost == 0)
      return;
    timeline_entry entry;
    entry.kind = event_kind::exec_output;
    entry.time = time_;
    entry.exec_id = exec_id_;
    entry.stream = stream;
    entry.offset = begin;
    entry.length = static_cast<std::uint32_t>(length);
    entry.lost = std::exchange(lost, 0);
    begin += length;
    entry.progress = progress_;
    out.push_back(std::move(entry));
  }
}

} // namespace greenroom
