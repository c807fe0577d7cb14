// Who may include whom: the table of folders. It has no cycle, so each folder
// can be read, built and tested with what is below it only.
#include "tests/support/build_paths.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path root = greenroom::test::source_dir();

using folders = std::set<std::string>;

// A folder and those that it may include beside itself. A new edge is a
// decision: add it here only if it points down.
const std::map<std::string, folders> allowed{
  {"actors",
   {"actors/base", "actors/project", "actors/runner_link", "actors/session",
    "actors/session/journal", "messages", "runtime/auth", "runtime/config"}},
  {"actors/base", {"messages", "runtime/base", "runtime/metrics"}},
  {"actors/cluster",
   {"actors/base", "actors/cluster/machine", "messages", "runtime/base",
    "runtime/peer", "runtime/runner/protocol", "runtime/store"}},
  {"actors/cluster/machine", {"messages"}},
  {"actors/disk",
   {"actors/base", "messages", "runtime/base", "runtime/timeline"}},
  {"actors/git", {"actors/base", "messages", "runtime/git/session"}},
  {"actors/project",
   {"actors/base", "actors/runner_link", "actors/session/machine", "messages",
    "runtime/auth", "runtime/base", "runtime/exec", "runtime/exec/output",
    "runtime/runner/client"}},
  {"actors/retention", {"actors/base", "messages", "runtime/exec/output"}},
  {"actors/runner_link",
   {"messages", "runtime/base", "runtime/exec", "runtime/runner/client",
    "runtime/runner/protocol"}},
  {"actors/session",
   {"actors/base", "actors/project", "actors/runner_link",
    "actors/session/journal", "actors/session/machine", "messages",
    "runtime/api_json", "runtime/auth", "runtime/base", "runtime/exec",
    "runtime/runner/client", "runtime/timeline"}},
  {"actors/session/journal",
   {"actors/session/machine", "messages", "runtime/api_json", "runtime/base",
    "runtime/disk", "runtime/exec", "runtime/exec/output",
    "runtime/runner/client", "runtime/runner/protocol", "runtime/timeline"}},
  {"actors/session/machine", {"messages"}},
  {"actors/store",
   {"actors/base", "messages", "runtime/base", "runtime/disk",
    "runtime/store"}},
  {"actors/webhooks",
   {"actors/base", "messages", "runtime/api_json", "runtime/metrics",
    "runtime/webhooks"}},
  {"http/api",
   {"http/base", "http/console", "http/edge", "http/git", "http/proxy",
    "http/streams", "http/wire", "messages", "runtime/api_json", "runtime/auth",
    "runtime/base", "runtime/config", "runtime/git/common", "runtime/metrics",
    "runtime/runner/protocol", "runtime/webhooks"}},
  {"http/base", {"messages", "runtime/base", "runtime/config"}},
  {"http/console", {"runtime/base"}},
  {"http/client", {"http/base", "http/wire", "messages", "runtime/base"}},
  {"http/edge",
   {"http/base", "http/wire", "messages", "runtime/base", "runtime/metrics"}},
  {"http/git",
   {"http/base", "http/edge", "http/wire", "messages", "runtime/auth",
    "runtime/base", "runtime/git/common", "runtime/git/session",
    "runtime/sandbox"}},
  {"http/outgoing",
   {"http/base", "http/wire", "runtime/base", "runtime/webhooks"}},
  {"http/proxy",
   {"http/base", "http/edge", "http/wire", "messages", "runtime/api_json",
    "runtime/auth", "runtime/base", "runtime/exec/output", "runtime/metrics",
    "runtime/runner/protocol"}},
  {"http/restinio", {"http/base", "http/edge", "http/wire"}},
  {"http/server",
   {"http/api", "http/base", "http/console", "http/edge", "http/git",
    "http/proxy", "http/restinio", "http/streams", "messages", "runtime/auth"}},
  {"http/streams",
   {"http/base", "http/edge", "http/wire", "messages", "runtime/api_json",
    "runtime/auth", "runtime/base", "runtime/exec/output",
    "runtime/runner/client", "runtime/runner/protocol", "runtime/timeline"}},
  {"http/wire", {"http/base", "runtime/base"}},
  {"messages", {}},
  {"runtime/api_json", {"messages", "runtime/base", "runtime/metrics"}},
  {"runtime/auth", {"messages", "runtime/base"}},
  {"runtime/base", {"messages"}},
  {"runtime/config", {"messages", "runtime/base"}},
  {"runtime/disk", {"runtime/base"}},
  {"runtime/exec", {"messages", "runtime/base", "runtime/runner/protocol"}},
  {"runtime/exec/output", {"messages", "runtime/base"}},
  {"runtime/git/common", {"runtime/base"}},
  {"runtime/git/inside", {"runtime/base", "runtime/git/common"}},
  {"runtime/git/mirror",
   {"messages", "runtime/base", "runtime/config", "runtime/git/common"}},
  {"runtime/git/session",
   {"messages", "runtime/base", "runtime/disk", "runtime/git/common",
    "runtime/git/inside", "runtime/git/mirror", "runtime/sandbox"}},
  {"runtime/metrics", {"messages", "runtime/base"}},
  {"runtime/node",
   {"actors",
    "actors/cluster",
    "actors/disk",
    "actors/git",
    "actors/retention",
    "actors/runner_link",
    "actors/session/journal",
    "actors/store",
    "actors/webhooks",
    "http/base",
    "http/client",
    "http/edge",
    "http/outgoing",
    "http/server",
    "messages",
    "runtime/api_json",
    "runtime/auth",
    "runtime/base",
    "runtime/config",
    "runtime/disk",
    "runtime/git/common",
    "runtime/git/mirror",
    "runtime/metrics",
    "runtime/peer",
    "runtime/runner/protocol",
    "runtime/sandbox",
    "runtime/store",
    "runtime/webhooks"}},
  {"runtime/peer", {"runtime/base"}},
  {"runtime/runner/client", {"runtime/base", "runtime/runner/protocol"}},
  {"runtime/runner/inner", {"runtime/base", "runtime/runner/protocol"}},
  {"runtime/runner/outer",
   {"messages", "runtime/base", "runtime/exec/output", "runtime/runner/inner",
    "runtime/runner/protocol"}},
  {"runtime/runner/protocol", {"messages", "runtime/base"}},
  {"runtime/sandbox",
   {"runtime/base", "runtime/config", "runtime/runner/protocol"}},
  {"runtime/store", {"messages", "runtime/base", "runtime/config"}},
  {"runtime/webhooks", {"messages", "runtime/base"}},
  {"runtime/timeline", {"messages", "runtime/base", "runtime/exec/output"}},
};

