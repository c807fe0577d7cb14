#include "http/streams/output_tail.hpp"

#include "runtime/runner/client/runner_client.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <exception>
#include <system_error>
#include <utility>

namespace greenroom::http {

output_tail::output_tail(inotify_watcher& logs, std::filesystem::path dir,
                         question ask, std::chrono::milliseconds pause,
                         std::function<void()> look, std::function<void()> over)
  : logs_(logs), dir_(std::move(dir)), ask_(std::move(ask)), pause_(pause),
    look_(std::move(look)), over_(std::move(over)), asked_at_(clock::now()) {}

void output_tail::tick(clock::time_point now) {
  if (!look_)
    return;
  // Where the directory is new, or the kernel has no watch to give.
  if (!watching_)
    watching_ = logs_.add(dir_, weak_from_this());
  rang();
  if (!look_ || !ask_ || pending_ || now - asked_at_ < pause_)
    return;
  pending_ = true;
  asked_at_ = now;
  // A copy: the answer may end this follower at once.
  auto ask = ask_;
  ask([weak = weak_from_this()](bool is_over) {
    auto self = weak.lock();
    if (!self)
      return;
    self->pending_ = false;
    if (is_over)
      self->end();
  });
}

void output_tail::rang() {
  if (!look_)
    return;
  if (is_over())
    end();
  else
    look_();
}

// The runner makes the record and then writes it: one that is there but cut is
// none yet.
bool output_tail::is_over() const {
  std::error_code ignored;
  if (!std::filesystem::exists(dir_ / runner::exit_file, ignored))
    return false;
  try {
    return read_exit_record(dir_).has_value();
  } catch (const std::exception&) {
    return false; // such as no descriptors: the next tick looks again
  }
}

void output_tail::end() {
  auto over = std::exchange(over_, nullptr);
  stop();
  if (over)
    over();
}

void output_tail::stop() noexcept {
  look_ = nullptr;
  over_ = nullptr;
  ask_ = nullptr;
  watching_.reset();
}

} // namespace greenroom::http
