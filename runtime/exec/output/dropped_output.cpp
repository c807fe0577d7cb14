#include "runtime/exec/output/dropped_output.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/base/tree_size.hpp"

#include <fcntl.h>

#include <system_error>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

// Of each exec one directory with files only.
constexpr std::size_t max_depth = 3;

fs::path mark_of(const fs::path& session_dir) {
  return session_dir / "output.dropped";
}

} // namespace

std::uint64_t size_of_output(const fs::path& session_dir) {
  tree_size size;
  add_tree(size, AT_FDCWD, (session_dir / "exec").c_str(), max_depth);
  return size.bytes;
}

void drop_output(const fs::path& session_dir) {
  if (!fs::exists(session_dir))
    return;
  // First, so that nobody takes half of it for all. On a full disk there is
  // room for it only afterwards.
  try {
    write_file_atomic(mark_of(session_dir), "", 0600, false);
  } catch (const std::system_error&) {
    remove_tree(session_dir / "exec");
    write_file_atomic(mark_of(session_dir), "", 0600, false);
    return;
  }
  remove_tree(session_dir / "exec");
}

bool is_output_dropped(const fs::path& session_dir) noexcept {
  std::error_code none;
  return fs::exists(mark_of(session_dir), none);
}

} // namespace greenroom