// Headers of messages/ that know nothing of CAF.
const std::set<std::string> plain_headers{"messages/time.hpp",
                                          "messages/ids.hpp"};

// What stands beside a session or works in its sandbox stays small: no CAF.
const folders small_programs{
  "runtime/base",         "runtime/exec/output",  "runtime/runner/protocol",
  "runtime/runner/outer", "runtime/runner/inner", "runtime/git/common",
  "runtime/git/inside"};

std::string folder_of(const std::string& path) {
  return fs::path{path}.parent_path().string();
}

bool may_include(const std::string& from, const std::string& to) {
  auto folder = folder_of(from);
  auto other = folder_of(to);
  if (folder == other)
    return true;
  if (small_programs.contains(folder) && other == "messages"
      && !plain_headers.contains(to))
    return false;
  auto found = allowed.find(folder);
  return found != allowed.end() && found->second.contains(other);
}

std::vector<std::string> sources() {
  std::vector<std::string> result;
  for (auto top : {"messages", "runtime", "actors", "http"})
    for (auto& entry : fs::recursive_directory_iterator{root / top}) {
      auto extension = entry.path().extension();
      if (extension == ".hpp" || extension == ".cpp")
        result.push_back(fs::relative(entry.path(), root).string());
    }
  return result;
}

std::vector<std::string> includes_of(const std::string& path, bool system) {
  static const std::regex own{R"(^\s*#\s*include\s*\"([^\"]+)\")"};
  static const std::regex foreign{R"(^\s*#\s*include\s*<([^>]+)>)"};
  std::ifstream in{root / path};
  std::vector<std::string> result;
  std::smatch match;
  for (std::string line; std::getline(in, line);)
    if (std::regex_search(line, match, system ? foreign : own))
      result.push_back(match[1]);
  return result;
}

