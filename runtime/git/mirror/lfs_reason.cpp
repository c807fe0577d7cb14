#include "runtime/git/mirror/lfs_reason.hpp"

#include "runtime/base/utf8.hpp"
#include "runtime/git/common/refs.hpp"

#include <algorithm>

namespace greenroom::git {

// git-lfs says what failed before what it has done about it: of "Error
// downloading object: contents (…): Smudge error: …: why" the why.
std::string lfs_reason(std::string_view said) {
  constexpr std::string_view mark = "Smudge error: ";
  if (auto at = said.find(mark); at != said.npos) {
    said.remove_prefix(at + mark.size());
    if (auto inner = said.find("): "); inner != said.npos)
      said.remove_prefix(inner + 3);
  }
  said.remove_prefix(std::min(said.find_first_not_of(" \t\r\n"), said.size()));
  said = said.substr(0, said.find_first_of("\r\n"));
  if (said.empty())
    return "git-lfs does not say why";
  // Before it is cut: what is half a URL shows its password.
  auto result = without_credentials(std::string{said});
  if (result.size() > max_lfs_reason) {
    result.resize(max_lfs_reason);
    result.resize(result.size() - incomplete_tail(result));
  }
  for (auto& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = ' ';
  return result;
}

} // namespace greenroom::git
