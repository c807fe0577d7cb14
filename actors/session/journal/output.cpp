// What the commands of a session have printed: into events, and into answers.
#include "actors/session/journal/session_files.hpp"

#include "runtime/api_json/records.hpp"
#include "runtime/base/utf8.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "runtime/exec/outcome.hpp"
#include "runtime/exec/output/output_index.hpp"
#include "runtime/runner/client/runner_client.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace greenroom::journal {

namespace {

// How much output one request announces before others get theirs.
constexpr std::size_t records_at_once = 64;
constexpr std::uint64_t bytes_at_once = 256 * 1024;
/// Output that goes inline into the answer of an exec, per stream.
constexpr std::size_t max_inline_output = 1024 * 1024;

// What is to be cut, and then to be encoded.
void read_once(event_data& data, const output_event_splitter& splitter,
               const std::vector<output_record>& records) {
  const auto& begins = splitter.progress().announced;
  auto ends = begins;
  for (const auto& record : records)
    ends[index_of(record.stream)] = record.offset + record.length;
  for (std::size_t i = 0; i < ends.size(); ++i)
    if (ends[i] > begins[i])
      data.bytes(splitter.exec_id(), static_cast<output_stream>(i), begins[i],
                 ends[i] - begins[i]);
}

// Takes what the files hold behind a damaged index, no more than fits. True
// where that was all, as it is where the index is not damaged.
bool take_unindexed(output_event_splitter& splitter,
                    const output_log_reader& log, const read_output& read,
                    std::vector<timeline_entry>& out) {
  if (!log.is_damaged_at(splitter.records()))
    return true;
  auto ends = splitter.progress().recorded;
  auto left = bytes_at_once;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    auto size = log.size(static_cast<output_stream>(i));
    auto more = std::min(size - std::min(size, ends[i]), left);
    ends[i] += more;
    left -= more;
  }
  splitter.take_unindexed(ends, now_ms(), read, out);
  return left == bytes_at_once;
}

// No more of the records than fit.
void cut_to(std::vector<output_record>& records, std::uint64_t bytes) {
  std::size_t taken = 0;
  for (std::uint64_t sum = 0;
       taken < records.size() && (taken == 0 || sum < bytes); ++taken)
    sum += records[taken].length;
  records.resize(taken);
}

// As much as goes inline; what does not is said.
void add_stream(nlohmann::ordered_json& json, const std::string& name,
                const output_log_reader& log, output_stream stream) {
  auto size = log.size(stream);
  std::string text(std::min<std::uint64_t>(size, max_inline_output), '\0');
  text.resize(log.read(stream, 0, text));
  auto cut = size > max_inline_output;
  // Half a character would make bytes of all the text.
  if (cut)
    text.resize(text.size() - incomplete_tail(text));
  greenroom::add_output(json, name, text);
  if (cut)
    json[name + "_cut"] = true;
}

} // namespace

std::optional<any_result> session_files::operator()(announce_output& what) {
  output_announced result;
  result.exec_id = what.exec_id;
  result.asked = what.records;
  result.finished = what.finish;
  auto splitter =
    splitters_.try_emplace(what.exec_id, output_event_splitter{what.exec_id})
      .first;
  auto before = splitter->second;
  try {
    if (!held_.empty())
      throw std::runtime_error("earlier events wait for the disk");
    announce(splitter->second, what, result);
  } catch (const std::exception& e) {
    spdlog::error("session {}: output of exec {}: {}", id_, what.exec_id,
                  e.what());
    splitter->second = std::move(before);
    result.failed = true;
  }
  result.records = splitter->second.records();
  if (result.all && what.finish)
    splitters_.erase(splitter);
  return result;
}

// Throws where the logs cannot be read or the timeline takes no more; nothing
// is announced then.
void session_files::announce(output_event_splitter& splitter,
                             const announce_output& what,
                             output_announced& result) {
  auto wanted = what.records - std::min(what.records, splitter.records());
  event_data data{dir_, id_};
  auto read = [&](output_stream stream, std::uint64_t offset,
                  std::span<char> out) {
    return data.bytes(what.exec_id, stream, offset, out.size())
      .copy(out.data(), out.size());
  };
  auto records = data.log(what.exec_id)
                   .records(splitter.records(),
                            std::min<std::uint64_t>(wanted, records_at_once));
  cut_to(records, bytes_at_once);
  // A log that is shorter than it was said to be is all there will be.
  auto all = records.size() == wanted || records.empty();
  if (what.encode)
    read_once(data, splitter, records);
  std::vector<timeline_entry> entries;
  const auto before = splitter.progress().recorded;
  splitter.take(records, read, entries);
  if (all && (what.finish || records.size() < wanted))
    all = take_unindexed(splitter, data.log(what.exec_id), read, entries);
  if (all && what.finish)
    splitter.finish(read, entries);
  auto after = timeline_ ? timeline_->last_id().seq : 0;
  if (!entries.empty()) {
    if (!write(entries))
      throw std::runtime_error("the timeline takes no events");
    result.last = entries.back().id;
  }
  syncer_->mark_dirty(exec_dir(what.exec_id));
  result.all = all;
  auto on_disk = records.size() * sizeof(index_entry);
  for (std::size_t i = 0; i < before.size(); ++i) {
    result.printed[i] = splitter.progress().recorded[i] - before[i];
    on_disk += result.printed[i];
  }
  if (bytes_on_disk_)
    *bytes_on_disk_ += on_disk;
  for (auto& record : records) {
    result.printed[index_of(record.stream)] += record.lost;
    result.truncated = result.truncated || record.lost > 0;
  }
  // Where it cannot be encoded, those who watch see that they lack it, and
  // read it from the log.
  if (what.encode && !entries.empty())
    try {
      result.batch = encode_batch(data, entries, after);
    } catch (const std::exception& e) {
      spdlog::error("session {}: events not sent: {}", id_, e.what());
    }
}

// Its exit record says how it ended, and where there is none nobody knows. One
// that cannot be read is another matter.
std::optional<any_result> session_files::operator()(settle& what) {
  auto dir = exec_dir(what.exec_id);
  settled end{what.exec_id, what.reason};
  end.outcome.status = exec_status::lost;
  end.outcome.ended_at = what.now;
  end.outcome.reason = what.reason;
  try {
    if (auto record = read_exit_record(dir)) {
      end.records = record->records;
      end.outcome = outcome_of(*record);
    } else {
      end.records = recover_output_log(dir);
      output_log_reader log{dir};
      end.outcome.stdout_bytes =
        log.size(output_stream::out) + log.size(output_stream::tty);
      end.outcome.stderr_bytes = log.size(output_stream::err);
    }
  } catch (const std::exception& e) {
    spdlog::error("session {}: how exec {} ended cannot be read yet: {}", id_,
                  what.exec_id, e.what());
    end.failed = true;
  }
  return end;
}

// What a terminal shows counts as stdout.
std::optional<any_result> session_files::operator()(add_output& what) {
  output_added result{what.who, what.exec_id, {}};
  try {
    output_log_reader log{exec_dir(what.exec_id)};
    add_stream(what.exec, "stdout", log,
               what.terminal ? output_stream::tty : output_stream::out);
    add_stream(what.exec, "stderr", log, output_stream::err);
    result.json = shared_text{to_text(what.exec)};
  } catch (const std::exception& e) {
    spdlog::error("session {}: output of exec {}: {}", id_, what.exec_id,
                  e.what());
  }
  return result;
}

} // namespace greenroom::journal
