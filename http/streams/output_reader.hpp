// A place in what an exec printed: reads its log, also while it grows.
//
// It goes by the log's index, so it gives no byte that the log may take back,
// and keeps the order between the streams. Where the index is damaged, the rest
// of each stream follows. One thread at a time; reading waits
// for the disk, so it is for file_readers. Throws std::system_error where
// reading fails.
#pragma once

#include "runtime/exec/output/output_log.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

namespace greenroom::http {

/// Some of an exec's streams. What a terminal shows is its standard output.
enum class output_choice : std::uint8_t { out, err, both, tty };

/// Reads `stdout`, `stderr`, `both` or `tty`; nullopt for anything else.
std::optional<output_choice> parse_choice(std::string_view text) noexcept;

class output_reader {
public:
  output_reader(std::filesystem::path dir, output_choice what);

  /// What one step found.
  struct step {
    std::size_t size = 0; // bytes that were read
    bool more = false;    // the next step may find more right away
  };

  /// Reads what comes next into `out`. A step looks at a bounded part of the
  /// index, so it may find nothing and still say that there is more.
  step read(std::span<char> out);

  /// Passes over bytes, which may be still to come.
  void skip(std::uint64_t bytes) noexcept {
    to_skip_ += bytes;
  }

  /// Counts what there is from the beginning. To be called on a new reader
  /// until there is no more, mostly once; `total` is then right.
  bool measure();
  std::uint64_t total() const noexcept {
    return total_;
  }

  /// Gives the descriptors back until the next call.
  void close() noexcept {
    log_.close();
  }

private:
  /// Bytes of one stream that lie together.
  struct run {
    output_stream stream = output_stream::out;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };

  bool wants(output_stream stream) const noexcept;
  bool load();
  bool load_unindexed();
  void jump();
  std::uint64_t
  wanted_of(const std::array<std::uint64_t, output_streams>& bytes) const;

  output_log_reader log_;
  output_choice what_;
  std::uint64_t next_record_ = 0;
  // Of each stream, by the records before that one and what was found behind
  // them.
  std::array<std::uint64_t, output_streams> ends_{};
  std::uint64_t to_skip_ = 0;
  std::uint64_t total_ = 0;
  std::deque<run> runs_; // of the records before `next_record_`
};

} // namespace greenroom::http
