#include "runtime/events/encode.hpp"

#include "runtime/base/timestamps.hpp"
#include "runtime/events/json_text.hpp"
#include "runtime/events/utf8.hpp"

#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace greenroom {

namespace {

// Enough for the execs that print at the same time; each may hold four
// descriptors.
constexpr std::size_t max_open_logs = 8;

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

void append_output_json(std::string& out, std::string_view session_id,
                        const timeline_entry& entry, std::string_view bytes) {
  auto lost = entry.lost;
  if (bytes.size() < entry.length) {
    lost += entry.length;
    bytes = {};
  }
  const bool text = is_utf8(bytes);
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
  if (text) {
    append_json_string(out, bytes);
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

} // namespace

std::string output_data_json(std::string_view session_id,
                             const timeline_entry& entry,
                             std::string_view bytes) {
  std::string result;
  append_output_json(result, session_id, entry, bytes);
  return result;
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
  out += "id: ";
  append_id(out, id);
  out += "\nevent: ";
  out += to_string(kind);
  out += "\ndata: ";
  out += data_json;
  out += "\n\n";
}

// -- event_data ---------------------------------------------------------------

event_data::event_data(std::filesystem::path session_dir,
                       std::string session_id)
  : session_dir_(std::move(session_dir)), session_id_(std::move(session_id)) {}

std::string_view event_data::json(const timeline_entry& entry) {
  if (entry.kind != event_kind::exec_output)
    return entry.data;
  auto log = logs_.find(entry.exec_id);
  if (log == logs_.end()) {
    if (logs_.size() == max_open_logs)
      logs_.clear();
    log =
      logs_.try_emplace(entry.exec_id, session_dir_ / "exec" / entry.exec_id)
        .first;
  }
  bytes_.resize(entry.length);
  bytes_.resize(log->second.read(entry.stream, entry.offset, bytes_));
  json_.clear();
  append_output_json(json_, session_id_, entry, bytes_);
  return json_;
}

// -- batches ------------------------------------------------------------------

batch_builder::batch_builder(std::filesystem::path session_dir,
                             std::string_view session_id, std::uint64_t after)
  : data_(std::move(session_dir), std::string{session_id}) {
  batch_.after = batch_.last = after;
}

void batch_builder::add(const timeline_entry& entry, bool wanted) {
  if (entry.id.seq != batch_.last + 1)
    throw std::logic_error("event " + to_string(entry.id)
                           + " does not continue its batch");
  if (wanted) {
    event_slice slice{entry.id.seq, entry.kind, entry.exec_id,
                      static_cast<std::uint32_t>(text_.size())};
    append_sse(text_, entry.id, entry.kind, data_.json(entry));
    batch_.slices.push_back(std::move(slice));
  }
  batch_.last = entry.id.seq;
  batch_.end = entry.kind == event_kind::session_ended;
}

event_batch batch_builder::finish() && {
  if (!text_.empty())
    batch_.text = shared_text{std::move(text_)};
  return std::move(batch_);
}

event_batch encode_batch(const std::filesystem::path& session_dir,
                         std::string_view session_id,
                         std::span<const timeline_entry> entries,
                         std::uint64_t after) {
  batch_builder builder{session_dir, session_id, after};
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
