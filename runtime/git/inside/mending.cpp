#include "runtime/git/inside/mending.hpp"

#include "runtime/base/files.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <set>
#include <string_view>
#include <system_error>
#include <vector>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

// More than these are not a slip.
constexpr int max_bad_lines = 32;

// Nor is a file of more bytes anybody's settings.
constexpr std::uintmax_t max_settings = std::uintmax_t{1} << 20;

struct bad_line {
  std::string file; // as git names it
  std::size_t number = 0;
};

std::size_t number_at(std::string_view text) {
  std::size_t result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

// "fatal: bad config line 3 in file F", or
// "fatal: bad config variable 'core.x' in file 'F' at line 3".
std::optional<bad_line> bad_line_in(const std::string& complaints) {
  constexpr std::string_view by_line = "fatal: bad config line ";
  constexpr std::string_view by_name = "fatal: bad config variable ";
  constexpr std::string_view in_file = " in file ";
  constexpr std::string_view at_line = "' at line ";
  for (const auto& line : split(complaints, '\n')) {
    auto file = line.find(in_file);
    if (file == line.npos)
      continue;
    auto rest = std::string_view{line}.substr(file + in_file.size());
    if (line.starts_with(by_line))
      return bad_line{std::string{rest},
                      number_at(std::string_view{line}.substr(by_line.size()))};
    auto end = rest.rfind(at_line);
    if (line.starts_with(by_name) && rest.starts_with('\'') && end != rest.npos
        && end > 0)
      return bad_line{std::string{rest.substr(1, end - 1)},
                      number_at(rest.substr(end + at_line.size()))};
  }
  return std::nullopt;
}

bool lies_below(const fs::path& file, const fs::path& directory) {
  return std::mismatch(directory.begin(), directory.end(), file.begin(),
                       file.end())
           .first
         == directory.end();
}

struct settings_file {
  fs::path path;
  std::string shown; // to the user
};

// Where git says that it is, if that is the session's own to change.
std::optional<settings_file> own_file(const repo& in,
                                      const std::string& named) {
  std::error_code fault;
  const auto top = fs::canonical(in.top(), fault);
  if (fault)
    return std::nullopt;
  const auto path = fs::canonical(top / named, fault);
  if (fault || !fs::is_regular_file(path, fault)
      || fs::file_size(path, fault) > max_settings)
    return std::nullopt;
  if (lies_below(path, top / ".git"))
    return settings_file{path, path.lexically_relative(top).string()};
  const auto* home = std::getenv("HOME");
  if (home == nullptr || lies_below(path, top))
    return std::nullopt;
  const auto room = fs::canonical(home, fault);
  if (fault || !lies_below(path, room))
    return std::nullopt;
  return settings_file{path, "~/" + path.lexically_relative(room).string()};
}

std::string_view without_indent(std::string_view line) {
  return line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
}

bool is_header(std::string_view line) {
  return without_indent(line).starts_with('[');
}

// What Git LFS keeps out of commits is no secret.
bool may_keep_something_in(std::string_view line) {
  constexpr std::string_view of_lfs = "[filter \"lfs\"]";
  line = without_indent(line);
  if (line.starts_with(of_lfs))
    line.remove_prefix(of_lfs.size());
  std::string text{line};
  for (auto& c : text)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::ranges::any_of(
    std::initializer_list<std::string_view>{"filter", "clean", "process",
                                            "exclude", "attribute", "include",
                                            "ignore"},
    [&](auto word) { return text.find(word) != text.npos; });
}

// Empties the line, or the last one before it that is not empty; of a header
// also what stands below it, which would be another section's. False: it stays.
bool take_out(std::vector<std::string>& lines, std::size_t number) {
  auto at = std::min(number, lines.size());
  while (at > 0 && without_indent(lines[at - 1]).empty())
    --at;
  if (at == 0)
    return false;
  auto end = at;
  if (is_header(lines[at - 1]))
    while (end < lines.size() && !is_header(lines[end]))
      ++end;
  auto section = at - 1;
  while (section > 0 && !is_header(lines[section]))
    --section;
  if (may_keep_something_in(lines[section]))
    return false;
  for (auto i = at - 1; i < end; ++i) {
    if (may_keep_something_in(lines[i]))
      return false;
    lines[i].clear();
  }
  return true;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string result;
  for (const auto& line : lines)
    result += line + '\n';
  return result;
}

// The file as it was.
fs::path damaged(const fs::path& file) {
  return file.string() + ".damaged";
}

// True once git reads its settings. `changed`: the files that are another now.
bool mend(const repo& in, std::set<fs::path>& changed, std::string& told) {
  for (int i = 0; i <= max_bad_lines; ++i) {
    auto result = in.run({{"rev-parse", "--git-dir"}});
    if (result.ok())
      return !changed.empty();
    auto bad = bad_line_in(result.err);
    if (!bad)
      return false;
    auto file = own_file(in, bad->file);
    auto text = file ? read_file(file->path) : std::nullopt;
    if (!text)
      return false;
    auto lines = split(*text, '\n');
    if (!take_out(lines, bad->number))
      return false;
    // First what it was: this may be killed at any time.
    if (!changed.contains(file->path)) {
      write_file_atomic(damaged(file->path), *text, 0600, false);
      changed.insert(file->path);
    }
    write_file_atomic(file->path, joined(lines), 0600, false);
    told += (told.empty() ? "line " : ", line ") + std::to_string(bad->number)
            + " of " + file->shown;
  }
  return false;
}

} // namespace

std::optional<std::string> mend_settings(const repo& in) {
  std::set<fs::path> changed;
  std::string told;
  try {
    if (mend(in, changed, told))
      return "git could not read its settings: left out was " + told;
  } catch (const std::exception&) {
    // A file that cannot be read or written: what git says of it counts.
  }
  for (const auto& file : changed) {
    std::error_code stays_beside;
    fs::rename(damaged(file), file, stays_beside);
  }
  return std::nullopt;
}

} // namespace greenroom::git
