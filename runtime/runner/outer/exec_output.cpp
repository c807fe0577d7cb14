// What the command prints, until its end and after.
#include "runtime/runner/outer/exec.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

namespace greenroom::runner {

namespace {

// Between two reads of what nobody keeps: a flood fills the pipe meanwhile, and
// waits.
constexpr std::chrono::milliseconds drain_pause{50};

// More than the kernel keeps for one terminal.
constexpr std::size_t most_in_tty = 1 << 20;

// One for all pipes: what is read is written before the next read.
std::span<char> read_buffer() {
  static std::array<char, 64 * 1024> buffer;
  return buffer;
}

} // namespace

void supervised_exec::watch_output(pipe& from) {
  ::fcntl(from.end.get(), F_SETFL, O_NONBLOCK);
  loop_.watch(from.end.get(), [this, &from] {
    if (has_tty())
      feed();
    read_some(from);
  });
}

void supervised_exec::close_all() {
  drop(out_);
  drop(err_);
  drop_input();
}

void supervised_exec::drop(pipe& from) {
  if (!from.end)
    return;
  loop_.unwatch(from.end.get());
  from.end.reset();
}

void supervised_exec::read_some(pipe& from) {
  auto buffer = read_buffer();
  auto size = ::read(from.end.get(), buffer.data(), buffer.size());
  if (size > 0 && log_) {
    log_->append(from.stream, buffer.first(static_cast<std::size_t>(size)),
                 now_ms());
  } else if (size > 0) {
    loop_.want_read(from.end.get(), false);
    if (!drain_at_)
      drain_at_ = steady::now() + drain_pause;
  } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
    drop(from);
    if (has_tty() && feeder_)
      end_feeding();
  }
}

// Logs what is there now. Whoever else still prints may go on for ever, so the
// amount is bounded before the first read.
void supervised_exec::read_rest(pipe& from) {
  if (!from.end)
    return;
  // A terminal's bytes are not counted until they are read; but nobody can
  // print to one whose session's leader has ended.
  std::size_t left = most_in_tty;
  if (int counted = 0; !has_tty()) {
    if (::ioctl(from.end.get(), FIONREAD, &counted) != 0)
      return;
    left = static_cast<std::size_t>(counted);
  }
  auto buffer = read_buffer();
  while (left > 0) {
    auto size =
      ::read(from.end.get(), buffer.data(), std::min(buffer.size(), left));
    if (size <= 0)
      return;
    auto count = static_cast<std::size_t>(size);
    log_->append(from.stream, buffer.first(count), now_ms());
    left -= count;
  }
}

void supervised_exec::drain_on() {
  for (auto* from : {&out_, &err_})
    if (from->end)
      loop_.want_read(from->end.get(), true);
}

} // namespace greenroom::runner
