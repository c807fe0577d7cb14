// The /etc that sessions see: a copy of what everybody may read in the host's,
// so that programs find their settings, less what names users, keys and the
// host.
//
// A copy, for a node that is root would show what is root's alone, and a file
// that cannot be read today may be there tomorrow. What the host changes shows
// in the copy, also to sessions that run, when the next one begins.
//
// Two directories with hundreds of links, in which nothing is secret, need no
// copy: they are shown as they are while everybody may read all of them.
//
// Left out are: what not everybody may read; private keys, by name and by
// content; and what is_left_out() lists. Beside the copy lie files of the
// node's own making (assets.hpp), under names that are left out.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::sandbox {

/// Whether a path, relative to /etc, is not for sessions.
bool is_left_out(const std::filesystem::path& relative);

/// Paths that no session may see whatever is configured, as globs.
const std::vector<std::string>& never_shown();

class etc_copy {
public:
  /// `own` are files in `to` that are not the host's, and stay.
  etc_copy(std::filesystem::path from, std::filesystem::path to,
           std::vector<std::string> own);

  /// Brings the copy up to date, unless that was done a moment ago. Best
  /// effort: what cannot be read or written now is tried the next time. Any
  /// thread may call it.
  void refresh();

  /// Directories, relative to the top, that are to be shown as they are on the
  /// host; the copy has an empty one in their place.
  std::vector<std::string> shown_whole();

private:
  struct stamp {
    mode_t mode;
    ino_t inode;
    off_t size;
    std::timespec changed;
    bool operator==(const stamp& other) const noexcept;
  };
  using stamps = std::map<std::string, stamp>; // by relative path

  bool show_whole(const std::filesystem::path& relative);
  bool is_own(const std::string& relative) const;
  bool holds_own(const std::string& relative) const;
  void look(const std::filesystem::path& below, stamps& to);
  bool place(const std::string& relative, const stamp& what) const;
  bool copy_file(const std::filesystem::path& source,
                 const std::filesystem::path& target, const stamp& what) const;
  void remove_all_but(const stamps& wanted);

  const std::filesystem::path from_;
  const std::filesystem::path to_;
  const std::vector<std::string> own_;
  std::mutex mutex_;
  stamps placed_;
  std::vector<std::string> whole_;
  bool first_ = true;
  std::chrono::steady_clock::time_point next_{};
};

} // namespace greenroom::sandbox
