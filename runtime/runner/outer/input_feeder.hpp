// Writes a command's first input to it, as it reads.
//
// Of its exec, which knows when there is room and where to write. The text is
// read as it is needed, so one that is long takes no memory.
#pragma once

#include "runtime/base/fd.hpp"

#include <sys/types.h>

#include <utility>

namespace greenroom::runner {

class input_feeder {
public:
  /// `text` is read from its beginning.
  explicit input_feeder(unique_fd text) : text_(std::move(text)) {}

  enum class progress {
    more, // there is some left, for when there is room
    done, // or nobody reads any more
    lost, // the rest cannot be read
  };

  /// Writes a piece; `to` is non-blocking.
  progress write_some(int to);

private:
  unique_fd text_;
  off_t written_ = 0;
};

} // namespace greenroom::runner
