// Which sessions' rescue refs are in a mirror and not in its upstream yet.
//
// A file for each such session in `greenroom-unpushed` in the mirror: written
// before the first try to push, so that no crash forgets it. Once the refs are
// pushed the file says so, and it goes when whoever told the user that they
// were not has told the user that they are.
//
// Errors: std::system_error.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace greenroom::git {

struct unpushed_rescue {
  std::string session_id;
  std::string note; // what the user is to know of the refs besides; one line
  std::vector<std::string> refs; // full names
  bool pushed = false;           // the upstream has them meanwhile
};

class unpushed_list {
public:
  /// Of the mirror at this path.
  explicit unpushed_list(const std::filesystem::path& mirror);

  /// On disk when it returns; takes the place of what is there.
  void put(const unpushed_rescue& what) const;

  /// Nothing there is no error.
  void remove(const std::string& session_id) const;

  /// All, by session id.
  std::vector<unpushed_rescue> all() const;

private:
  std::filesystem::path dir_;
};

} // namespace greenroom::git
