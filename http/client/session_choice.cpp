#include "http/client/session_choice.hpp"

#include "http/client/errors.hpp"
#include "http/client/forms.hpp"
#include "http/client/printing.hpp"
#include "messages/ids.hpp"
#include "runtime/base/run_command.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace greenroom::http::client {

namespace {

// In the order of a session's life: one that goes on from the one to the next
// while they are asked for is in both.
constexpr std::array<const char*, 3> live_states{"creating", "active",
                                                 "checking_in"};

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

bool is_of_server(const directory_choice& here, const api_client& api) {
  return parse_endpoint(here.url).url() == api.server().at.url();
}

// That of this directory, where it is of the server that is asked.
std::optional<directory_choice> choice_here(const api_client& api) {
  auto here = find_directory_choice(std::filesystem::current_path());
  if (here && !is_of_server(*here, api))
    here.reset();
  return here;
}

// What to add where a session of this directory would have been of use.
std::string other_server_here(const api_client& api) {
  auto here = find_directory_choice(std::filesystem::current_path());
  if (!here || is_of_server(*here, api))
    return {};
  return "; .greenroom names one of " + here->url + ", and "
         + api.server().at.url() + " is asked";
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

// A page of a list; `cursor` is empty for the first.
asio::awaitable<json> get_page(api_client& api, const std::string& target,
                               const std::string& cursor) {
  auto page = target;
  page += target.find('?') == std::string::npos ? '?' : '&';
  page += "limit=200";
  if (!cursor.empty())
    page += "&cursor=" + escaped(cursor);
  return api.get(std::move(page));
}

// Among all sessions, newest first; no further back than needed.
asio::awaitable<std::optional<session_ref>>
search_all(api_client& api, std::string target, std::string word) {
  json likely = json::array();
  std::string cursor;
  auto sure = false;
  do {
    auto page = co_await get_page(api, target, cursor);
    for (auto& one : page["sessions"]) {
      auto is_it =
        one.value("id", "") == word || one.value("branch", "") == word;
      sure = sure || is_it;
      if (is_it || one.value("id", "").starts_with(word))
        likely.push_back(std::move(one));
    }
    cursor = page.value("next_cursor", "");
  } while (!sure && !cursor.empty());
  co_return match_session(likely, word);
}

// The session of this id, if there is one.
asio::awaitable<std::optional<session_ref>>
look_up(api_client& api, std::string project, std::string id) {
  session_ref it{std::move(project), std::move(id)};
  try {
    co_await api.get(it.path());
  } catch (const api_error& e) {
    if (e.status() != 404)
      throw;
    it.id.clear();
  }
  if (it.id.empty())
    co_return std::nullopt;
  co_return it;
}

// Most sessions are over, and seldom what is meant: the live ones are asked for
// first.
asio::awaitable<std::optional<session_ref>>
find_session(api_client& api, std::string project, std::string word) {
  std::optional<session_ref> found;
  if (!project.empty() && is_id(word))
    found = co_await look_up(api, project, word);
  if (found)
    co_return found;
  std::string list = "/sessions";
  if (!project.empty())
    list = "/projects/" + escaped(project) + "/sessions";
  auto live = co_await get_live_sessions(api, list);
  found = match_session(live, word);
  if (!found)
    found = co_await search_all(api, std::move(list), std::move(word));
  co_return found;
}

// The projects that the key sees.
asio::awaitable<json> get_projects(api_client& api) {
  json names = json::array();
  auto may_list = true;
  try {
    std::string list = "/projects";
    auto all = co_await get_all(api, std::move(list), "projects");
    for (auto& one : all)
      names.push_back(one.value("id", ""));
  } catch (const api_error& e) {
    if (e.status() != 403)
      throw;
    may_list = false;
  }
  if (!may_list) {
    // A key that may not list them may be limited to some.
    std::string target = "/whoami";
    auto key = co_await api.get(std::move(target));
    if (auto own = key.find("projects"); own != key.end() && own->is_array())
      names = *own;
    if (names.empty())
      throw usage_error("which project? Use --project or GREENROOM_PROJECT: "
                        "this key may not list them");
  }
  co_return names;
}

} // namespace

bool is_live(const json& session) {
  return std::ranges::find(live_states, session.value("status", ""))
         != live_states.end();
}

std::optional<session_ref> match_session(const json& sessions,
                                         const std::string& word) {
  auto all =
    those_of(sessions, [&](auto& one) { return one.value("id", "") == word; });
  if (!all.empty())
    return ref_of(*all.front());
  auto by_branch = those_of(
    sessions, [&](auto& one) { return one.value("branch", "") == word; });
  all = by_branch;
  if (all.empty())
    all = those_of(sessions, [&](auto& one) {
      return one.value("id", "").starts_with(word);
    });
  auto live = all;
  std::erase_if(live, [](auto* one) { return !is_live(*one); });
  if (!live.empty())
    all = live;
  else if (!by_branch.empty())
    all.resize(1); // the last one that was on it
  if (all.empty())
    return std::nullopt;
  if (all.size() == 1)
    return ref_of(*all.front());
  std::string list;
  for (std::size_t i = 0; i < all.size() && i < 5; ++i)
    list += "\n  " + all[i]->value("id", "") + "  "
            + all[i]->value("project_id", "") + "  "
            + all[i]->value("branch", "");
  throw usage_error("\"" + word + "\" can mean several sessions:" + list);
}

void forget_choice_here(const api_client& api, const session_ref& ended) {
  try {
    auto here = choice_here(api);
    if (!here || here->session != ended.id)
      return;
    auto file = remove_directory_choice(std::filesystem::current_path());
    say(std::filesystem::proximate(file).string()
        + " is removed: the session it named is over");
  } catch (const std::exception& e) {
    // The session is over all the same.
    say(std::string{"greenroom: "} + e.what());
  }
}

asio::awaitable<json> get_all(api_client& api, std::string target,
                              const char* field) {
  json result = json::array();
  std::string cursor;
  do {
    auto page = co_await get_page(api, target, cursor);
    for (auto& one : page[field])
      result.push_back(std::move(one));
    cursor = page.value("next_cursor", "");
  } while (!cursor.empty());
  co_return result;
}

asio::awaitable<json> get_live_sessions(api_client& api, std::string target) {
  json result = json::array();
  const auto mark = target.find('?') == std::string::npos ? '?' : '&';
  for (const auto* status : live_states) {
    auto of_status = target + mark + "status=" + status;
    auto some = co_await get_all(api, std::move(of_status), "sessions");
    for (auto& one : some) {
      auto known = std::ranges::find_if(result, [&](auto& other) {
        return other.value("id", "") == one.value("id", "");
      });
      if (known == result.end())
        result.push_back(std::move(one));
      else
        *known = std::move(one);
    }
  }
  std::sort(
    result.begin(), result.end(), [](const json& one, const json& other) {
      return one.value("created_at", "") > other.value("created_at", "");
    });
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
                      "directory"
                      + other_server_here(api));
  project = project_of_user(std::move(project));
  auto found = co_await find_session(api, project, word);
  if (found)
    co_return *found;
  auto where = project.empty() ? "" : " in project " + project;
  throw command_failed(
    exit_code::not_found,
    from_git ? "no session is on this checkout's branch, \"" + word + '"'
                 + where + other_server_here(api)
             : "no session has an id or a branch like \"" + word + '"' + where
                 + "; `greenroom list --all` shows them");
}

