// What a command printed, on disk: one directory per exec.
//
//   stdout, stderr, tty   the raw bytes, each file made at its first byte
//   index                 fixed-size records, in the order of arrival
//
// The raw files can be served as they are; the index keeps the order between
// the streams, the times, and the truth about what is missing. Bytes are
// written before the record that points at them, so whoever goes by the index
// never sees a byte that is not there. Nothing is fsynced here: what is
// written survives the death of this process, not a power cut.
//
// A record that is there as a whole and cannot be believed was written and has
// been damaged since. Nothing of the index counts from there on; what the raw
// files hold behind the records before it was printed all the same, and follows
// stream by stream.
//
// One runner writes a log, anyone may read it meanwhile.
#pragma once

#include "messages/time.hpp"
#include "runtime/base/fd.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace greenroom {

enum class output_stream : std::uint8_t { out, err, tty };

inline constexpr std::size_t output_streams = 3;

/// The stream's name, which is also its file's: stdout, stderr or tty.
std::string_view name(output_stream stream) noexcept;

/// The index's file.
inline constexpr const char* output_index_file = "index";

/// One piece of output.
struct output_record {
  unix_ms time = 0;
  output_stream stream = output_stream::out;
  std::uint64_t offset = 0;   // where its bytes lie in the stream's file
  std::uint32_t length = 0;   // 0: the record only tells of lost bytes
  std::uint64_t lost = 0;     // bytes of the stream dropped right before these
  std::uint32_t data_crc = 0; // CRC-32 (zlib's) of its bytes
  friend bool operator==(const output_record&, const output_record&) = default;
};

/// Writes one exec's log. No call throws or blocks for long: what cannot be
/// kept is counted, and the index says so as soon as it can be written.
class output_log_writer {
public:
  /// Writes into the directory `dir`, which must stay open, and keeps at most
  /// `cap` bytes of all streams together; fewer where they come in pieces so
  /// small that the index would take more than that and a MiB. The log must be
  /// empty so far.
  output_log_writer(int dir, std::uint64_t cap) noexcept;

  void append(output_stream stream, std::span<const char> data, unix_ms now);

  /// Records what is known to be lost but not yet in the index. To be called
  /// once, after the last append.
  void finish(unix_ms now);

  /// Records in the index so far.
  std::uint64_t records() const noexcept {
    return records_;
  }

  /// All bytes of the stream that append was given, kept or not.
  std::uint64_t printed(output_stream stream) const noexcept;

  /// True if the log holds less than was printed.
  bool truncated() const noexcept {
    return truncated_;
  }

private:
  struct stream_state {
    unique_fd file;
    std::uint64_t kept = 0; // length of the file as far as it is indexed
    std::uint64_t printed = 0;
    std::uint64_t lost = 0;  // not yet in the index
    bool loss_known = false; // the index tells of the present gap
  };

  stream_state& state(output_stream stream) noexcept;
  std::size_t store(output_stream stream, std::span<const char> data);
  bool record(output_stream stream, std::span<const char> data, unix_ms now);

  int dir_;
  std::uint64_t room_;
  std::uint64_t most_records_; // that tell of bytes
  unique_fd index_;
  std::uint64_t records_ = 0;
  bool truncated_ = false;
  std::array<stream_state, output_streams> streams_;
};

/// Reads one exec's log, also while it grows. Files that do not exist are an
/// empty log. Descriptors are kept open between calls until `close`, so one
/// reader is for one thread at a time. Throws std::system_error where reading
/// fails.
class output_log_reader {
public:
  explicit output_log_reader(std::filesystem::path dir);

  /// At most `max` records from number `from` on; fewer at the end of the
  /// log. A record that is torn, or whose bytes are not there, ends it.
  std::vector<output_record> records(std::uint64_t from, std::size_t max) const;

  /// Reads bytes of a stream into `out`; less than that only at the end.
  std::size_t read(output_stream stream, std::uint64_t offset,
                   std::span<char> out) const;

  /// Bytes in the stream's file.
  std::uint64_t size(output_stream stream) const;

  /// How many records the index has; not all need be good ones.
  std::uint64_t count() const;

  /// True where the record of this number is there as a whole and cannot be
  /// believed: from here on the raw files alone say what was printed.
  bool is_damaged_at(std::uint64_t number) const;

  /// How many bytes of each stream the first `count` records tell of, found
  /// from the last of them backwards. Nothing where that would need a long
  /// look, since some stream has been silent, or where the log is damaged
  /// there: then only reading from the beginning tells.
  std::optional<std::array<std::uint64_t, output_streams>>
  bytes_in(std::uint64_t count) const;

  /// Gives the descriptors back; the next call opens the files again.
  void close() noexcept;

private:
  std::filesystem::path dir_;
  mutable unique_fd index_;
  mutable std::array<unique_fd, output_streams> files_;
};

/// Makes a log whole whose writer is known to be dead: cuts the index behind
/// its last good record and the streams behind the last byte that the index
/// knows, so that both tell the same. A log whose index is damaged stays as it
/// is: it has lost nothing that could be read. Returns the number of records,
/// damaged ones among them. Throws std::system_error.
std::uint64_t recover_output_log(const std::filesystem::path& dir);

} // namespace greenroom
