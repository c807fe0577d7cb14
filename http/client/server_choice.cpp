#include "http/client/server_choice.hpp"

#include "http/client/errors.hpp"
#include "http/client/printing.hpp"
#include "runtime/base/files.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

namespace greenroom::http::client {

namespace fs = std::filesystem;
using json = nlohmann::json;

namespace {

constexpr const char* directory_file = ".greenroom";

std::string trimmed(std::string text) {
  auto space = [](unsigned char c) { return std::isspace(c) != 0; };
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), space));
  while (!text.empty() && space(static_cast<unsigned char>(text.back())))
    text.pop_back();
  return text;
}

std::string read_all(std::istream& in) {
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string read_key(const std::string& file) {
  if (file == "-")
    return trimmed(read_all(std::cin));
  std::ifstream in{file};
  std::error_code none;
  if (!in || fs::is_directory(file, none))
    throw usage_error("the key's file " + file + " cannot be read: "
                      + (in ? "it is a directory" : std::strerror(errno)));
  auto key = trimmed(read_all(in));
  if (key.empty())
    throw usage_error("the key's file " + file + " is empty");
  return key;
}

json parse_file(const fs::path& file) {
  std::ifstream in{file};
  if (!in)
    return nullptr;
  auto all = json::parse(read_all(in), nullptr, false);
  if (!all.is_object())
    throw usage_error(file.string()
                      + " is no JSON object: remove it, or write it anew");
  return all;
}

std::string field(const json& all, const char* name) {
  auto found = all.find(name);
  return found != all.end() && found->is_string() ? found->get<std::string>()
                                                  : "";
}

void write_file(const fs::path& file, const json& what, mode_t mode) {
  try {
    write_file_atomic(file, what.dump(2) + "\n", mode, true);
  } catch (const std::system_error& e) {
    throw command_failed(exit_code::failed,
                         file.string()
                           + " cannot be written: " + e.code().message());
  }
}

// In the directory, or the nearest above it.
std::optional<fs::path> directory_file_of(const fs::path& dir) {
  for (auto at = dir;; at = at.parent_path()) {
    auto file = at / directory_file;
    std::error_code none;
    if (fs::is_regular_file(file, none))
      return file;
    if (at == at.parent_path())
      return std::nullopt;
  }
}

} // namespace

std::string endpoint::authority() const {
  auto name = host.find(':') == std::string::npos ? host : '[' + host + ']';
  return port == (tls ? "443" : "80") ? name : name + ':' + port;
}

std::string endpoint::url() const {
  return (tls ? "https://" : "http://") + authority() + path;
}

endpoint parse_endpoint(const std::string& url) {
  auto fail = [&](const char* why) {
    return usage_error("\"" + url + "\" is no server's URL: " + why
                       + ", e.g. http://127.0.0.1:8080");
  };
  endpoint result;
  std::string rest;
  if (url.starts_with("https://")) {
    result.tls = true;
    rest = url.substr(8);
  } else if (url.starts_with("http://")) {
    rest = url.substr(7);
  } else {
    throw fail("it begins with http:// or https://");
  }
  if (rest.find_first_of("@?# ") != std::string::npos)
    throw fail("it has only a host, a port and a path");
  auto slash = rest.find('/');
  if (slash != std::string::npos)
    result.path = rest.substr(slash);
  while (result.path.ends_with('/'))
    result.path.pop_back();
  auto authority = rest.substr(0, slash);
  auto colon = authority.rfind(':');
  if (authority.starts_with('[')) {
    auto end = authority.find(']');
    if (end == std::string::npos)
      throw fail("the address has no closing bracket");
    result.host = authority.substr(1, end - 1);
    colon = end + 1 < authority.size() ? end + 1 : std::string::npos;
  } else {
    result.host = authority.substr(0, colon);
  }
  result.port = colon == std::string::npos ? (result.tls ? "443" : "80")
                                           : authority.substr(colon + 1);
  auto digits = std::ranges::all_of(
    result.port, [](char c) { return c >= '0' && c <= '9'; });
  if (result.host.empty())
    throw fail("it names a host");
  if (!digits || result.port.empty() || result.port.size() > 5
      || std::stoi(result.port) > 65535 || std::stoi(result.port) == 0)
    throw fail("the port is a number from 1 to 65535");
  return result;
}

