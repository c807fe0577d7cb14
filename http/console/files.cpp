#include "http/console/files.hpp"

#include "runtime/base/files.hpp"

#include <array>
#include <utility>

namespace greenroom::http {

namespace {

// Others are not served, whatever lies there.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> types{{
  {".html", "text/html; charset=utf-8"},
  {".css", "text/css; charset=utf-8"},
  {".js", "text/javascript; charset=utf-8"},
  {".mjs", "text/javascript; charset=utf-8"},
  {".svg", "image/svg+xml"},
}};

} // namespace

console_files::console_files(const std::filesystem::path& dir) {
  std::error_code missing;
  for (auto& entry : std::filesystem::directory_iterator{dir, missing}) {
    auto extension = entry.path().extension().string();
    for (auto& [ending, type] : types)
      if (extension == ending)
        files_[entry.path().filename().string()] = {
          std::make_shared<const std::string>(
            read_file(entry.path()).value_or("")),
          type};
  }
}

const console_file* console_files::find(std::string_view name) const {
  auto found = files_.find(name);
  return found == files_.end() ? nullptr : &found->second;
}

} // namespace greenroom::http
