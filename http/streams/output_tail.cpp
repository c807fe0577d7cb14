#include "http/streams/output_tail.hpp"

#include "http/edge/thread_context.hpp"
#include "http/streams/file_readers.hpp"
#include "runtime/runner/client/runner_client.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <exception>
#include <system_error>
#include <utility>

namespace greenroom::http {

output_tail::output_tail(edge& env, std::filesystem::path dir, question ask,
                         std::chrono::milliseconds pause,
                         std::function<void()> look, std::function<void()> over)
  : env_(env), dir_(std::move(dir)), ask_(std::move(ask)), pause_(pause),
    look_(std::move(look)), over_(std::move(over)), asked_at_(clock::now()) {}

void output_tail::tick(clock::time_point now) {
  if (!look_)
    return;
  // Where the directory is new, or the kernel has no watch to give.
  if (!watching_)
    watching_ = env_.logs.add(dir_, weak_from_this());
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
  look_();
  std::error_code ignored;
  if (std::filesystem::exists(dir_ / runner::exit_file, ignored))
    read_end();
}

// The runner makes the record and then writes it: one that is there but cut is
// none yet. Of one that cannot be read, such as for lack of descriptors, the
// next tick sees more.
void output_tail::read_end() {
  again_ = true;
  if (std::exchange(reading_, true))
    return;
  again_ = false;
  read_elsewhere(
    env_, [dir = dir_] { return read_exit_record(dir).has_value(); },
    [weak = weak_from_this()](bool is_over, const std::exception_ptr& failure) {
      auto self = weak.lock();
      if (!self)
        return;
      self->reading_ = false;
      if (is_over)
        self->end();
      else if (self->look_ && self->again_ && !failure)
        self->read_end();
    });
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
