#include "http/client/session_choice.hpp"

#include "http/client/errors.hpp"
#include "runtime/base/run_command.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace greenroom::http::client {

namespace {

bool is_live(const json& session) {
  constexpr std::array<std::string_view, 3> live{"creating", "active",
                                                 "checking_in"};
  auto status = session.value("status", "");
  return std::ranges::find(live, status) != live.end();
}

session_ref ref_of(const json& session) {
  return {session.value("project_id", ""), session.value("id", "")};
}

std::vector<const json*> those_of(const json& sessions, auto matches) {
  std::vector<const json*> result;
  for (auto& one : sessions)
    if (matches(one))
      result.push_back(&one);
  return result;
}

// That of this directory, where it is of the server that is asked.
std::optional<directory_choice> choice_here(const api_client& api) {
  auto here = find_directory_choice(std::filesystem::current_path());
  if (here && parse_endpoint(here->url).url() == api.server().at.url())
    return here;
  return std::nullopt;
}

std::string git_branch() {
  command what;
  what.argv = {"git", "symbolic-ref", "--quiet", "--short", "HEAD"};
  const auto* path = std::getenv("PATH");
  what.env = {std::string{"PATH="} + (path == nullptr ? "/usr/bin" : path)};
  what.cwd = std::filesystem::current_path();
  try {
    auto result = run_command(what);
    if (!result.ok())
      return "";
    result.out.erase(result.out.find_last_not_of('\n') + 1);
    return result.out;
  } catch (const std::exception&) {
    return ""; // no git here
  }
}

} // namespace

std::optional<session_ref> match_session(const json& sessions,
                                         const std::string& word) {
  auto by_id =
    those_of(sessions, [&](auto& one) { return one.value("id", "") == word; });
  if (!by_id.empty())
    return ref_of(*by_id.front());
  auto by_branch = those_of(
    sessions, [&](auto& one) { return one.value("branch", "") == word; });
  auto live =
    std::ranges::count_if(by_branch, [](auto* one) { return is_live(*one); });
  if (live == 1 || (live == 0 && !by_branch.empty())) {
    auto first = live == 1 ? std::ranges::find_if(
                   by_branch, [](auto* one) { return is_live(*one); })
                           : by_branch.begin();
    return ref_of(**first);
  }
  auto found = live > 1 ? by_branch : those_of(sessions, [&](auto& one) {
    return one.value("id", "").starts_with(word);
  });
  if (found.empty())
    return std::nullopt;
  if (found.size() == 1)
    return ref_of(*found.front());
  std::string all;
  for (std::size_t i = 0; i < found.size() && i < 5; ++i)
    all += "\n  " + found[i]->value("id", "") + "  "
           + found[i]->value("project_id", "") + "  "
           + found[i]->value("branch", "");
  throw usage_error("\"" + word + "\" can mean several sessions:" + all);
}

asio::awaitable<json> get_all(api_client& api, std::string target,
                              const char* field) {
  json result = json::array();
  std::string cursor;
  do {
    auto page = target;
    page += target.find('?') == std::string::npos ? '?' : '&';
    page += "limit=200";
    if (!cursor.empty())
      page += "&cursor=" + escaped(cursor);
    auto data = co_await api.get(std::move(page));
    for (auto& one : data[field])
      result.push_back(std::move(one));
    cursor = data.value("next_cursor", "");
  } while (!cursor.empty());
  co_return result;
}

asio::awaitable<session_ref>
choose_session(api_client& api, std::string project, std::string word) {
  auto here = choice_here(api);
  if (word.empty() && here && (project.empty() || project == here->project))
    co_return session_ref{here->project, here->session};
  auto from_git = word.empty();
  if (from_git)
    word = git_branch();
  if (word.empty())
    throw usage_error("no session is named: give its id, a prefix of it or its "
                      "branch, or run `greenroom use SESSION` once in this "
                      "directory");
  std::string list = "/sessions";
  if (!project.empty())
    list = "/projects/" + escaped(project) + "/sessions";
  auto sessions = co_await get_all(api, std::move(list), "sessions");
  auto found = match_session(sessions, word);
  if (!found)
    throw command_failed(
      exit_code::not_found,
      from_git ? "no session is on this checkout's branch, \"" + word + "\""
               : "no session has an id or a branch like \"" + word
                   + "\"; `greenroom list --all` shows them");
  co_return *found;
}

asio::awaitable<std::string> choose_project(api_client& api,
                                            std::string project) {
  if (project.empty())
    project = process_environment("GREENROOM_PROJECT");
  if (!project.empty())
    co_return project;
  if (auto here = choice_here(api))
    co_return here->project;
  std::string list = "/projects";
  auto data = co_await api.get(std::move(list));
  auto& all = data["projects"];
  if (all.size() == 1)
    co_return all[0].value("id", "");
  std::string names;
  for (auto& one : all)
    names += (names.empty() ? "" : ", ") + one.value("id", "");
  throw usage_error(all.empty()
                      ? std::string{"this key sees no project: an "
                                    "administrator adds one with `greenroom "
                                    "projects add`"}
                      : "which project? Use --project or GREENROOM_PROJECT: "
                          + names);
}

} // namespace greenroom::http::client
