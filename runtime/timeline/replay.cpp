#include "runtime/timeline/replay.hpp"

#include "runtime/base/json_text.hpp"
#include "runtime/timeline/event_encoding.hpp"
#include "runtime/timeline/timeline.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace greenroom {

namespace {

// Read at a time, and by one call at most: parts, so that a short answer does
// not parse much more than it shows.
constexpr std::size_t part_bytes = 64 * 1024;
constexpr std::size_t part_entries = 512;
constexpr std::size_t max_parts = 64;

// Output is read in pieces of this size.
constexpr std::size_t read_ahead = 64 * 1024;

// Calls visit(entry) for the events after `after_seq` until it returns false
// or a call has read enough.
template <class Visit>
void walk(const timeline_reader& reader, std::uint64_t after_seq, Visit visit) {
  for (std::size_t part = 0; part < max_parts; ++part) {
    auto entries = reader.entries(after_seq, part_entries, part_bytes);
    if (entries.empty())
      return;
    for (const auto& entry : entries)
      if (!visit(entry))
        return;
    after_seq = entries.back().id.seq;
  }
}

bool is_end(const timeline_reader& reader, std::uint64_t seq) {
  if (seq == 0)
    return false;
  auto entries = reader.entries(seq - 1, 1, part_bytes);
  return !entries.empty() && entries[0].kind == event_kind::session_ended;
}

} // namespace

event_batch replay_events(const std::filesystem::path& session_dir,
                          std::string_view session_id, std::uint64_t after_seq,
                          const event_filter& filter, std::size_t max_bytes) {
  timeline_reader reader{session_dir};
  after_seq = std::max(after_seq, reader.base());
  const auto last = std::max(reader.last_seq(), after_seq);
  const auto expected =
    std::min<std::uint64_t>(max_bytes, (last - after_seq) * max_output_event);
  event_data data{session_dir, std::string{session_id},
                  std::min(read_ahead, max_bytes)};
  batch_builder builder{data, after_seq, expected};
  walk(reader, after_seq, [&](const timeline_entry& entry) {
    builder.add(entry, filter.accepts(entry.kind, entry.exec_id));
    return entry.kind != event_kind::session_ended
           && builder.text_size() < max_bytes;
  });
  auto batch = std::move(builder).finish();
  if (batch.last == after_seq)
    batch.end = is_end(reader, after_seq);
  return batch;
}

timeline_text read_timeline_json(const std::filesystem::path& session_dir,
                                 std::string_view session_id,
                                 std::uint64_t after_seq, std::size_t limit,
                                 std::size_t max_bytes,
                                 const event_filter& filter) {
  timeline_reader reader{session_dir};
  event_data data{session_dir, std::string{session_id},
                  std::min(read_ahead, max_bytes)};
  timeline_text page{"[", after_seq, false};
  std::size_t count = 0;
  if (limit > 0)
    walk(reader, after_seq, [&](const timeline_entry& entry) {
      page.last_seq = entry.id.seq;
      if (!filter.accepts(entry.kind, entry.exec_id))
        return true;
      page.json += count == 0 ? R"({"id":")" : R"(,{"id":")";
      page.json += to_string(entry.id);
      page.json += R"(","type":")";
      page.json += to_string(entry.kind);
      page.json += R"(","data":)";
      data.append_json(page.json, entry);
      page.json += '}';
      return ++count < limit && page.json.size() < max_bytes;
    });
  page.json += ']';
  page.more = page.last_seq < reader.last_seq();
  return page;
}

std::map<std::string, output_event_splitter>
resume_splitters(const std::filesystem::path& session_dir,
                 std::span<const std::string> exec_ids) {
  timeline_reader reader{session_dir};
  std::map<std::string, output_event_splitter> result;
  std::set<std::string, std::less<>> open{exec_ids.begin(), exec_ids.end()};
  for (auto seq = reader.last_seq(); seq > reader.base() && !open.empty();) {
    // Backwards in parts, each read forwards in one go.
    auto after =
      seq > reader.base() + part_entries ? seq - part_entries : reader.base();
    auto entries = reader.entries(after, seq - after, SIZE_MAX);
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      const bool output = entry->kind == event_kind::exec_output;
      const bool begin = entry->kind == event_kind::exec_started
                         || entry->kind == event_kind::exec_queued;
      if ((!output && !begin) || open.erase(entry->exec_id) == 0)
        continue;
      result.emplace(entry->exec_id, output
                                       ? output_event_splitter::resume(*entry)
                                       : output_event_splitter{entry->exec_id});
    }
    seq = after;
  }
  for (const auto& exec_id : open)
    result.emplace(exec_id, output_event_splitter{exec_id});
  return result;
}

} // namespace greenroom