std::optional<directory_choice> find_directory_choice(const fs::path& dir) {
  const auto file = directory_file_of(dir);
  if (!file)
    return std::nullopt;
  auto all = parse_file(*file);
  directory_choice result{field(all, "url"), field(all, "project"),
                          field(all, "session")};
  if (result.url.empty() || result.project.empty() || result.session.empty())
    throw usage_error(file->string()
                      + " names no url, project and session: write it "
                        "anew with `greenroom use SESSION`");
  return result;
}

fs::path remove_directory_choice(const fs::path& dir) {
  auto file = directory_file_of(dir).value_or(dir / directory_file);
  fs::remove(file);
  return file;
}

void save_directory_choice(const fs::path& dir,
                           const directory_choice& choice) {
  write_file(dir / directory_file,
             {{"url", choice.url},
              {"project", choice.project},
              {"session", choice.session}},
             0644);
}

std::optional<login> load_login(const fs::path& file) {
  auto all = parse_file(file);
  if (all.is_null())
    return std::nullopt;
  return login{field(all, "url"), field(all, "key")};
}

void save_login(const fs::path& file, const login& what) {
  std::error_code none;
  fs::create_directories(file.parent_path(), none);
  write_file(file, {{"url", what.url}, {"key", what.key}}, 0600);
}

std::string process_environment(const char* name) {
  const auto* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path login_file(const environment& env) {
  auto base = env("XDG_CONFIG_HOME");
  if (base.empty()) {
    auto home = env("HOME");
    if (home.empty())
      throw usage_error("HOME is not set, so there is no place for a login: "
                        "use GREENROOM_URL and GREENROOM_KEY");
    base = home + "/.config";
  }
  return fs::path{base} / "greenroom" / "login.json";
}

namespace {

// Read only where it is needed, for it may be damaged.
std::optional<login> kept_login(const environment& env) {
  if (env("HOME").empty() && env("XDG_CONFIG_HOME").empty())
    return std::nullopt;
  return load_login(login_file(env));
}

// Where there is none the server says what would help, if it wants one.
std::string kept_key(const environment& env, const endpoint& at) {
  try {
    auto before = kept_login(env);
    if (before && parse_endpoint(before->url).url() == at.url())
      return before->key;
  } catch (const usage_error& e) {
    say(std::string{"greenroom: no key is taken from the login: "} + e.what());
  }
  return {};
}

} // namespace

server_choice choose_server(const choice_options& options,
                            const environment& env, const fs::path& directory) {
  auto url = options.url;
  if (url.empty())
    url = env("GREENROOM_URL");
  if (url.empty())
    if (auto before = kept_login(env))
      url = before->url;
  if (url.empty()) {
    auto here = find_directory_choice(directory);
    throw usage_error("no server is chosen: run `greenroom login "
                      + (here ? here->url : std::string{"URL"})
                      + "`, or set GREENROOM_URL");
  }
  server_choice result{parse_endpoint(url), {}, options.ca_file};
  if (result.ca_file.empty())
    result.ca_file = env("GREENROOM_CA_FILE");
  if (!options.key_file.empty())
    result.key = read_key(options.key_file);
  else if (auto key = env("GREENROOM_KEY"); !key.empty())
    result.key = trimmed(key);
  else if (auto file = env("GREENROOM_KEY_FILE"); !file.empty())
    result.key = read_key(file);
  else
    result.key = kept_key(env, result.at);
  return result;
}

} // namespace greenroom::http::client
