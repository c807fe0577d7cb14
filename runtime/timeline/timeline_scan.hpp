// Reads the records of a timeline one after the other, and the file calls that
// its writer and its reader share; for runtime/timeline only.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/timeline/timeline_record.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace greenroom {

inline constexpr char timeline_name[] = "timeline";
inline constexpr char timeline_index_name[] = "timeline.index";

/// Throws std::system_error from errno, naming the path.
[[noreturn]] void throw_errno(const char* what,
                              const std::filesystem::path& path);

/// No descriptor where there is no such file; throws where opening fails.
unique_fd open_if_there(const std::filesystem::path& path, int flags);

std::uint64_t file_size(int fd);

/// Fewer bytes only at the end of the file.
std::size_t read_at(int fd, std::uint64_t offset, std::span<char> out);

/// Where the index says that the event of this number begins, the first being
/// 1; nullopt past its end.
std::optional<std::uint64_t> index_entry(int index, std::uint64_t number);

/// The seq before that of the first event; nullopt where there is no event.
std::optional<std::uint64_t> base_of(int timeline);

/// Walks along the records from an offset on and stops at the first that is
/// not whole, or not the event that comes next (0: any may come first).
class timeline_scan {
public:
  timeline_scan(int fd, std::uint64_t offset, std::uint64_t next_seq,
                std::size_t chunk = 256 * 1024)
    : fd_(fd), offset_(offset), next_seq_(next_seq), chunk_(chunk) {}

  std::optional<timeline_record> next();

  /// Where the record begins that next() will try.
  std::uint64_t offset() const noexcept {
    return offset_;
  }

private:
  std::string_view fill(std::size_t size);

  int fd_;
  std::uint64_t offset_;
  std::uint64_t next_seq_;
  std::size_t chunk_;
  std::string buffer_;
  std::size_t used_ = 0; // of the buffer
};

} // namespace greenroom
