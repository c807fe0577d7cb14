#include "runtime/auth/admin_key.hpp"

#include "runtime/auth/api_keys.hpp"
#include "runtime/base/files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace greenroom {

namespace {

constexpr std::size_t least_length = 16;

std::string trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  auto begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos)
    return {};
  return std::string{
    text.substr(begin, text.find_last_not_of(space) - begin + 1)};
}

admin_key checked(std::string_view text, std::string source) {
  admin_key key;
  key.secret = trimmed(text);
  key.source = std::move(source);
  auto printable =
    std::ranges::all_of(key.secret, [](char c) { return c > ' ' && c <= '~'; });
  if (key.secret.empty())
    throw std::runtime_error("the administrator's key in " + key.source
                             + " is empty; it needs 16 characters or more");
  if (key.secret.size() < least_length || !printable)
    throw std::runtime_error(
      "the administrator's key in " + key.source
      + " must have 16 characters or more, all printable ASCII without spaces");
  return key;
}

// Checked before it is read: what everybody can read is no secret any more.
void check_mode(const std::filesystem::path& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0
      && (info.st_mode & (S_IROTH | S_IWOTH)) != 0)
    throw std::runtime_error("the administrator's key in " + path.string()
                             + " is open to every user of this machine; chmod "
                               "600 it, or better change it too");
}

std::filesystem::path place_of(const std::filesystem::path& key_file,
                               const std::filesystem::path& data_dir) {
  return key_file.empty() ? data_dir / "admin.key" : key_file;
}

// nullopt: nobody has set one.
std::optional<admin_key> find_admin_key(const std::filesystem::path& path) {
  if (const char* text = std::getenv("GREENROOM_ADMIN_KEY"))
    return checked(text, "GREENROOM_ADMIN_KEY");
  check_mode(path);
  if (auto text = read_file(path))
    return checked(*text, path.string());
  return std::nullopt;
}

} // namespace

admin_key load_admin_key(const std::filesystem::path& key_file,
                         const std::filesystem::path& data_dir) {
  const auto path = place_of(key_file, data_dir);
  if (auto found = find_admin_key(path))
    return std::move(*found);
  if (!key_file.empty())
    throw std::runtime_error("auth.admin_key_file names " + path.string()
                             + ", which does not exist");
  admin_key result{make_secret(), path.string(), true};
  ensure_dir(data_dir);
  write_file_atomic(path, result.secret + '\n', 0600, true);
  return result;
}

admin_key read_admin_key(const std::filesystem::path& key_file,
                         const std::filesystem::path& data_dir) {
  const auto path = place_of(key_file, data_dir);
  if (auto found = find_admin_key(path))
    return std::move(*found);
  throw std::runtime_error("the administrator's key in " + path.string()
                           + " is gone: there is no such file");
}

} // namespace greenroom
