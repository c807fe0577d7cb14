// A session's durable events, on disk: two files in the session's directory.
//
//   timeline        the events, one record each (timeline_record.hpp), only
//   ever
//                   appended to, without gaps; seq 1 first, or another one
//                   where the session was elsewhere before
//   timeline.index  where in it each event begins, 8 bytes little-endian each:
//                   the first at byte 0
//
// One writer, the session's journal writer, and any number of readers. An event
// is there for readers once the index has it, so that none sees an event which
// is taken back because the disk ran full in the middle of a batch. The index
// holds nothing that the timeline does not: it is rebuilt where it is bad.
//
// What append has written survives the death of the process; fsync_queue comes
// after and makes it survive a power cut.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/timeline/timeline_entry.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace greenroom {

/// Appends. Holds no descriptor and no buffer between calls, since a node has
/// thousands of sessions and most of them are quiet: an append opens the two
/// files again, about 10 microseconds for all of it. For one thread at a time.
class timeline_writer {
public:
  /// Opens the timeline of a session's directory, which may have none yet.
  /// Cuts off what a crash left half written, and completes the index. Reads
  /// only the end, or all if the index is missing or bad. Throws
  /// std::system_error, and std::runtime_error on a timeline that a newer
  /// version wrote.
  /// The first event of one that is empty follows seq `after`.
  explicit timeline_writer(const std::filesystem::path& session_dir,
                           std::uint64_t after = 0);

  /// The newest event; while there is none, what the first will follow.
  const event_id& last_id() const noexcept {
    return last_;
  }

  /// The newest version that an event has had; 0 while none had one.
  std::uint64_t last_version() const noexcept {
    return last_version_;
  }

  /// Appends all of the entries or none. Their seqs must follow last_id
  /// without a gap and no epoch may be below the one before it, else
  /// std::logic_error; an entry above 4 MiB is a std::length_error. Throws
  /// std::system_error when the disk does not take them: the timeline is then
  /// as it was, and the caller may try again.
  void append(std::span<const timeline_entry> entries);

private:
  void recover();
  void extend_index(std::span<const std::uint64_t> offsets);

  std::filesystem::path path_of(const char* name) const;

  std::string dir_;    // a path of ten parts takes half a KiB
  std::uint64_t base_; // the seq before the first event
  event_id last_;
  std::uint64_t last_version_ = 0;
  std::uint64_t end_ = 0;     // where the next record goes
  std::uint64_t indexed_ = 0; // events that the index has; may lag behind
};

/// Reads. Holds two descriptors: make one for a read, not for a session. Files
/// that are not there when it is made are an empty timeline.
class timeline_reader {
public:
  /// Throws std::system_error.
  explicit timeline_reader(const std::filesystem::path& session_dir);

  /// The newest event, as of now; 0 while there is none.
  std::uint64_t last_seq() const;

  /// The seq before the first event.
  std::uint64_t base() const noexcept {
    return base_;
  }

  /// The events after `after_seq`, or from the first on: at most `max_entries`,
  /// and not more than `max_bytes` of records unless a single one is larger.
  /// Empty only when nothing follows or `max_entries` is 0. Throws
  /// std::system_error, and std::runtime_error where the timeline is damaged.
  std::vector<timeline_entry> entries(std::uint64_t after_seq,
                                      std::size_t max_entries,
                                      std::size_t max_bytes) const;

private:
  std::filesystem::path path_;
  unique_fd timeline_;
  unique_fd index_;
  std::uint64_t base_ = 0;
};

} // namespace greenroom