bool contains(const std::string& path, std::string_view text) {
  std::ifstream in{root / path};
  for (std::string line; std::getline(in, line);)
    if (line.find(text) != std::string::npos)
      return true;
  return false;
}

// A folder from which following the table leads back to it, or "".
std::string folder_in_a_cycle(const std::map<std::string, folders>& table) {
  for (auto& [start, direct] : table) {
    folders seen;
    std::vector<std::string> next(direct.begin(), direct.end());
    while (!next.empty()) {
      auto folder = next.back();
      next.pop_back();
      if (folder == start)
        return start;
      if (!seen.insert(folder).second)
        continue;
      if (auto found = table.find(folder); found != table.end())
        next.insert(next.end(), found->second.begin(), found->second.end());
    }
  }
  return "";
}

} // namespace

TEST_CASE("every folder includes only what it may") {
  auto all = sources();
  REQUIRE(all.size() > 50);
  for (auto& path : all)
    for (auto& other : includes_of(path, false)) {
      INFO(path << " includes " << other);
      CHECK(fs::exists(root / other));
      CHECK(may_include(path, other));
    }
}

TEST_CASE(
  "the table of folders has no cycle, and no folder that is not there") {
  CHECK(folder_in_a_cycle(allowed) == "");
  for (auto& [folder, others] : allowed) {
    INFO(folder);
    CHECK(fs::is_directory(root / folder));
    for (auto& other : others)
      CHECK(allowed.contains(other));
  }
}

TEST_CASE("the rules would notice") {
  CHECK_FALSE(may_include("http/api/routes.cpp", "actors/session/session.hpp"));
  CHECK_FALSE(may_include("messages/ids.hpp", "runtime/base/fd.hpp"));
  CHECK_FALSE(
    may_include("actors/session/session.hpp", "runtime/node/node.hpp"));
  CHECK_FALSE(
    may_include("runtime/runner/outer/shim.cpp", "messages/errors.hpp"));
  CHECK_FALSE(
    may_include("http/wire/server_connection.cpp", "http/git/route.hpp"));
  CHECK_FALSE(may_include("new/folder/file.cpp", "messages/ids.hpp"));
  CHECK(folder_in_a_cycle({{"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}}) == "a");
}

TEST_CASE("nothing but http/restinio names a type of RESTinio's") {
  for (auto& path : sources()) {
    if (folder_of(path) == "http/restinio")
      continue;
    INFO(path);
    CHECK_FALSE(contains(path, "restinio::"));
  }
}

TEST_CASE("of http/, nothing but http/edge names a type of CAF's") {
  for (auto& path : sources()) {
    auto folder = folder_of(path);
    if (!folder.starts_with("http/") || folder == "http/edge")
      continue;
    INFO(path);
    CHECK_FALSE(contains(path, "caf::"));
  }
}

TEST_CASE("libraries are included where they are at home") {
  for (auto& path : sources())
    for (auto& other : includes_of(path, true)) {
      INFO(path << " includes " << other);
      auto folder = folder_of(path);
      if (small_programs.contains(folder))
        CHECK_FALSE(other.starts_with("caf/"));
      if (other.starts_with("caf/") && folder.starts_with("http/"))
        CHECK(folder == "http/edge");
      if (other == "git2.h")
        CHECK(folder == "runtime/git/mirror");
      if (other.starts_with("soci/"))
        CHECK(folder == "runtime/store");
      if (other.starts_with("prometheus/"))
        CHECK(folder == "runtime/metrics");
      if (other.starts_with("restinio/"))
        CHECK(folder == "http/restinio");
      if (other.starts_with("boost/beast/"))
        CHECK(folder == "http/wire");
      // One Asio for all.
      CHECK_FALSE(other.starts_with("asio"));
    }
}
