// Moves what an exec printed from its log to a client, at the client's pace.
//
// For one HTTP thread; the log is read on others. One read or one write is in
// flight, from a buffer of its own whose size grows to 256 KiB while the client
// is quick, so a slow client costs 16 KiB and slows nobody. Between two reads
// no file is open.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/streams/output_reader.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace greenroom::http {

struct edge;

class output_pump : public std::enable_shared_from_this<output_pump> {
public:
  static constexpr std::size_t min_write = 16 * 1024;
  static constexpr std::size_t max_write = 256 * 1024;

  /// Where the bytes go: as body_writer::write.
  using writer = std::function<void(slice, std::function<void(bool)>)>;

  enum class outcome : std::uint8_t {
    done,   // all that was to be sent has been
    gone,   // the client takes nothing any more
    broken, // the log cannot be read
  };

  /// `done` is called once, never from inside `start` and `look`.
  output_pump(edge& env, output_reader from, writer to,
              std::function<void(outcome)> done);

  /// At most this many bytes are sent.
  void limit(std::uint64_t bytes) noexcept {
    left_ = bytes;
  }

  /// Sends what there is. To be called again when there may be more.
  void look();

  /// Nothing more will be printed: ends after what there is.
  void finish();

  /// Ends without another word.
  void stop() noexcept;

  bool writing() const noexcept {
    return writing_;
  }

private:
  void read();
  void have_read(output_reader::step got, const std::exception_ptr& failure);
  void not_read(const std::exception_ptr& failure);
  void write(std::size_t size);
  void written(bool well);
  void end(outcome how);

  edge& env_;
  const std::shared_ptr<output_reader> from_; // the readers' while `reading_`
  writer to_;
  std::function<void(outcome)> done_; // null: over
  std::optional<std::uint64_t> left_;
  std::shared_ptr<std::string> buffer_ = std::make_shared<std::string>();
  std::size_t size_ = min_write; // of the next write
  bool writing_ = false;
  bool reading_ = false;
  bool again_ = false; // there may be more than the read under way finds
  bool finishing_ = false;
  std::chrono::steady_clock::time_point write_began_;
};

} // namespace greenroom::http
