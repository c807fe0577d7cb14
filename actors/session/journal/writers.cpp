#include "actors/session/journal/writers.hpp"

#include "runtime/base/guarded.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom::journal {

namespace {

void report(const char* why) {
  spdlog::error("a session's files: {}", why);
}

} // namespace

// -- a writer -----------------------------------------------------------------

writer::writer() : thread_([this] { run(); }) {}

writer::~writer() {
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool writer::post(file_channel_ptr from, any_request what,
                  std::size_t max_queued) {
  {
    std::lock_guard guard{mutex_};
    if (queue_.size() >= max_queued && may_be_refused(what))
      return false;
    queue_.push_back({std::move(from), std::move(what), clock::now()});
  }
  changed_.notify_one();
  return true;
}

std::chrono::milliseconds writer::lag() const {
  std::lock_guard guard{mutex_};
  auto oldest = working_since_;
  if (oldest == clock::time_point{}) {
    if (queue_.empty())
      return {};
    oldest = queue_.front().since;
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock::now()
                                                               - oldest);
}

void writer::run() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty())
      return;
    auto next = std::move(queue_.front());
    queue_.pop_front();
    if (appending_.empty())
      working_since_ = next.since;
    auto more_events =
      !queue_.empty() && std::holds_alternative<append>(queue_.front().what);
    lock.unlock();
    run_guarded([&] { perform(next, more_events); }, report);
    next = {};
    lock.lock();
    if (appending_.empty())
      working_since_ = {};
  }
}

// Events are held until what follows is something else: all of a session that
// wait together are written together.
void writer::perform(job& one, bool more_events) {
  auto& files = one.from->files;
  if (auto* events = std::get_if<append>(&one.what)) {
    if (!files.has_held())
      appending_.push_back(one.from);
    files.hold(*events);
    if (!more_events)
      flush();
  } else if (auto result = files.perform(one.what)) {
    one.from->put(std::move(*result));
  }
}

/// One whose events cannot be written keeps no other from its answer.
void writer::flush() {
  for (auto& one : std::exchange(appending_, {}))
    run_guarded([&] { one->put(one->files.flush()); }, report);
}

// -- all of them --------------------------------------------------------------

writers::writers(std::filesystem::path data_dir, fsync_queue* syncer,
                 std::size_t count, std::uint64_t max_output)
  : data_dir_(std::move(data_dir)), syncer_(syncer), max_output_(max_output) {
  for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i)
    writers_.push_back(std::make_unique<writer>());
}

writers::~writers() = default;

channel_ptr writers::open(const std::string& session_id) {
  return std::make_shared<file_channel>(
    session_files{data_dir_, session_id, syncer_, max_output_, &refusals_});
}

bool writers::post(const std::string& session_id, const channel_ptr& from,
                   any_request what) {
  auto which = index_of(session_id, writers_.size());
  return writers_[which]->post(std::static_pointer_cast<file_channel>(from),
                               std::move(what), max_queued);
}

std::chrono::milliseconds writers::lag() const {
  std::chrono::milliseconds result{0};
  for (auto& one : writers_)
    result = std::max(result, one->lag());
  return result;
}

} // namespace greenroom::journal
