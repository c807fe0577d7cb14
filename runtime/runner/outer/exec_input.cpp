// The command's input, and what it is fed at first, before anybody else can
// write to it.
#include "runtime/runner/outer/exec.hpp"

#include <unistd.h>

#include <cstdio>
#include <system_error>
#include <tuple>
#include <utility>

namespace greenroom::runner {

int supervised_exec::input(std::string& why_not) const {
  if (phase_ != phase::running)
    why_not = "exec " + id_ + " does not run";
  else if (has_tty() && !out_.end)
    why_not = "the terminal of exec " + id_ + " has been closed";
  else if (has_tty())
    return out_.end.get();
  else if (!spec_.stdin_open)
    why_not = "exec " + id_ + " was started with its stdin closed";
  else if (!input_)
    why_not = "the stdin of exec " + id_ + " has been closed";
  return input_.get();
}

void supervised_exec::close_input() {
  if (feeder_) {
    spec_.input_ends = true;
    return;
  }
  input_.reset();
  // What a terminal's user would type. Best effort: where the terminal is full,
  // its program does not read.
  constexpr char end_of_input = 4;
  if (has_tty() && out_.end)
    std::ignore = ::write(out_.end.get(), &end_of_input, sizeof end_of_input);
}

// A terminal's one descriptor is watched for what its command prints, too.
void supervised_exec::begin_feeding() {
  if (!feeder_)
    return;
  try {
    if (!has_tty())
      loop_.watch(input_.get(), [this] { feed(); });
  } catch (const std::system_error&) {
    return cannot_feed();
  }
  loop_.want_write(has_tty() ? out_.end.get() : input_.get(), true);
  feed();
}

void supervised_exec::feed() {
  if (!feeder_)
    return;
  switch (feeder_->write_some(has_tty() ? out_.end.get() : input_.get())) {
    case input_feeder::progress::more:
      break;
    case input_feeder::progress::done:
      end_feeding();
      break;
    case input_feeder::progress::lost:
      cannot_feed();
  }
}

// It must not take a part for the whole.
void supervised_exec::cannot_feed() {
  std::fprintf(stderr, "exec %s: its first input cannot be read\n",
               id_.c_str());
  spec_.input_ends = false;
  end_feeding();
  cancel("what it was to be fed could not be read");
}

void supervised_exec::end_feeding() {
  feeder_.reset();
  if (!has_tty())
    loop_.unwatch(input_.get());
  else if (out_.end)
    loop_.want_write(out_.end.get(), false);
  if (spec_.input_ends)
    close_input();
  answer_for_input();
}

// Who has asked for it meanwhile asks again.
void supervised_exec::answer_for_input() {
  if (std::exchange(input_asked_, false))
    observer_.on_fed(*this);
}

bool supervised_exec::keeps_input() noexcept {
  auto kept = phase_ == phase::running && feeder_;
  input_asked_ = input_asked_ || kept;
  return kept;
}

void supervised_exec::drop_input() {
  feeder_.reset();
  if (input_)
    loop_.unwatch(input_.get());
  input_.reset();
}

} // namespace greenroom::runner
