#include "runtime/git/mirror/unpushed.hpp"

#include "runtime/base/files.hpp"

#include <algorithm>
#include <sstream>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* pushed_mark = "pushed";
constexpr const char* waiting_mark = "waiting";

// A line each: how it stands, the note, and the references.
std::string to_text(const unpushed_rescue& what) {
  auto note = what.note;
  std::ranges::replace(note, '\n', ' ');
  auto text =
    std::string{what.pushed ? pushed_mark : waiting_mark} + '\n' + note + '\n';
  for (const auto& ref : what.refs)
    text += ref + '\n';
  return text;
}

unpushed_rescue from_text(std::string session_id, const std::string& text) {
  unpushed_rescue result;
  result.session_id = std::move(session_id);
  std::istringstream lines{text};
  std::string line;
  std::getline(lines, line);
  result.pushed = line == pushed_mark;
  std::getline(lines, result.note);
  while (std::getline(lines, line))
    if (!line.empty())
      result.refs.push_back(line);
  return result;
}

} // namespace

unpushed_list::unpushed_list(const fs::path& mirror)
  : dir_(mirror / "greenroom-unpushed") {}

void unpushed_list::put(const unpushed_rescue& what) const {
  ensure_dir(dir_);
  write_file_atomic(dir_ / what.session_id, to_text(what), 0600, true);
}

void unpushed_list::remove(const std::string& session_id) const {
  fs::remove(dir_ / session_id);
}

std::vector<unpushed_rescue> unpushed_list::all() const {
  std::vector<unpushed_rescue> result;
  if (!fs::exists(dir_))
    return result;
  for (const auto& entry : fs::directory_iterator{dir_}) {
    auto name = entry.path().filename().string();
    if (name.find('.') != name.npos)
      continue; // one that is being written
    if (auto text = read_file(entry.path()))
      result.push_back(from_text(std::move(name), *text));
  }
  std::ranges::sort(result, {}, &unpushed_rescue::session_id);
  return result;
}

} // namespace greenroom::git
