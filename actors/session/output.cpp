// What the commands of a session print.
#include "actors/session/session.hpp"

#include "runtime/disk/fsync_queue.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/timeline/event_encoding.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <stdexcept>

namespace greenroom {

namespace event = session::event;

namespace {

// How much output one turn of the actor announces before others get theirs.
constexpr std::size_t records_per_turn = 64;
constexpr std::uint64_t bytes_per_turn = 256 * 1024;

} // namespace

void session_actor_state::go_on_soon(const std::string& exec_id,
                                     live_exec& exec) {
  if (!std::exchange(exec.going_on, true))
    self_->send(self_, continue_output{exec_id});
}

// Announces what the log has and the timeline has not, a bounded piece a turn,
// so that others get theirs in between; the exec's end comes after its last
// byte.
void session_actor_state::pump_output(const std::string& exec_id) {
  auto found = live_.find(exec_id);
  if (found == live_.end() || !backlog_.empty())
    return;
  auto& exec = found->second;
  if (exec.cutter.records() == exec.records && !exec.end)
    return;
  auto before = exec.cutter;
  bool all = false;
  try {
    all = announce_piece(exec_id, exec);
  } catch (const std::exception& e) {
    spdlog::error("session {}: output of exec {}: {}", id(), exec_id, e.what());
    exec.cutter = std::move(before);
    if (!std::exchange(retrying_, true))
      self_->delayed_send(self_, std::chrono::seconds{1}, retry_later{});
    return;
  }
  if (!all)
    go_on_soon(exec_id, exec);
  else if (exec.end)
    feed(event::exec_done{exec_id, *exec.end});
}

// What is to be cut, and then to be encoded.
void session_actor_state::read_once(event_data& data, const live_exec& exec,
                                    const std::vector<output_record>& records) {
  const auto& begins = exec.cutter.progress().announced;
  auto ends = begins;
  for (const auto& record : records)
    ends[index_of(record.stream)] = record.offset + record.length;
  for (std::size_t i = 0; i < ends.size(); ++i)
    if (ends[i] > begins[i])
      data.bytes(exec.cutter.exec_id(), static_cast<output_stream>(i),
                 begins[i], ends[i] - begins[i]);
}

// True if that was all. Throws where the logs cannot be read or the timeline
// takes no more; nothing is announced then.
bool session_actor_state::announce_piece(const std::string& exec_id,
                                         live_exec& exec) {
  std::vector<timeline_entry> entries;
  auto wanted = exec.records - std::min(exec.records, exec.cutter.records());
  event_data data{dir_, id()};
  auto read = [&](output_stream stream, std::uint64_t offset,
                  std::span<char> out) {
    return data.bytes(exec_id, stream, offset, out.size())
      .copy(out.data(), out.size());
  };
  auto records = data.log(exec_id).records(
    exec.cutter.records(), std::min<std::uint64_t>(wanted, records_per_turn));
  std::size_t taken = 0;
  for (std::uint64_t bytes = 0;
       taken < records.size() && (taken == 0 || bytes < bytes_per_turn);
       ++taken)
    bytes += records[taken].length;
  // A log that is shorter than it was said to be is all there will be.
  auto all = taken == wanted || records.empty();
  records.resize(taken);
  if (!live_watchers_.empty())
    read_once(data, exec, records);
  exec.cutter.take(records, read, entries);
  if (all && exec.end)
    exec.cutter.finish(read, entries);
  if (!entries.empty()) {
    auto after = timeline_->last_id().seq;
    if (!append(entries))
      throw std::runtime_error("the timeline takes no events");
    broadcast(data, entries, after);
  }
  for (auto& record : records) {
    exec.printed[index_of(record.stream)] += record.length + record.lost;
    exec.truncated = exec.truncated || record.lost > 0;
  }
  if (taken > 0)
    look_soon();
  context_->syncer->mark_dirty(exec_dir(exec_id));
  return all;
}

} // namespace greenroom
