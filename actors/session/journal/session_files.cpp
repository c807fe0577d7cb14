#include "actors/session/journal/session_files.hpp"

#include "actors/session/journal/refusals.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/base/sizes.hpp"
#include "runtime/disk/disk_reserve.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "runtime/exec/output/dropped_output.hpp"
#include "runtime/exec/spec.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <system_error>
#include <utility>

namespace greenroom::journal {

namespace fs = std::filesystem;

session_files::session_files(const fs::path& data_dir, std::string session_id,
                             fsync_queue* syncer, std::uint64_t max_output,
                             refusals* refused)
  : data_dir_(data_dir.string()), dir_(session_dir(data_dir_, session_id)),
    id_(std::move(session_id)), syncer_(syncer), max_output_(max_output),
    refused_(refused) {}

void session_files::close() noexcept {
  if (refused_ != nullptr)
    refused_->taken(id_);
}

std::optional<any_result> session_files::perform(any_request& what) {
  return std::visit([this](auto& x) { return (*this)(x); }, what);
}

fs::path session_files::exec_dir(const std::string& exec_id) const {
  return dir_ / runner::exec_dir(exec_id);
}

std::optional<any_result> session_files::operator()(open& what) {
  opened result;
  try {
    project_id_ = what.record.project_id;
    epoch_ = what.record.epoch;
    removed_ = what.had_files && !fs::exists(fs::symlink_status(dir_));
    open_files(what);
    if (what.revived)
      recover(what, result);
  } catch (...) {
    result.problem = std::current_exception();
  }
  if (timeline_)
    result.last = timeline_->last_id();
  result.waiting = !held_.empty();
  return result;
}

// One that is to end as failed has to end: what cannot be opened is set aside,
// for whoever can make something of it.
void session_files::open_files(const open& what) {
  auto try_it = [&] {
    fs::create_directories(dir_ / "exec");
    open_timeline(what);
  };
  try {
    try_it();
  } catch (const std::exception& e) {
    if (!what.at_any_price)
      throw;
    spdlog::error("session {}: its files are set aside as *.unreadable: {}",
                  id_, e.what());
    timeline_.reset();
    for (std::string_view file :
         {"timeline", "timeline.index", "execs.index", "exec"})
      if (file != "exec" || !fs::is_directory(dir_ / file)) {
        std::error_code absent;
        auto aside = dir_ / file;
        aside += ".unreadable";
        fs::rename(dir_ / file, aside, absent);
      }
    try_it();
  }
}

// -- the timeline -------------------------------------------------------------

// Numbers the entries and hands them to the kernel. False where the disk does
// not take them; the timeline is then as it was.
bool session_files::write(std::vector<timeline_entry>& entries) {
  if (!timeline_)
    return false; // it could not be opened: the session ends
  auto seq = timeline_->last_id().seq;
  for (auto& entry : entries)
    entry.id = {epoch_, ++seq};
  // On a full disk what ends a session, or a command, has room in the reserve:
  // no other begins meanwhile.
  const auto may_spend = std::ranges::any_of(entries, [](const auto& entry) {
    return entry.kind == event_kind::session_ended
           || entry.kind == event_kind::exec_exited;
  });
  for (bool again = true; again;)
    try {
      timeline_->append(entries);
      again = false;
    } catch (const std::exception& e) {
      if (may_spend && disk_reserve{data_dir_}.spend())
        continue;
      spdlog::error("session {}: the timeline takes no events: {}", id_,
                    e.what());
      note_refusal(e);
      return false;
    }
  if (refused_ != nullptr)
    refused_->taken(id_);
  if (bytes_on_disk_)
    for (const auto& entry : entries)
      *bytes_on_disk_ += entry.data.size();
  syncer_->mark_dirty(dir_);
  for (auto& entry : entries)
    if (entry.kind == event_kind::exec_exited) { // with its exit record
      drop_first_input(entry.exec_id);
      syncer_->mark_dirty(exec_dir(entry.exec_id));
    }
  return true;
}

// Of one that ended before it was fed.
void session_files::drop_first_input(const std::string& exec_id) const {
  ::unlink((exec_dir(exec_id) / runner::input_file).c_str());
}

// What is not held is not written again by itself.
void session_files::note_refusal(const std::exception& fault) {
  const auto* system = dynamic_cast<const std::system_error*>(&fault);
  if (refused_ == nullptr || system == nullptr)
    return;
  for (auto taken_away :
       {std::errc::no_such_file_or_directory, std::errc::not_a_directory,
        std::errc::is_a_directory, std::errc::too_many_symbolic_link_levels})
    if (system->code() == taken_away)
      return;
  refused_->refused(id_, fault.what(), !held_.empty());
}

void session_files::hold(append& what) {
  std::ranges::move(what.entries, std::back_inserter(held_));
  ++held_requests_;
}

any_result session_files::flush() {
  auto requests = std::exchange(held_requests_, 0);
  if (!held_.empty() && !write(held_))
    return not_appended{requests};
  return appended{std::exchange(held_, {}), requests};
}

std::optional<any_result> session_files::operator()(make_room&) {
  return room_made{disk_reserve{data_dir_}.spend()};
}

std::optional<any_result> session_files::operator()(append& what) {
  hold(what);
  return flush();
}

// -- intents ------------------------------------------------------------------

// The event does not wait for the disk: what is not in the timeline would be
// forgotten by a crash, though it runs.
std::optional<any_result> session_files::operator()(keep_intent& what) {
  intent_kept result{what.spec.exec_id, std::nullopt};
  result.problem = why_full(what);
  if (result.problem || !held_.empty() || !write_intent(what))
    return result;
  std::vector<timeline_entry> entries;
  entries.push_back(std::move(what.queued));
  if (write(entries)) {
    result.queued = std::move(entries.front());
    result.sent = what.spawn && send(what);
  } else {
    std::error_code none;
    fs::remove_all(exec_dir(what.spec.exec_id), none);
  }
  return result;
}

// A directory and four small files, each a block.
constexpr std::uint64_t files_of_exec = 5 * 4096;

std::uint64_t session_files::bytes_on_disk() {
  if (!bytes_on_disk_) {
    std::error_code absent;
    auto events = fs::file_size(dir_ / "timeline", absent);
    bytes_on_disk_ = size_of_output(dir_) + (absent ? 0 : events);
  }
  return *bytes_on_disk_;
}

// Of a session that has printed too much a later command still says something.
void session_files::limit_output(keep_intent& what) {
  constexpr std::uint64_t least = 64 << 10;
  if (max_output_ == 0)
    return;
  auto left = max_output_ - std::min(max_output_, bytes_on_disk());
  what.command.max_output =
    std::min(what.command.max_output, std::max(left, least));
}

// Small ones, and what they say, are not without end either.
std::optional<refusal> session_files::why_full(const keep_intent& what) {
  auto size = text_size(what.spec) + files_of_exec;
  if (max_output_ == 0
      || bytes_on_disk() + size <= max_output_ + max_output_ / 16)
    return std::nullopt;
  return refusal{errc::quota_exceeded,
                 "the commands of this session and what they printed take "
                   + format_size(max_output_)
                   + " of disk, as much as they may (exec.max_session_output);"
                     " go on in another session"};
}

bool session_files::write_intent(keep_intent& what) {
  auto dir = exec_dir(what.spec.exec_id);
  try {
    // One that nobody knows was never admitted: the node died first.
    if (fs::exists(dir))
      fs::remove_all(dir);
    limit_output(what);
    const auto size =
      keep_exec(dir, what.spec, what.command, what.input.view());
    bytes_on_disk_ = bytes_on_disk() + size + files_of_exec;
    syncer_->mark_dirty(dir.parent_path());
    syncer_->mark_dirty(dir);
    return true;
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {} cannot be written down: {}", id_,
                  what.spec.exec_id, e.what());
    return false;
  }
}

bool session_files::mark(const std::string& exec_id, bool sent) {
  try {
    greenroom::mark_sent(exec_dir(exec_id), sent);
    syncer_->mark_dirty(exec_dir(exec_id));
    return true;
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {}: {}", id_, exec_id, e.what());
    return false;
  }
}

bool session_files::send(const keep_intent& what) {
  const auto& exec_id = what.spec.exec_id;
  if (!mark(exec_id, true))
    return false;
  auto sent = what.spawn();
  if (!sent)
    mark(exec_id, false);
  return sent;
}

std::optional<any_result> session_files::operator()(mark_sent& what) {
  return sent_marked{what.exec_id, mark(what.exec_id, true)};
}

} // namespace greenroom::journal
