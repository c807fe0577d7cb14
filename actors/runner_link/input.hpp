// What waits to be written to one command's standard input; for the runner
// link only.
//
// Requests are carried out in the order in which they come, as far as the
// command reads. Each is answered once, by its ticket: when the kernel has all
// of its bytes, or with why it never will. Not for several threads at once.
#pragma once

#include "messages/shared_text.hpp"
#include "runtime/base/fd.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace greenroom {

class input_channel {
public:
  struct answer {
    std::uint64_t ticket = 0;
    std::string problem; // empty: done
  };

  /// Adds bytes; `eof`: nothing follows them.
  void write(std::uint64_t ticket, shared_text data, bool eof);

  /// Sets the terminal's size at the next pump, whatever waits.
  void resize(std::uint64_t ticket, std::uint16_t rows, std::uint16_t cols);

  /// The writing end, non-blocking. A terminal's stays open after an eof.
  void open(unique_fd end);

  /// Nothing more will be written, for this reason: what waits is answered so,
  /// and so will be whatever still comes.
  void close(std::string problem);

  /// Writes what the kernel takes, and answers.
  std::vector<answer> pump();

  /// The input's end was reached since this was asked last: the runner has to
  /// be told (close_input).
  bool take_eof() noexcept;

  /// -1 while it is not open, or closed.
  int fd() const noexcept {
    return end_.get();
  }
  /// To be pumped again when the descriptor is writable.
  bool wants_write() const noexcept {
    return end_ && !writes_.empty();
  }

private:
  struct pending_write {
    std::uint64_t ticket;
    shared_text data;
    bool eof;
    std::size_t written = 0;
  };
  struct pending_size {
    std::uint64_t ticket;
    std::uint16_t rows;
    std::uint16_t cols;
  };

  void apply_sizes(std::vector<answer>& answers);
  bool write_front(std::size_t& budget);
  void end_line();
  void refuse_all(std::vector<answer>& answers);

  unique_fd end_;
  bool terminal_ = false;
  bool eof_ = false;
  // What was written last did not end a line; so too while that is not known,
  // since it was fed with the start, or written before a restart.
  bool mid_line_ = true;
  std::string problem_; // not empty: closed
  std::deque<pending_write> writes_;
  std::vector<pending_size> sizes_;
};

} // namespace greenroom
