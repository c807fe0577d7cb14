#include "runtime/git/inside/mending.hpp"

#include "runtime/base/files.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <map>
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

// How much is said of what was left out.
constexpr std::uintmax_t max_told = 4096;

// Where that is kept for who has to say it, should this call not get to that.
fs::path mended_list(const repo& in) {
  return in.top() / ".git/greenroom-mended";
}

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

std::string line_in_words(std::size_t number, const std::string& file) {
  return "line " + std::to_string(number) + " of " + file;
}

std::string in_words(const std::string& lines) {
  return "git could not read its settings: left out was " + lines;
}

// Which lines were left out before, as whoever can write there has it.
std::string known_lines(const repo& in) try {
  std::error_code fault;
  const auto list = mended_list(in);
  if (!fs::is_regular_file(fs::symlink_status(list, fault))
      || fs::file_size(list, fault) > max_told)
    return {};
  auto lines = read_file(list).value_or("");
  std::ranges::replace_if(
    lines, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return lines;
} catch (const std::exception&) {
  return {}; // as if there were none
}

// The sentence is in the answer even where it cannot be kept.
void keep_lines(const repo& in, const std::string& lines) {
  try {
    if (lines.empty())
      fs::remove(mended_list(in));
    else
      write_file_atomic(mended_list(in), lines, 0600, false);
  } catch (const std::exception&) {
    // Then only this call knows.
  }
}

// What one call has changed.
struct mended_file {
  std::string before;
  bool is_first; // of all calls that change it
};

using mended_files = std::map<fs::path, mended_file>;

// True once git reads its settings.
bool mend(const repo& in, mended_files& changed, std::string& told) {
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
    // First what it was, and what is left out: this may be killed at any time.
    if (!changed.contains(file->path)) {
      const auto is_first = told.find(" of " + file->shown) == told.npos
                            || !fs::exists(damaged(file->path));
      if (is_first)
        write_file_atomic(damaged(file->path), *text, 0600, false);
      changed[file->path] = {*text, is_first};
    }
    told +=
      (told.empty() ? "" : ", ") + line_in_words(bad->number, file->shown);
    keep_lines(in, told);
    write_file_atomic(file->path, joined(lines), 0600, false);
  }
  return false;
}

void undo(const mended_files& changed) {
  for (const auto& [file, what] : changed)
    try {
      write_file_atomic(file, what.before, 0600, false);
      if (what.is_first)
        fs::remove(damaged(file));
    } catch (const std::exception&) {
      // It stays beside.
    }
}

} // namespace

std::optional<std::string> mend_settings(const repo& in) {
  mended_files changed;
  const auto before = known_lines(in);
  auto told = before;
  try {
    if (mend(in, changed, told))
      return in_words(told);
  } catch (const std::exception&) {
    // A file that cannot be read or written: what git says of it counts.
  }
  undo(changed);
  if (!changed.empty())
    keep_lines(in, before);
  return std::nullopt;
}

std::optional<std::string> mended_before(const repo& in) {
  auto lines = known_lines(in);
  if (lines.empty())
    return std::nullopt;
  return in_words(lines);
}

} // namespace greenroom::git