std::string project_of_user(std::string named) {
  if (!named.empty())
    return named;
  named = process_environment("GREENROOM_PROJECT");
  if (!named.empty())
    form::require("GREENROOM_PROJECT", form::project(named));
  return named;
}

asio::awaitable<json> projects_to_search(api_client& api, std::string project) {
  project = project_of_user(std::move(project));
  if (!project.empty())
    co_return json::array({project});
  const auto here = choice_here(api);
  json all;
  try {
    all = co_await get_projects(api);
  } catch (const usage_error&) {
    if (!here)
      throw;
    all = json::array({here->project});
  }
  // It is most likely of this directory's.
  if (here)
    std::stable_partition(all.begin(), all.end(), [&](const json& one) {
      return one == here->project;
    });
  co_return all;
}

asio::awaitable<std::string> choose_project(api_client& api,
                                            std::string project) {
  project = project_of_user(std::move(project));
  if (!project.empty())
    co_return project;
  if (auto here = choice_here(api))
    co_return here->project;
  auto all = co_await get_projects(api);
  if (all.size() == 1)
    co_return all[0].get<std::string>();
  std::string names;
  for (auto& one : all)
    names += (names.empty() ? "" : ", ") + one.get<std::string>();
  throw usage_error(all.empty()
                      ? std::string{"this key sees no project: an "
                                    "administrator adds one with `greenroom "
                                    "projects add`"}
                      : "which project? Use --project or GREENROOM_PROJECT: "
                          + names);
}

} // namespace greenroom::http::client
