#include "runtime/git/session/origin.hpp"

#include "messages/errors.hpp"
#include "runtime/base/for_shell.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/mirror/lfs_pointers.hpp"
#include "runtime/git/mirror/view.hpp"
#include "runtime/git/session/git_service.hpp"

#include <algorithm>

namespace greenroom::git {

static constexpr std::string_view origin_host = "git://greenroom/";

namespace {

// What stands before the path: "https://host"; empty for a path.
std::string_view before_path(std::string_view url) {
  auto scheme = url.find("://");
  if (scheme == url.npos)
    return {};
  return url.substr(0, std::min(url.find('/', scheme + 3), url.size()));
}

} // namespace

std::string origin_url(std::string_view upstream) {
  auto path = upstream.substr(before_path(upstream).size());
  path = path.substr(0, path.find_last_not_of('/') + 1);
  if (upstream.starts_with('/') || upstream.starts_with("file://"))
    path = path.substr(std::min(path.rfind('/'), path.size()));
  path = path.substr(std::min(path.find_first_not_of('/'), path.size()));
  return std::string{origin_host} + std::string{path};
}

std::optional<std::string> resolve_relative(std::string_view url,
                                            std::string_view relative) {
  if (!relative.starts_with("./") && !relative.starts_with("../"))
    return std::nullopt;
  auto least = before_path(url).size();
  url = url.substr(0, url.find_last_not_of('/') + 1);
  for (;;) {
    if (relative.starts_with("./")) {
      relative.remove_prefix(2);
    } else if (relative.starts_with("../")) {
      relative.remove_prefix(3);
      auto slash = url.rfind('/');
      if (slash == url.npos || slash < least)
        return std::nullopt;
      url = url.substr(0, slash);
    } else {
      return std::string{url} + '/' + std::string{relative};
    }
  }
}

std::string quoted_setting(const std::string& value) {
  std::string result = "\"";
  for (auto c : value) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += c;
  }
  return result + '"';
}

std::string lfs_settings(const std::string& proxy) {
  auto program = proxy.substr(0, proxy.find(" for "));
  // git-lfs takes git:// for https://.
  return "[lfs \"https://greenroom\"]\n"
         "\tstandalonetransferagent = greenroom\n"
         "\tlocksverify = false\n"
         "[lfs \"customtransfer.greenroom\"]\n\tpath = "
         + quoted_setting(program) + "\n\targs = lfs\n\tconcurrent = false\n";
}

} // namespace greenroom::git

