// Where the execs that a session no longer holds in memory stand in its
// timeline, so that they can be read from there.
//
//   execs.index   80 bytes each, integers little-endian: the exec's id, padded
//                 with NUL to 64 bytes, and the seqs of its exec.queued and its
//                 exec.exited
//
// Holds nothing that the timeline does not: the file is made anew when a
// session's files are opened. For the session's journal writer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom {

/// Longer ones are refused where requests are read.
inline constexpr std::size_t max_exec_id = 64;

struct archived_exec {
  std::string exec_id;
  std::uint64_t queued = 0;
  std::uint64_t exited = 0;
  friend bool operator==(const archived_exec&, const archived_exec&) = default;
};

class exec_index {
public:
  /// Begins empty, whatever was there.
  explicit exec_index(const std::filesystem::path& session_dir);

  /// Remembers an exec. What the disk does not take is kept in memory and
  /// tried again with the next one.
  void add(archived_exec exec);

  bool empty() const noexcept {
    return marks_.empty() && unwritten_.empty();
  }

  /// In the order in which they came. Throws std::system_error.
  std::vector<archived_exec> all() const;

  /// Throws std::system_error.
  std::optional<archived_exec> find(std::string_view exec_id) const;

private:
  std::string path_; // a path of ten parts takes half a KiB
  // Of each record in the file that counts, so that one is found without
  // reading all of them.
  std::vector<std::uint32_t> marks_;
  std::vector<archived_exec> unwritten_;
};

} // namespace greenroom
