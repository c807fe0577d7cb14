#include "runtime/timeline/event_encoding.hpp"

#include "runtime/base/json_text.hpp"
#include "runtime/base/timestamps.hpp"
#include "runtime/base/utf8.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace greenroom {

namespace {

// Enough for the execs that print at the same time; each may hold four
// descriptors.
constexpr std::size_t max_open_logs = 8;

// What an event takes besides its bytes, about.
constexpr std::size_t event_overhead = 256;

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  out.append(digits.begin(), end);
}

void append_id(std::string& out, const event_id& id) {
  append_number(out, id.epoch);
  out += '-';
  append_number(out, id.seq);
}

void append_sse_head(std::string& out, event_kind kind) {
  out += "event: ";
  out += to_string(kind);
  out += "\ndata: ";
}

void append_sse_tail(std::string& out, const event_id& id) {
  out += "\nid: ";
  append_id(out, id);
  out += "\n\n";
}

} // namespace

void append_output_json(std::string& out, std::string_view session_id,
                        const timeline_entry& entry, std::string_view bytes) {
  auto lost = entry.lost;
  if (bytes.size() < entry.length) {
    lost += entry.length;
    bytes = {};
  }
  out += R"({"time":")";
  out += format_rfc3339(entry.time);
  out += R"(","session_id":")";
  out += session_id;
  out += R"(","exec_id":")";
  out += entry.exec_id;
  out += R"(","stream":")";
  out += name(entry.stream);
  out += R"(","offset":)";
  append_number(out, entry.offset);
  out += R"(,"data":)";
  // Control characters take six each, by which binary data is known that is
  // valid UTF-8; other text that is escaped is twice as long at most, and stays
  // what its readers can read.
  if (is_utf8(bytes)
      && append_json_string_within(out, bytes, 2 * bytes.size())) {
    out += R"(,"encoding":"utf-8")";
  } else {
    out += '"';
    append_base64(out, bytes);
    out += R"(","encoding":"base64")";
  }
  if (lost > 0) {
    out += R"(,"lost":)";
    append_number(out, lost);
  }
  out += '}';
}

std::string gap_data_json(unix_ms time, std::string_view session_id,
                          const event_id& requested,
                          const event_id& first_available) {
  std::string result = R"({"time":")";
  result += format_rfc3339(time);
  result += R"(","session_id":")";
  result += session_id;
  result += R"(","requested":")";
  append_id(result, requested);
  result += R"(","first_available":")";
  append_id(result, first_available);
  result += R"("})";
  return result;
}

void append_sse(std::string& out, const event_id& id, event_kind kind,
                std::string_view data_json) {
  append_sse_head(out, kind);
  out += data_json;
  append_sse_tail(out, id);
}

// -- event_data ---------------------------------------------------------------

event_data::event_data(std::filesystem::path session_dir,
                       std::string session_id, std::size_t ahead)
  : session_dir_(std::move(session_dir)), session_id_(std::move(session_id)),
    ahead_(ahead) {}

void event_data::append_json(std::string& out, const timeline_entry& entry) {
  if (entry.kind == event_kind::exec_output)
    append_output_json(out, session_id_, entry,
                       bytes(entry.exec_id, entry.stream, entry.offset,
                             entry.length,
                             entry.progress.recorded[index_of(entry.stream)]));
  else
    out += entry.data;
}

const output_log_reader& event_data::log(std::string_view exec_id) {
  return opened(exec_id).reader;
}

std::string_view event_data::bytes(std::string_view exec_id,
                                   output_stream stream, std::uint64_t offset,
                                   std::size_t length,
                                   std::uint64_t known_end) {
  auto& from = opened(exec_id);
  auto& at_hand = from.windows[static_cast<std::size_t>(stream)];
  if (offset < at_hand.offset
      || offset + length > at_hand.offset + at_hand.size) {
    const auto known = known_end - std::min(offset, known_end);
    const auto size =
      std::max<std::uint64_t>(length, std::min<std::uint64_t>(ahead_, known));
    at_hand.size = 0; // while it may throw
    if (at_hand.room < size) {
      at_hand.room = 0;
      at_hand.bytes = std::make_unique_for_overwrite<char[]>(size);
      at_hand.room = size;
    }
    at_hand.offset = offset;
    at_hand.size =
      from.reader.read(stream, offset, {at_hand.bytes.get(), size});
  }
  const auto begin = static_cast<std::size_t>(offset - at_hand.offset);
  return {at_hand.bytes.get() + begin,
          std::min(length, at_hand.size - std::min(begin, at_hand.size))};
}

event_data::open_log& event_data::opened(std::string_view exec_id) {
  auto found = logs_.find(exec_id);
  if (found != logs_.end())
    return found->second;
  if (logs_.size() == max_open_logs) {
    logs_.clear();
    ahead_ = 0; // what is read ahead would be dropped unused
  }
  std::string name{exec_id};
  auto dir = session_dir_ / "exec" / name;
  return logs_.try_emplace(std::move(name), std::move(dir)).first->second;
}

// -- batches ------------------------------------------------------------------

batch_builder::batch_builder(event_data& data, std::uint64_t after,
                             std::size_t expected_size)
  : data_(data) {
  batch_.after = batch_.last = after;
  text_.reserve(expected_size);
}

void batch_builder::add(const timeline_entry& entry, bool wanted) {
  if (entry.id.seq != batch_.last + 1)
    throw std::logic_error("event " + to_string(entry.id)
                           + " does not continue its batch");
  if (wanted) {
    event_slice slice{entry.id.seq, entry.kind, entry.exec_id,
                      static_cast<std::uint32_t>(text_.size())};
    append_sse_head(text_, entry.kind);
    data_.append_json(text_, entry);
    append_sse_tail(text_, entry.id);
    batch_.slices.push_back(std::move(slice));
  }
  batch_.last = entry.id.seq;
  batch_.end = entry.kind == event_kind::session_ended;
}

event_batch batch_builder::finish() && {
  // Slow clients hold it for long.
  if (text_.capacity() / 2 > text_.size())
    text_.shrink_to_fit();
  if (!text_.empty())
    batch_.text = shared_text{std::move(text_)};
  return std::move(batch_);
}

event_batch encode_batch(event_data& data,
                         std::span<const timeline_entry> entries,
                         std::uint64_t after) {
  std::size_t size = 0;
  for (const auto& entry : entries)
    size += event_overhead + entry.data.size() + entry.length;
  // As base64, should it be that; what is not used takes no memory.
  batch_builder builder{data, after, size + size / 3};
  for (const auto& entry : entries)
    builder.add(entry);
  return std::move(builder).finish();
}

std::vector<std::string_view> select(const event_batch& batch,
                                     const event_filter& filter) {
  std::vector<std::string_view> result;
  const auto text = batch.text.view();
  const auto& slices = batch.slices;
  bool joins = false; // the slice before passed
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const bool passes = filter.accepts(slices[i].kind, slices[i].exec_id);
    if (passes) {
      const auto begin = slices[i].begin;
      const auto end =
        i + 1 < slices.size() ? slices[i + 1].begin : text.size();
      if (joins)
        result.back() = {result.back().data(),
                         result.back().size() + (end - begin)};
      else
        result.push_back(text.substr(begin, end - begin));
    }
    joins = passes;
  }
  return result;
}

} // namespace greenroom