namespace greenroom {

namespace fs = std::filesystem;

namespace {

// A repository, and what it is called in sessions.
struct shown_repository {
  std::string seen;
  std::string real;
  git::mirror mirror;
  std::string branch; // whose submodules count
};

constexpr std::size_t max_known = 64;

// Bytes of a list of the upstream's references: some 100,000.
constexpr std::size_t max_listed = std::size_t{8} << 20;

// What a branch's .gitmodules has as URLs.
std::vector<std::string> submodule_urls(const git::mirror& mirror,
                                        const std::string& branch) {
  git::server_git call{mirror.path(),
                       {"config", "-z",
                        "--blob=refs/upstream/heads/" + branch + ":.gitmodules",
                        "--get-regexp", R"(^submodule\..*\.url$)"}};
  auto listed = git::run(call);
  std::vector<std::string> result;
  if (!listed.ok())
    return result; // there is none
  for (const auto& one : git::split(listed.out, '\0'))
    if (auto end = one.find('\n'); end != one.npos)
      result.push_back(one.substr(end + 1));
  return result;
}

// A name for a submodule's mirror.
std::string name_of(const std::string& url) {
  git_oid id;
  git::check(git_odb_hash(&id, url.data(), url.size(), GIT_OBJECT_BLOB),
             "cannot name a submodule");
  return git::to_hex(id);
}

std::string trimmed(std::string_view path) {
  while (path.starts_with('/'))
    path.remove_prefix(1);
  while (path.ends_with('/'))
    path.remove_suffix(1);
  return std::string{path};
}

std::string path_in(std::string_view origin) {
  return trimmed(origin.substr(git::origin_host.size()));
}

} // namespace

std::string origin_proxy(const git::session_tools& tools,
                         const fs::path& directory) {
  std::string program = sandbox::git_connect_inside;
  if (tools.host->config.mode == sandbox_mode::none) {
    auto link = directory / "git-connect";
    std::error_code there;
    fs::create_symlink(tools.program, link, there);
    program = link.string();
  }
  return program + " for greenroom";
}

bool git_service::is_upstream(const project_record& project,
                              const std::string& path) {
  return trimmed(path) == path_in(git::origin_url(project.repo));
}

std::optional<project_record>
git_service::project_of_review(const std::string& id) {
  std::lock_guard guard{mutex_};
  auto found = reviews_.find(id);
  if (found == reviews_.end())
    return std::nullopt;
  return found->second;
}

fs::path git_service::origin(const project_record& project,
                             const std::string& path,
                             const module_rule& may_show) {
  if (!is_upstream(project, path))
    return submodule(project, path, may_show);
  auto mirror = fetched(project, true, true);
  return git::refresh_view(mirror, default_of(project, mirror));
}

string_map git_service::show_refs(const project_record& project,
                                  const std::vector<std::string>& beginnings) {
  auto mirror = open(project).until(lfs_calls_->stop_fd());
  for (const auto& beginning : beginnings)
    shown_.ask(mirror.path().string() + ' ' + beginning, [&] {
      mirror.fetch_asked(beginning);
      return true;
    });
  git::refresh_view(mirror, default_of(project, mirror));
  string_map result;
  for (const auto& [rest, id] : mirror.asked_refs()) {
    auto name = "refs/" + rest;
    if (std::ranges::any_of(beginnings, [&](const auto& beginning) {
          return name.starts_with(beginning);
        }))
      result.emplace(std::move(name), id);
  }
  return result;
}

shared_calls<string_map>::result_ptr
git_service::list_whole_upstream(const project_record& project) {
  const auto mirror = open(project).until(lfs_calls_->stop_fd());
  return lists_.ask(mirror.path().string(),
                    [&] { return mirror.ask_upstream("refs/", max_listed); });
}

// The node's own right to read goes no further than what the default branch
// names, and what the default branches of those name that a session has got
// already: a session could name anything. And since check-ins get there too,
// `may_show` has a say.
fs::path git_service::submodule(const project_record& project,
                                const std::string& path,
                                const module_rule& may_show) {
  const auto wanted = trimmed(path);
  auto mirror = fetched(project, false, true);
  const auto branch = default_of(project, mirror);
  std::vector<shown_repository> known{
    {git::origin_url(project.repo), project.repo, mirror, branch}};
  for (std::size_t i = 0; i < known.size() && i < max_known; ++i) {
    const auto from = known[i];
    for (const auto& url : submodule_urls(from.mirror, from.branch)) {
      auto seen = git::resolve_relative(from.seen, url);
      auto real = git::resolve_relative(from.real, url);
      if (!seen || !real)
        continue;
      project_record module;
      module.id = mirror_name(project) + ".modules/" + name_of(*real);
      module.repo = *real;
      if (path_in(*seen) != wanted) {
        if (!std::ranges::count(known, *real, &shown_repository::real)
            && fs::exists(mirror_path(module)) && may_show(*real)) {
          auto of_module = open(module);
          known.push_back(
            {*seen, *real, of_module, of_module.default_branch()});
        }
        continue;
      }
      if (!may_show(*real))
        throw refused(errc::not_found,
                      "\"" + path
                        + "\" is the repository of another project, which not "
                          "all who may use this one may use: it is served "
                          "there only");
      fs::create_directories((data_dir_ / "repos" / module.id).parent_path());
      auto of_module = fetched(module, false, true);
      return git::refresh_view(of_module, of_module.default_branch());
    }
  }
  throw refused(errc::not_found,
                "there is no repository \"" + path
                  + "\"; origin serves the upstream, submodules that branch "
                    "\""
                  + branch
                  + "\" has by a relative URL, and theirs once they are here");
}

git::lfs_store git_service::lfs_of(const project_record& project,
                                   const git::mirror& mirror,
                                   bool until_stop) const {
  return {mirror,
          default_of(project, mirror),
          credentials_,
          {lfs_calls_, lfs_space_, until_stop}};
}

unique_fd git_service::find_lfs(const project_record& project,
                                const git::lfs_object& what) {
  return lfs_of(project, open(project), true).find(what);
}

unique_fd git_service::fetch_lfs(const project_record& project,
                                 const git::lfs_object& what) {
  return lfs_of(project, open(project), true).fetch(what);
}

void git_service::deliver_lfs(const project_record& project,
                              const git::lfs_object& what, int fd) {
  lfs_of(project, open(project), true).deliver(what, fd);
}

void git_service::stop_lfs() {
  lfs_calls_->stop();
}

// Once the upstream has a commit nobody asks again whether it has the contents
// of its files too. git-lfs brings them before it pushes, unless it is not
// asked to.
void git_service::refuse_without_contents(const transfer_grant& who,
                                          const git::mirror& mirror,
                                          const std::string& commit) {
  auto store = lfs_of(who.project, mirror, true);
  git::bring_contents(
    mirror.path(), commit,
    [&](const git::lfs_object& object) { store.fetch(object); },
    [&](const std::string& path, const git::lfs_object&, const refused& why) {
      throw refused(errc::conflict,
                    "`" + git::sentence_of(path)
                      + "` is kept by Git LFS, and the upstream has not got "
                        "its contents: push without --no-verify, or first `git "
                        "lfs push origin "
                      + for_shell(who.session.branch)
                      + "`, or take it out of Git LFS (" + why.what() + ')');
    });
}

void git_service::push(const transfer_grant& who, const std::string& old,
                       const std::string& commit, int pack_fd,
                       std::uint64_t max_size) {
  auto mirror = open(who.project).until(lfs_calls_->stop_fd());
  const auto& branch = who.session.branch;
  mirror.import_pack(pack_fd, {commit}, max_size);
  if (is_protected(who.project, branch, default_of(who.project, mirror)))
    throw refused(errc::conflict,
                  "it is protected now, and moves by reviewed merges only");
  refuse_without_contents(who, mirror, commit);
  auto expected = old.empty() ? std::nullopt : std::optional{old};
  if (mirror.push(branch, commit, expected) == git::push_outcome::moved)
    throw refused(errc::conflict, "it has moved in the upstream; fetch and "
                                  "merge it, then push again");
}

} // namespace greenroom
