// The files of the web console, read once at start.
//
// The scripts, styles and pages of this folder, and those of xterm.js, lie
// beside the program in `console/`; see CMakeLists.txt and `./dev`. A node
// without them serves the API all the same.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace greenroom::http {

struct console_file {
  std::shared_ptr<const std::string> bytes; // for all who ask for it
  std::string_view type;                    // Content-Type, a literal
};

class console_files {
public:
  /// Reads what lies in `dir`; nothing where it is empty or not there. Throws
  /// std::system_error for what cannot be read.
  explicit console_files(const std::filesystem::path& dir);

  /// nullptr: there is no such file.
  const console_file* find(std::string_view name) const;

private:
  std::map<std::string, console_file, std::less<>> files_;
};

} // namespace greenroom::http
