#include "actors/runner_link/input.hpp"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

namespace greenroom {

namespace {

// Bytes written in one go, so that others get their turn.
constexpr std::size_t bytes_per_turn = 256 * 1024;

// Neither an end of a line nor a key that ends, drops or interrupts it.
bool is_in_a_line(char typed) {
  constexpr unsigned char first_printed = ' ';
  return typed == '\t' || static_cast<unsigned char>(typed) >= first_printed;
}

} // namespace

void input_channel::write(std::uint64_t ticket, shared_text data, bool eof) {
  writes_.push_back({ticket, std::move(data), eof});
}

void input_channel::resize(std::uint64_t ticket, std::uint16_t rows,
                           std::uint16_t cols) {
  sizes_.push_back({ticket, rows, cols});
}

void input_channel::open(unique_fd end) {
  if (!problem_.empty())
    return;
  end_ = std::move(end);
  terminal_ = ::isatty(end_.get()) == 1;
}

void input_channel::close(std::string problem) {
  problem_ = std::move(problem);
  end_.reset();
}

std::vector<input_channel::answer> input_channel::pump() {
  std::vector<answer> answers;
  if (end_)
    apply_sizes(answers);
  auto budget = bytes_per_turn;
  while (wants_write() && write_front(budget)) {
    auto& done = writes_.front();
    answers.push_back({done.ticket, {}});
    auto eof = done.eof;
    writes_.pop_front();
    if (!eof)
      continue;
    eof_ = true;
    if (terminal_)
      end_line();
    else
      close("the command's standard input is closed already");
  }
  if (!problem_.empty())
    refuse_all(answers);
  return answers;
}

bool input_channel::take_eof() noexcept {
  return std::exchange(eof_, false);
}

// At a terminal an end of input after an unfinished line only finishes that:
// its program waits on. So the line is finished first.
void input_channel::end_line() {
  constexpr char end_of_input = 4;
  ::termios mode{};
  if (mid_line_ && ::tcgetattr(end_.get(), &mode) == 0
      && (mode.c_lflag & ICANON) != 0)
    std::ignore = ::write(end_.get(), &end_of_input, sizeof end_of_input);
  mid_line_ = false;
}

void input_channel::apply_sizes(std::vector<answer>& answers) {
  for (auto& size : std::exchange(sizes_, {})) {
    ::winsize cells{};
    cells.ws_row = size.rows;
    cells.ws_col = size.cols;
    auto set = ::ioctl(end_.get(), TIOCSWINSZ, &cells) == 0;
    answers.push_back({size.ticket, set ? "" : "the command has no terminal"});
  }
}

// True if all of the first one is written.
bool input_channel::write_front(std::size_t& budget) {
  auto& next = writes_.front();
  auto text = next.data.view();
  while (next.written < text.size()) {
    auto size = std::min(text.size() - next.written, budget);
    if (size == 0)
      return false;
    auto n = ::write(end_.get(), text.data() + next.written, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      // EIO is what a terminal says that nobody has open any more.
      if (errno == EPIPE || errno == EIO)
        close("the command does not read its standard input any more");
      else if (errno != EAGAIN)
        close(std::string{"the command's standard input cannot be written: "}
              + std::strerror(errno));
      return false;
    }
    next.written += static_cast<std::size_t>(n);
    auto last = text[next.written - 1];
    mid_line_ = is_in_a_line(last);
    budget -= static_cast<std::size_t>(n);
  }
  return true;
}

void input_channel::refuse_all(std::vector<answer>& answers) {
  for (auto& size : std::exchange(sizes_, {}))
    answers.push_back({size.ticket, problem_});
  for (auto& write : std::exchange(writes_, {}))
    answers.push_back({write.ticket, problem_});
}

} // namespace greenroom
