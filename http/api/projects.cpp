#include "runtime/config/projects.hpp"
#include "http/api/credentials.hpp"
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "runtime/auth/scopes.hpp"
#include "runtime/git/common/refs.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace greenroom::http::handlers {

namespace {

using ordered_json = nlohmann::ordered_json;

ordered_json project_json(const project_record& project) {
  auto result = project_to_json(project);
  result["status"] = project.stopped ? "stopped" : "running";
  return result;
}

void reply_with(const exchange_ptr& ex, int status,
                const project_record& project) {
  ex->reply(status, project_json(project).dump());
}

/// A create that is repeated finds what its first try made.
void answer_as_made(const exchange_ptr& ex, const project_record& wanted,
                    const ask_error& why) {
  ask<project_record>(ex, ex->env.directory, ex->env.options.look_up,
                      greenroom::get_project{wanted.id},
                      [ex, wanted, why](const project_record& there) {
                        auto same = wanted;
                        same.incarnation = there.incarnation;
                        if (there == same)
                          reply_with(ex, 201, there);
                        else
                          refuse_with(ex, why);
                      });
}

/// Where a repository lies on the server; empty: behind a URL, or git is to
/// tell.
std::filesystem::path local_path(const std::string& repo) {
  constexpr std::string_view scheme = "file://";
  auto path = repo.starts_with(scheme) ? repo.substr(scheme.size()) : repo;
  return path.starts_with('/') && path.find('%') == path.npos ? path : "";
}

/// As git takes it for one: bare, or with a `.git`.
bool is_repository(const std::filesystem::path& top) {
  std::error_code unknown;
  return std::filesystem::exists(top / ".git", unknown)
         || (std::filesystem::exists(top / "HEAD", unknown)
             && std::filesystem::is_directory(top / "objects", unknown));
}

/// A repository that is named by its path is to be there: what is misspelt
/// shows now, and not at the first session.
void check_repo(const std::string& repo) {
  if (auto fault = git::upstream_fault(repo))
    throw refused(errc::bad_request, "repo " + *fault);
  const auto path = local_path(repo);
  std::error_code unknown;
  if (path.empty())
    return;
  if (!std::filesystem::is_directory(path, unknown))
    throw refused(errc::bad_request,
                  "repo: there is no directory " + path.string()
                    + " on the server; name a repository of its, or a URL");
  if (!is_repository(path))
    throw refused(errc::bad_request,
                  "repo: " + path.string()
                    + " is no git repository; name one of the server, or a "
                      "URL");
}

/// Whoever names a repository has the server read and write it as itself: that
/// is more than a limit to projects allows.
void check_may_name_repo(const exchange& ex) {
  check_unlimited(*ex.key, "setting a project's repo");
}

} // namespace

void list_projects(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  ask<project_list>(ex, ex->env.directory, ex->env.options.look_up,
                    greenroom::list_projects{},
                    [ex, query = std::move(query)](const project_list& all) {
                      auto shown = all.projects;
                      std::erase_if(shown, [&](const project_record& project) {
                        return !allows_project(*ex->key, project.id);
                      });
                      std::string next;
                      shown = page_of(
                        std::move(shown), query,
                        [](const project_record& p) { return p.id; }, next);
                      auto list = ordered_json::array();
                      for (auto& project : shown)
                        list.push_back(project_json(project));
                      ex->reply(200, list_json("projects", list.dump(), next));
                    });
}

void create_project(const exchange_ptr& ex) {
  auto project = project_from_json(parse_object(ex->in.body));
  check_may_name_repo(*ex);
  check_repo(project.repo);
  ask<project_record>(
    ex, ex->env.directory, ex->env.options.ordinary,
    greenroom::create_project{project},
    [ex](const project_record& made) { reply_with(ex, 201, made); },
    [ex, project](const ask_error& why) {
      if (ex->repeated && to_refusal(why).code == errc::project_exists)
        answer_as_made(ex, project, why);
      else
        refuse_with(ex, why);
    });
}

void get_project(const exchange_ptr& ex) {
  ask<project_record>(
    ex, ex->env.directory, ex->env.options.look_up,
    greenroom::get_project{ex->project_id()},
    [ex](const project_record& project) { reply_with(ex, 200, project); });
}

void change_project(const exchange_ptr& ex) {
  auto body = parse_object(ex->in.body);
  if (auto repo = body.find("repo"); repo != body.end()) {
    check_may_name_repo(*ex);
    if (repo->is_string())
      check_repo(repo->get<std::string>());
  }
  auto fields = body.dump();
  ask<project_record>(
    ex, ex->env.directory, ex->env.options.ordinary,
    greenroom::change_project{ex->project_id(), std::move(fields)},
    [ex](const project_record& project) { reply_with(ex, 200, project); });
}

void delete_project(const exchange_ptr& ex) {
  ask<done>(
    ex, ex->env.directory, ex->env.options.ordinary,
    greenroom::delete_project{ex->project_id()}, [ex](const done&) {
      ex->reply(
        200,
        ordered_json{{"id", ex->project_id()}, {"status", "deleted"}}.dump());
    });
}

} // namespace greenroom::http::handlers
